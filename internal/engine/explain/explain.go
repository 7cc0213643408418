// Package explain says why an alert stands as it does, and what happens next.
//
//	Store ─ feed ─→ windows of one rule ─ evaluate.Read ─→ value, verdicts
//	ledger, agent ─→ state                               ─→ what happens next, in sentences
//
// It reads what evaluation has read, with windows of its own, and changes
// nothing. The state is that of this process's agent if it evaluates, else the
// stored one.
package explain

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-batteries/hawkeye/internal/alert"
	"github.com/go-batteries/hawkeye/internal/engine/agent"
	"github.com/go-batteries/hawkeye/internal/engine/follower"
	"github.com/go-batteries/hawkeye/internal/engine/ruleset"
	"github.com/go-batteries/hawkeye/internal/evaluate"
	"github.com/go-batteries/hawkeye/internal/feed"
	"github.com/go-batteries/hawkeye/internal/ledger"
	"github.com/go-batteries/hawkeye/internal/notify"
	"github.com/go-batteries/hawkeye/internal/notify/routing"
	"github.com/go-batteries/hawkeye/internal/samples/clock"
	"github.com/go-batteries/hawkeye/internal/window"
	"github.com/go-batteries/hawkeye/store"
)

// Config is what it takes to explain an alert.
type Config struct {
	Store    store.Store
	Clock    *clock.Clock
	Book     *ledger.Book
	Follower *follower.Follower
	Agent    *agent.Agent
	Names    func(ids []uint64) []store.Name
	Logger   *slog.Logger

	// Flush publishes what was counted so far and returns the tick of it; nil
	// while nothing runs.
	Flush func(context.Context) (int64, error)

	Service, Environment string // as messages say them
}

// Found is what was found.
type Found struct {
	Alert   *evaluate.Alert
	End     time.Time // of the tick that was looked at
	Samples []Sample
	Next    []string // what happens next
}

// Sample is a part of the window; To is exclusive.
type Sample struct {
	From, To time.Time
	Value    window.Value
}

// Explain reads an alert of a rule, by its key and that of its group.
func (c *Config) Explain(ctx context.Context, pinned *ruleset.Ruleset, rule *evaluate.Rule, key, group string) (Found, error) {
	plan, width := pinned.Plan.Cells(rule)
	windows := feed.New(feed.Config{Store: c.Store, Clock: c.Clock, Queries: plan.Queries, NoFolds: true, Text: c.Names, Logger: c.Logger})
	tick, born, err := c.readUpTo(ctx, windows)
	if err != nil {
		return Found{}, err
	}
	states := make(map[string]alert.State)
	if r, ok := c.Book.Alert(key); ok {
		states[key] = r.State
	}
	if own, ok := c.Agent.StateOf(key); ok {
		states[key] = own
	}
	cfg := evaluate.Config{Plan: plan, States: states, KindOf: c.Agent.KindOf, Loaded: c.Agent.Loaded(tick), Born: born}
	for i := range plan.Queries {
		cfg.Handles = append(cfg.Handles, windows.Handle(i))
	}
	ev, end := evaluate.New(cfg), c.Clock.End(tick)
	a := ev.Read(windows.Engine(), key, group, evaluate.Tick{N: tick, End: end})
	return Found{
		Alert: a, End: end, Samples: samples(ev, windows, plan, group, width, end),
		Next: append(a.Outlook(), c.outlook(pinned, a, end)...),
	}, nil
}

// readUpTo fills the windows up to the newest tick that is stored, and returns
// the last one before anybody counted, too.
func (c *Config) readUpTo(ctx context.Context, windows *feed.Feed) (tick, born int64, err error) {
	tick = c.Clock.NowTick() - 1
	if c.Flush != nil {
		if tick, err = c.Flush(ctx); err != nil {
			return 0, 0, err
		}
	}
	runs, born := c.Follower.KnownRuns(ctx, c.Flush != nil)
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

// samples measures each part of the window by itself, oldest first.
func samples(ev *evaluate.Evaluator, w *feed.Feed, plan *evaluate.Plan, group string, width time.Duration, end time.Time) []Sample {
	var out []Sample
	for i := plan.Own(); i < len(plan.Queries); i++ {
		to := end.Add(-plan.Queries[i].Delay)
		out = append(out, Sample{From: to.Add(-width), To: to, Value: ev.Cell(w.Engine(), i, group)})
	}
	return out
}

// outlook says in sentences what the receivers will hear.
func (c *Config) outlook(pinned *ruleset.Ruleset, a *evaluate.Alert, now time.Time) []string {
	var out []string
	view := c.Book.View()
	if a.State.Phase.Told() {
		out = append(out, repeats(a, view)...)
	}
	snapshot := routing.Snapshot(a, c.Service, c.Environment)
	view.Config = pinned.Routes
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

// repeats says who is told again, and when.
func repeats(a *evaluate.Alert, view *notify.View) []string {
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
