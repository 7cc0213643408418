package series

import (
	"math"
	"runtime"
	"sync"
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
	// maxGrowth is by how many units big samples may change a counter between
	// two Collects: 2.3e12 in whole numbers. Those that come while Collect
	// runs may count for both sides of it, so this is half of what could be.
	maxGrowth = 1 << 61
	// smallUnits is what is added without a look at maxGrowth: the other half
	// of an int64 has room for 67 million such samples between two Collects.
	smallUnits = 1 << 36
)

// bigSamples bounds what samples of smallUnits or more add to a counter
// between two Collects, so that the difference of its sums can't wrap around.
type bigSamples struct {
	mu       sync.Mutex // guards the rest
	collects uint32     // the Registry.collects that grown is for
	grown    map[cellPointer]int64
}

// admit returns how many of units may be added.
func (b *bigSamples) admit(cell cellPointer, collects uint32, units int64) int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	if int32(collects-b.collects) > 0 { // not back, for a goroutine that was slow
		b.collects = collects
		clear(b.grown)
	}
	grown := b.grown[cell]
	units = min(max(units, -maxGrowth-grown), maxGrowth-grown)
	b.grown[cell] = grown + units
	return units
}

func (c *Counter) addBig(units int64) {
	admitted := c.reg.big.admit(c.cell, c.reg.collects.Load(), units)
	if admitted != units {
		c.reg.saturated.Add(1)
	}
	c.add(admitted)
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
