package bucket

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
)

// Decode reads data, as written by [Append], into b. It empties b first and
// reuses its memory; b keeps no reference to data.
//
// It returns an error wrapping [ErrVersion] for a format newer than
// [Version] and one wrapping [ErrCorrupt] for data that is no bucket; b is
// empty then. It never panics, and allocates at most 32 times len(data).
func Decode(data []byte, b *Bucket) error {
	b.Reset()
	err := decode(data, b)
	if err != nil {
		b.Reset()
	}
	return err
}

func decode(data []byte, b *Bucket) error {
	if len(data) < 2 || data[0] == 0 {
		return fmt.Errorf("%w: no header in %d bytes", ErrCorrupt, len(data))
	}
	if data[0] > Version {
		return fmt.Errorf("%w: version %d, want at most %d", ErrVersion, data[0], Version)
	}
	// Flags that are not known are a newer minor addition, like tags.
	b.Final = data[1]&flagFinal != 0
	b.Keyframe = data[1]&flagKeyframe != 0
	b.Asleep = data[1]&flagAsleep != 0
	r := reader{data: data[2:]}
	for last := byte(0); len(r.data) > 0; {
		tag := r.byte()
		section := reader{data: r.bytes(uint64(r.uint32()))}
		if r.bad || tag <= last {
			return fmt.Errorf("%w: section %d after section %d", ErrCorrupt, tag, last)
		}
		section.section(tag, b)
		if section.bad || len(section.data) > 0 {
			return fmt.Errorf("%w: section %d", ErrCorrupt, tag)
		}
		last = tag
	}
	return nil
}

// section reads the payload of one section and leaves nothing of it. What
// comes after something bad is read as zeros, and thrown away by Decode.
func (r *reader) section(tag byte, b *Bucket) {
	switch tag {
	case tagCounters:
		b.Counters = r.counters(b.Counters)
	case tagGauges:
		b.Gauges = r.gauges(b.Gauges)
	case tagHistograms:
		b.Histograms = grow(b.Histograms, r.count(10))
		for i := range b.Histograms {
			r.histogram(&b.Histograms[i])
		}
	case tagSets:
		b.Sets = grow(b.Sets, r.count(9))
		for i := range b.Sets {
			r.set(&b.Sets[i])
		}
	case tagNotes:
		b.Notes = grow(b.Notes, r.count(1))
		for i := range b.Notes {
			r.note(&b.Notes[i])
		}
	case tagTaken:
		b.Taken = grow(b.Taken, r.count(2))
		for i := range b.Taken {
			r.taken(&b.Taken[i])
		}
	case tagFolded:
		b.Folded = grow(b.Folded, r.count(13))
		for i := range b.Folded {
			r.folded(&b.Folded[i])
		}
	case tagCovers:
		b.Covers = r.hashes(b.Covers)
	case tagBeyond:
		b.Beyond = grow(b.Beyond, r.count(9))
		for i := range b.Beyond {
			b.Beyond[i] = Beyond{ID: r.uint64(), Whole: r.varint()}
		}
	case tagRests:
		b.Rests = grow(b.Rests, r.count(9))
		for i := range b.Rests {
			b.Rests[i] = Rest{ID: r.uint64(), Value: r.float()}
		}
	case tagAges:
		b.Ages = r.ages(b.Ages, len(b.Gauges))
	default:
		r.data = nil
	}
}

// grow returns dst with length n. Its elements are what the memory held.
func grow[E any](dst []E, n int) []E {
	if n <= cap(dst) {
		return dst[:n]
	}
	// The old elements too, for the memory that they hold.
	return append(dst[:cap(dst)], make([]E, n-cap(dst))...)
}

func (r *reader) counters(dst []Counter) []Counter {
	n := r.count(9)
	dst = grow(dst, n)
	ids := r.bytes(uint64(n) * 8)
	data := r.data
	for i := range dst {
		dst[i].ID = binary.LittleEndian.Uint64(ids[i*8:])
		u, size := shortUvarint(data)
		if size == 0 || u&1 == 1 { // long, or not whole
			r.data = data
			dst[i].Delta = r.delta()
			data = r.data
			continue
		}
		data = data[size:]
		dst[i].Delta = zigzag(u>>1) * Unit
	}
	r.data = data
	return dst
}

// shortUvarint reads a varint of one or two bytes, as most are. It returns
// size 0 if it is longer, or not there.
func shortUvarint(data []byte) (u uint64, size int) {
	switch {
	case len(data) > 0 && data[0] < 0x80:
		return uint64(data[0]), 1
	case len(data) > 1 && data[1] < 0x80:
		return uint64(data[0])&0x7f | uint64(data[1])<<7, 2
	}
	return 0, 0
}

// zigzag undoes the coding of a signed number as an unsigned one.
func zigzag(u uint64) int64 { return int64(u>>1) ^ -int64(u&1) }

func (r *reader) delta() int64 {
	u := r.uvarint()
	if u&1 == 0 {
		whole := zigzag(u >> 1)
		if delta := whole * Unit; delta/Unit == whole {
			return delta
		}
		r.fail()
		return 0
	}
	if u != 1 {
		r.fail()
	}
	return r.varint()
}

func (r *reader) gauges(dst []Gauge) []Gauge {
	n := r.count(9)
	dst = grow(dst, n)
	ids := r.bytes(uint64(n) * 8)
	for i := range dst {
		dst[i] = Gauge{ID: binary.LittleEndian.Uint64(ids[i*8:]), Value: r.float()}
	}
	return dst
}

func (r *reader) histogram(h *Histogram) {
	h.ID = r.uint64()
	h.Sum = r.float()
	h.Buckets = grow(h.Buckets, r.count(2))
	index := int64(0)
	for i := range h.Buckets {
		// A sum of two int64 may wrap, but not into an int32 unnoticed: index
		// is in that range, so the sum would be near the ends of int64.
		index += r.varint()
		if index != int64(int32(index)) {
			r.fail()
			return
		}
		h.Buckets[i] = HistBucket{Index: int32(index), Count: r.uvarint()}
	}
}

func (r *reader) ages(dst []Age, gauges int) []Age {
	dst = grow(dst, r.count(2))
	next := 0
	for i := range dst {
		skipped, ticks := r.uvarint(), r.uvarint()
		if skipped >= uint64(gauges-next) || ticks > math.MaxInt32 {
			r.fail()
			return dst
		}
		dst[i] = Age{Gauge: next + int(skipped), Ticks: int64(ticks)}
		next = dst[i].Gauge + 1
	}
	return dst
}

func (r *reader) set(s *Set) {
	s.ID = r.uint64()
	s.Hashes = r.hashes(s.Hashes)
}

func (r *reader) hashes(dst []uint64) []uint64 {
	dst = grow(dst, r.count(8))
	for i := range dst {
		dst[i] = r.uint64()
	}
	return dst
}

func (r *reader) note(note *[]byte) {
	*note = append((*note)[:0], r.bytes(r.uvarint())...)
}

func (r *reader) taken(t *Taken) {
	t.Tick = r.varint()
	t.Writers = grow(t.Writers, r.count(16))
	for i := range t.Writers {
		copy(t.Writers[i][:], r.bytes(16))
	}
}

func (r *reader) folded(g *FoldedGauge) {
	g.ID = r.uint64()
	g.Last = r.float()
	g.Min = r.float()
	g.Max = r.float()
	g.Sum = r.float()
	g.N = r.uvarint()
}

// reader reads from the front of data. Once something is wrong it is bad,
// its data is gone, and everything that it reads is zero.
type reader struct {
	data []byte
	bad  bool
}

func (r *reader) fail() { r.bad, r.data = true, nil }

// count reads the number of elements that follow, each of at least size
// bytes, so that a false count can't make the caller allocate.
func (r *reader) count(size int) int {
	n := r.uvarint()
	if n > uint64(len(r.data)/size) {
		r.fail()
		return 0
	}
	return int(n)
}

func (r *reader) uvarint() uint64 {
	if len(r.data) > 0 && r.data[0] < 0x80 { // most are short
		u := uint64(r.data[0])
		r.data = r.data[1:]
		return u
	}
	u, n := binary.Uvarint(r.data)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.data = r.data[n:]
	return u
}

func (r *reader) varint() int64 {
	return zigzag(r.uvarint())
}

func (r *reader) float() float64 {
	return math.Float64frombits(bits.ReverseBytes64(r.uvarint()))
}

func (r *reader) byte() byte {
	if b := r.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) uint32() uint32 {
	if b := r.bytes(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (r *reader) uint64() uint64 {
	if b := r.bytes(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// bytes returns the next n bytes, or nil if there are fewer.
func (r *reader) bytes(n uint64) []byte {
	if n > uint64(len(r.data)) {
		r.fail()
		return nil
	}
	b := r.data[:n:n]
	r.data = r.data[n:]
	return b
}
