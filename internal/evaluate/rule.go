// Package evaluate steps the alerts of a configuration from tick to tick: it
// asks the windows for values, hands them to package alert, and says what
// changed. It knows no store and no clock, so that the agent, tests and tools
// run the very same code.
package evaluate

import (
	"slices"
	"time"

	"github.com/go-batteries/hawkeye/internal/alert"
	"github.com/go-batteries/hawkeye/internal/monitor"
	"github.com/go-batteries/hawkeye/internal/series"
	"github.com/go-batteries/hawkeye/internal/window"
)

// maxUnknownHold is the longest that ticks of which nobody knows anything
// keep an alert from ending.
const maxUnknownHold = 5 * time.Minute

const defaultMaxGroups = 100

// Rule is a monitor, SLO or heartbeat made ready: what is asked of the windows
// and how the answer is judged. It is not changed after it was made.
type Rule struct {
	measure measure
	queries []int // into Plan.Queries; a group of the first makes an alert
	every   int64 // ticks between two evaluations
	hold    int64 // ticks for which what is unknown keeps an alert from ending
	beats   bool  // it is a heartbeat

	// Monitor is what it was made of; of an SLO or a heartbeat, what those
	// are as a monitor.
	Monitor *monitor.Monitor
	Alert   alert.Rule
	// Source is "slo" or "heartbeat", empty for a monitor.
	Source string
}

func (r *Rule) maxGroups() int {
	if r.Monitor.MaxGroups > 0 {
		return r.Monitor.MaxGroups
	}
	return defaultMaxGroups
}

// Plan is a configuration made ready. Queries are to be registered with the
// windows in their order.
type Plan struct {
	Rules   []*Rule
	Queries []window.Query
	width   time.Duration
}

// NewPlan makes the monitors, SLOs and heartbeats of set ready for ticks of
// the given width. What is switched off is left out.
func NewPlan(set *monitor.Set, width time.Duration) *Plan {
	p := &Plan{width: width, Rules: make([]*Rule, 0, len(set.Monitors)), Queries: make([]window.Query, 0, len(set.Monitors))}
	for i := range set.Monitors {
		if m := &set.Monitors[i]; !m.Disabled {
			p.addMonitor(m)
		}
	}
	for i := range set.SLOs {
		if o := &set.SLOs[i]; !o.Disabled {
			p.addSLO(o)
		}
	}
	for i := range set.Heartbeats {
		if h := &set.Heartbeats[i]; !h.Disabled {
			p.addHeartbeat(h)
		}
	}
	return p
}

func (p *Plan) add(r *Rule, queries ...window.Query) {
	for _, q := range queries {
		r.queries = append(r.queries, len(p.Queries))
		p.Queries = append(p.Queries, q)
	}
	r.every = p.every(r.Monitor)
	if _, r.beats = r.measure.(pulse); r.beats {
		r.every = 1 // so that no sign of life is missed
	}
	r.hold = int64(min(r.Monitor.Window, maxUnknownHold) / p.width)
	p.Rules = append(p.Rules, r)
}

func (p *Plan) addMonitor(m *monitor.Monitor) {
	q := query(m)
	q.Aggregate, q.Selector.Fleet = window.Aggregate(m.Aggregate), fleet(m.Fleet)
	q.Selector.Kind, q.Selector.HasKind = kind(m.Kind)
	queries := []window.Query{q}
	var ms plain
	if m.DivideBy != "" {
		d := q
		d.Selector.Metric, d.Selector.HasKind, d.Selector.Where = m.DivideBy, false, m.DivideMatchers()
		ms.divisor = len(queries)
		queries = append(queries, d)
	}
	if m.CompareTo > 0 {
		ms.past = len(queries)
		for _, then := range slices.Clone(queries) {
			then.Delay += m.CompareTo
			queries = append(queries, then)
		}
	}
	p.add(&Rule{Monitor: m, Alert: p.alertRule(m), measure: ms}, queries...)
}

func (p *Plan) addSLO(o *monitor.SLO) {
	m := o.Monitor()
	var queries []window.Query
	at := make(map[time.Duration]int)
	for _, b := range o.BurnWindows() {
		for _, length := range []time.Duration{b.Short, b.Long} {
			if _, ok := at[length]; ok {
				continue
			}
			at[length] = len(queries)
			total := query(m)
			total.Window, total.Aggregate = length, "count"
			part := total
			if o.Good != nil {
				part.Aggregate = window.Under(o.Good.Value)
			} else {
				part.Selector.Metric = o.Bad
			}
			queries = append(queries, total, part)
		}
	}
	r := alert.SLORule(o.Name)
	r.Flap = alert.DefaultFlap
	p.add(&Rule{Monitor: m, Alert: r, Source: "slo", measure: newBudget(o, at)}, queries...)
}

func (p *Plan) addHeartbeat(h *monitor.Heartbeat) {
	m := h.Monitor()
	ms := pulse{Heartbeat: alert.Heartbeat{ExpectEvery: h.ExpectEvery, Grace: h.Grace}, calendar: h.Calendar()}
	recent := query(m)
	recent.Aggregate, recent.Window = "count", ms.pace(p.width)+(window.LiveTicks+1)*p.width
	whole := recent
	if ms.calendar == nil {
		whole.Window = m.Window
	}
	p.add(&Rule{Monitor: m, Alert: alert.HeartbeatRule(h.Name, h.Level), Source: "heartbeat", measure: ms}, whole, recent)
}

// query is what all queries about m have in common.
func query(m *monitor.Monitor) window.Query {
	return window.Query{
		Selector: window.Selector{Metric: m.Metric, Where: m.Matchers(), By: m.By, StaleAfter: m.StaleAfter},
		Window:   m.Window,
		Delay:    m.Delay,
	}
}

// every is how many ticks lie between two evaluations: each for windows up
// to 5 minutes, a 300th of the window beyond, at most a minute.
func (p *Plan) every(m *monitor.Monitor) int64 {
	every := m.Every
	if every == 0 && m.Window > 5*time.Minute {
		every = min(m.Window/300, time.Minute)
	}
	return max(int64(every/p.width), 1)
}

// wait is how long a value must be missing for a policy. What is no longer than
// the time between two evaluations acts on the first one without a value.
func (p *Plan) wait(m *monitor.Monitor, d time.Duration) time.Duration {
	if d <= time.Duration(p.every(m))*p.width {
		return 0
	}
	return d
}

func (p *Plan) alertRule(m *monitor.Monitor) alert.Rule {
	idle, idleFor := m.WhenIdle()
	r := alert.Rule{
		Key:           m.Key(),
		Op:            alert.Op(m.Op),
		KeepFiringFor: m.KeepFiringFor,
		NoData:        alert.Policy(m.NoData),
		NoDataFor:     p.wait(m, m.NoDataFor),
		Idle:          alert.Policy(idle),
		IdleFor:       p.wait(m, idleFor),
		EvalError:     alert.Policy(m.EvalError),
		MustExist:     m.MustExist,
		Levels:        make([]alert.Level, len(m.Triggers)),
	}
	if !m.Legacy {
		r.Flap = alert.DefaultFlap
	}
	for i := range m.Triggers {
		t := &m.Triggers[i]
		r.Levels[i] = alert.Level{Name: t.Level, Threshold: t.Threshold, Clear: t.Clear, For: t.For}
	}
	return r
}

func kind(k monitor.Kind) (series.Kind, bool) {
	switch k {
	case monitor.Counter:
		return series.KindCounter, true
	case monitor.Gauge:
		return series.KindGauge, true
	case monitor.Histogram:
		return series.KindHistogram, true
	case monitor.SetKind:
		return series.KindSet, true
	default:
		return 0, false
	}
}

func fleet(a monitor.Aggregate) window.Fleet {
	switch a {
	case monitor.Avg:
		return window.FleetAvg
	case monitor.Min:
		return window.FleetMin
	case monitor.Max:
		return window.FleetMax
	default:
		return window.FleetSum
	}
}
