package evaluate

import (
	"time"

	"github.com/go-batteries/hawkeye/internal/alert"
	"github.com/go-batteries/hawkeye/internal/monitor"
	"github.com/go-batteries/hawkeye/internal/series"
	"github.com/go-batteries/hawkeye/internal/window"
)

const (
	// leastTime is the shortest time that a rate is over: a single event isn't
	// five a second because it came in a fifth of one.
	leastTime = time.Second
	// roughly is the part of a window that may be unknown, or beside it: long
	// windows are no more exact than that.
	roughly = 30
)

// fill says what is to be made of a value of a window that doesn't lie wholly
// in the time since the first sample. Before that nobody counted, which is no
// zero: what is summed up is a lower bound, and a rate is over the time since
// then. n is the tick of the value, i the query it is of.
func (e *Evaluator) fill(a *Alert, i int, v *window.Value, n int64, in *alert.Input) {
	m := a.Rule.Monitor
	if v.Status != window.OK || v.First == window.Never || !summed(v.Kind, m.Aggregate) {
		return
	}
	q := &e.plan.Queries[a.Rule.queries[i]]
	width := e.plan.width
	length := int64((q.Window + width - 1) / width)
	newest := n - int64((q.Delay+width-1)/width)
	since := newest - v.First + 1
	in.Filling = newest-max(v.First, a.made)+1 < length || v.Unknown*roughly > length || v.Unknown > 0 && n-v.LastUnknown < a.Rule.hold
	if since >= length || !over(v.Kind, m.Aggregate) {
		return
	}
	// What was in the windows already when this evaluator began may have had
	// others before it, unless nothing is older than the window.
	if v.First <= e.loaded && newest-length >= e.born {
		in.LowerBound = true
		return
	}
	passed := max(time.Duration(max(since, 1))*width, leastTime)
	switch {
	case passed >= q.Window:
	case v.Kind == series.KindGauge:
		v.V *= float64(q.Window) / float64(passed)
	default:
		v.V = v.Count / passed.Seconds()
	}
}

// Loaded is the last tick that was in the windows when they were first judged,
// 0 before.
func (e *Evaluator) Loaded() int64 { return e.loaded }

// summed says whether a value is what came together over the window, so that
// it takes the whole window to compare it.
func summed(k series.Kind, a monitor.Aggregate) bool {
	switch k {
	case series.KindCounter:
		return a != monitor.Min && a != monitor.Max && a != monitor.Last
	case series.KindHistogram:
		return a == monitor.Sum || a == monitor.Count || a == monitor.Rate
	case series.KindSet:
		return true
	default:
		return a == monitor.Change || a == monitor.Rate
	}
}

// over says whether a value is one for each second of the window.
func over(k series.Kind, a monitor.Aggregate) bool {
	return a == monitor.Rate || a == monitor.Avg && k == series.KindCounter
}
