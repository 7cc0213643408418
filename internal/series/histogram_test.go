package series

import (
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/go-batteries/hawkeye/internal/bucket"
	"github.com/go-batteries/hawkeye/internal/exact"
)

func collectHistogram(r *Registry) (sum float64, buckets []bucket.HistBucket) {
	var b bucket.Bucket
	r.Collect(&b, false)
	if len(b.Histograms) == 0 {
		return 0, nil
	}
	return b.Histograms[0].Sum, b.Histograms[0].Buckets
}

func TestHistogramMatchesReference(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(9, 10))
	r := New(Limits{})
	h := r.Histogram("h")
	var beside Observations
	for tick := range 50 {
		counts := map[int32]uint64{}
		want := new(big.Float).SetPrec(400)
		for range rng.IntN(200) {
			v, n := randomValue(rng), uint64(rng.IntN(5))
			if rng.IntN(4) == 0 {
				n = rng.Uint64N(MaxWeight + 1)
			}
			h.ObserveN(v, n)
			beside.Observe(v, n)
			if n > 0 {
				counts[HistIndex(v)] += n
			}
			if HistIndex(v) != 0 {
				product := new(big.Float).SetPrec(400).Mul(big.NewFloat(v), big.NewFloat(float64(n)))
				want.Add(want, product)
			}
		}
		sum, got := collectHistogram(r)
		if !slices.IsSortedFunc(got, func(a, b bucket.HistBucket) int { return int(a.Index - b.Index) }) {
			t.Fatalf("tick %d: buckets are not in ascending order: %v", tick, got)
		}
		found := map[int32]uint64{}
		for _, b := range got {
			found[b.Index] = b.Count
		}
		if diff := cmp.Diff(counts, found); diff != "" {
			t.Fatalf("tick %d: buckets (-want +got):\n%s", tick, diff)
		}
		if nearest, _ := want.Float64(); sum != nearest {
			t.Fatalf("tick %d: sum = %g, want %g", tick, sum, nearest)
		}
		var alone bucket.Histogram
		if beside.Take(&alone); alone.Sum != sum || !slices.Equal(alone.Buckets, got) {
			t.Fatalf("tick %d: Observations are %v, a histogram's %g, %v", tick, alone, sum, got)
		}
	}
}

func TestHistogramSumsAreExact(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(11, 12))
	r := New(Limits{})
	h := r.Histogram("h")
	want := 0.0
	for range 100_000 {
		v := float64(rng.IntN(1<<35) - 1<<34)
		h.Observe(v)
		want += v
	}
	if sum, _ := collectHistogram(r); sum != want {
		t.Errorf("sum = %g, want %g", sum, want)
	}
}

// TestManyRestsSpill observes a value that is nearly as far from its bucket's
// edge as can be, so often that a page's cell can't hold what that comes to,
// and more often than a count of 32 bits can tell.
func TestManyRestsSpill(t *testing.T) {
	t.Parallel()
	r := New(Limits{})
	h := r.Histogram("h")
	v := math.Nextafter(16, 0) // the greatest of its page
	const light, heavy = 3000, 5000
	for range light {
		h.ObserveN(v, lightWeight)
	}
	if p := (*histogram)(h.cell).narrow[zeroPage+1+signPages/2].Load(); p == nil || p.spilled == (exact.Int{}) {
		t.Fatal("nothing has spilled")
	}
	for range heavy {
		h.ObserveN(v, MaxWeight)
	}
	const count = light*lightWeight + heavy*MaxWeight
	if n := r.Pending(); n != count {
		t.Errorf("Pending = %d, want %d", n, count)
	}
	sum, buckets := collectHistogram(r)
	if want := []bucket.HistBucket{{Index: HistIndex(v), Count: count}}; !slices.Equal(buckets, want) {
		t.Errorf("buckets = %v, want %v", buckets, want)
	}
	if want := v * count; sum != want {
		t.Errorf("sum = %v, want %v", sum, want)
	}
	h.Observe(v)
	if sum, _ := collectHistogram(r); sum != v {
		t.Errorf("sum of the next tick = %v, want %v", sum, v)
	}
}

func TestHistogramRejectsAndCuts(t *testing.T) {
	t.Parallel()
	r := New(Limits{})
	h := r.Histogram("h")
	for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		h.Observe(v)
	}
	h.ObserveN(1, 0)
	if sum, buckets := collectHistogram(r); buckets != nil || sum != 0 {
		t.Errorf("Collect after values to be rejected = %g, %v, want nothing", sum, buckets)
	}
	h.Observe(1e300)
	h.Observe(-1e300)
	h.ObserveN(1, math.MaxUint64)
	sum, buckets := collectHistogram(r)
	want := []bucket.HistBucket{{Index: -maxIndex, Count: 1}, {Index: HistIndex(1), Count: MaxWeight}, {Index: maxIndex, Count: 1}}
	if diff := cmp.Diff(want, buckets); diff != "" || sum != MaxWeight {
		t.Errorf("Collect after values off the scale: sum %g, buckets (-want +got):\n%s", sum, diff)
	}
	if got := r.Stats(); got.RejectedValues != 3 || got.Saturated != 3 {
		t.Errorf("Stats = %+v, want 3 rejected values, 3 saturated", got)
	}
}

func TestHistogramsAreExactUnderConcurrency(t *testing.T) {
	t.Parallel()
	const writers, rounds = 8, 20_000
	r := New(Limits{})
	h := r.Histogram("h")
	var writing, collecting sync.WaitGroup
	done := make(chan struct{})
	count, sum := uint64(0), 0.0
	collecting.Go(func() {
		for last := false; !last; {
			select {
			case <-done:
				last = true
			default:
			}
			s, buckets := collectHistogram(r)
			sum += s
			for _, b := range buckets {
				count += b.Count
			}
			r.DropIdle(0)
		}
	})
	for range writers {
		writing.Go(func() {
			for i := range rounds {
				h.ObserveN(float64(i%100-20), uint64(1+i%2*999))
			}
		})
	}
	writing.Wait()
	close(done)
	collecting.Wait()
	wantCount, wantSum := uint64(writers*rounds/2*1001), 0.0
	for i := range 100 {
		wantSum += float64((i - 20) * (1 + i%2*999) * writers * rounds / 100)
	}
	if count != wantCount || sum != wantSum {
		t.Errorf("count = %d, sum = %g, want %d, %g", count, sum, wantCount, wantSum)
	}
}

func TestHistogramWidensUnderContention(t *testing.T) {
	t.Parallel()
	r := New(Limits{})
	h := r.Histogram("h")
	h.Observe(1)
	for range widenAfter {
		h.contended(r.stripes.slot())
	}
	if (*histogram)(h.cell).wide.Load() == nil {
		t.Fatalf("no stripes after %d disturbed writes", widenAfter)
	}
	h.Observe(1)
	h.Observe(-1)
	want := []bucket.HistBucket{{Index: HistIndex(-1), Count: 1}, {Index: HistIndex(1), Count: 2}}
	if sum, got := collectHistogram(r); sum != 1 || !slices.Equal(got, want) {
		t.Errorf("Collect over both kinds of pages = %g, %v, want 1, %v", sum, got, want)
	}
}
