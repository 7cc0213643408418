package window

import (
	"math"
	"slices"
)

// maxRecalled bounds the older readings of gauges that are kept.
const maxRecalled = 1 << 19

// recall is how far back the readings of gauges are known: what a gauge was
// before its latest reading is kept only while buckets are missing, because a
// bucket that comes late may tell of a tick at which it was the latest one.
type recall struct {
	from    int64 // readings at this tick, and after it, are known
	partial int64 // the newest tick of which not everything was there
	kept    int   // readings
}

// member is a gauge of a writer.
type member struct {
	writer uint32
	id     uint64
}

// recalls says whether older readings are to be kept at present.
func (e *Engine) recalls() bool {
	return e.recall.partial >= e.now-e.margin && e.recall.kept < maxRecalled
}

// keep takes in a reading that isn't the latest one, and lets go of those
// from before tick oldest, but for the newest of them. It returns how many
// readings more are kept.
func (g *gauge) keep(m member, r reading, oldest int64) int {
	if g.older == nil {
		g.older = make(map[member][]reading)
	}
	of := g.older[m]
	before := len(of)
	i := len(of)
	for i > 0 && of[i-1].tick > r.tick {
		i--
	}
	of = slices.Insert(of, i, r)
	for len(of) > 1 && of[1].tick < oldest {
		of = slices.Delete(of, 0, 1)
	}
	g.older[m] = of
	return len(of) - before
}

// forget lets go of all older readings and returns how many they were.
func (g *gauge) forget() (n int) {
	for _, of := range g.older {
		n += len(of)
	}
	g.older = nil
	return n
}

// at returns what the gauges came to at an older tick. there says whether a
// writer counted then.
func (g *gauge) at(o op, t *track, tick int64, there func(writer uint32) bool) Value {
	c := combiner{fleet: t.fleet}
	for writer, of := range g.members {
		if !there(writer) {
			continue
		}
		for id, latest := range of {
			if r, ok := g.reading(member{writer, id}, latest, tick); ok && t.old(r) > tick {
				c.add(r.v)
			}
		}
	}
	return latestValue(o, c.result(), c.n)
}

// reading returns the latest reading as of an older tick.
func (g *gauge) reading(m member, latest reading, tick int64) (reading, bool) {
	if latest.tick <= tick {
		return latest, true
	}
	of := g.older[m]
	for i := len(of) - 1; i >= 0; i-- {
		if of[i].tick <= tick {
			return of[i], true
		}
	}
	return reading{}, false
}

// latestValue is that of an operation on gauges as they are at one tick.
func latestValue(o op, v float64, count int) Value {
	out := Value{V: v, Status: OK, Count: float64(count), Sum: v}
	switch {
	case o == opQuantile || o == opUnder || o == opNone || math.IsNaN(v):
		out.miss()
	case o == opCount:
		out.V = out.Count
	}
	return out
}

// gaugeAt is the value of gauges as of an older tick, and false if it isn't
// known: their past values in cells don't change any more.
func (e *Engine) gaugeAt(q *query, g *Group, tick int64) (Value, bool) {
	if tick < e.recall.from || q.track.grid.delay > 0 || needsPast(q.op) {
		return Value{}, false
	}
	writers := make(map[uint32]*writer, len(e.writers))
	for _, w := range e.writers {
		writers[w.index] = w
	}
	return g.gauge.at(q.op, q.track, tick, func(writer uint32) bool {
		w := writers[writer]
		return w != nil && (w.live(tick) || w.has(tick))
	}), true
}
