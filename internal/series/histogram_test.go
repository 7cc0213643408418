package series

import (
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/go-batteries/hawkeye/internal/bucket"
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
	for tick := range 50 {
		counts := map[int32]uint64{}
		want, size := 0.0, 0.0
		for range rng.IntN(200) {
			v, n := randomValue(rng), uint64(rng.IntN(5))
			h.ObserveN(v, n)
			if n > 0 {
				counts[HistIndex(v)] += n
				want += v * float64(n)
				size += math.Abs(v) * float64(n)
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
		if math.Abs(sum-want) > size*1e-7 {
			t.Fatalf("tick %d: sum = %g, want %g", tick, sum, want)
		}
	}
}

func TestHistogramSumsOfWholeNumbersAreExact(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(11, 12))
	r := New(Limits{})
	h := r.Histogram("h")
	want := 0.0
	for range 10_000 {
		v := float64(rng.IntN(1<<24) - 1<<23)
		h.Observe(v)
		want += v
	}
	if sum, _ := collectHistogram(r); sum != want {
		t.Errorf("sum = %g, want %g", sum, want)
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
				h.Observe(float64(i%100 - 20))
			}
		})
	}
	writing.Wait()
	close(done)
	collecting.Wait()
	if wantSum := float64(writers * rounds / 100 * (99*50 - 2000)); count != writers*rounds || sum != wantSum {
		t.Errorf("count = %d, sum = %g, want %d, %g", count, sum, writers*rounds, wantSum)
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
