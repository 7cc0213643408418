package series

import (
	"encoding/binary"
	"math/bits"
	"unsafe"
)

// Names and tags are short: most of the time of a look-up would go into calls
// and bounds checks. So this file reads strings by words, and tags as the
// pieces, keys and values in turn, that they are in memory.

// hashTags returns the hash of a spelling by tags and the size of its text.
// The registry's random seed makes collisions hard to provoke; they cost
// time, no more, because a spelling is always compared in full.
func (r *Registry) hashTags(head byte, name string, tags []Tag) (hash uint32, size int) {
	seed := r.seed + uint64(head)
	sum := hashPiece(seed, name)
	size = 2 + len(name)
	for _, piece := range pieces(tags) {
		n := len(piece)
		p := unsafe.StringData(piece)
		var a, b uint64
		switch {
		case n > 16:
			a, b = foldWords(piece)
		case n >= 8:
			a, b = word(p, 0), word(p, n-8)
		case n >= 4:
			a, b = halfWord(p, 0), halfWord(p, n-4)
		case n > 0:
			a = fewBytes(p, n)
		}
		// Each piece has a seed of its own, so that their products don't wait
		// for each other, but their order counts.
		seed += hashStep
		sum += mix(a^seed, b^hashMul+uint64(n))
		size += 1 + n
	}
	return uint32(sum ^ sum>>32), size
}

// isTags says whether the spelling is head, name and tags, in this order,
// given that its text has the size of that.
func (s *spelling) isTags(head byte, name string, tags []Tag) bool {
	if s.text[0] != head || int(s.text[1]) != len(name) || s.text[2:2+len(name)] != name {
		return false
	}
	// The text has the right size and the pieces before had the right
	// lengths, so at is in it; without bounds checks this is twice as fast.
	text := unsafe.StringData(s.text)
	at := 2 + len(name)
	for _, piece := range pieces(tags) {
		n := len(piece)
		if int(*(*byte)(unsafe.Add(unsafe.Pointer(text), at))) != n {
			return false
		}
		at++
		p := unsafe.StringData(piece)
		switch {
		case n > 16:
			if s.text[at:at+n] != piece {
				return false
			}
		case n >= 8:
			if word(text, at) != word(p, 0) || word(text, at+n-8) != word(p, n-8) {
				return false
			}
		case n >= 4:
			if halfWord(text, at) != halfWord(p, 0) || halfWord(text, at+n-4) != halfWord(p, n-4) {
				return false
			}
		case n > 0:
			if fewBytes((*byte)(unsafe.Add(unsafe.Pointer(text), at)), n) != fewBytes(p, n) {
				return false
			}
		}
		at += n
	}
	return true
}

// hashText returns the hash of a canonical spelling.
func (r *Registry) hashText(text string) uint32 {
	_, name, tags := parseSpelling(text)
	hash, _ := r.hashTags(text[0], name, tags)
	return hash
}

// hashRaw returns the hash of a spelling from the wire.
func (r *Registry) hashRaw(head byte, name, tags []byte) uint32 {
	seed := r.seed + uint64(head)
	sum := hashPiece(seed, bytesString(name)) + hashPiece(seed+hashStep, bytesString(tags))
	return uint32(sum ^ sum>>32)
}

const (
	hashStep = 0x9E3779B97F4A7C15
	hashMul  = 0xA0761D6478BD642F
)

// mix is the 64x64-bit product of wyhash, folded.
func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

func hashPiece(seed uint64, piece string) uint64 {
	n := len(piece)
	p := unsafe.StringData(piece)
	var a, b uint64
	switch {
	case n > 16:
		a, b = foldWords(piece)
	case n >= 8:
		a, b = word(p, 0), word(p, n-8)
	case n >= 4:
		a, b = halfWord(p, 0), halfWord(p, n-4)
	case n > 0:
		a = fewBytes(p, n)
	}
	return mix(a^seed, b^hashMul+uint64(n))
}

// foldWords makes two words of a piece of more than 16 bytes.
func foldWords(piece string) (a, b uint64) {
	n := len(piece)
	p := unsafe.StringData(piece)
	for at := 0; at < n-16; at += 16 {
		a = mix(word(p, at)^a^hashStep, word(p, at+8)^hashMul)
	}
	return a ^ word(p, n-16), word(p, n-8)
}

func pieces(tags []Tag) []string {
	return unsafe.Slice((*string)(unsafe.Pointer(unsafe.SliceData(tags))), 2*len(tags))
}

// word returns the 8 bytes at p[at:], at whatever address that is.
func word(p *byte, at int) uint64 {
	return binary.LittleEndian.Uint64((*[8]byte)(unsafe.Add(unsafe.Pointer(p), at))[:])
}

func halfWord(p *byte, at int) uint64 {
	return uint64(binary.LittleEndian.Uint32((*[4]byte)(unsafe.Add(unsafe.Pointer(p), at))[:]))
}

// fewBytes returns the n bytes at p; n is 1 to 3.
func fewBytes(p *byte, n int) uint64 {
	middle := *(*byte)(unsafe.Add(unsafe.Pointer(p), n>>1))
	end := *(*byte)(unsafe.Add(unsafe.Pointer(p), n-1))
	return uint64(*p) | uint64(middle)<<8 | uint64(end)<<16
}

func bytesString(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
