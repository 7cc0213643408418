// Package routing brings what is evaluated together with who is told of it.
//
//	monitor.Set ─ Routes ───→ notify.Config     whom a configuration tells
//	evaluate.Alert ─ Snapshot → notify.Snapshot  how an alert stands, for messages
//	               ─ Alert ───→ notify.Alert     the same, for who decides
//
// Evaluation knows nothing of receivers, and who decides whom to tell nothing of
// windows; this is the one place that knows both. All of it is pure.
package routing

import (
	"maps"
	"math"

	"github.com/go-batteries/hawkeye/internal/alert"
	"github.com/go-batteries/hawkeye/internal/evaluate"
	"github.com/go-batteries/hawkeye/internal/monitor"
	"github.com/go-batteries/hawkeye/internal/notify"
	"github.com/go-batteries/hawkeye/internal/window"
)

// Routes returns whom a configuration tells, for package notify.
func Routes(set *monitor.Set) *notify.Config {
	c := &notify.Config{
		Receivers: make(map[string]*notify.Receiver, len(set.Receivers)),
		Monitors:  make(map[string]*notify.Routing, len(set.Monitors)),
		MuteTimes: make(map[string]notify.MuteTime, len(set.MuteTimes)),
	}
	for i := range set.Receivers {
		r := &set.Receivers[i]
		c.Receivers[r.Name] = &notify.Receiver{
			Name:         r.Name,
			Group:        notify.Group{By: r.Group.By, Wait: r.Group.Wait, Interval: r.Group.Interval, Burst: r.Group.Burst},
			SkipResolved: r.SkipResolved,
			Fallback:     r.Fallback, FallbackAfter: r.FallbackAfter,
		}
	}
	for _, m := range set.Alerting() {
		c.Monitors[m.Key()] = routing(m)
	}
	for i := range set.Inhibits {
		in := &set.Inhibits[i]
		c.Inhibit = append(c.Inhibit, notify.Inhibit{Source: in.SourceMatchers(), Target: in.TargetMatchers(), Equal: in.Equal})
	}
	for i := range set.MuteTimes {
		c.MuteTimes[set.MuteTimes[i].Name] = &set.MuteTimes[i]
	}
	return c
}

func routing(m *monitor.Monitor) *notify.Routing {
	r := &notify.Routing{MuteTimes: m.MuteTimes, Levels: make([]notify.LevelRoute, len(m.Triggers))}
	for i := range m.Triggers {
		r.Levels[i] = levelRoute(&m.Triggers[i])
		if m.Legacy {
			r.RunEvery = m.Triggers[i].Repeat
		}
	}
	return r
}

func levelRoute(t *monitor.Trigger) notify.LevelRoute {
	route := notify.LevelRoute{
		Name: t.Level, Threshold: t.Threshold, Clear: t.Clear, Relative: t.Relative,
		Receivers: t.Notify, Repeat: t.Repeat, FlapRepeat: t.FlapRepeat,
	}
	if t.NeverRepeat {
		route.Repeat, route.FlapRepeat = 0, 0
	}
	for _, e := range t.Escalate {
		route.Escalate = append(route.Escalate, notify.Escalation{After: e.After, Receivers: e.Notify})
	}
	return route
}

// Snapshot says how an alert stands, for messages.
func Snapshot(a *evaluate.Alert, service, environment string) notify.Snapshot {
	if a.Rule == nil {
		return notify.Snapshot{Service: service, Environment: environment}
	}
	m := a.Rule.Monitor
	s := notify.Snapshot{
		Name: m.Name, Metric: m.Metric, Description: m.Description, Source: a.Rule.Source,
		Service: service, Environment: environment,
		Level: a.State.Level, Op: string(m.Op),
		Value: notify.Number(a.Value.V), HasValue: a.Value.Status == window.OK, Incomplete: !a.Value.Complete(),
		Window: m.Window, Unit: m.Unit, Reason: string(a.State.Reason),
		Tags: a.TagMap(), Labels: maps.Clone(m.Labels),
		Runbook: m.Runbook, Dashboard: m.Dashboard, Summary: m.Summary,
		Since: a.State.FiredAt, Series: a.Kind(),
	}
	if a.Read {
		s.Total, s.Compare, s.Limit = number(a.Total), number(a.Compare), number(a.Limit)
		s.Measured = a.ReadAt()
		if m.DivideBy != "" {
			s.Part, s.DivideBy = number(a.Part), m.DivideBy
		}
	}
	if objective, period, ok := a.Rule.Objective(); ok {
		s.Objective, s.Period = number(objective), period
		s.Long, s.Short = a.Pair.Long, a.Pair.Short
	}
	if b, ok := a.Beat(); ok {
		s.Due, s.Heard = b.Due, b.Heard
	}
	s.State = "firing"
	if a.State.Phase == alert.NoData {
		s.State = "nodata"
	}
	level := max(a.State.Rank, 1) - 1
	if level < len(m.Triggers) {
		route := levelRoute(&m.Triggers[level])
		route.Describe(&s)
		s.Level = a.State.Level
	}
	return s
}

func number(v float64) *notify.Number {
	if math.IsNaN(v) {
		return nil
	}
	n := notify.Number(v)
	return &n
}

// Alert returns the alert as package notify sees it.
func Alert(a *evaluate.Alert, s notify.Snapshot) notify.Alert {
	n := notify.NewAlert(a.Key, a.MonitorKey(), &a.State)
	n.Snapshot = s
	return n
}
