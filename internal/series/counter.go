package series

import (
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/go-batteries/hawkeye/internal/bucket"
	"github.com/go-batteries/hawkeye/internal/exact"
)

// Counter sums what is added to it. Its unit is a millionth ([bucket.Unit]):
// whole numbers are exact, fractions are rounded to the nearest millionth.
// More than 1e18 between two Collects is cut to that, and counted.
//
// Methods are safe for concurrent use, don't block and don't allocate. A nil
// Counter does nothing.
type Counter series

// Inc adds 1.
func (c *Counter) Inc() {
	if c != nil {
		c.add(bucket.Unit)
	}
}

// Add adds n, which may be negative.
func (c *Counter) Add(n int64) {
	switch {
	case c == nil:
	case -smallUnits/bucket.Unit < n && n < smallUnits/bucket.Unit:
		c.add(n * bucket.Unit)
	default:
		c.addBig(exact.Mul(n, bucket.Unit))
	}
}

// AddFloat adds v, which may be negative. NaN and infinities are rejected and
// counted.
func (c *Counter) AddFloat(v float64) {
	if c == nil {
		return
	}
	units := v * bucket.Unit
	if -smallUnits < units && units < smallUnits {
		c.add(int64(math.RoundToEven(units)))
		return
	}
	if !isFinite(v) {
		c.reg.rejectedValues.Add(1)
		return
	}
	c.addBig(Units(v))
}

// maxWhole is the most that a counter counts between two Collects, in whole
// numbers.
const maxWhole = 1e18

// maxUnits is maxWhole in units.
func maxUnits() exact.Int { return exact.Mul(maxWhole, bucket.Unit) }

// Units returns what [Counter.AddFloat] adds for a v that is finite, in
// [bucket.Unit]s, but for a v that is cut.
func Units(v float64) exact.Int {
	if units := v * bucket.Unit; -smallUnits < units && units < smallUnits {
		return exact.New(int64(math.RoundToEven(units)))
	}
	// The product may have lost digits that a whole number must keep.
	v = min(max(v, -2*maxWhole), 2*maxWhole)
	whole, fraction := math.Modf(v)
	return exact.Mul(int64(whole), bucket.Unit).AddInt64(int64(math.RoundToEven(fraction * bucket.Unit)))
}

// AddUnits returns what a counter has come to that had counted a sum between
// two Collects and counts some units more, and whether it had to be cut.
func AddUnits(sum, units exact.Int) (after exact.Int, cut bool) {
	after = sum.Add(units)
	within := after.Clamp(maxUnits())
	return within, within != after
}

func isFinite(v float64) bool { return v-v == 0 }

func (c *Counter) add(units int64) {
	slot := c.reg.stripes.slot()
	cell := stripeCell(c.cell, c.reg.stripes.of(slot))
	if old := cell.Load(); !cell.CompareAndSwap(old, old+units) {
		cell.Add(units)
		c.reg.stripes.move(slot)
	}
	runtime.KeepAlive(c) // see column: a slot is free when its handle is gone
}

// smallUnits is what is added to the cell itself: it wraps around after 134
// million such samples between two Collects.
const smallUnits = 1 << 36

// bigSamples are what samples of smallUnits or more have added to counters
// since the last Collect.
type bigSamples struct {
	mu    sync.Mutex // guards both
	sums  map[uint32]exact.Int
	spare map[uint32]exact.Int // empty: for the next Collect
}

// add returns false if not all of units could be added.
func (b *bigSamples) add(slot uint32, units exact.Int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	sum, cut := AddUnits(b.sums[slot], units)
	b.sums[slot] = sum
	return !cut
}

// take returns the sums, and forgets them. They are valid until the next
// call.
func (b *bigSamples) take() map[uint32]exact.Int {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.spare)
	b.sums, b.spare = b.spare, b.sums
	return b.spare
}

// of returns what big samples have added to a counter.
func (b *bigSamples) of(slot uint32) exact.Int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.sums[slot]
}

func (c *Counter) addBig(units exact.Int) {
	if !c.reg.big.add(c.slot, units) {
		c.reg.saturated.Add(1)
	}
	runtime.KeepAlive(c)
}

// counterPage holds the cells of pageSeries counters: for each stripe an array
// with a cell of each counter. Neighbours on a cache line are thus cells of
// the same stripe. Pages are never freed or moved.
type counterPage []atomic.Int64

const (
	pageSeries  = 256
	stripeBytes = pageSeries * unsafe.Sizeof(atomic.Int64{})
)

func newCounterPage(stripes uint32) counterPage {
	return make(counterPage, stripes*pageSeries)
}

// cell returns the first stripe's cell of the i-th counter.
func (p counterPage) cell(i uint32) cellPointer { return unsafe.Pointer(&p[i]) }

// sum returns what was ever added to the i-th counter, modulo 2^64.
func (p counterPage) sum(i int) (sum int64) {
	for ; i < len(p); i += pageSeries {
		sum += p[i].Load()
	}
	return sum
}

// stripeCell returns the cell of a stripe, given that of the first one.
func stripeCell(first cellPointer, stripe uint32) *atomic.Int64 {
	return (*atomic.Int64)(unsafe.Add(first, uintptr(stripe)*stripeBytes))
}
