package simulate

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/go-batteries/hawkeye/internal/alert"
	"github.com/go-batteries/hawkeye/internal/evaluate"
	"github.com/go-batteries/hawkeye/internal/matcher"
	"github.com/go-batteries/hawkeye/internal/monitor"
	"github.com/go-batteries/hawkeye/internal/notify"
	"github.com/go-batteries/hawkeye/internal/notify/routing"
	"github.com/go-batteries/hawkeye/internal/window"
)

// Explanation is why an alert stands as it does, and what comes next.
type Explanation struct {
	Alert *evaluate.Alert
	At    time.Time
	// Parts are what the value is made of: the metric's own, and that which
	// it is divided by or compared with.
	Parts    []Part
	Verdicts []Verdict
	// Next is what happens if nothing changes, in order.
	Next    []Coming
	History []notify.Entry
}

// Part is a value that went into an alert's.
type Part struct {
	// Metric is whose, Where its series, From and To the window.
	Metric   string
	Where    []*matcher.Matcher
	From, To time.Time
	Value    window.Value
}

// Verdict is what one trigger says.
type Verdict struct {
	Level string
	// Limit is what the value is compared with now: the clear threshold of a
	// level that fires, if it has one.
	Limit   float64
	Clear   bool
	Breach  bool
	Firing  bool
	Since   time.Time // of the breach; zero if there is none
	FiresAt time.Time // if it is pending
}

// Coming is something that will happen.
type Coming struct {
	At   time.Time // zero: nobody knows when
	What string
}

// Explain says why an alert stands as it does.
func (s *Simulation) Explain(a *evaluate.Alert) Explanation {
	e := Explanation{Alert: a, At: s.Now()}
	e.Parts = s.parts(a)
	for i := range a.Rule.Alert.Levels {
		e.Verdicts = append(e.Verdicts, verdict(a, i))
	}
	for _, v := range e.Verdicts {
		if !v.FiresAt.IsZero() {
			e.Next = append(e.Next, Coming{v.FiresAt, "fires as " + v.Level + " if it stays in breach"})
		}
	}
	s.coming(a, &e)
	for _, entry := range s.desk.history {
		if entry.Alert == a.Key {
			e.History = append(e.History, entry)
		}
	}
	return e
}

// parts asks the windows again for what the alert's value was made of.
func (s *Simulation) parts(a *evaluate.Alert) []Part {
	if a.Rule.Source != "" {
		return nil
	}
	alone := &monitor.Set{Monitors: []monitor.Monitor{*a.Rule.Monitor}}
	var parts []Part
	for _, q := range evaluate.NewPlan(alone, s.cfg.Tick).Queries {
		h := s.engine.Register(q)
		for _, g := range s.engine.Groups(h) {
			if slices.Equal(g.Tags(), a.Tags) {
				to := s.Now().Add(-q.Delay)
				parts = append(parts, Part{q.Selector.Metric, q.Selector.Where, to.Add(-q.Window), to, s.engine.Value(h, g)})
			}
		}
		s.engine.Release(h)
	}
	return parts
}

func verdict(a *evaluate.Alert, i int) Verdict {
	l, state := &a.Rule.Alert.Levels[i], &a.State // a level for each trigger
	v := Verdict{Level: l.Name, Limit: l.Threshold, Firing: state.Phase.Told() && i < state.Rank}
	if v.Firing && l.Clear != nil {
		v.Limit, v.Clear = *l.Clear, true
	}
	if a.Rule.Monitor.Triggers[i].Relative {
		v.Limit = a.Compare * (1 + v.Limit)
	}
	v.Breach = a.Value.Status == window.OK && a.Rule.Alert.Op.Holds(a.Value.V, v.Limit) && (v.Firing || a.Waits() == "")
	if since, ok := state.Clocks[l.Name]; ok && !v.Firing {
		v.Since, v.FiresAt = since, since.Add(l.For)
	}
	return v
}

// coming adds what is due by the state and by the outbox.
func (s *Simulation) coming(a *evaluate.Alert, e *Explanation) {
	state, rule := &a.State, &a.Rule.Alert
	if state.Phase == alert.Recovering && !state.ClearSince.IsZero() {
		e.Next = append(e.Next, Coming{state.ClearSince.Add(rule.KeepFiringFor), "ends if it stays clear"})
	}
	if b, ok := a.Beat(); ok {
		if !state.Phase.Told() {
			e.Next = append(e.Next, Coming{b.Due, "is due"}, Coming{b.Overdue, "fires if it isn't heard"})
		}
	} else if at, what := a.Without(); what != "" {
		e.Next = append(e.Next, Coming{at, what})
	}
	s.repeats(a, e)
	for _, id := range slices.Sorted(maps.Keys(s.desk.rows)) {
		if r := s.desk.rows[id]; r.Alert == a.Key {
			what := string(r.Kind) + " to " + r.Receiver + " waits"
			if why := cmp.Or(r.Held, r.LastError); why != "" {
				what += ": " + why
			}
			e.Next = append(e.Next, Coming{r.NextAttempt, what})
		}
	}
	slices.SortFunc(e.Next, func(x, y Coming) int {
		return cmp.Or(x.At.Compare(y.At), cmp.Compare(x.What, y.What))
	})
}

// repeats adds the next messages of what fires.
func (s *Simulation) repeats(a *evaluate.Alert, e *Explanation) {
	routes := s.desk.config.Monitors[a.Rule.Alert.Key]
	if routes == nil || !a.State.Phase.Told() || a.State.Rank < 1 || a.State.Rank > len(routes.Levels) {
		return
	}
	route := &routes.Levels[a.State.Rank-1]
	for key, t := range s.desk.threads {
		if key.Alert == a.Key && t.Incident == a.State.Incident && t.Told && route.Repeat > 0 {
			e.Next = append(e.Next, Coming{t.ToldAt.Add(route.Repeat), "is told to " + key.Receiver + " again"})
		}
	}
	if s.desk.acks[a.State.Incident].Holds(e.At) {
		e.Next = append(e.Next, Coming{What: "somebody acknowledged it: no repeats, no escalation"})
		return
	}
	na := routing.Alert(a, notify.Snapshot{})
	for _, step := range notify.Steps(s.desk.view(), &na, e.At) {
		for _, r := range step.Receivers {
			e.Next = append(e.Next, Coming{step.At, "is escalated to " + r})
		}
	}
}
