package hawkeye

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/go-batteries/hawkeye/internal/alert"
	"github.com/go-batteries/hawkeye/internal/engine/explain"
	"github.com/go-batteries/hawkeye/internal/evaluate"
	"github.com/go-batteries/hawkeye/internal/guard"
	"github.com/go-batteries/hawkeye/internal/window"
)

// Explanation is why an alert stands as it does.
type Explanation struct {
	// Alert is how it stands, with the value at At.
	Alert
	// At is the end of the tick that was looked at.
	At time.Time
	// Metric, Op and Window are the monitor's.
	Metric, Op string
	Window     time.Duration
	// Total is the divisor's value, Compare the one that relative thresholds
	// are against; 0 where there is none.
	Total, Compare float64
	// Samples are the metric, without its divisor, over each part of the
	// window, oldest first.
	Samples []Sample
	// Levels are the verdicts on the value, mildest first.
	Levels []LevelVerdict
	// Next is what happens next, in sentences.
	Next []string
	// History is what happened, oldest first.
	History []HistoryEntry
}

// Sample is a part of a window.
type Sample struct {
	// From and To are its edges; To is exclusive.
	From, To time.Time
	// Value is what was measured there; Known says whether there was
	// anything, Complete whether nothing is missing.
	Value           float64
	Known, Complete bool
}

// LevelVerdict is how a value stands to one level of a monitor.
type LevelVerdict struct {
	Level     string
	Threshold float64 // the clear value, if the level fires and has one
	// Breached says that the value is over it, since Since if that is known,
	// For how long it must be, Fires that the level fires.
	Breached, Fires bool
	Since           time.Time
	For             time.Duration
}

// Explain says why an alert stands as it does: the samples of its window, the
// value, each level's verdict, and what happens next. monitor is its name or
// [Alert.Key] without the group; an alert of a monitor with `by` needs a value
// of each of those tags.
//
// The samples are read from the Store. The state is this process's own if it
// evaluates, else the stored one. Explain changes nothing. It returns
// [ErrNotFound] for an unknown monitor, an error if a tag is missing or the
// Store can't be read, and ctx's error.
func (h *Hawkeye) Explain(ctx context.Context, monitor string, tags ...Tag) (Explanation, error) {
	ctx = guard.Context(ctx)
	if h == nil {
		return Explanation{}, fmt.Errorf("%w: monitor %q", ErrNotFound, monitor)
	}
	s := h.setup()
	rule := s.Plan.Find(monitor)
	if rule == nil {
		return Explanation{}, fmt.Errorf("%w: monitor %q", ErrNotFound, monitor)
	}
	key, group, err := rule.GroupKey(tags)
	if err != nil {
		return Explanation{}, fmt.Errorf("explain %q: %w", monitor, err)
	}
	explainer := h.explainer()
	found, err := explainer.Explain(ctx, s, rule, key, group)
	if err != nil {
		return Explanation{}, fmt.Errorf("explain %q: %w", monitor, err)
	}
	out := explanation(found.Alert, found.End)
	for _, c := range found.Samples {
		sample := Sample{From: c.From, To: c.To, Known: c.Value.Status == window.OK, Complete: c.Value.Complete()}
		if sample.Known {
			sample.Value = finite(c.Value.V)
		}
		out.Samples = append(out.Samples, sample)
	}
	out.Next = found.Next
	out.History = h.History(key)
	return out, nil
}

// explainer reads what explains an alert.
func (h *Hawkeye) explainer() explain.Config {
	cfg := explain.Config{
		Store: h.store, Clock: h.clock, Book: h.book, Follower: h.follower, Agent: h.agent, Names: h.reg.NamesOf, Logger: h.logger,
		Service: h.cfg.service, Environment: h.cfg.environment,
	}
	if h.running() {
		cfg.Flush = h.publisher.Flush
	}
	return cfg
}

func explanation(a *evaluate.Alert, end time.Time) Explanation {
	m := a.Rule.Monitor
	out := Explanation{
		Alert: Alert{
			Monitor: m.Name, Key: a.Key, Tags: a.TagMap(), State: shown(&a.State, a.Value.Status != window.Unseen),
			Level: a.State.Level, Incident: a.State.Incident, Known: a.Value.Status == window.OK,
			Complete: a.Value.Complete(), Since: a.State.Since,
		},
		At: end, Metric: m.Metric, Op: string(m.Op), Window: m.Window,
		Total: finite(a.Total), Compare: finite(a.Compare),
	}
	if a.State.Phase == alert.Inactive && a.Value.Status == window.Unseen {
		out.State = stateUnseen
	}
	if out.Known {
		out.Value = finite(a.Value.V)
	}
	for _, v := range a.Verdicts() {
		verdict := LevelVerdict(v)
		verdict.Threshold = finite(v.Threshold)
		out.Levels = append(out.Levels, verdict)
	}
	return out
}

// finite returns the number nearest to v, and 0 for NaN: JSON knows neither
// that nor infinities, and a status page must not fail because of one of them.
func finite(v float64) float64 {
	if v != v {
		return 0
	}
	return min(max(v, -math.MaxFloat64), math.MaxFloat64)
}
