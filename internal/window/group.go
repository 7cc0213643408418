package window

import (
	"math"
	"math/bits"

	"github.com/go-batteries/hawkeye/internal/series"
)

// sees makes room for a kind of which there is a sample.
func (g *Group) sees(kind series.Kind) {
	bit := uint8(1) << kind
	if g.kinds&bit != 0 {
		return
	}
	g.kinds |= bit
	switch kind {
	case series.KindCounter:
		g.counter.negative = math.MinInt64 / 4
	case series.KindGauge:
		g.gauge = &gauge{members: make(map[uint32]map[uint64]reading), combine: math.NaN(), until: never}
	case series.KindHistogram:
		g.histogram = &histogram{}
	case series.KindSet:
		g.set = &set{values: make(map[uint64]int32)}
	}
}

// counts says that there were samples of counters.
func (g *Group) counts() bool { return g.kinds&(1<<series.KindCounter) != 0 }

// slide moves the group's windows on to the present.
func (g *Group) slide() {
	t := g.track
	grid, now := &t.grid, t.engine.now
	g.scheduled = never
	if g.counts() {
		g.counter.slide(grid, now)
	}
	if g.gauge != nil {
		g.gauge.slide(grid, now)
		if t.stale > 0 {
			g.gauge.now(t) // so that until is yet to come
		}
	}
	if g.histogram != nil {
		g.histogram.slide(grid, now)
	}
	if g.set != nil {
		g.set.slide(grid, now)
	}
	g.schedule()
}

// schedule puts the group on the wheel for the next tick at which a cell
// passes an edge. It is on it once, unless an earlier tick came up later.
func (g *Group) schedule() {
	next, grid := never, &g.track.grid
	if g.counts() {
		next = min(next, g.counter.next(grid))
	}
	if g.gauge != nil {
		next = min(next, g.gauge.span.next(grid), g.gauge.until)
	}
	if g.histogram != nil {
		next = min(next, g.histogram.span.next(grid))
	}
	if g.set != nil {
		next = min(next, g.set.span.next(grid))
	}
	if next < g.scheduled {
		g.scheduled = next
		g.track.engine.wheel.add(next, g)
	}
}

// refs appends the group for each of its queries.
func (g *Group) refs(refs []Ref) []Ref {
	if g.dropped {
		return refs
	}
	for _, h := range g.track.handles {
		refs = append(refs, Ref{h, g})
	}
	return refs
}

// Value returns a query's value for a group, as of Now.
func (e *Engine) Value(h Handle, g *Group) Value {
	e.settle()
	q := e.handles[h]
	v, kind, ok := g.verdict()
	if ok {
		switch kind {
		case series.KindCounter:
			v = g.counter.value(q.op, q.track, e.now)
		case series.KindGauge:
			v = g.gauge.value(q.op, q.track, e.now)
		case series.KindHistogram:
			v = q.track.observed(q.op, q.q, &g.histogram.total, g.histogram.span.window())
		case series.KindSet:
			v = q.track.distinct(q.op, len(g.set.values))
		}
	}
	v.Kind, v.First = kind, g.first
	v.Stale = v.Status == Missing && q.track.stale > 0 && g.gauge != nil && g.gauge.live()
	e.countGaps(q.track, e.now, &v)
	return v
}

// ValueAt returns the value as of an older tick, and false if that can't be
// said: the tick is behind the margin, or the value is made of what gauges
// were over time, or of gauges before anything was missing. It is slow, and
// meant for what arrived late. In a coarse tier, the newest cell holds what
// came after the tick as well.
func (e *Engine) ValueAt(h Handle, g *Group, tick int64) (Value, bool) {
	e.settle()
	q := e.handles[h]
	grid := &q.track.grid
	v, kind, ok := g.verdict()
	if tick > e.now || tick < e.now-e.margin {
		return Value{}, false
	}
	if ok {
		switch kind {
		case series.KindCounter:
			v = g.counter.valueAt(q.op, q.track, tick)
		case series.KindGauge:
			if v, ok = e.gaugeAt(q, g, tick); !ok {
				return Value{}, false
			}
		case series.KindHistogram:
			cells := g.histogram.span.windowAt(grid, tick)
			total := mergeCells(cells)
			v = q.track.observed(q.op, q.q, &total, cells)
		case series.KindSet:
			v = q.track.distinct(q.op, distinct(g.set.span.windowAt(grid, tick)))
		}
	}
	v.Kind, v.First = kind, g.first
	e.countGaps(q.track, tick, &v)
	return v, true
}

// verdict returns which kind the group's value is made of, or the value that
// it has without looking at samples.
func (g *Group) verdict() (v Value, kind series.Kind, ok bool) {
	v.V = math.NaN()
	switch {
	case bits.OnesCount8(g.kinds) > 1:
		v.Status = Ambiguous
	case g.kinds != 0:
		return v, series.Kind(bits.TrailingZeros8(g.kinds)), true
	}
	return v, 0, false
}

// Quantile returns a quantile of a histogram's window, whatever the query's
// aggregate; NaN if there is none.
func (e *Engine) Quantile(g *Group, q float64) float64 {
	e.settle()
	if g.histogram == nil {
		return math.NaN()
	}
	return series.Quantile(q, g.histogram.total.buckets)
}
