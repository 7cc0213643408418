package series

import (
	"math/bits"
	"sync/atomic"
)

// table is a hash table of spellings with linear probing. It is read without
// a lock. Entries are only ever added, under Registry.mu; a table that is too
// full, or that holds what is to go, is replaced by another one.
type table struct {
	slots []atomic.Pointer[spelling] // a power of two; at most 3/4 are taken
	used  int                        // guarded by Registry.mu
}

const minTableSlots = 64

// newTable returns a table with room for n spellings and half as many again.
func newTable(n int) *table {
	return &table{slots: make([]atomic.Pointer[spelling], max(minTableSlots, 1<<bits.Len(uint(n+n/2))))}
}

func (t *table) insert(s *spelling) {
	mask := uint32(len(t.slots) - 1)
	for i := s.hash & mask; ; i = (i + 1) & mask {
		if t.slots[i].Load() == nil {
			t.slots[i].Store(s)
			t.used++
			return
		}
	}
}

// find returns the series of this name and these tags, and makes it if need
// be. It returns nil for a nil Registry and an empty name.
func (r *Registry) find(kind Kind, name string, tags []Tag) *series {
	if r == nil {
		return nil
	}
	head := byte(kind) << 1
	hash, size := r.hashTags(head, name, tags)
	slots := r.table.Load().slots
	for i := hash; ; i++ {
		s := slots[i&uint32(len(slots)-1)].Load()
		if s == nil {
			return r.resolve(head, hash, name, tags)
		}
		if s.hash == hash && len(s.text) == size && s.isTags(head, name, tags) {
			return s.series
		}
	}
}

// findBytes is find for a name and tags from the wire.
func (r *Registry) findBytes(kind Kind, name, tags []byte) *series {
	if r == nil {
		return nil
	}
	head := byte(kind)<<1 | wireSpelling
	hash := r.hashRaw(head, name, tags)
	slots := r.table.Load().slots
	for i := hash; ; i++ {
		s := slots[i&uint32(len(slots)-1)].Load()
		if s == nil {
			return r.resolveRaw(head, hash, string(name), string(tags))
		}
		if s.hash == hash && s.isRaw(head, name, tags) {
			return s.series
		}
	}
}

// isRaw says whether the spelling is head, name and raw tags.
func (s *spelling) isRaw(head byte, name, tags []byte) bool {
	text := s.text
	return len(text) == 2+len(name)+len(tags) && text[0] == head && int(text[1]) == len(name) &&
		text[2:2+len(name)] == string(name) && text[2+len(name):] == string(tags)
}
