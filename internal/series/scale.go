package series

import (
	"math"

	"github.com/go-batteries/hawkeye/internal/bucket"
	"github.com/go-batteries/hawkeye/internal/exact"
)

// The scale of histograms is log-linear: each octave (the values from 2^e to
// 2^(e+1)) is cut into 32 buckets of equal width, at most 1/32 of their lower
// edge wide, so that a bucket's middle is at most 1.6 % off any value in it.
// A bucket's index is the top of a float's bits: exponent and 5 bits of
// mantissa. Index 0 is zero, 1 the bucket of 2^-64, -1 that of -2^-64, and so
// on up to ±4096. What is nearer to zero than 2^-64 (5e-20) counts as zero,
// what is farther from it than 2^64 (1.8e19) counts in the outermost bucket.
const (
	octaveBits = 5
	octaves    = 128
	minExp     = -64
	maxIndex   = octaves << octaveBits

	mantissaBits = 52
	expBias      = 1023
	signBit      = 1 << 63
	// firstBits is the exponent and top mantissa of 2^minExp.
	firstBits = (expBias + minExp) << octaveBits
)

// HistIndex returns the index of the bucket that v falls into. NaN has none;
// its index is 0.
func HistIndex(v float64) int32 {
	abs := math.Float64bits(v) &^ signBit
	index := int32(abs>>(mantissaBits-octaveBits)) - firstBits + 1
	if uint32(index-1) >= maxIndex {
		if v != v || index < 1 {
			return 0
		}
		index = maxIndex
	}
	if v < 0 {
		return -index
	}
	return index
}

// HistBounds returns the edges of a bucket: lo <= |v| < hi for the values v
// of a positive one, and the mirror image, lo < v <= hi, for a negative one.
// Those of index 0 are both 0.
func HistBounds(index int32) (lo, hi float64) {
	switch {
	case index == 0:
		return 0, 0
	case index < 0:
		lo, hi = HistBounds(-index)
		return -hi, -lo
	}
	index = min(index, maxIndex)
	edge := func(i int32) float64 {
		return math.Float64frombits(uint64(i-1+firstBits) << (mantissaBits - octaveBits))
	}
	return edge(index), edge(index + 1)
}

// HistValue returns the middle of a bucket, the value that stands for all of
// it: at most 1/64 (1.6 %) off any of them.
func HistValue(index int32) float64 {
	lo, hi := HistBounds(index)
	return lo + (hi-lo)/2
}

// A histogram's cells come in pages of 4 octaves, in ascending order of their
// values: 32 of negative values, one that holds zero alone, 32 of positive
// ones.
const (
	pageOctaveBits = 2
	pageBits       = pageOctaveBits + octaveBits
	pageBuckets    = 1 << pageBits
	signPages      = maxIndex / pageBuckets
	zeroPage       = signPages
	histPages      = 2*signPages + 1
)

// locate returns where a histogram counts v, and by how many of the page's
// units (see pageSum) v is beyond its bucket's edge that is nearer to zero. It
// is false for what is off the scale: NaN, infinities, and what is farther
// from zero than 2^64.
func locate(v float64) (page, offset uint32, rest uint64, ok bool) {
	b := math.Float64bits(v)
	abs := b &^ signBit
	i := int(abs>>(mantissaBits-octaveBits)) - firstBits
	if uint(i) >= maxIndex {
		return zeroPage, 0, 0, i < 0
	}
	rest = abs & (1<<restBits - 1) << (uint(i) >> octaveBits & (1<<pageOctaveBits - 1))
	if b != abs {
		i = maxIndex - 1 - i
		return uint32(i >> pageBits), uint32(i & (pageBuckets - 1)), rest, true
	}
	return zeroPage + 1 + uint32(i>>pageBits), uint32(i & (pageBuckets - 1)), rest, true
}

// pageIndex is the bucket's index of a place in a page.
func pageIndex(page, offset uint32) int32 {
	i := int32(page<<pageBits | offset)
	switch {
	case page < zeroPage:
		return i - maxIndex
	case page == zeroPage:
		return 0
	default:
		return i - (zeroPage+1)<<pageBits + 1
	}
}

const (
	// restBits is how much of a mantissa a bucket's index doesn't have.
	restBits = mantissaBits - octaveBits
	// maxRest is more than the rest of any value.
	maxRest = 1 << (restBits + 1<<pageOctaveBits - 1)
)

// edge is the edge of a page's bucket that is nearer to zero, in the page's
// unit.
func edge(page, offset uint32) int64 {
	switch {
	case page == zeroPage:
		return 0
	case page < zeroPage:
		offset = pageBuckets - 1 - offset
	}
	const perOctave = 1 << octaveBits
	return int64(perOctave+offset%perOctave) << (restBits + offset/perOctave)
}

// addPage adds some of a page's units to a sum. The unit of a page whose
// values begin at 2^e is 2^(e-52), the last digit of its least values.
func addPage(s *exact.Sum, page uint32, units exact.Int) {
	octave, sign := int(page)-zeroPage-1, 1.0
	if page < zeroPage {
		octave, sign = signPages-1-int(page), -1.0
	}
	unit := math.Ldexp(sign, octave<<pageOctaveBits+minExp-mantissaBits)
	for _, part := range units.Parts() {
		s.Add(part * unit)
	}
}

// Quantile returns the value below or at which the share q of what was
// observed lies, the nearest rank's bucket's [HistValue]: at most 1.6 % off.
// buckets are in ascending order of Index. q <= 0 means the least, q >= 1
// the greatest value. Without observations, or for a q that is NaN, it
// returns NaN.
func Quantile(q float64, buckets []bucket.HistBucket) float64 {
	total := 0.0
	for _, b := range buckets {
		total += float64(b.Count)
	}
	if total == 0 || q != q {
		return math.NaN()
	}
	rank := min(max(math.Ceil(q*total), 1), total)
	seen := 0.0
	for _, b := range buckets {
		if seen += float64(b.Count); seen >= rank {
			return HistValue(b.Index)
		}
	}
	return HistValue(buckets[len(buckets)-1].Index)
}
