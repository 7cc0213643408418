package window

import (
	"github.com/go-batteries/hawkeye/internal/bucket"
	"github.com/go-batteries/hawkeye/internal/series"
	"github.com/go-batteries/hawkeye/store"
)

// tally is what all writers counted in one tick. It is added up by series and
// taken into the windows as one sample each, so that the work is for series
// and windows, and not for as many windows as there are writers.
type tally struct {
	from    source
	tick    int64
	counted []*interest // whose count is of this tick
}

// count is what a series gained in the tick of the tally.
type count struct {
	delta    int64
	negative bool // some of it was
	listed   bool // in tally.counted
}

// count adds the counters of a bucket to the tally. found is what their ids stand for.
func (e *Engine) count(from source, tick int64, counters []bucket.Counter, found []*interest) {
	t := &e.tally
	if tick != t.tick || from != t.from {
		e.settle()
		t.tick, t.from = tick, from
	}
	for i, in := range found {
		delta := counters[i].Delta
		in.count.delta += delta
		if delta < 0 {
			in.count.negative = true
		}
		if !in.count.listed {
			in.count.listed = true
			t.counted = append(t.counted, in)
		}
	}
}

// settle takes the tally into the windows and the folds. Whatever looks at
// them, or moves them on, calls it before.
func (e *Engine) settle() {
	t := &e.tally
	if len(t.counted) == 0 {
		return
	}
	if t.from.fine {
		e.folder.count(t.from.tiers, t.tick, t.counted)
	}
	for _, in := range t.counted {
		e.seen(in, t.tick)
		for _, g := range in.groups {
			if at, ok := e.accept(g, series.KindCounter, t.from, t.tick); ok {
				g.counter.take(&g.track.grid, at, e.now, in.count)
				g.schedule()
			}
		}
		in.count = count{}
	}
	clear(t.counted)
	t.counted = t.counted[:0]
}

// count adds a tally to the folds of those tiers that don't hold it.
func (f *folder) count(tiers uint8, tick int64, counted []*interest) {
	for tier := store.Tier5s; tier <= f.feeder; tier++ {
		bit := uint8(1) << tier
		if f.all&tiers&bit == 0 {
			continue
		}
		o := f.at(tier, f.cellOf(tier, tick))
		for _, in := range counted {
			if in.tiers&bit != 0 {
				o.counters[in.id] += in.count.delta
			}
		}
	}
}
