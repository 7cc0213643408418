package evaluate

import (
	"maps"
	"math"

	"github.com/go-batteries/hawkeye/internal/alert"
	"github.com/go-batteries/hawkeye/internal/monitor"
	"github.com/go-batteries/hawkeye/internal/notify"
	"github.com/go-batteries/hawkeye/internal/series"
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
func (a *Alert) Snapshot(service, environment string) notify.Snapshot {
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
		Tags: tagMap(a.Tags), Labels: maps.Clone(m.Labels),
		Runbook: m.Runbook, Dashboard: m.Dashboard, Summary: m.Summary,
		Since: a.State.FiredAt, Series: a.kind,
	}
	if a.Read {
		s.Total, s.Compare, s.Limit = number(a.Total), number(a.Compare), number(a.Limit)
		s.Measured = a.readAt
		if m.DivideBy != "" {
			s.Part, s.DivideBy = number(a.Part), m.DivideBy
		}
	}
	if b, ok := a.Rule.measure.(budget); ok {
		s.Objective, s.Period = number(b.objective), b.period
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

// Notify returns the alert as package notify sees it.
func (a *Alert) Notify(s notify.Snapshot) notify.Alert {
	n := notify.NewAlert(a.Key, a.monitorKey(), &a.State)
	n.Snapshot = s
	return n
}

func (a *Alert) monitorKey() string {
	if a.Rule == nil {
		return ""
	}
	return a.Rule.Alert.Key
}

// Told says whether any of the events is for receivers.
func (c *Change) Told() bool {
	for _, e := range c.Events {
		if e.Kind.Told() || e.Kind == alert.Refired || e.Kind == alert.Recovers {
			return true
		}
	}
	return false
}

func tagMap(tags []series.Tag) map[string]string {
	if len(tags) == 0 {
		return nil
	}
	m := make(map[string]string, len(tags))
	for _, t := range tags {
		m[t.Key] = t.Value
	}
	return m
}

// TagMap returns the alert's tags by key, nil if it has none.
func (a *Alert) TagMap() map[string]string { return tagMap(a.Tags) }
