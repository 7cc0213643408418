package evaluate

import (
	"math"
	"time"

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

	input alert.Input
	scale float64 // what relative thresholds are multiplied by; NaN without
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
	out := Reading{Value: v, Total: math.NaN(), Compare: math.NaN(), Limit: math.NaN(), scale: math.NaN()}
	in := &out.input
	in.LowerBound = v.Partial > 0 && v.Monotone
	in.Incomplete = v.Partial > 0 && !v.Monotone || r.vague(&v)
	in.Value, in.Status = r.found(&v)
	if p.divisor > 0 {
		d := r.value(p.divisor)
		in.Incomplete = in.Incomplete || in.LowerBound || d.Partial > 0 || r.vague(&d)
		in.LowerBound = false
		in.Value, in.Status = divide(in.Value, in.Status, &d, r.a.Rule.Monitor.MinTotal)
		if d.Status == window.OK {
			out.Total = d.V
		}
	}
	if p.past > 0 {
		out.Compare = p.before(r)
		out.scale = out.Compare
		if in.Status == alert.StatusOK && (math.IsNaN(out.Compare) || out.Compare == 0) && r.a.Rule.relative() {
			in.Status = alert.StatusMissing
		}
	}
	if in.Status == alert.StatusOK && math.IsNaN(in.Value) {
		in.Status = alert.StatusMissing
	}
	out.Value.V = in.Value
	if in.Status != alert.StatusOK && out.Value.Status == window.OK {
		out.Value.Status = window.Missing
	}
	if in.Status == alert.StatusOK {
		out.Value.Status = window.OK
	}
	return out
}

// found says what a value is worth. Of a counter that was seen before, no
// samples at all are none, not no data.
func (r *reader) found(v *window.Value) (float64, alert.Status) {
	switch v.Status {
	case window.OK:
		return v.V, alert.StatusOK
	case window.Ambiguous:
		return math.NaN(), alert.StatusError
	case window.Missing:
		return math.NaN(), alert.StatusMissing
	}
	if r.a.counts() {
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
	return a.kind == series.KindCounter.String() || a.kind == series.KindSet.String()
}

// divide makes a ratio. 0/0, and a divisor under the least total, is no
// value; a part that is incomplete makes no lower bound of a ratio.
func divide(part float64, status alert.Status, d *window.Value, least float64) (float64, alert.Status) {
	switch {
	case d.Status == window.Ambiguous:
		return math.NaN(), alert.StatusError
	case d.Status == window.Unseen && status == alert.StatusUnseen:
		return math.NaN(), status
	case d.Status != window.OK || d.V == 0 || d.V < least:
		return math.NaN(), alert.StatusMissing
	case status == alert.StatusUnseen: // none of the events ever happened
		return 0, alert.StatusOK
	case status == alert.StatusOK:
		return part / d.V, status
	}
	return math.NaN(), status
}

// before is the value in the past, NaN if it isn't known in full.
func (p plain) before(r *reader) float64 {
	v := r.value(p.past)
	value, status := v.V, alert.StatusOK
	if v.Status != window.OK {
		status = alert.StatusMissing
	}
	if v.Status == window.Unseen && p.divisor > 0 {
		status = alert.StatusUnseen
	}
	if p.divisor > 0 {
		d := r.value(p.past + p.divisor)
		value, status = divide(value, status, &d, 0)
		v.Unknown, v.Partial = v.Unknown+d.Unknown, v.Partial+d.Partial
	}
	if status != alert.StatusOK || !v.Complete() {
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

// budget is the value of an SLO.
type budget struct {
	pairs     []alert.BurnRate
	at        map[time.Duration]int // total and part of a length, as a query
	objective float64
	minTotal  float64
	bad       func(part, total float64) float64
}

func newBudget(o *monitor.SLO, at map[time.Duration]int) budget {
	b := budget{at: at, objective: o.Objective, minTotal: o.MinTotal, bad: func(part, _ float64) float64 { return part }}
	for _, p := range o.BurnWindows() {
		b.pairs = append(b.pairs, alert.BurnRate{Short: p.Short, Long: p.Long, Factor: p.Factor, Page: p.Page})
	}
	if o.Good != nil && (o.Good.Op == monitor.LessOrEqual || o.Good.Op == monitor.Less) {
		b.bad = func(part, total float64) float64 { return total - part }
	}
	return b
}

func (b budget) measure(r *reader) Reading {
	out := Reading{Total: math.NaN(), Compare: math.NaN(), Limit: math.NaN(), scale: math.NaN()}
	unseen, failed := true, false
	ratios := make(map[time.Duration]float64, len(b.at))
	for length, i := range b.at {
		total, part := r.value(i), r.value(i+1)
		unseen = unseen && total.Status == window.Unseen
		failed = failed || total.Status == window.Ambiguous || part.Status == window.Ambiguous
		out.input.Incomplete = out.input.Incomplete || total.Partial+part.Partial > 0 || r.vague(&total) || r.vague(&part)
		out.Value.Unknown, out.Value.Partial = max(out.Value.Unknown, total.Unknown), max(out.Value.Partial, total.Partial)
		var n, counted float64
		if total.Status == window.OK {
			n = total.V
		}
		if part.Status == window.OK {
			counted = part.V
		}
		if n > 0 && n >= b.minTotal {
			ratios[length] = min(max(b.bad(counted, n)/n, 0), 1)
		}
		if length == r.a.Rule.Monitor.Window {
			out.Total, out.Value.Kind, out.Value.Count = n, total.Kind, n
		}
	}
	ratio := func(d time.Duration) (float64, bool) { v, ok := ratios[d]; return v, ok }
	verdict, ok := alert.SLOVerdict(b.pairs, b.objective, ratio)
	out.input.Value = verdict
	out.Value.V, out.Limit = b.burn(ratio, verdict)
	switch {
	case ok:
		out.Value.Status = window.OK
	case failed:
		out.input.Status, out.Value.Status = alert.StatusError, window.Ambiguous
	case unseen:
		out.input.Status, out.Value.Status = alert.StatusUnseen, window.Unseen
	default:
		out.input.Status, out.Value.Status = alert.StatusMissing, window.Missing
	}
	return out
}

// burn returns how many times as fast as it may the budget burns in the pair
// that is nearest to its limit, or farthest over it, among those of the
// verdict; and that limit.
func (b budget) burn(ratio func(time.Duration) (float64, bool), verdict float64) (rate, limit float64) {
	rate, limit = math.NaN(), math.NaN()
	worst := -1.0
	for _, p := range b.pairs {
		short, okShort := ratio(p.Short)
		long, okLong := ratio(p.Long)
		if !okShort || !okLong || p.Page && verdict == alert.SLOTicket || !p.Page && verdict == alert.SLOPage {
			continue
		}
		if burns := min(short, long) / (1 - b.objective); burns/p.Factor > worst {
			rate, limit, worst = burns, p.Factor, burns/p.Factor
		}
	}
	return rate, limit
}

// pulse is the value of a heartbeat.
type pulse struct{ alert.Heartbeat }

// measure finds out for how long nothing was heard. Exact to the tick is what
// this evaluator heard itself; of what was before it knows whether there was
// something in the window, which is off by a cell at most. Before the first
// sign of life the wait begins when the heartbeat is first looked at, which the
// state keeps as the time since when data is missing.
func (p pulse) measure(r *reader) Reading {
	v, latest := r.value(0), r.value(1)
	a, now := r.a, r.t.End
	if latest.Status == window.OK && latest.V > 0 {
		a.heard = now
	}
	out := Reading{Value: v, Total: math.NaN(), Compare: math.NaN(), Limit: math.NaN(), scale: math.NaN()}
	out.input.Incomplete = r.vague(&latest)
	wait := p.ExpectEvery + p.Grace
	overdue := time.Duration(-1)
	switch {
	case v.Status == window.Ambiguous:
		out.input.Status = alert.StatusError
		return out
	case !a.heard.IsZero():
		overdue = now.Sub(a.heard) - wait
	case v.Status == window.OK && v.V > 0:
		a.alive, out.input.Incomplete = true, false // that it was heard is certain
	case a.alive && !a.State.Phase.Told():
		overdue = 0 // it was in the window when this evaluator began
	case a.State.Phase.Told():
		overdue = now.Sub(a.State.FiredAt)
	case a.State.MissingSince.IsZero() || now.Sub(a.State.MissingSince) < wait:
		out.input.Status, out.Value.Status = alert.StatusUnseen, window.Unseen
		return out
	default:
		overdue = now.Sub(a.State.MissingSince) - wait
	}
	if overdue == 0 {
		overdue = 1 // the limit is inclusive
	}
	out.input.Value = max(overdue, 0).Seconds()
	out.Value.V, out.Value.Status = out.input.Value, window.OK
	return out
}
