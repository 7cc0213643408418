package series

import (
	"sync/atomic"
	"unsafe"
)

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
	slots [256]atomic.Uint32
	n     uint32
	_     [60]byte
	next  atomic.Uint32 // written at each move: on a line of its own
	_     [60]byte
}

func (s *stripes) init(n int) {
	s.n = uint32(n)
	for i := range s.slots {
		s.slots[i].Store(uint32(i) % s.n)
	}
}

// slot returns the calling goroutine's slot. The smallest stacks have 2 KB;
// a goroutine with a larger one has more than one slot, which does no harm.
func (s *stripes) slot() *atomic.Uint32 {
	var onStack byte
	address := uint64(uintptr(unsafe.Pointer(&onStack)))
	return &s.slots[uint8(address>>11*0x9E3779B97F4A7C15>>56)]
}

// move gives slot the next stripe.
func (s *stripes) move(slot *atomic.Uint32) {
	slot.Store(s.next.Add(1) % s.n)
}
