package window

import (
	"github.com/go-batteries/hawkeye/internal/bucket"
	"github.com/go-batteries/hawkeye/internal/exact"
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
	buckets  int         // that were added
	careful  bool        // sums may be near the ends of an int64
	// over is what the delta of a count had no room for.
	over map[*interest]exact.Int
}

// count is what a series of counters gained in the tick of the tally.
type count struct {
	delta    int64
	negative bool // some of it was
	listed   bool // in tally.counted
	over     bool // there is more of it in tally.over
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
		t.tick, t.from, t.buckets, t.careful = tick, from, 0, false
	}
}

// count adds counters to the tally. found is what their ids stand for.
func (e *Engine) count(counters []bucket.Counter, found []*interest) {
	t := &e.tally
	t.buckets++
	if t.careful = t.careful || t.buckets > maxSmallBuckets || !areSmall(counters); t.careful {
		t.makeRoom(counters, found)
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

// So many buckets of a tick can be added up, with deltas so small, before a
// sum could wrap around.
const (
	maxSmallBuckets = 1 << 12
	smallDelta      = 1 << 50
)

// areSmall says whether all deltas are near enough to zero.
func areSmall(counters []bucket.Counter) bool {
	size := int64(0)
	for i := range counters {
		d := counters[i].Delta
		size |= d ^ d>>63
	}
	return size < smallDelta
}

// makeRoom moves on what those counts have come to that would wrap around if
// the counters were added.
func (t *tally) makeRoom(counters []bucket.Counter, found []*interest) {
	for i, in := range found {
		delta := counters[i].Delta
		if sum := in.count.delta + delta; (in.count.delta^sum)&(delta^sum) < 0 {
			t.add(in, exact.New(in.count.delta))
			in.count.delta = 0
		}
	}
}

// add adds units to what the delta of a count has no room for.
func (t *tally) add(in *interest, units exact.Int) {
	if t.over == nil {
		t.over = make(map[*interest]exact.Int)
	}
	in.count.over = true
	t.over[in] = t.over[in].Add(units)
}

// total returns all that a series of counters gained.
func (t *tally) total(in *interest) exact.Int {
	if !in.count.over {
		return exact.New(in.count.delta)
	}
	return t.over[in].AddInt64(in.count.delta)
}

// countBeyond adds what a bucket's counters had no room for. Their ids are
// those of some of its counters.
func (e *Engine) countBeyond(beyond []bucket.Beyond) {
	for i := range beyond {
		if in := e.series[beyond[i].ID]; in != nil && in.count.listed {
			e.tally.add(in, beyond[i].Units())
			in.count.negative = in.count.negative || beyond[i].Whole < 0
		}
	}
}

// observe adds histograms to the tally. found is what their ids stand for.
func (e *Engine) observe(b *bucket.Bucket, found []*interest) {
	rests := restsOf(b)
	for i, in := range found {
		if in.observed == nil {
			in.observed = new(observation)
		}
		if !in.observed.listed {
			in.observed.listed = true
			e.tally.observed = append(e.tally.observed, in)
		}
		h := &b.Histograms[i]
		in.observed.add(h.Buckets, exact.NewSum(h.Sum, rests[h.ID]))
	}
}

// restsOf returns what is missing in the sums of a bucket, by id.
func restsOf(b *bucket.Bucket) map[uint64]float64 {
	if len(b.Rests) == 0 {
		return nil
	}
	rests := make(map[uint64]float64, len(b.Rests))
	for _, r := range b.Rests {
		rests[r.ID] = r.Value
	}
	return rests
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
		total := t.total(in)
		for _, g := range in.groups {
			if at, ok := e.accept(g, series.KindCounter, t.from, t.tick); ok {
				g.counter.take(&g.track.grid, at, e.now, &in.count, total)
				g.schedule()
			}
		}
		in.count = count{}
	}
	for _, in := range t.observed {
		e.seen(in, t.tick)
		for _, g := range in.groups {
			if at, ok := e.accept(g, series.KindHistogram, t.from, t.tick); ok {
				g.histogram.take(&g.track.grid, at, e.now, &in.observed.observed)
				g.schedule()
			}
		}
		in.observed.reset()
		in.observed.listed = false
	}
	clear(t.counted)
	clear(t.observed)
	clear(t.over)
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
				o.counters[in.id] = o.counters[in.id].Add(t.total(in))
			}
		}
		for _, in := range t.observed {
			if in.tiers&bit != 0 {
				o.addHistogram(in.id, in.observed.buckets, in.observed.sum)
			}
		}
	}
}
