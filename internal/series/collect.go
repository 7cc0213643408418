package series

import (
	"maps"
	"math"
	"slices"

	"github.com/go-batteries/hawkeye/internal/bucket"
	"github.com/go-batteries/hawkeye/internal/exact"
)

// Collect sets b's Counters, Beyond, Gauges, Histograms and Sets to what was recorded
// since the last Collect, reusing their memory, and b.Keyframe to keyframe: a
// keyframe has all gauges that were ever set, another bucket those that
// changed. Nothing else of b changes.
//
// Every sample is in exactly one Collect. One that is recorded while Collect
// runs is in this one or the next; of such an observation of a histogram, the
// sum may come in the next. While Collect runs, new series wait.
func (r *Registry) Collect(b *bucket.Bucket, keyframe bool) {
	b.Keyframe = keyframe
	b.Counters, b.Gauges, b.Ages = b.Counters[:0], b.Gauges[:0], b.Ages[:0]
	b.Histograms, b.Sets, b.Beyond = b.Histograms[:0], b.Sets[:0], b.Beyond[:0]
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.collectCounters(b)
	r.collectGauges(b, keyframe)
	b.Histograms = r.collectHistograms(b.Histograms)
	b.Sets = r.collectSets(b.Sets)
	r.collects.Add(1)
}

// collectCounters collects the counters in the order in which they came up.
func (r *Registry) collectCounters(b *bucket.Bucket) {
	sums := r.big.take()
	var big []uint32 // slots with big samples, ascending
	if len(sums) > 0 {
		big = slices.Sorted(maps.Keys(sums))
	}
	for page := range r.pages {
		n := 0
		for n < len(big) && big[n]/pageSeries == uint32(page) {
			n++
		}
		if n == 0 {
			b.Counters = r.collectPage(b.Counters, page)
			continue
		}
		r.collectBigPage(b, page, big[:n], sums)
		big = big[n:]
	}
}

func (r *Registry) collectPage(dst []bucket.Counter, page int) []bucket.Counter {
	col, cells := &r.columns[KindCounter], r.pages[page]
	now := r.collects.Load() + 1
	first := page * pageSeries
	n := min(len(col.ids)-first, pageSeries)
	ids, owners, active := col.ids[first:][:n], col.owners[first:][:n], col.active[first:][:n]
	last := r.counted[first:][:n]
	for i := range ids {
		sum := cells.sum(i)
		if sum == last[i] {
			continue
		}
		dst = append(dst, bucket.Counter{ID: ids[i], Delta: sum - last[i]})
		last[i] = sum
		active[i] = now
		if owners[i] == nil {
			r.revive(KindCounter, uint32(first+i))
		}
	}
	return dst
}

// collectBigPage is collectPage for one with big samples.
func (r *Registry) collectBigPage(b *bucket.Bucket, page int, big []uint32, sums map[uint32]exact.Int) {
	col := &r.columns[KindCounter]
	for slot := page * pageSeries; slot < min(len(col.ids), (page+1)*pageSeries); slot++ {
		sum := r.pages[page].sum(slot % pageSeries)
		grown := exact.New(sum - r.counted[slot])
		if len(big) > 0 && int(big[0]) == slot {
			grown = grown.Add(sums[big[0]])
			big = big[1:]
		}
		r.counted[slot] = sum
		if grown != (exact.Int{}) {
			b.AddCounter(col.ids[slot], grown)
			r.touch(KindCounter, slot)
		}
	}
}

// touch notes that a slot's series grew.
func (r *Registry) touch(kind Kind, slot int) {
	col := &r.columns[kind]
	col.active[slot] = r.collects.Load() + 1
	if col.owners[slot] == nil {
		r.revive(kind, uint32(slot))
	}
}

func (r *Registry) collectGauges(b *bucket.Bucket, keyframe bool) {
	n := r.collects.Load() + 1
	for slot, g := range r.gauges {
		set := g.touched.Load() != 0
		if set {
			g.touched.Store(0) // before the value is read: what is set meanwhile is in the next
			g.at = n
		}
		now := g.bits.Load()
		if r.gaugeTTL > 0 && n-g.at > r.gaugeTTL && now != unsetBits && g.relayed.Load() != 0 && g.bits.CompareAndSwap(now, unsetBits) {
			g.last, r.forgot = unsetBits, true // which a keyframe tells by leaving it out
			continue
		}
		if now == unsetBits || now == g.last && !keyframe && !(set && (g.watched || g.relayed.Load() != 0)) {
			continue
		}
		g.last = now
		b.Gauges = append(b.Gauges, bucket.Gauge{ID: r.columns[KindGauge].ids[slot], Value: math.Float64frombits(now)})
		if age := n - g.at; age > 0 {
			b.Ages = append(b.Ages, bucket.Age{Gauge: len(b.Gauges) - 1, Ticks: int64(age)})
		}
	}
}

func (r *Registry) collectHistograms(dst []bucket.Histogram) []bucket.Histogram {
	for slot, h := range r.hists {
		n := len(dst)
		dst = extend(dst)
		if !h.collect(&dst[n]) {
			dst = dst[:n]
			continue
		}
		dst[n].ID = r.columns[KindHistogram].ids[slot]
		r.touch(KindHistogram, slot)
	}
	return dst
}

func (r *Registry) collectSets(dst []bucket.Set) []bucket.Set {
	for slot, s := range r.sets {
		n := len(dst)
		dst = extend(dst)
		dst[n].Hashes = s.take(dst[n].Hashes[:0])
		if len(dst[n].Hashes) == 0 {
			dst = dst[:n]
			continue
		}
		dst[n].ID = r.columns[KindSet].ids[slot]
		r.touch(KindSet, slot)
	}
	return dst
}

// extend makes dst longer by one element, which is what the memory held: its
// slices are used again.
func extend[E any](dst []E) []E {
	if len(dst) < cap(dst) {
		return dst[:len(dst)+1]
	}
	var zero E
	return append(dst, zero)
}

// Pending returns how much was recorded since the last Collect: for each
// counter by how much it grew or shrank, in whole numbers and at least 1; for
// each histogram the number of observations; for each set the number of
// values; and 1 for each gauge that changed. It changes nothing.
func (r *Registry) Pending() (n uint64) {
	if r == nil {
		return 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for kind := range r.columns {
		for slot := range r.columns[kind].ids {
			n += r.pending(Kind(kind), uint32(slot))
		}
	}
	return n
}

func (r *Registry) pending(kind Kind, slot uint32) uint64 {
	switch kind {
	case KindCounter:
		grown := r.big.of(slot).AddInt64(r.pages[slot/pageSeries].sum(int(slot%pageSeries)) - r.counted[slot])
		if grown == (exact.Int{}) {
			return 0
		}
		whole, _ := grown.QuoRem(bucket.Unit)
		n, _ := whole.Clamp(exact.New(math.MaxInt64)).Int64()
		return max(uint64(max(n, -n)), 1)
	case KindGauge:
		if g := r.gauges[slot]; g.bits.Load() != g.last {
			return 1
		}
		return 0
	case KindHistogram:
		return r.hists[slot].pending()
	default:
		return uint64(r.sets[slot].len())
	}
}
