package bucket

import (
	"bytes"
	"encoding/binary"
	"io"
	"math"
	"math/big"
	"slices"

	"github.com/go-batteries/hawkeye/store"
)

// reference decodes as the comment on Append says, one obvious step after the
// other, without regard to speed or memory. It returns false for any error.
func reference(data []byte) (b Bucket, ok bool) {
	defer func() {
		if recover() != nil {
			b, ok = Bucket{}, false
		}
	}()
	d := referenceReader{bytes.NewReader(data)}
	if d.byte() != 1 {
		panic("version")
	}
	flags := d.byte()
	b.Final, b.Keyframe, b.Asleep = flags&1 != 0, flags&2 != 0, flags&4 != 0
	for last := byte(0); d.r.Len() > 0; {
		tag := d.byte()
		if tag <= last {
			panic("order of sections")
		}
		last = tag
		d.section(tag, &b)
	}
	return b, true
}

func (d referenceReader) section(tag byte, b *Bucket) {
	s := referenceReader{bytes.NewReader(d.bytes(uint64(binary.LittleEndian.Uint32(d.bytes(4)))))}
	if tag < 1 || tag > 11 {
		return
	}
	n := s.uvarint()
	if n > uint64(s.r.Len()) { // an element has at least a byte
		panic("count")
	}
	ids := make([]uint64, n)
	if tag == 1 || tag == 2 {
		for i := range ids {
			ids[i] = s.uint64()
		}
	}
	for i := range n {
		switch tag {
		case 1:
			b.Counters = append(b.Counters, Counter{ids[i], s.delta()})
		case 2:
			b.Gauges = append(b.Gauges, Gauge{ids[i], s.float()})
		case 3:
			b.Histograms = append(b.Histograms, s.histogram())
		case 4:
			set := Set{ID: s.uint64()}
			for range s.uvarint() {
				set.Hashes = append(set.Hashes, s.uint64())
			}
			b.Sets = append(b.Sets, set)
		case 5:
			b.Notes = append(b.Notes, s.bytes(s.uvarint()))
		case 6:
			taken := Taken{Tick: s.varint()}
			for range s.uvarint() {
				taken.Writers = append(taken.Writers, store.ID(s.bytes(16)))
			}
			b.Taken = append(b.Taken, taken)
		case 7:
			b.Folded = append(b.Folded, FoldedGauge{s.uint64(), s.float(), s.float(), s.float(), s.float(), s.uvarint()})
		case 8:
			b.Covers = append(b.Covers, s.uint64())
		case 9:
			b.Beyond = append(b.Beyond, Beyond{s.uint64(), s.varint()})
		case 10:
			b.Rests = append(b.Rests, Rest{s.uint64(), s.float()})
		case 11:
			at, ticks := s.uvarint(), s.uvarint()
			if n := len(b.Ages); n > 0 {
				at += uint64(b.Ages[n-1].Gauge) + 1
			}
			if at >= uint64(len(b.Gauges)) || ticks > math.MaxInt32 {
				panic("no such gauge, or too old")
			}
			b.Ages = append(b.Ages, Age{int(at), int64(ticks)})
		}
	}
	if s.r.Len() > 0 {
		panic("something after the last element")
	}
}

type referenceReader struct{ r *bytes.Reader }

func (d referenceReader) byte() byte { return d.bytes(1)[0] }

func (d referenceReader) bytes(n uint64) []byte {
	if n > uint64(d.r.Len()) {
		panic("too few bytes")
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(d.r, b); err != nil {
		panic(err)
	}
	return b
}

func (d referenceReader) uint64() uint64 { return binary.LittleEndian.Uint64(d.bytes(8)) }

func (d referenceReader) uvarint() uint64 {
	u, err := binary.ReadUvarint(d.r)
	if err != nil {
		panic(err)
	}
	return u
}

func (d referenceReader) varint() int64 {
	u, err := binary.ReadVarint(d.r)
	if err != nil {
		panic(err)
	}
	return u
}

func (d referenceReader) float() float64 {
	b := binary.BigEndian.AppendUint64(nil, d.uvarint())
	slices.Reverse(b)
	return math.Float64frombits(binary.BigEndian.Uint64(b))
}

func (d referenceReader) delta() int64 {
	u := d.uvarint()
	switch {
	case u == 1:
		return d.varint()
	case u%2 == 1:
		panic("delta")
	}
	// zigzag: 0, -1, 1, -2...
	whole := new(big.Int).SetUint64(u / 4)
	if u/2%2 == 1 {
		whole.Not(whole)
	}
	delta := whole.Mul(whole, big.NewInt(Unit))
	if !delta.IsInt64() {
		panic("delta")
	}
	return delta.Int64()
}

func (d referenceReader) histogram() Histogram {
	h := Histogram{ID: d.uint64(), Sum: d.float()}
	index := new(big.Int)
	for range d.uvarint() {
		index.Add(index, big.NewInt(d.varint()))
		if !index.IsInt64() || index.Int64() != int64(int32(index.Int64())) {
			panic("index")
		}
		h.Buckets = append(h.Buckets, HistBucket{int32(index.Int64()), d.uvarint()})
	}
	return h
}
