package series

import (
	"encoding/binary"
	"math/bits"
	"sync/atomic"
	"unsafe"
)

// A spelling is one way in which a series is called for: a kind, a name and
// tags in a certain order, or, from the wire, the raw text of the tags. Each
// series has its canonical spelling (clean, tags sorted, see canonical.go) and
// one more, an alias, for each other way in which callers spell it. So a
// look-up is one hash and one comparison of what the caller gave, whatever
// the order.
type spelling struct {
	// text is head, length of name, name, and then for each tag length of
	// key, key, length of value, value; or, in a wire spelling, the raw tags.
	text   string
	series *series
	hash   uint32
	slot   uint32 // that of series, in the column of its kind
}

// The first byte of a spelling's text is twice its kind, plus 1 if its tags
// are raw ones from the wire.
const wireSpelling = 1

func (s *spelling) kind() Kind { return Kind(s.text[0] >> 1) }

const (
	// maxAliasBytes is the longest spelling that is remembered as an alias.
	maxAliasBytes = 1024
	// aliasesPerSeries times MaxSeries is how many aliases are remembered.
	aliasesPerSeries = 2
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
	hash := r.hashTags(head, name, tags)
	slots := r.table.Load().slots
	for i := hash; ; i++ {
		s := slots[i&uint32(len(slots)-1)].Load()
		if s == nil {
			return r.resolve(head, hash, name, tags)
		}
		if s.hash == hash && s.isTags(head, name, tags) {
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

// isTags says whether the spelling is head, name and tags, in this order.
func (s *spelling) isTags(head byte, name string, tags []Tag) bool {
	text := s.text
	if text[0] != head {
		return false
	}
	text, ok := cutPiece(text[1:], name)
	for i := 0; ok && i < len(tags); i++ {
		if text, ok = cutPiece(text, tags[i].Key); ok {
			text, ok = cutPiece(text, tags[i].Value)
		}
	}
	return ok && text == ""
}

// cutPiece returns what follows piece, with its length, in text, and whether
// text begins with them.
func cutPiece(text, piece string) (rest string, ok bool) {
	if len(text) <= len(piece) || int(text[0]) != len(piece) || text[1:1+len(piece)] != piece {
		return "", false
	}
	return text[1+len(piece):], true
}

func (s *spelling) isRaw(head byte, name, tags []byte) bool {
	text := s.text
	return len(text) == 2+len(name)+len(tags) && text[0] == head && int(text[1]) == len(name) &&
		text[2:2+len(name)] == string(name) && text[2+len(name):] == string(tags)
}

// hashTags returns the hash of a spelling by tags.
func (r *Registry) hashTags(head byte, name string, tags []Tag) uint32 {
	seed := r.seed + uint64(head)
	sum := hashPiece(seed, stringBytes(name))
	for i := range tags {
		// Each piece has a seed of its own, so that their products don't wait
		// for each other, but their order counts.
		seed += hashStep
		key := hashPiece(seed, stringBytes(tags[i].Key))
		value := hashPiece(^seed, stringBytes(tags[i].Value))
		sum += key ^ bits.RotateLeft64(value, 32)
	}
	return uint32(sum ^ sum>>32)
}

// hashText returns the hash of a canonical spelling.
func (r *Registry) hashText(text string) uint32 {
	_, name, tags := parseSpelling(text)
	return r.hashTags(text[0], name, tags)
}

// hashRaw returns the hash of a spelling from the wire.
func (r *Registry) hashRaw(head byte, name, tags []byte) uint32 {
	seed := r.seed + uint64(head)
	sum := hashPiece(seed, name) + hashPiece(seed+hashStep, tags)
	return uint32(sum ^ sum>>32)
}

const (
	hashStep = 0x9E3779B97F4A7C15
	hashMul  = 0xA0761D6478BD642F // from wyhash
)

// hashPiece hashes 16 bytes at a time by a 64x64-bit product, as wyhash does.
// The registry's random seed makes collisions hard to provoke; they cost
// time, no more, because a spelling is always compared in full.
func hashPiece(seed uint64, piece []byte) uint64 {
	n := len(piece)
	seed ^= uint64(n) * hashMul
	for len(piece) > 16 {
		seed = mix(binary.LittleEndian.Uint64(piece)^hashMul, binary.LittleEndian.Uint64(piece[8:])^seed)
		piece = piece[16:]
	}
	var a, b uint64
	switch n = len(piece); {
	case n >= 8:
		a, b = binary.LittleEndian.Uint64(piece), binary.LittleEndian.Uint64(piece[n-8:])
	case n >= 4:
		a, b = uint64(binary.LittleEndian.Uint32(piece)), uint64(binary.LittleEndian.Uint32(piece[n-4:]))
	case n > 0:
		a, b = uint64(piece[0])|uint64(piece[n>>1])<<8, uint64(piece[n-1])
	}
	return mix(a^hashMul, b^seed)
}

func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

func stringBytes(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }
