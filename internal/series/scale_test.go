package series

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/go-batteries/hawkeye/internal/bucket"
	"github.com/go-batteries/hawkeye/internal/exact"
)

func TestHistIndex(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		v    float64
		want int32
	}{
		{0, 0},
		{math.Copysign(0, -1), 0},
		{0x1p-64, 1},
		{-0x1p-64, -1},
		{math.Nextafter(0x1p-64, 0), 0},
		{math.SmallestNonzeroFloat64, 0},
		{-math.SmallestNonzeroFloat64, 0},
		{1, 64*32 + 1},
		{math.Nextafter(1, 0), 64 * 32},
		{1 + 1.0/32, 64*32 + 2},
		{-1, -64*32 - 1},
		{math.Nextafter(0x1p64, 0), 4096},
		{0x1p64, 4096},
		{-0x1p64, -4096},
		{math.MaxFloat64, 4096},
		{math.Inf(1), 4096},
		{math.Inf(-1), -4096},
		{math.NaN(), 0},
	} {
		if got := HistIndex(tt.v); got != tt.want {
			t.Errorf("HistIndex(%g) = %d, want %d", tt.v, got, tt.want)
		}
	}
}

func TestHistBoundsMeet(t *testing.T) {
	t.Parallel()
	for index := int32(1); index <= maxIndex; index++ {
		lo, hi := HistBounds(index)
		if HistIndex(lo) != index || HistIndex(math.Nextafter(hi, 0)) != index {
			t.Fatalf("HistBounds(%d) = %g, %g, which are in buckets %d and %d", index, lo, hi, HistIndex(lo), HistIndex(math.Nextafter(hi, 0)))
		}
		if next, _ := HistBounds(index + 1); index < maxIndex && next != hi {
			t.Fatalf("HistBounds(%d) ends at %g, HistBounds(%d) begins at %g", index, hi, index+1, next)
		}
		if mirrorLo, mirrorHi := HistBounds(-index); mirrorLo != -hi || mirrorHi != -lo {
			t.Fatalf("HistBounds(%d) = %g, %g, want %g, %g", -index, mirrorLo, mirrorHi, -hi, -lo)
		}
		middle := HistValue(index)
		if worst := max(middle-lo, hi-middle) / lo; worst > 1.0/64 {
			t.Fatalf("HistValue(%d) = %g is %g off the edges %g, %g", index, middle, worst, lo, hi)
		}
	}
}

// randomValue returns values of all sizes and both signs, and some zeros.
func randomValue(rng *rand.Rand) float64 {
	if rng.IntN(20) == 0 {
		return 0
	}
	v := math.Ldexp(1+rng.Float64(), rng.IntN(128)-64)
	if rng.IntN(2) == 0 {
		return -v
	}
	return v
}

func TestLocateAgreesWithHistIndex(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 4))
	values := []float64{0, 0x1p-64, -0x1p-64, math.Nextafter(0x1p64, 0), -math.Nextafter(0x1p64, 0), 1e-30, -1e-30}
	for range 20_000 {
		values = append(values, randomValue(rng))
	}
	for _, v := range values {
		page, offset, rest, ok := locate(v)
		if !ok || pageIndex(page, offset) != HistIndex(v) {
			t.Fatalf("locate(%g) = %d, %d, %v, which is index %d, want %d", v, page, offset, ok, pageIndex(page, offset), HistIndex(v))
		}
		var sum exact.Sum
		addPage(&sum, page, exact.New(edge(page, offset)).Add(exact.NewUint(rest)))
		if HistIndex(v) != 0 && sum.Float64() != v || rest >= maxRest {
			t.Fatalf("locate(%g) counts %g for its sum, the rest is %d", v, sum.Float64(), rest)
		}
	}
	for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), 0x1p64, -0x1p64} {
		if page, offset, _, ok := locate(v); ok {
			t.Errorf("locate(%g) = %d, %d, true, want false", v, page, offset)
		}
	}
}

func TestQuantile(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(5, 6))
	for _, n := range []int{1, 2, 10, 1000} {
		values := make([]float64, n)
		counts := map[int32]uint64{}
		for i := range values {
			values[i] = randomValue(rng)
			counts[HistIndex(values[i])]++
		}
		slices.Sort(values)
		var buckets []bucket.HistBucket
		for index, count := range counts {
			buckets = append(buckets, bucket.HistBucket{Index: index, Count: count})
		}
		slices.SortFunc(buckets, func(a, b bucket.HistBucket) int { return int(a.Index - b.Index) })
		for _, q := range []float64{-1, 0, 0.001, 0.25, 0.5, 0.9, 0.99, 0.999, 1, 2} {
			rank := min(max(int(math.Ceil(q*float64(n))), 1), n)
			want := values[rank-1]
			if got := Quantile(q, buckets); math.Abs(got-want) > math.Abs(want)/64 {
				t.Errorf("Quantile(%g) of %d values = %g, want %g within 1/64", q, n, got, want)
			}
		}
	}
}

func TestQuantileOfNothing(t *testing.T) {
	t.Parallel()
	one := []bucket.HistBucket{{Index: 1, Count: 1}}
	for _, got := range []float64{
		Quantile(0.5, nil),
		Quantile(0.5, []bucket.HistBucket{{Index: 1}}),
		Quantile(math.NaN(), one),
	} {
		if !math.IsNaN(got) {
			t.Errorf("Quantile without an answer = %g, want NaN", got)
		}
	}
}
