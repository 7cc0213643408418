package series

import (
	"runtime"
	"sync"
)

// MaxSetValues is how many different values a set takes between two Collects.
// Further ones are counted in [Stats.SetOverflow].
const MaxSetValues = 4096

// Set counts different values. Between two Collects it remembers their
// hashes.
//
// Methods are safe for concurrent use. They allocate only while a set takes
// more values in a tick than ever before. A nil Set does nothing.
type Set series

// set is the cell of a Set.
type set struct {
	mu     sync.Mutex // guards hashes
	hashes map[uint64]struct{}
	_      [48]byte // fills the cache line
}

// AddString adds a value.
func (s *Set) AddString(value string) { s.AddHash(HashValue(value)) }

// AddBytes adds a value. It doesn't keep the slice.
func (s *Set) AddBytes(value []byte) { s.AddHash(HashValue(value)) }

// AddHash adds the value whose [HashValue] is h.
func (s *Set) AddHash(h uint64) {
	if s == nil {
		return
	}
	if !(*set)(s.cell).add(h) {
		s.reg.setOverflow.Add(1)
	}
	runtime.KeepAlive(s)
}

// add returns false if there is no room for h.
func (s *set) add(h uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.hashes) >= MaxSetValues {
		_, seen := s.hashes[h]
		return seen
	}
	s.hashes[h] = struct{}{}
	return true
}

// take appends the hashes to dst and forgets them.
func (s *set) take(dst []uint64) []uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	for h := range s.hashes {
		dst = append(dst, h)
	}
	clear(s.hashes)
	return dst
}

func (s *set) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.hashes)
}

// HashValue returns the hash by which all processes know a set's value: 64-bit
// FNV-1a, with its bits mixed at the end (the finalizer of MurmurHash3), as
// the counting of different hashes looks at all of them.
func HashValue[T string | []byte](value T) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(value) {
		h = (h ^ uint64(value[i])) * 1099511628211
	}
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}
