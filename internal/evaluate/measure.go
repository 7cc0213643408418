package evaluate

import (
	"math"

	"github.com/go-batteries/hawkeye/internal/alert"
	"github.com/go-batteries/hawkeye/internal/monitor"
	"github.com/go-batteries/hawkeye/internal/series"
	"github.com/go-batteries/hawkeye/internal/window"
)

// measure makes one value of what the windows say.
type measure interface {
	measure(r *reader) Reading
}

// Reading is what an evaluation found.
type Reading struct {
	// Value is what people are shown; V of it is what was measured, the burn
	// rate of an SLO, or the seconds that a heartbeat is overdue.
	Value window.Value
	// Total is the divisor, Compare the value in the past that relative
	// thresholds are against, Limit the threshold that takes the place of the
	// trigger's own. NaN where there is none.
	Total, Compare, Limit float64
	// Part is what Total divides.
	Part float64
	// Pair are the windows of the burn rate that Value is.
	Pair alert.BurnRate

	input   alert.Input
	samples bool    // there are some in the window
	scale   float64 // what relative thresholds are multiplied by; NaN if there is nothing to compare with
}

// reader reads the windows for one alert at one tick.
type reader struct {
	e *Evaluator
	w Windows
	a *Alert
	t Tick
}

// value asks a query of the rule. Ticks before anybody counted aren't unknown.
func (r *reader) value(i int) window.Value {
	v := r.w.Value(r.e.handles[r.a.Rule.queries[i]], r.group(i))
	if v.LastUnknown <= r.e.born {
		v.Unknown = 0
	}
	return v
}

// whole says whether a query's window lies wholly in the time since somebody
// counts: one that reaches back further is no measure of what is usual.
func (r *reader) whole(i int) bool {
	q := &r.e.plan.Queries[r.a.Rule.queries[i]]
	return r.t.N-int64((q.Delay+q.Window)/r.e.plan.width) >= r.e.born
}

// noGroup stands for a group of which there are no samples.
var noGroup = new(window.Group)

func (r *reader) group(i int) *window.Group {
	if g := r.a.groups[i]; g != nil {
		return g
	}
	g := r.w.Group(r.e.handles[r.a.Rule.queries[i]], r.a.group)
	if g == nil {
		return noGroup
	}
	r.a.groups[i] = g
	return g
}

// vague says whether ticks of which nobody knows anything still keep an alert
// from ending.
func (r *reader) vague(v *window.Value) bool {
	return v.Unknown > 0 && r.t.N-v.LastUnknown < r.a.Rule.hold
}

// plain is the value of a monitor: one window, perhaps divided by another,
// perhaps judged against the same in the past.
type plain struct {
	divisor, past int // into Rule.queries; 0 without
}

func (p plain) measure(r *reader) Reading {
	v := r.value(0)
	out := Reading{Total: math.NaN(), Compare: math.NaN(), Limit: math.NaN(), scale: math.NaN()}
	in := &out.input
	if p.divisor == 0 {
		r.e.fill(r.a, 0, &v, r.t.N, in)
	}
	out.Value = v
	in.LowerBound = in.LowerBound || v.Partial > 0 && v.Monotone
	in.Incomplete = v.Partial > 0 && !v.Monotone || r.vague(&v)
	in.Value, in.Status = r.found(&v)
	out.samples = v.Count > 0
	in.Few = few(r.a.Rule.Monitor, &v)
	if p.divisor > 0 {
		d := r.value(p.divisor)
		in.Incomplete = in.Incomplete || in.LowerBound || d.Partial > 0 || r.vague(&d)
		in.LowerBound = false
		if out.Part = math.NaN(); v.Status == window.OK {
			out.Part = v.V
		}
		in.Value, in.Status = r.divide(in.Value, in.Status, &d)
		out.samples = out.samples || d.Count > 0
		if d.Status == window.OK {
			out.Total = d.V
		}
		in.Few = !(orZero(out.Total) >= r.a.Rule.Monitor.MinTotal)
		in.Gone = gone(&d)
	}
	in.Gone = in.Status == alert.StatusUnseen || in.Status == alert.StatusMissing && (in.Gone || gone(&v))
	if p.past > 0 {
		out.Compare = p.before(r)
		if out.scale = out.Compare; out.scale == 0 { // there is nothing to compare with
			out.scale = math.NaN()
		}
	}
	if in.Status == alert.StatusOK && math.IsNaN(in.Value) {
		in.Status = alert.StatusMissing
	}
	out.Value.V = in.Value
	if in.Status == alert.StatusIdle || in.Status != alert.StatusOK && out.Value.Status == window.OK {
		out.Value.Status = window.Missing
	}
	if in.Status == alert.StatusOK {
		out.Value.Status = window.OK
	}
	return out
}

// gone says whether the processes of a gauge are gone.
func gone(v *window.Value) bool {
	return v.Status == window.Missing && v.Kind == series.KindGauge && !v.Stale
}

func orZero(v float64) float64 {
	if math.IsNaN(v) {
		return 0
	}
	return v
}

// few says whether there are too few observations for a beginning.
func few(m *monitor.Monitor, v *window.Value) bool {
	return m.DivideBy == "" && v.Kind == series.KindHistogram && v.Count < m.MinTotal
}

// found says what a value is worth. Of a counter that was seen before, no
// samples at all are none, not no data. A histogram's value of none is idle.
func (r *reader) found(v *window.Value) (float64, alert.Status) {
	switch {
	case v.Status == window.OK:
		return v.V, alert.StatusOK
	case v.Status == window.Ambiguous:
		return math.NaN(), alert.StatusError
	case v.Status == window.Missing && v.Kind == series.KindHistogram:
		return math.NaN(), alert.StatusIdle
	case v.Status == window.Missing:
		return math.NaN(), alert.StatusMissing
	case r.a.kind == series.KindHistogram.String() && r.a.Rule.Monitor.Observes():
		return math.NaN(), alert.StatusIdle
	case r.a.counts():
		return 0, alert.StatusOK
	}
	return math.NaN(), alert.StatusUnseen
}

// counts says whether the alert is known to be of a metric that is counted,
// though there is nothing of it in the windows.
func (a *Alert) counts() bool {
	if _, percentile := a.Rule.Monitor.Aggregate.Percentile(); percentile {
		return false
	}
	switch a.kind {
	case series.KindCounter.String(), series.KindSet.String():
		return true
	case series.KindHistogram.String():
		agg := a.Rule.Monitor.Aggregate
		return agg == monitor.Sum || agg == monitor.Count || agg == monitor.Rate
	}
	return false
}

// judged says whether there was a value once, by the alert's state.
func (a *Alert) judged() bool {
	s := &a.State
	return s.Phase != alert.Inactive && s.Reason != alert.ReasonUnseen ||
		s.Trouble == alert.ReasonIdle || s.Trouble == alert.ReasonNoData
}

// divide makes a ratio of what was found and of a divisor. 0/0 is idle, what
// is divided by nothing else is no value.
func (r *reader) divide(part float64, status alert.Status, d *window.Value) (float64, alert.Status) {
	none := status == alert.StatusUnseen || status == alert.StatusIdle || status == alert.StatusOK && part == 0
	empty := d.Status == window.Unseen || d.Status == window.OK && d.V == 0 || d.Status == window.Missing && d.Kind == series.KindHistogram
	switch {
	case status == alert.StatusError || d.Status == window.Ambiguous:
		return math.NaN(), alert.StatusError
	case status == alert.StatusUnseen && d.Status == window.Unseen && !r.a.judged():
		return math.NaN(), status
	case none && empty:
		return math.NaN(), alert.StatusIdle
	case status == alert.StatusMissing || empty || d.Status != window.OK:
		return math.NaN(), alert.StatusMissing
	case status == alert.StatusIdle:
		return math.NaN(), status
	case status == alert.StatusUnseen: // none of the events ever happened
		return 0, alert.StatusOK
	}
	return part / d.V, alert.StatusOK
}

// before is the value in the past, NaN if it isn't known in full.
func (p plain) before(r *reader) float64 {
	if !r.whole(p.past) {
		return math.NaN()
	}
	v := r.value(p.past)
	var filling alert.Input
	if p.divisor == 0 {
		r.e.fill(r.a, p.past, &v, r.t.N, &filling)
	}
	value, status := v.V, alert.StatusOK
	if v.Status != window.OK {
		status = alert.StatusMissing
	}
	if v.Status == window.Unseen && p.divisor > 0 {
		status = alert.StatusUnseen
	}
	if p.divisor > 0 {
		d := r.value(p.past + p.divisor)
		value, status = r.divide(value, status, &d)
		v.Unknown, v.Partial = v.Unknown+d.Unknown, v.Partial+d.Partial
	}
	if status != alert.StatusOK || !v.Complete() || filling.Filling {
		return math.NaN()
	}
	return value
}

// relative says whether a threshold is a change against the past.
func (r *Rule) relative() bool {
	for i := range r.Monitor.Triggers {
		if r.Monitor.Triggers[i].Relative {
			return true
		}
	}
	return false
}

// scaled returns the rule with relative thresholds as plain ones.
func (r *Rule) scaled(by float64) alert.Rule {
	rule := r.Alert
	rule.Levels = make([]alert.Level, len(r.Alert.Levels))
	for i, level := range r.Alert.Levels {
		if r.Monitor.Triggers[i].Relative {
			level.Threshold = by * (1 + level.Threshold)
			if level.Clear != nil {
				clear := by * (1 + *level.Clear)
				level.Clear = &clear
			}
		}
		rule.Levels[i] = level
	}
	return rule
}
