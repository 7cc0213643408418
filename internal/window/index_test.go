package window

import (
	"math/rand/v2"
	"testing"
)

// The index finds what was added and nothing else, also where ids share their
// low bits.
func TestIndexFindsEachSeries(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	draws := map[string]func() uint64{
		"hashes":          rng.Uint64,
		"same low bits":   func() uint64 { return rng.Uint64() << 48 },
		"close together":  func() uint64 { return rng.Uint64N(5000) },
		"around the edge": func() uint64 { return -rng.Uint64N(3000) },
	}
	for name, draw := range draws {
		x, want := newIndex(minSlots), make(map[uint64]*interest)
		for range 2000 {
			id := draw()
			if got := x.find(id); got != want[id] {
				t.Fatalf("%s: find(%#x) = %v, want %v", name, id, got, want[id])
			}
			if want[id] == nil {
				want[id] = &interest{id: id}
				x.add(want[id])
			}
		}
		for id, in := range want {
			if got := x.find(id); got != in {
				t.Errorf("%s: find(%#x) = %v, want %v", name, id, got, in)
			}
		}
		if x.used != len(want) || 2*x.used > len(x.slots) {
			t.Errorf("%s: %d of %d slots are used by %d series", name, x.used, len(x.slots), len(want))
		}
	}
}
