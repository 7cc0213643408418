// Package evaluate steps the alerts of a configuration from tick to tick: it
// asks the windows for values, hands them to package alert, and says what
// changed. It knows no store and no clock, so that the agent, tests and tools
// run the very same code.
package evaluate

import (
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

// Rule is a monitor made ready: what is asked of the windows and how the
// answer is judged.
type Rule struct {
	Monitor *monitor.Monitor
	Alert   alert.Rule

	value   int // index into Queries
	divisor int // likewise, -1 without divide_by
	past    int // likewise, -1 without compare_to
	every   int64
	groups  int // alerts there are

	// Overflow counts how often a group found no room under max_groups.
	Overflow int64
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

// NewPlan makes the monitors of set ready for ticks of the given width.
// Monitors that are switched off are left out.
func NewPlan(set *monitor.Set, width time.Duration) *Plan {
	p := &Plan{width: width}
	for i := range set.Monitors {
		if m := &set.Monitors[i]; !m.Disabled {
			p.add(m)
		}
	}
	return p
}

func (p *Plan) add(m *monitor.Monitor) {
	q := window.Query{
		Selector: window.Selector{
			Metric: m.Metric,
			Where:  m.Matchers(),
			By:     m.By,
			Fleet:  fleet(m.Fleet),
		},
		Aggregate: window.Aggregate(m.Aggregate),
		Window:    m.Window,
		Delay:     m.Delay,
	}
	q.Selector.Kind, q.Selector.HasKind = kind(m.Kind)
	r := &Rule{Monitor: m, Alert: alertRule(m), value: len(p.Queries), divisor: -1, past: -1, every: p.every(m)}
	p.Queries = append(p.Queries, q)
	if m.DivideBy != "" {
		d := q
		d.Selector.Metric, d.Selector.HasKind = m.DivideBy, false
		r.divisor = len(p.Queries)
		p.Queries = append(p.Queries, d)
	}
	if m.CompareTo > 0 {
		then := q
		then.Delay += m.CompareTo
		r.past = len(p.Queries)
		p.Queries = append(p.Queries, then)
	}
	p.Rules = append(p.Rules, r)
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

func alertRule(m *monitor.Monitor) alert.Rule {
	r := alert.Rule{
		Key:           m.Key(),
		Op:            alert.Op(m.Op),
		KeepFiringFor: m.KeepFiringFor,
		NoData:        alert.Policy(m.NoData),
		NoDataFor:     m.NoDataFor,
		EvalError:     alert.Policy(m.EvalError),
		MustExist:     m.MustExist,
	}
	if !m.Legacy {
		r.Flap = alert.DefaultFlap
	}
	for i := range m.Triggers {
		t := &m.Triggers[i]
		r.Levels = append(r.Levels, alert.Level{Name: t.Level, Threshold: t.Threshold, Clear: t.Clear, For: t.For})
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
