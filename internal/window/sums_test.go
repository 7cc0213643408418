package window

import (
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-batteries/hawkeye/internal/bucket"
	"github.com/go-batteries/hawkeye/internal/exact"
	"github.com/go-batteries/hawkeye/internal/series"
	"github.com/go-batteries/hawkeye/store"
)

// precisely says whether a sum is right to 1 part in 2^52.
func precisely(got float64, want *big.Rat) bool {
	diff := new(big.Rat).SetFloat64(got)
	diff.Sub(diff, want).Abs(diff)
	return diff.Cmp(new(big.Rat).Mul(new(big.Rat).Abs(want), big.NewRat(1, 1<<52))) <= 0
}

// TestSumsThroughFolds counts what is large and what is small for two days,
// and fills the windows of another engine from the folds, as they are stored.
func TestSumsThroughFolds(t *testing.T) {
	t.Parallel()
	const window = 40 * time.Hour
	queries := []Query{
		{Selector: Selector{Metric: "c"}, Window: window, Aggregate: "sum"},
		{Selector: Selector{Metric: "h"}, Window: window, Aggregate: "sum"},
	}
	names := []string{"c|c", "h|h"}
	engine := func() (*Engine, []Handle) {
		e := New(time.Second, testRetention, 60)
		var handles []Handle
		for i, q := range queries {
			handles = append(handles, e.Register(q))
			e.Learn(uint64(i+1), names[i])
		}
		return e, handles
	}
	for seed := range uint64(6) {
		digits := []int{3, 8, 14}[seed%3]
		rng := rand.New(rand.NewPCG(seed, 1))
		first, handles := engine()
		size := func() float64 { return math.Pow(10, rng.Float64()*float64(digits)) }
		counted, observed := new(big.Rat), new(big.Rat)
		var stored []Fold
		writers := []store.ID{{1}, {2}}
		const begin, end = 360_000, 360_000 + 30*3600
		for tick := int64(begin); tick <= end+3*3600; tick += 5 {
			first.Advance(tick)
			for _, w := range writers {
				b := &bucket.Bucket{}
				if tick < end && rng.IntN(10) == 0 {
					units := series.Units(size())
					b.AddCounter(1, units)
					whole, rest := units.QuoRem(bucket.Unit)
					n, _ := whole.Int64()
					counted.Add(counted, new(big.Rat).SetInt64(n)).Add(counted, big.NewRat(rest, bucket.Unit))
					v := size()
					b.Histograms = []bucket.Histogram{{ID: 2, Sum: v, Buckets: []bucket.HistBucket{{Index: 1, Count: 1}}}}
					observed.Add(observed, new(big.Rat).SetFloat64(v))
				}
				first.Take(tick, w, b)
			}
			stored = append(stored, first.Folds()...)
		}
		second, again := engine()
		second.Advance(first.Now())
		for _, f := range stored {
			var b bucket.Bucket
			if err := bucket.Decode(bucket.Append(nil, f.Bucket), &b); err != nil {
				t.Fatal(err)
			}
			if f.Tier == first.handles[handles[0]].track.grid.tier && !second.TakeFold(f.Tier, f.Tier, f.Cell, f.Writer, &b) {
				t.Fatal("TakeFold = false")
			}
		}
		for i, want := range []*big.Rat{counted, observed} {
			for j, e := range []*Engine{first, second} {
				h := [][]Handle{handles, again}[j][i]
				if v := e.Value(h, e.Group(h, "")); v.Status != OK || !precisely(v.V, want) || v.V != v.Sum && i == 0 {
					t.Errorf("seed %d: engine %d: sum of %s = %v (%v), want %v", seed, j+1, names[i], v.V, v.Status, want.FloatString(6))
				}
			}
		}
	}
}

// TestSumOfManyBigDeltas has more writers in a tick than an int64 of
// millionths can add up, and some take away.
func TestSumOfManyBigDeltas(t *testing.T) {
	t.Parallel()
	for _, most := range []int64{smallDelta / 2, math.MaxInt64} {
		l := newLone(time.Second, "c|m")
		minute := l.Register(Query{Selector: Selector{Metric: "m"}, Window: time.Minute})
		delayed := l.Register(Query{Selector: Selector{Metric: "m"}, Window: 10 * time.Second, Delay: 30 * time.Second})
		hour := l.Register(Query{Selector: Selector{Metric: "m"}, Window: time.Hour})
		rng := rand.New(rand.NewPCG(uint64(most), 2))
		byTick := make(map[int64]*big.Int)
		sum := func(from, to int64) *big.Rat {
			all := new(big.Int)
			for tick := from; tick <= to; tick++ {
				if n := byTick[tick]; n != nil {
					all.Add(all, n)
				}
			}
			return new(big.Rat).SetFrac(all, big.NewInt(bucket.Unit))
		}
		take := func(tick int64) {
			delta := rng.Int64N(most)
			if rng.IntN(3) == 0 {
				delta = -delta
			}
			b := &bucket.Bucket{Counters: []bucket.Counter{{ID: 1, Delta: delta}}}
			if byTick[tick] == nil {
				byTick[tick] = new(big.Int)
			}
			byTick[tick].Add(byTick[tick], big.NewInt(delta))
			if rng.IntN(4) == 0 {
				whole := rng.Int64N(1e12)
				b.Beyond = []bucket.Beyond{{ID: 1, Whole: whole}}
				byTick[tick].Add(byTick[tick], new(big.Int).Mul(big.NewInt(whole), big.NewInt(bucket.Unit)))
			}
			l.Take(tick, store.NewID(), b)
		}
		for tick := int64(100); tick < 220; tick++ {
			l.Advance(tick)
			for range 200 {
				take(tick)
			}
			take(tick - rng.Int64N(20)) // late
			for _, c := range []struct {
				h        Handle
				from, to int64
			}{{minute, tick - 59, tick}, {delayed, tick - 39, tick - 30}, {hour, 0, tick}} {
				if v := l.Value(c.h, l.Group(c.h, "")); byTick[c.to] != nil && !precisely(v.V, sum(c.from, c.to)) {
					t.Fatalf("tick %d: sum = %v, want %v", tick, v.V, sum(c.from, c.to).FloatString(6))
				}
			}
			old := tick - rng.Int64N(20)
			if v, ok := l.ValueAt(minute, l.Group(minute, ""), old); byTick[old] != nil && (!ok || !precisely(v.V, sum(old-59, old))) {
				t.Fatalf("tick %d: sum at %d = %v, want %v", tick, old, v.V, sum(old-59, old).FloatString(6))
			}
		}
	}
}

// TestRatesOfWideCounters looks at one cell of counters that 64 bits are too
// few for.
func TestRatesOfWideCounters(t *testing.T) {
	t.Parallel()
	l := newLone(time.Second, "c|m")
	handles := make(map[Aggregate]Handle)
	for _, a := range []Aggregate{"", "rate", "min", "max", "last", "p99"} {
		handles[a] = l.Register(Query{Selector: Selector{Metric: "m"}, Window: 10 * time.Second, Aggregate: a})
	}
	for i, whole := range []int64{3e15, 1e13, 2e17} {
		b := &bucket.Bucket{}
		b.AddCounter(1, exact.Mul(whole, bucket.Unit))
		l.Advance(100 + int64(i))
		l.Take(100+int64(i), l.writer, b)
	}
	for a, want := range map[Aggregate]float64{"": 2.0301e17, "rate": 2.0301e16, "min": 1e13, "max": 2e17, "last": 2e17} {
		if v := l.Value(handles[a], l.Group(handles[a], "")); v.V != want {
			t.Errorf("%s = %v, want %v", a, v.V, want)
		}
	}
	if v := l.Value(handles["p99"], l.Group(handles["p99"], "")); v.Status != Missing {
		t.Errorf("a percentile is %v, want it missing", v.V)
	}
}

func TestSumsSaturate(t *testing.T) {
	t.Parallel()
	var cut atomic.Uint64
	l := newLone(time.Second, "c|m", "h|h")
	l.CountSaturated(&cut)
	counter := l.Register(Query{Selector: Selector{Metric: "m"}, Window: 10 * time.Second})
	rate := l.Register(Query{Selector: Selector{Metric: "m"}, Window: 10 * time.Second, Aggregate: "rate"})
	sum := l.Register(Query{Selector: Selector{Metric: "h"}, Window: 10 * time.Second, Aggregate: "sum"})
	values := func() []float64 {
		var out []float64
		for _, h := range []Handle{counter, rate, sum} {
			out = append(out, l.Value(h, l.Group(h, "")).V)
		}
		return out
	}
	take := func(tick, whole int64) {
		b := &bucket.Bucket{}
		b.AddCounter(1, exact.Mul(whole, bucket.Unit))
		b.Histograms = []bucket.Histogram{{ID: 2, Sum: float64(whole), Buckets: []bucket.HistBucket{{Index: 9, Count: 1}}}}
		l.Advance(tick)
		l.Take(tick, l.writer, b)
	}
	take(100, 7e17)
	if got, want := values(), []float64{7e17, 7e16, 7e17}; !slices.Equal(got, want) || cut.Load() != 0 {
		t.Errorf("values = %v, %d cut, want %v, none", got, cut.Load(), want)
	}
	take(101, 8e17)
	if got, want := values(), []float64{MaxSum, 1.5e17, MaxSum}; !slices.Equal(got, want) || cut.Load() != 3 {
		t.Errorf("values = %v, %d cut, want %v, 3", got, cut.Load(), want)
	}
	l.Advance(110) // the first one has left: nothing of what was cut is lost
	if got, want := values(), []float64{8e17, 8e16, 8e17}; !slices.Equal(got, want) || cut.Load() != 3 {
		t.Errorf("values = %v, %d cut, want %v, 3", got, cut.Load(), want)
	}
}
