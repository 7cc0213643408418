package series

import (
	"math"
	"runtime"
	"sync/atomic"
	"unsafe"

	"github.com/go-batteries/hawkeye/internal/bucket"
)

// Counter sums what is added to it. Its unit is a millionth ([bucket.Unit]):
// whole numbers are exact, fractions are rounded to the nearest millionth.
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
		n = min(max(n, -maxGrowth/bucket.Unit-1), maxGrowth/bucket.Unit+1)
		c.addBig(n * bucket.Unit)
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
	// The product may have lost digits that a whole number must keep.
	v = min(max(v, -maxGrowth/bucket.Unit-1), maxGrowth/bucket.Unit+1)
	whole, fraction := math.Modf(v)
	c.addBig(int64(whole)*bucket.Unit + int64(math.RoundToEven(fraction*bucket.Unit)))
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

const (
	// maxGrowth is by how many units a counter may grow between two Collects:
	// half of what an int64 holds, 4.6e12 in whole numbers.
	maxGrowth = 1 << 62
	// smallUnits is what is added without a look at maxGrowth: the other half
	// of the int64 holds 67 million such samples between two Collects.
	smallUnits = 1 << 36
)

// addBig adds units as far as they don't make the counter grow by more than
// maxGrowth since the last Collect, and counts it if they would have.
func (c *Counter) addBig(units int64) {
	r := c.reg
	r.big.Lock()
	defer r.big.Unlock()
	grown := -stripeCell(c.cell, r.stripes.n).Load() // what Collect saw
	for stripe := range r.stripes.n {
		grown += stripeCell(c.cell, stripe).Load()
	}
	room := maxGrowth - grown
	if units < 0 {
		room = -maxGrowth - grown
	}
	if units > 0 && units > room || units < 0 && units < room {
		r.saturated.Add(1)
		units = room
	}
	stripeCell(c.cell, 0).Add(units)
	runtime.KeepAlive(c)
}

// A page holds the cells of pageSeries counters: for each stripe, and at the
// end for what Collect saw last, an array of one cell a counter. Neighbours on
// a cache line are thus cells of the same stripe. Pages are never freed or
// moved.
type counterPage []atomic.Int64

const (
	pageSeries  = 256
	stripeBytes = pageSeries * unsafe.Sizeof(atomic.Int64{})
)

type cellPointer = unsafe.Pointer

func newCounterPage(stripes uint32) counterPage {
	return make(counterPage, (stripes+1)*pageSeries)
}

// cell returns the first stripe's cell of the i-th counter.
func (p counterPage) cell(i uint32) cellPointer { return unsafe.Pointer(&p[i]) }

// sums returns what was ever added to the i-th counter, modulo 2^64, and what
// that was at the last Collect.
func (p counterPage) sums(i int) (sum, last int64) {
	end := len(p) - pageSeries
	for ; i < end; i += pageSeries {
		sum += p[i].Load()
	}
	return sum, p[i].Load()
}

// setLast notes what Collect saw of the i-th counter.
func (p counterPage) setLast(i int, sum int64) { p[len(p)-pageSeries+i].Store(sum) }

// stripeCell returns the cell of a stripe, given that of the first one.
func stripeCell(first cellPointer, stripe uint32) *atomic.Int64 {
	return (*atomic.Int64)(unsafe.Add(first, uintptr(stripe)*stripeBytes))
}
