package hawkeye

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/go-batteries/hawkeye/internal/alert"
	"github.com/go-batteries/hawkeye/internal/evaluate"
	"github.com/go-batteries/hawkeye/internal/feed"
	"github.com/go-batteries/hawkeye/internal/guard"
	"github.com/go-batteries/hawkeye/internal/notify"
	"github.com/go-batteries/hawkeye/internal/notify/routing"
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
	plan, width := s.Plan.Cells(rule)
	windows := feed.New(feed.Config{Store: h.store, Clock: h.clock, Queries: plan.Queries, NoFolds: true, Text: h.reg.NamesOf, Logger: h.logger})
	tick, born, err := h.readUpTo(ctx, windows)
	if err != nil {
		return Explanation{}, fmt.Errorf("explain %q: %w", monitor, err)
	}
	states := make(map[string]alert.State)
	if r, ok := h.book.Alert(key); ok {
		states[key] = r.State
	}
	if own, ok := h.agent.StateOf(key); ok {
		states[key] = own
	}
	cfg := evaluate.Config{Plan: plan, States: states, KindOf: h.agent.KindOf, Loaded: h.agent.Loaded(tick), Born: born}
	for i := range plan.Queries {
		cfg.Handles = append(cfg.Handles, windows.Handle(i))
	}
	ev, end := evaluate.New(cfg), h.clock.End(tick)
	a := ev.Read(windows.Engine(), key, group, evaluate.Tick{N: tick, End: end})
	out := explanation(a, end)
	out.Samples = h.samples(ev, windows, plan, group, width, end)
	out.Next = append(a.Outlook(), h.outlook(a, end)...)
	out.History = h.History(key)
	return out, nil
}

// readUpTo fills the windows up to the newest tick that is stored, and returns
// the last one before anybody counted, too.
func (h *Hawkeye) readUpTo(ctx context.Context, windows *feed.Feed) (tick, born int64, err error) {
	tick = h.clock.NowTick() - 1
	if h.running() {
		if tick, err = h.publisher.Flush(ctx); err != nil {
			return 0, 0, err
		}
	}
	runs, born := h.follower.KnownRuns(ctx, h.running())
	windows.SetRuns(runs)
	if err := windows.SeekTo(ctx, tick-1); err != nil {
		return 0, 0, err
	}
	for windows.Watermark() < tick {
		if _, err := windows.Next(ctx); err != nil {
			return 0, 0, err
		}
	}
	return tick, born, nil
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

func (h *Hawkeye) samples(ev *evaluate.Evaluator, w *feed.Feed, plan *evaluate.Plan, group string, width time.Duration, end time.Time) []Sample {
	var out []Sample
	for i := plan.Own(); i < len(plan.Queries); i++ {
		v := ev.Cell(w.Engine(), i, group)
		to := end.Add(-plan.Queries[i].Delay)
		s := Sample{From: to.Add(-width), To: to, Known: v.Status == window.OK, Complete: v.Complete()}
		if s.Known {
			s.Value = finite(v.V)
		}
		out = append(out, s)
	}
	return out
}

// outlook says in sentences what the receivers will hear.
func (h *Hawkeye) outlook(a *evaluate.Alert, now time.Time) []string {
	var out []string
	view := h.book.View()
	if a.State.Phase.Told() {
		out = append(out, h.repeats(a, view)...)
	}
	snapshot := routing.Snapshot(a, h.cfg.service, h.cfg.environment)
	view.Config = h.setup().Routes
	na := routing.Alert(a, snapshot)
	for _, step := range notify.Steps(view, &na, now) {
		when := "once its clock runs"
		if !step.At.IsZero() {
			when = "at " + step.At.Format(time.RFC3339)
		}
		out = append(out, fmt.Sprintf("is escalated to %s as %s %s", strings.Join(step.Receivers, ", "), step.Level, when))
	}
	for _, s := range view.Silences {
		if s.Active(now) && s.Matches(&snapshot) {
			out = append(out, fmt.Sprintf("is silenced by %s until %s (%s)", s.ID, s.End.Format(time.RFC3339), s.Author))
		}
	}
	if ack := view.Acks[a.State.Incident]; ack.Holds(now) {
		out = append(out, "is acknowledged by "+ack.Author)
	}
	return out
}

func (h *Hawkeye) repeats(a *evaluate.Alert, view *notify.View) []string {
	var out []string
	for _, k := range slices.SortedFunc(maps.Keys(view.Threads), func(x, y notify.ThreadKey) int {
		return cmp.Or(cmp.Compare(x.Alert, y.Alert), cmp.Compare(x.Receiver, y.Receiver))
	}) {
		t := view.Threads[k]
		switch {
		case t.Alert != a.Key || t.Incident != a.State.Incident || t.Over:
		case !t.RepeatAt.IsZero():
			out = append(out, t.Receiver+" is told again at "+t.RepeatAt.Format(time.RFC3339))
		case t.Held != "":
			out = append(out, t.Receiver+" hears nothing more for now: "+t.Held)
		}
	}
	return out
}
