package window

import (
	"github.com/go-batteries/hawkeye/internal/bucket"
	"github.com/go-batteries/hawkeye/internal/series"
	"github.com/go-batteries/hawkeye/store"
)

// tally is what all writers counted and observed in one tick. It is added up
// by series and taken into the windows as one sample each, so that the work
// is for series and windows, and not for as many windows as there are writers.
type tally struct {
	from     source
	tick     int64
	counted  []*interest // whose count is of this tick
	observed []*interest // whose observation is
}

// count is what a series of counters gained in the tick of the tally.
type count struct {
	delta    int64
	negative bool // some of it was
	listed   bool // in tally.counted
}

// observation is what a series of histograms saw in the tick of the tally.
type observation struct {
	observed
	listed bool // in tally.observed
}

// begin makes the tally one of a tick and of where its samples come from.
func (e *Engine) begin(from source, tick int64) {
	if t := &e.tally; tick != t.tick || from != t.from {
		e.settle()
		t.tick, t.from = tick, from
	}
}

// count adds counters to the tally. found is what their ids stand for.
func (e *Engine) count(counters []bucket.Counter, found []*interest) {
	for i, in := range found {
		delta := counters[i].Delta
		in.count.delta += delta
		if delta < 0 {
			in.count.negative = true
		}
		if !in.count.listed {
			in.count.listed = true
			e.tally.counted = append(e.tally.counted, in)
		}
	}
}

// observe adds histograms to the tally. found is what their ids stand for.
func (e *Engine) observe(histograms []bucket.Histogram, found []*interest) {
	for i, in := range found {
		if in.observed == nil {
			in.observed = new(observation)
		}
		if !in.observed.listed {
			in.observed.listed = true
			e.tally.observed = append(e.tally.observed, in)
		}
		in.observed.add(histograms[i].Buckets, histograms[i].Sum, 1)
	}
}

// settle takes the tally into the windows and the folds. Whatever looks at
// them, or moves them on, calls it before.
func (e *Engine) settle() {
	t := &e.tally
	if len(t.counted) == 0 && len(t.observed) == 0 {
		return
	}
	if t.from.fine {
		e.folder.takeTally(t)
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
	for _, in := range t.observed {
		e.seen(in, t.tick)
		for _, g := range in.groups {
			if at, ok := e.accept(g, series.KindHistogram, t.from, t.tick); ok {
				g.histogram.take(&g.track.grid, at, e.now, in.observed.buckets, in.observed.sum)
				g.schedule()
			}
		}
		in.observed.reset()
		in.observed.listed = false
	}
	clear(t.counted)
	clear(t.observed)
	t.counted, t.observed = t.counted[:0], t.observed[:0]
}

// takeTally adds a tally to the folds of those tiers that don't hold it.
func (f *folder) takeTally(t *tally) {
	for tier := store.Tier5s; tier <= f.feeder; tier++ {
		bit := uint8(1) << tier
		if f.all&t.from.tiers&bit == 0 {
			continue
		}
		o := f.at(tier, f.cellOf(tier, t.tick))
		for _, in := range t.counted {
			if in.tiers&bit != 0 {
				o.counters[in.id] += in.count.delta
			}
		}
		for _, in := range t.observed {
			if in.tiers&bit != 0 {
				o.addHistogram(in.id, in.observed.buckets, in.observed.sum)
			}
		}
	}
}
