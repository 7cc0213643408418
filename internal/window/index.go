package window

import (
	"math/bits"
	"math/rand/v2"
)

// index finds series by their ids faster than a map does. It is a copy of
// Engine.series that is filled by look-ups: a hash table with linear probing,
// whose hash is multiply-shift (Dietzfelbinger et al., 1997) by a random
// number, so that nobody can make up names that meet in it.
type index struct {
	slots []*interest // a power of two of them, at most half of them used
	used  int
	seed  uint64
	shift uint8
}

// minSlots is how many slots an index has at least.
const minSlots = 64

func newIndex(slots int) index {
	return index{slots: make([]*interest, slots), seed: rand.Uint64() | 1, shift: uint8(65 - bits.Len(uint(slots)))}
}

// home returns where a series is, unless another one was there before.
func (x *index) home(id uint64) int { return int(id * x.seed >> (x.shift & 63)) }

// find returns the series with an id, nil if it isn't in the index.
func (x *index) find(id uint64) *interest {
	for i := x.home(id); ; i = (i + 1) & (len(x.slots) - 1) {
		if in := x.slots[i]; in == nil || in.id == id {
			return in
		}
	}
}

// add adds a series that isn't in the index.
func (x *index) add(in *interest) {
	if 2*(x.used+1) > len(x.slots) {
		old := x.slots
		*x = newIndex(2 * len(old))
		for _, o := range old {
			if o != nil {
				x.add(o)
			}
		}
	}
	x.used++
	i := x.home(in.id)
	for x.slots[i] != nil {
		i = (i + 1) & (len(x.slots) - 1)
	}
	x.slots[i] = in
}
