package series

import (
	"math"
	"runtime"
	"sync/atomic"

	"github.com/go-batteries/hawkeye/internal/bucket"
)

// Histogram counts values by size, on the scale that [HistIndex] describes,
// and sums them: exactly if they have at most 24 significant bits, else with
// each rounded to about one in 10^7.
//
// Methods are safe for concurrent use and don't block. They allocate when a
// value lands in a range of the scale that was empty so far. NaN and
// infinities are rejected and counted. A nil Histogram does nothing.
type Histogram series

// MaxWeight is the greatest n of [Histogram.ObserveN].
const MaxWeight = 1 << 20

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
	page, offset, units, ok := locate(v)
	if !ok {
		if v = h.admit(v); v != v {
			return
		}
		page, offset, units, _ = locate(v)
	}
	hist := (*histogram)(h.cell)
	slot := h.reg.stripes.slot()
	dir := &hist.narrow
	if wide := hist.wide.Load(); wide != nil {
		dir = &(*wide)[h.reg.stripes.of(slot)]
	}
	cells := dir[page].Load()
	if cells == nil {
		cells = dir.add(page)
	}
	// First the count and then the sum, which tells Collect that the page has
	// changed.
	cells.counts[offset].Add(n)
	units *= int64(n)
	if old := cells.sum.Load(); !cells.sum.CompareAndSwap(old, old+units) {
		cells.sum.Add(units)
		h.contended(slot)
	}
	if !hist.changed.Load() {
		hist.changed.Store(true)
	}
	runtime.KeepAlive(h)
}

// admit returns what to count for a v that has no place: the greatest value
// on the scale, or NaN if v is to be rejected.
func (h *Histogram) admit(v float64) float64 {
	if !isFinite(v) {
		h.reg.rejectedValues.Add(1)
		return math.NaN()
	}
	h.reg.saturated.Add(1)
	_, hi := HistBounds(maxIndex)
	return math.Copysign(math.Nextafter(hi, 0), v)
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
	sum    atomic.Int64 // in the page's unit, see pageSum
	_      [56]byte
	counts [pageBuckets]atomic.Uint32
}

// histSums are the sums of the copies of a page.
type histSums struct {
	sum    int64
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
	var copies [maxStripes + 1]*histPage
	for page := range uint32(histPages) {
		if found := h.appendCopies(copies[:0], page); len(found) > 0 {
			h.collectPage(page, found, dst)
		}
	}
	// A sum may come a tick after its count.
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

func (h *histogram) collectPage(page uint32, copies []*histPage, dst *bucket.Histogram) {
	sum := int64(0)
	for _, p := range copies {
		sum += p.sum.Load()
	}
	last := h.last[page]
	if last == nil {
		last = new(histSums)
		h.last[page] = last
	}
	if sum == last.sum {
		return
	}
	dst.Sum += pageSum(page, sum-last.sum)
	last.sum = sum
	for offset := range uint32(pageBuckets) {
		count := uint32(0)
		for _, p := range copies {
			count += p.counts[offset].Load()
		}
		if grown := count - last.counts[offset]; grown != 0 {
			index := pageIndex(page, offset)
			dst.Buckets = append(dst.Buckets, bucket.HistBucket{Index: index, Count: uint64(grown)})
			last.counts[offset] = count
		}
	}
}

// pending returns the number of observations since the last collect, but
// those of which Collect has seen only the count.
func (h *histogram) pending() (n uint64) {
	if !h.changed.Load() {
		return 0
	}
	var copies [maxStripes + 1]*histPage
	for page := range uint32(histPages) {
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
