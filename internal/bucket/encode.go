package bucket

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// Append appends the encoding of b to dst and returns the extended slice. It
// never fails; two equal buckets have the same encoding.
//
// The payload of a section is a count and that many elements:
//
//	counters    all ids, then all deltas
//	gauges      all ids, then all values
//	histograms  id, sum, number of buckets, (index - the one before, count)...
//	sets        id, number of hashes, hashes...
//	notes       length, bytes
//	taken       tick, number of writers, writers (16 bytes)...
//	folded      id, last, min, max, sum, n
//	covers      hashes, ascending
//	beyond      id, whole number...
//	rests       id, float...
//	ages        place in gauges after the one before (0 is the next), ticks...
//
// Counts, lengths and n are unsigned varints; ticks, whole numbers and
// differences of indexes are signed (zig-zag) varints; ids and hashes are 8 bytes,
// little-endian: they are hashes, so sorting them and coding the gaps would
// save not one byte in a bucket of 1,000 (a gap has 54 bits, a varint of
// which takes 8 bytes). A float is the unsigned varint of its byte-reversed
// IEEE 754 bits, as in encoding/gob, which makes whole numbers short. A delta
// of whole units is the unsigned varint zigzag(delta/Unit)<<1, any other one
// is a 1 followed by the signed varint of the delta.
func Append(dst []byte, b *Bucket) []byte {
	var flags byte
	if b.Final {
		flags |= flagFinal
	}
	if b.Keyframe {
		flags |= flagKeyframe
	}
	if b.Asleep {
		flags |= flagAsleep
	}
	dst = append(dst, Version, flags)
	dst = appendSection(dst, tagCounters, b.Counters, appendCounters)
	dst = appendSection(dst, tagGauges, b.Gauges, appendGauges)
	dst = appendSection(dst, tagHistograms, b.Histograms, appendHistograms)
	dst = appendSection(dst, tagSets, b.Sets, appendSets)
	dst = appendSection(dst, tagNotes, b.Notes, appendNotes)
	dst = appendSection(dst, tagTaken, b.Taken, appendTaken)
	dst = appendSection(dst, tagFolded, b.Folded, appendFolded)
	dst = appendSection(dst, tagCovers, b.Covers, appendHashes)
	dst = appendSection(dst, tagBeyond, b.Beyond, appendBeyond)
	dst = appendSection(dst, tagRests, b.Rests, appendRests)
	return appendSection(dst, tagAges, b.Ages, appendAges)
}

// appendSection appends tag, length (4 bytes, little-endian) and payload of a
// section, or nothing if it has no elements.
func appendSection[E any](dst []byte, tag byte, elems []E, payload func([]byte, []E) []byte) []byte {
	if len(elems) == 0 {
		return dst
	}
	dst = append(dst, tag, 0, 0, 0, 0)
	start := len(dst)
	dst = binary.AppendUvarint(dst, uint64(len(elems)))
	dst = payload(dst, elems)
	binary.LittleEndian.PutUint32(dst[start-4:], uint32(len(dst)-start))
	return dst
}

func appendCounters(dst []byte, elems []Counter) []byte {
	for i := range elems {
		dst = binary.LittleEndian.AppendUint64(dst, elems[i].ID)
	}
	for i := range elems {
		dst = appendDelta(dst, elems[i].Delta)
	}
	return dst
}

func appendDelta(dst []byte, delta int64) []byte {
	whole := delta / Unit
	if whole*Unit != delta {
		return binary.AppendVarint(append(dst, 1), delta)
	}
	// At most 2^63/Unit, so that neither shift loses a bit.
	return binary.AppendUvarint(dst, uint64(whole<<1^whole>>63)<<1)
}

func appendGauges(dst []byte, elems []Gauge) []byte {
	for i := range elems {
		dst = binary.LittleEndian.AppendUint64(dst, elems[i].ID)
	}
	for i := range elems {
		dst = appendFloat(dst, elems[i].Value)
	}
	return dst
}

func appendFloat(dst []byte, f float64) []byte {
	return binary.AppendUvarint(dst, bits.ReverseBytes64(math.Float64bits(f)))
}

func appendHistograms(dst []byte, elems []Histogram) []byte {
	for i := range elems {
		h := &elems[i]
		dst = binary.LittleEndian.AppendUint64(dst, h.ID)
		dst = appendFloat(dst, h.Sum)
		dst = binary.AppendUvarint(dst, uint64(len(h.Buckets)))
		before := int64(0)
		for _, hb := range h.Buckets {
			dst = binary.AppendVarint(dst, int64(hb.Index)-before)
			dst = binary.AppendUvarint(dst, hb.Count)
			before = int64(hb.Index)
		}
	}
	return dst
}

func appendSets(dst []byte, elems []Set) []byte {
	for i := range elems {
		dst = binary.LittleEndian.AppendUint64(dst, elems[i].ID)
		dst = binary.AppendUvarint(dst, uint64(len(elems[i].Hashes)))
		dst = appendHashes(dst, elems[i].Hashes)
	}
	return dst
}

func appendHashes(dst []byte, hashes []uint64) []byte {
	for _, h := range hashes {
		dst = binary.LittleEndian.AppendUint64(dst, h)
	}
	return dst
}

func appendNotes(dst []byte, elems [][]byte) []byte {
	for _, note := range elems {
		dst = binary.AppendUvarint(dst, uint64(len(note)))
		dst = append(dst, note...)
	}
	return dst
}

func appendTaken(dst []byte, elems []Taken) []byte {
	for i := range elems {
		dst = binary.AppendVarint(dst, elems[i].Tick)
		dst = binary.AppendUvarint(dst, uint64(len(elems[i].Writers)))
		for _, w := range elems[i].Writers {
			dst = append(dst, w[:]...)
		}
	}
	return dst
}

func appendFolded(dst []byte, elems []FoldedGauge) []byte {
	for i := range elems {
		g := &elems[i]
		dst = binary.LittleEndian.AppendUint64(dst, g.ID)
		for _, f := range [...]float64{g.Last, g.Min, g.Max, g.Sum} {
			dst = appendFloat(dst, f)
		}
		dst = binary.AppendUvarint(dst, g.N)
	}
	return dst
}

func appendBeyond(dst []byte, elems []Beyond) []byte {
	for i := range elems {
		dst = binary.LittleEndian.AppendUint64(dst, elems[i].ID)
		dst = binary.AppendVarint(dst, elems[i].Whole)
	}
	return dst
}

func appendRests(dst []byte, elems []Rest) []byte {
	for i := range elems {
		dst = binary.LittleEndian.AppendUint64(dst, elems[i].ID)
		dst = appendFloat(dst, elems[i].Value)
	}
	return dst
}

func appendAges(dst []byte, elems []Age) []byte {
	next := 0
	for _, a := range elems {
		dst = binary.AppendUvarint(dst, uint64(a.Gauge-next))
		dst = binary.AppendUvarint(dst, uint64(a.Ticks))
		next = a.Gauge + 1
	}
	return dst
}
