package series

import (
	"sync/atomic"
	"unsafe"
)

// stripeSlot holds a stripe + 1, or 0 before the first write.
type stripeSlot = atomic.Uint32

// maxStripes bounds the memory of a counter: 8 bytes a stripe.
const maxStripes = 16

// stripes decides which copy of a cell a goroutine writes, so that those that
// run at the same time write different cache lines.
//
// Go has no name for the goroutine or processor that one runs on, but each
// goroutine has a stack of its own: its address, hashed, chooses a slot, and
// the slot holds the stripe. A write that was disturbed by another core (its
// compare-and-swap failed) moves its slot to another stripe; so the busy
// goroutines find stripes of their own within a few writes, even when there
// are no more stripes than processors.
type stripes struct {
	slots [1024]stripeSlot
	n     uint32
	_     [60]byte
	next  atomic.Uint32 // written at each move: on a line of its own
	_     [60]byte
}

// slot returns the calling goroutine's slot. The smallest stacks have 2 KB;
// a goroutine with a larger one has more than one slot, which does no harm.
func (s *stripes) slot() *stripeSlot {
	var onStack byte
	address := uint64(uintptr(unsafe.Pointer(&onStack)))
	return &s.slots[address>>11*hashStep>>(64-10)]
}

// move gives slot the next stripe, which may be the one it has, and returns
// it.
func (s *stripes) move(slot *stripeSlot) uint32 {
	stripe := s.next.Add(1) % s.n
	slot.Store(stripe + 1)
	return stripe
}

// of returns the slot's stripe.
func (s *stripes) of(slot *stripeSlot) uint32 {
	if stripe := slot.Load(); stripe != 0 {
		return stripe - 1
	}
	return s.move(slot)
}
