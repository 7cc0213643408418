package window

import (
	"slices"

	"github.com/go-batteries/hawkeye/store"
)

// gaps are the ticks of which not everything is known, ascending.
type gaps struct{ list []gap }

type gap struct {
	from, to int64
	unknown  bool
}

// mark says what is known of the ticks from up to and with to, whatever was
// said of them before.
func (g *gaps) mark(from, to int64, missing, unknown bool) {
	if k := len(g.list); missing && (k == 0 || g.list[k-1].to < from) { // most are the newest
		if k > 0 && g.list[k-1].to+1 == from && g.list[k-1].unknown == unknown {
			g.list[k-1].to = to
			return
		}
		g.list = append(g.list, gap{from, to, unknown})
		return
	}
	var list []gap
	put := func(n gap) {
		if k := len(list) - 1; k >= 0 && list[k].to+1 == n.from && list[k].unknown == n.unknown {
			list[k].to = n.to
			return
		}
		list = append(list, n)
	}
	placed := !missing
	place := func() {
		if !placed {
			placed = true
			put(gap{from, to, unknown})
		}
	}
	for _, old := range g.list {
		if old.from < from {
			put(gap{old.from, min(old.to, from-1), old.unknown})
		}
		if old.to >= from {
			place()
		}
		if old.to > to {
			put(gap{max(old.from, to+1), old.to, old.unknown})
		}
	}
	place()
	g.list = list
}

// expire forgets what is older than a tick, and the oldest beyond a bound.
func (g *gaps) expire(oldest int64) {
	n := max(len(g.list)-maxPartialTicks, 0)
	for n < len(g.list) && g.list[n].to < oldest {
		n++
	}
	if n > 0 {
		g.list = slices.Delete(g.list, 0, n)
	}
}

// count fills in how much of the ticks from up to and with to isn't known.
func (g *gaps) count(from, to int64, v *Value) {
	for i := len(g.list) - 1; i >= 0 && g.list[i].to >= from; i-- {
		one := g.list[i]
		n := min(one.to, to) - max(one.from, from) + 1
		switch {
		case n <= 0:
		case one.unknown:
			v.LastUnknown = max(v.LastUnknown, min(one.to, to))
			v.Unknown += n
		default:
			v.Partial += n
		}
	}
}

// has says whether a tick is among them.
func (g *gaps) has(tick int64) bool {
	for i := len(g.list) - 1; i >= 0 && g.list[i].to >= tick; i-- {
		if g.list[i].from <= tick {
			return true
		}
	}
	return false
}

// MarkComplete says that everything is known of a tick.
func (e *Engine) MarkComplete(tick int64) {
	if n := len(e.gaps.list); n > 0 && e.gaps.list[n-1].to >= tick {
		e.gaps.mark(tick, tick, false, false)
	}
}

// MarkPartial says that a live writer's bucket of a tick is missing.
func (e *Engine) MarkPartial(tick int64) {
	e.gaps.mark(tick, tick, true, false)
	e.recall.partial = max(e.recall.partial, tick)
}

// MarkUnknown says that nobody knows anything of the ticks from up to and
// with to.
func (e *Engine) MarkUnknown(from, to int64) {
	if from <= to {
		e.gaps.mark(from, to, true, true)
		e.recall.partial = max(e.recall.partial, to)
	}
}

// MarkUnknownIn is like MarkUnknown for the windows of one tier: it has no
// folds there.
func (e *Engine) MarkUnknownIn(tier store.Tier, from, to int64) {
	if from <= to {
		e.tierGaps[tier].mark(from, to, true, true)
	}
}

// MarkPartialIn is like MarkPartial for the windows of one tier: a fold there
// doesn't hold everything.
func (e *Engine) MarkPartialIn(tier store.Tier, tick int64) {
	e.tierGaps[tier].mark(tick, tick, true, false)
}

// countGaps fills in how much of a window isn't known, as of a tick.
func (e *Engine) countGaps(t *track, tick int64, v *Value) {
	g := &t.grid
	from, to := g.oldest(tick), tick-g.delay
	e.gaps.count(from, to, v)
	e.tierGaps[g.tier].count(from, to, v)
	t.cover.unknown.count(from, to, v)
}
