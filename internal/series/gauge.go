package series

import (
	"math"
	"runtime"
	"sync/atomic"
)

// Gauge keeps the latest of its values. It is collected from the first Set or
// Add on, for as long as the process lives.
//
// Methods are safe for concurrent use, don't block and don't allocate. NaN
// and infinities are rejected and counted. A nil Gauge does nothing.
type Gauge series

// gauge is the cell of a Gauge, on a cache line of its own.
type gauge struct {
	bits atomic.Uint64
	last uint64 // what Collect saw; guarded by Registry.mu
	_    [48]byte
}

// unsetBits is a NaN, which no gauge is ever set to.
const unsetBits = ^uint64(0)

func newGauge() *gauge {
	g := &gauge{last: unsetBits}
	g.bits.Store(unsetBits)
	return g
}

// Set makes v the value.
func (g *Gauge) Set(v float64) {
	if g == nil {
		return
	}
	if !isFinite(v) {
		g.reg.rejectedValues.Add(1)
		return
	}
	(*gauge)(g.cell).bits.Store(math.Float64bits(v))
	runtime.KeepAlive(g)
}

// Add adds d to the value, which is 0 before the first Set. A sum that would
// be infinite is rejected like an infinite d.
func (g *Gauge) Add(d float64) {
	if g == nil {
		return
	}
	cell := (*gauge)(g.cell)
	for {
		old := cell.bits.Load()
		v := d
		if old != unsetBits {
			v += math.Float64frombits(old)
		}
		if !isFinite(v) {
			g.reg.rejectedValues.Add(1)
			return
		}
		if cell.bits.CompareAndSwap(old, math.Float64bits(v)) {
			return
		}
	}
}
