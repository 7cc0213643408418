package series

import (
	"math"
	"runtime"
	"sync/atomic"
)

// Gauge keeps the latest of its values. It is collected from the first Set or
// Add on, for as long as the process lives, unless it comes from elsewhere:
// see [Gauge.Relayed].
//
// Methods are safe for concurrent use, don't block and don't allocate. NaN
// and infinities are rejected and counted. A nil Gauge does nothing.
type Gauge series

// gauge is the cell of a Gauge, on a cache line of its own.
type gauge struct {
	bits    atomic.Uint64
	last    uint64        // what Collect saw; guarded by Registry.mu
	touched atomic.Uint32 // 1 if it was set since then
	relayed atomic.Uint32 // 1 if it comes from elsewhere
	at      uint32        // the Collect that saw it set last; guarded by Registry.mu
	watched bool          // somebody looks at when it was set; guarded by Registry.mu
	_       [35]byte
}

// touch notes that the gauge was set, be it to the value that it had.
func (g *gauge) touch() {
	if g.touched.Load() == 0 { // seldom, and a load is cheap
		g.touched.Store(1)
	}
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
	cell := (*gauge)(g.cell)
	cell.bits.Store(math.Float64bits(v))
	cell.touch()
	runtime.KeepAlive(g)
}

// Relayed says that another process sets the gauge, and may stop to: each
// Collect after it was set has it, though its value stayed, and it is forgotten
// when it wasn't set for as long as [Registry.ForgetGauges] says.
func (g *Gauge) Relayed() {
	if g == nil {
		return
	}
	if cell := (*gauge)(g.cell); cell.relayed.Load() == 0 {
		cell.relayed.Store(1)
	}
	runtime.KeepAlive(g)
}

// Forgot says whether gauges were forgotten since it was last asked: those that
// are left out of the next keyframe.
func (r *Registry) Forgot() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	forgot := r.forgot
	r.forgot = false
	return forgot
}

// WatchGauges names the gauges of which it matters when they were set, though
// their value stays: a Collect has those that were. It replaces the names of
// the call before.
func (r *Registry) WatchGauges(names map[string]bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.watched = names
	for slot, g := range r.gauges {
		g.watched = names[r.columns[KindGauge].owners[slot].name()]
	}
}

// ForgetGauges sets after how many Collects without a Set or Add a gauge that
// is relayed is forgotten, until it is set again; 0 is never. It is called
// before the first Collect.
func (r *Registry) ForgetGauges(after int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gaugeTTL = uint32(max(after, 0))
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
			cell.touch()
			return
		}
	}
}
