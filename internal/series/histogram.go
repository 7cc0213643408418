package series

import (
	"math"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/go-batteries/hawkeye/internal/bucket"
	"github.com/go-batteries/hawkeye/internal/exact"
)

// Histogram counts values by size, on the scale that [HistIndex] describes,
// and sums them: exactly, and rounded once for each tick.
//
// Methods are safe for concurrent use, and hold a lock now and then, for as
// short as Collect does. They allocate when a value lands in a range of the
// scale that was empty so far. NaN and infinities are rejected
// and counted. A nil Histogram does nothing.
type Histogram series

const (
	// MaxWeight is the greatest n of [Histogram.ObserveN].
	MaxWeight = 1 << 20
	// lightWeight is the greatest n that is counted without a lock: 33 million
	// times in one bucket between two Collects, until its count wraps around.
	lightWeight = 128
)

// Observe counts v.
func (h *Histogram) Observe(v float64) {
	if h != nil {
		h.observe(v, 1)
	}
}

// ObserveN counts v n times, for a sample that stands for n. An n greater
// than [MaxWeight] counts as MaxWeight, and as saturated.
func (h *Histogram) ObserveN(v float64, n uint64) {
	if h == nil || n == 0 {
		return
	}
	if n > MaxWeight {
		h.reg.saturated.Add(1)
		n = MaxWeight
	}
	h.observe(v, uint32(n))
}

func (h *Histogram) observe(v float64, n uint32) {
	page, offset, rest, ok := locate(v)
	if !ok {
		if v = h.admit(v); v != v {
			return
		}
		page, offset, rest, _ = locate(v)
	}
	hist := (*histogram)(h.cell)
	if n > lightWeight {
		hist.observeHeavy(page, offset, rest, n)
		runtime.KeepAlive(h)
		return
	}
	slot := h.reg.stripes.slot()
	dir := &hist.narrow
	if wide := hist.wide.Load(); wide != nil {
		dir = &(*wide)[h.reg.stripes.of(slot)]
	}
	cells := dir[page].Load()
	if cells == nil {
		cells = dir.add(page)
	}
	cells.counts[offset].Add(n)
	rest *= uint64(n)
	if old := cells.rest.Load(); old >= spillRest || !cells.rest.CompareAndSwap(old, old+rest) {
		h.addRest(cells, rest, slot)
	}
	if !cells.changed.Load() {
		cells.changed.Store(true)
		hist.changed.Store(true)
	}
	runtime.KeepAlive(h)
}

// spillRest is when the rests of a page move on to where there is more room.
// It leaves as much as one observation can add.
const spillRest = math.MaxUint64 - maxRest*lightWeight

// addRest adds to the rests of a page that are many, or that others add to.
func (h *Histogram) addRest(cells *histPage, rest uint64, slot *stripeSlot) {
	hist := (*histogram)(h.cell)
	for {
		old := cells.rest.Load()
		switch {
		case old >= spillRest:
			hist.spill(cells)
		case cells.rest.CompareAndSwap(old, old+rest):
			return
		default:
			h.contended(slot)
		}
	}
}

// spill moves the rests of a page on.
func (h *histogram) spill(cells *histPage) {
	h.mu.Lock()
	defer h.mu.Unlock()
	cells.spilled = cells.spilled.Add(exact.NewUint(cells.rest.Swap(0)))
}

// observeHeavy counts a value that stands for many.
func (h *histogram) observeHeavy(page, offset uint32, rest uint64, n uint32) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.heavy == nil {
		h.heavy = new(Observations)
	}
	h.heavy.add(page, offset, rest, uint64(n))
	h.changed.Store(true)
}

// admit returns what to count for a v that has no place: the greatest value
// on the scale, or NaN if v is to be rejected.
func (h *Histogram) admit(v float64) float64 {
	if !isFinite(v) {
		h.reg.rejectedValues.Add(1)
		return math.NaN()
	}
	h.reg.saturated.Add(1)
	return math.Copysign(greatest(), v)
}

// contended moves the slot to another stripe, and gives the histogram stripes
// once that would have helped more often than now and then.
func (h *Histogram) contended(slot *stripeSlot) {
	h.reg.stripes.move(slot)
	hist := (*histogram)(h.cell)
	if hist.wide.Load() == nil && hist.disturbed.Add(1) == widenAfter {
		wide := make([]directory, h.reg.stripes.n)
		hist.wide.CompareAndSwap(nil, &wide) // a slower goroutine must not replace it
	}
}

// histogram is the cell of a Histogram. It begins with one copy of its pages;
// one that many cores write at once gets more.
type histogram struct {
	wide      atomic.Pointer[[]directory] // nil, or a directory for each stripe
	changed   atomic.Bool                 // set after a write, cleared before Collect reads
	narrow    directory                   // the pages that are written while wide is nil
	disturbed atomic.Int32                // writes since the last Collect that met another
	last      map[uint32]*histSums        // by page: what Collect saw; guarded by Registry.mu

	mu    sync.Mutex    // guards heavy, and what spilled from its pages
	heavy *Observations // of more than lightWeight, since the last Collect; nil before the first
}

// widenAfter is how many writes between two Collects must have been disturbed
// by another core before a histogram gets stripes.
const widenAfter = 16

// directory finds the pages of a histogram, which are allocated when touched.
type directory [histPages]atomic.Pointer[histPage]

func (d *directory) add(page uint32) *histPage {
	d[page].CompareAndSwap(nil, new(histPage))
	return d[page].Load()
}

// histPage counts the values of four octaves. Counts wrap around at 2^32,
// which is harmless in the difference of two.
type histPage struct {
	rest    atomic.Uint64 // in the page's unit: see locate
	changed atomic.Bool   // as in histogram
	spilled exact.Int     // what rest had no room for; guarded by histogram.mu
	_       [32]byte
	counts  [pageBuckets]atomic.Uint32
}

// histSums are the sums of the copies of a page.
type histSums struct {
	rest   exact.Int
	counts [pageBuckets]uint32
}

// collect sets dst to what was observed since the last collect, and returns
// whether that is anything.
func (h *histogram) collect(dst *bucket.Histogram) bool {
	dst.Sum, dst.Buckets = 0, dst.Buckets[:0]
	if !h.changed.Load() {
		return false
	}
	// Cleared first: what is written from now on sets it again.
	h.changed.Store(false)
	h.disturbed.Store(0)
	h.mu.Lock()
	defer h.mu.Unlock()
	var sum exact.Sum
	var copies [maxStripes + 1]*histPage
	for page := range uint32(histPages) {
		found := h.appendCopies(copies[:0], page)
		if len(found) > 0 || h.heavy != nil {
			h.collectPage(page, found, &sum, dst)
		}
	}
	if h.heavy != nil {
		h.heavy.reset()
	}
	dst.Sum = sum.Float64()
	// What a value is beyond the edge of its bucket may come a tick later.
	return len(dst.Buckets) > 0 || dst.Sum != 0
}

// appendCopies appends the copies that there are of a page.
func (h *histogram) appendCopies(dst []*histPage, page uint32) []*histPage {
	if p := h.narrow[page].Load(); p != nil {
		dst = append(dst, p)
	}
	if wide := h.wide.Load(); wide != nil {
		for stripe := range *wide {
			if p := (*wide)[stripe][page].Load(); p != nil {
				dst = append(dst, p)
			}
		}
	}
	return dst
}

// collectPage appends to dst what a page gained, and adds it to sum.
func (h *histogram) collectPage(page uint32, copies []*histPage, sum *exact.Sum, dst *bucket.Histogram) {
	heavy, changed := h.heavy.page(page), false
	for _, p := range copies {
		if p.changed.Load() {
			p.changed.Store(false)
			changed = true
		}
	}
	if !changed && heavy == nil {
		return
	}
	last := h.last[page]
	if last == nil {
		last = new(histSums)
		h.last[page] = last
	}
	var rest exact.Int
	for _, p := range copies {
		rest = rest.Add(p.spilled).Add(exact.NewUint(p.rest.Load()))
	}
	units := rest.Sub(last.rest)
	last.rest = rest
	for offset := range last.counts {
		count := sumCounts(copies, offset)
		grown := uint64(count - last.counts[offset])
		if heavy != nil {
			grown += heavy.counts[offset]
		}
		if grown != 0 {
			last.counts[offset] = count
			units = units.Add(appendCount(dst, page, uint32(offset), grown))
		}
	}
	if heavy != nil {
		units = units.Add(heavy.rest)
	}
	addPage(sum, page, units)
}

// sumCounts returns how often copies of a page counted a bucket, modulo 2^32.
func sumCounts(copies []*histPage, offset int) (count uint32) {
	if len(copies) == 1 { // as most are
		return copies[0].counts[offset].Load()
	}
	for _, p := range copies {
		count += p.counts[offset].Load()
	}
	return count
}

// appendCount appends a bucket with its count. It returns what the values come
// to up to its edge, in the page's unit.
func appendCount(dst *bucket.Histogram, page, offset uint32, count uint64) exact.Int {
	dst.Buckets = append(dst.Buckets, bucket.HistBucket{Index: pageIndex(page, offset), Count: count})
	return exact.MulUint(count, uint64(edge(page, offset)))
}

// pending returns the number of observations since the last collect, but
// those of which Collect has seen only the count.
func (h *histogram) pending() (n uint64) {
	if !h.changed.Load() {
		return 0
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	var copies [maxStripes + 1]*histPage
	for page := range uint32(histPages) {
		if heavy := h.heavy.page(page); heavy != nil {
			for offset := range heavy.counts {
				n += heavy.counts[offset]
			}
		}
		found := h.appendCopies(copies[:0], page)
		for offset := range uint32(pageBuckets) {
			count := uint32(0)
			for _, p := range found {
				count += p.counts[offset].Load()
			}
			if last := h.last[page]; last != nil {
				count -= last.counts[offset]
			}
			n += uint64(count)
		}
	}
	return n
}
