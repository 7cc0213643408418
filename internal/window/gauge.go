package window

import (
	"math"

	"github.com/go-batteries/hawkeye/internal/exact"
)

// gauge is a group's gauges: the latest value of each series of each live
// writer and, if somebody asks for it, what they came to at past ticks.
type gauge struct {
	members map[uint32]map[uint64]reading // by writer and series
	stale   bool                          // combined and count must be made anew
	until   int64                         // the first tick at which a member that counts is too old
	combine float64                       // NaN if there are no members
	count   int
	span    span[past]
	older   map[member][]reading // ascending; see recall
}

// reading is what a bucket says of a gauge. set is the tick at which that was
// set, which may be before the bucket's.
type reading struct {
	v         float64
	tick, set int64
}

// past is what the combined gauge was over the ticks of a cell.
type past struct {
	last, min, max float64
	sum            exact.Sum
	n              int64
	lastAt         int64
}

// pastAt is what it was at one tick.
func pastAt(v float64, tick int64) past {
	return past{last: v, min: v, max: v, sum: exact.NewSum(v, 0), n: 1, lastAt: tick}
}

func (p *past) add(q past) {
	if q.n == 0 {
		return
	}
	if p.n == 0 {
		*p = q
		return
	}
	if q.lastAt >= p.lastAt {
		p.last, p.lastAt = q.last, q.lastAt
	}
	p.min, p.max = min(p.min, q.min), max(p.max, q.max)
	p.sum.AddSum(q.sum)
	p.n += q.n
}

// take takes a reading, which may be older than the latest one. It returns
// the reading that isn't the latest any more, or never was.
func (g *gauge) take(writer uint32, id uint64, r reading) (older reading, ok bool) {
	of := g.members[writer]
	if of == nil {
		of = make(map[uint64]reading)
		g.members[writer] = of
	}
	old, known := of[id]
	if known && old.tick > r.tick {
		return r, true
	}
	of[id] = r
	g.stale = true
	return old, known && old.tick < r.tick
}

// leave drops the gauges of a writer that is gone.
func (g *gauge) leave(writer uint32) {
	delete(g.members, writer)
	g.stale = true
}

// now returns what the gauges that aren't too old come to at the present tick,
// NaN without any.
func (g *gauge) now(t *track) float64 {
	now := t.engine.now
	if !g.stale && now < g.until {
		return g.combine
	}
	g.stale, g.until = false, never
	c := combiner{fleet: t.fleet}
	for _, of := range g.members {
		for _, r := range of {
			if old := t.old(r); old > now {
				g.until = min(g.until, old)
				c.add(r.v)
			}
		}
	}
	g.count, g.combine = c.n, c.result()
	return g.combine
}

// record notes what the gauges come to at a tick that is over.
func (g *gauge) record(t *track, tick, now int64) {
	if v := g.now(t); !math.IsNaN(v) {
		cell, _ := g.span.at(&t.grid, t.grid.of(tick), now)
		cell.add(pastAt(v, tick))
	}
}

func (g *gauge) slide(grid *grid, now int64) {
	g.span.slide(grid, now, func(*past) {}, func(*past) {})
}

// value is that at tick now, which is not yet recorded.
func (g *gauge) value(o op, t *track, now int64) Value {
	v := g.now(t)
	if t.grid.delay > 0 || needsPast(o) {
		return t.past(o, g.past(t, v, now))
	}
	return latestValue(o, v, g.count)
}

func needsPast(o op) bool {
	return o == opAvg || o == opMin || o == opMax || o == opChange || o == opRate
}

// pastWindow is what a gauge was in its window: all of it, and its oldest
// cell's last value.
type pastWindow struct {
	all    past
	oldest float64
	count  int
}

func (g *gauge) past(t *track, v float64, now int64) pastWindow {
	w := pastOf(g.span.window())
	w.count = g.count
	if t.grid.delay == 0 && !math.IsNaN(v) {
		if w.all.n == 0 {
			w.oldest = v
		}
		w.all.add(pastAt(v, now))
	}
	return w
}

func pastOf(cells []cell[past]) (w pastWindow) {
	for i := range cells {
		w.all.add(cells[i].v)
	}
	if len(cells) > 0 {
		w.oldest = cells[0].v.last
	}
	return w
}

func (t *track) past(o op, w pastWindow) Value {
	out := Value{V: w.all.last, Status: OK, Count: float64(w.count), Sum: w.all.last}
	if w.all.n == 0 {
		out.miss()
		return out
	}
	switch o {
	case opAvg:
		out.V = w.all.sum.Float64() / float64(w.all.n)
	case opMin:
		out.V = w.all.min
	case opMax:
		out.V = w.all.max
	case opChange:
		out.V = w.all.last - w.oldest
	case opRate:
		out.V = (w.all.last - w.oldest) / t.seconds
	case opCount:
		out.V = out.Count
	case opQuantile, opUnder, opNone:
		out.miss()
	}
	return out
}

// combiner makes one value of many, whose order must not matter.
type combiner struct {
	fleet    Fleet
	n        int
	sum      exact.Sum
	min, max float64
}

func (c *combiner) add(v float64) {
	if c.n == 0 {
		c.min, c.max = v, v
	}
	c.n++
	c.sum.Add(v)
	c.min, c.max = min(c.min, v), max(c.max, v)
}

func (c *combiner) result() float64 {
	if c.n == 0 {
		return math.NaN()
	}
	switch c.fleet {
	case FleetAvg:
		return c.sum.Float64() / float64(c.n)
	case FleetMin:
		return c.min
	case FleetMax:
		return c.max
	default:
		return c.sum.Float64()
	}
}
