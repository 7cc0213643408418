package series

import (
	"math"
	"math/big"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"

	"github.com/go-batteries/hawkeye/internal/bucket"
	"github.com/go-batteries/hawkeye/internal/exact"
)

// collected returns the deltas of one Collect by canonical text.
func collected(t *testing.T, r *Registry) map[string]int64 {
	t.Helper()
	var b bucket.Bucket
	r.Collect(&b, false)
	deltas := map[string]int64{}
	for _, c := range b.Counters {
		names := r.NamesOf([]uint64{c.ID})
		if len(names) != 1 {
			t.Fatalf("NamesOf(%#x) = %v, want one name", c.ID, names)
		}
		if _, twice := deltas[names[0].Text]; twice {
			t.Fatalf("Collect returned %q twice", names[0].Text)
		}
		deltas[names[0].Text] = c.Delta
	}
	return deltas
}

func TestCounterAdds(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		what string
		add  func(c *Counter)
		want int64
	}{
		{"Inc", func(c *Counter) { c.Inc() }, 1_000_000},
		{"Add", func(c *Counter) { c.Add(41); c.Inc() }, 42_000_000},
		{"negative", func(c *Counter) { c.Add(-3); c.AddFloat(-0.5) }, -3_500_000},
		{"nothing", func(c *Counter) { c.Add(0); c.AddFloat(0) }, 0},
		{"up and down", func(c *Counter) { c.Inc(); c.Add(-1) }, 0},
		{"a millionth", func(c *Counter) { c.AddFloat(1e-6) }, 1},
		{"rounds to the nearest", func(c *Counter) { c.AddFloat(0.1 + 0.2); c.AddFloat(4e-7) }, 300_000},
		{"big", func(c *Counter) { c.Add(1_000_000_000) }, 1e15},
		{"big float is exact", func(c *Counter) { c.AddFloat(123_456_789_012.25) }, 123_456_789_012_250_000},
		{"NaN and infinities", func(c *Counter) { c.AddFloat(math.NaN()); c.AddFloat(math.Inf(1)); c.AddFloat(math.Inf(-1)) }, 0},
	} {
		r := New(Limits{})
		tt.add(r.Counter("c"))
		if got := collected(t, r)["c|c"]; got != tt.want {
			t.Errorf("%s: Collect = %d units, want %d", tt.what, got, tt.want)
		}
	}
}

func TestCounterCountsWhatItRejectsAndCuts(t *testing.T) {
	t.Parallel()
	r := New(Limits{})
	c := r.Counter("c")
	c.AddFloat(math.NaN())
	c.AddFloat(math.Inf(-1))
	c.Add(1e18)
	c.Add(1) // no room any more, and not big
	c.Add(math.MaxInt64)
	c.AddFloat(1e300)
	if got := r.Stats(); got.RejectedValues != 2 || got.Saturated != 2 {
		t.Errorf("Stats = %+v, want 2 rejected values, 2 saturated", got)
	}
	if got := collectedWhole(t, r); got != 1e18+1 {
		t.Errorf("Collect = %d, want 1e18 and 1", got)
	}
	c.Add(math.MinInt64)
	c.AddFloat(-1e300)
	if got := collectedWhole(t, r); got != -1e18 {
		t.Errorf("Collect in the next tick = %d, want -1e18", got)
	}
	if n := r.Pending(); n != 0 {
		t.Errorf("Pending after Collect = %d, want 0", n)
	}
	c.AddFloat(5e15)
	if n := r.Pending(); n != 5e15 {
		t.Errorf("Pending = %d, want 5e15", n)
	}
}

// collectedWhole returns what one Collect has of the one counter that there is.
func collectedWhole(t *testing.T, r *Registry) int64 {
	t.Helper()
	var b bucket.Bucket
	r.Collect(&b, false)
	if len(b.Counters) != 1 || len(b.Beyond) > 1 {
		t.Fatalf("Collect returned %v and %v, want one counter", b.Counters, b.Beyond)
	}
	units := exact.New(b.Counters[0].Delta)
	for i := range b.Beyond {
		if b.Beyond[i].ID != b.Counters[0].ID {
			t.Fatalf("Collect returned %v beyond %v", b.Beyond, b.Counters)
		}
		units = units.Add(b.Beyond[i].Units())
	}
	whole, rest := units.QuoRem(bucket.Unit)
	if n, ok := whole.Int64(); ok && rest == 0 {
		return n
	}
	t.Fatalf("Collect returned %v and %v, which is no whole number", b.Counters, b.Beyond)
	return 0
}

// TestCounterMatchesReference adds numbers of all sizes and compares with
// big.Int, across many ticks, so that the cells themselves wrap around.
func TestCounterMatchesReference(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(7, 8))
	r := New(Limits{})
	c := r.Counter("c")
	total, want := new(big.Int), new(big.Int)
	for range 2000 {
		for range rng.IntN(4) {
			n := rng.Int64N(1 << (1 + rng.IntN(57)))
			if rng.IntN(8) == 0 {
				n = -n
			}
			c.Add(n)
			want.Add(want, new(big.Int).Mul(big.NewInt(n), big.NewInt(bucket.Unit)))
		}
		var b bucket.Bucket
		r.Collect(&b, false)
		for i := range b.Counters {
			total.Add(total, big.NewInt(b.Counters[i].Delta))
		}
		for i := range b.Beyond {
			total.Add(total, new(big.Int).Mul(big.NewInt(b.Beyond[i].Whole), big.NewInt(bucket.Unit)))
		}
	}
	if total.Cmp(want) != 0 || r.Stats().Saturated != 0 {
		t.Errorf("sum of all deltas = %v, want %v (%d saturated)", total, want, r.Stats().Saturated)
	}
}

// TestCountersAreExactUnderConcurrency has writers by handle, by name and by
// bytes, new series, Collect, DropIdle and the garbage collector at once.
func TestCountersAreExactUnderConcurrency(t *testing.T) {
	t.Parallel()
	const writers, rounds, names, huge = 8, 20_000, 16, 1e12
	r := New(Limits{})
	var writing, collecting sync.WaitGroup
	totals := map[uint64]int64{}
	total := exact.Int{}
	done := make(chan struct{})
	collecting.Go(func() {
		var b bucket.Bucket
		for last := false; !last; {
			select {
			case <-done:
				last = true
			default:
			}
			r.Collect(&b, false)
			for _, c := range b.Counters {
				totals[c.ID] += c.Delta
				total = total.AddInt64(c.Delta)
			}
			for i := range b.Beyond {
				total = total.Add(b.Beyond[i].Units())
			}
			r.DropIdle(0)
			runtime.GC()
		}
	})
	for w := range writers {
		writing.Go(func() {
			handle := r.Counter("c0")
			for i := range rounds {
				name := []byte{'c', '0' + byte(i+w)%names}
				switch i % 3 {
				case 0:
					handle.Inc()
				case 1:
					r.Count(string(name), 1, []Tag{{"k", "v"}})
				case 2:
					r.CounterBytes(name, []byte("k:v")).Add(1)
				}
				if i%10 == 0 {
					handle.Add(huge)
				}
			}
		})
	}
	writing.Wait()
	close(done)
	collecting.Wait()
	if want := exact.Mul(writers*rounds+writers*rounds/10*huge, bucket.Unit); total != want {
		t.Errorf("sum of all deltas = %v, want %v units", total.Float64(), want.Float64())
	}
	if len(totals) != names+1 {
		t.Errorf("%d ids were collected, want %d", len(totals), names+1)
	}
	if got := r.Pending(); got != 0 {
		t.Errorf("Pending after the last Collect = %d, want 0", got)
	}
}

func TestStripesSpreadAfterContention(t *testing.T) {
	t.Parallel()
	s := stripes{n: 4}
	var a, b stripeSlot
	if s.of(&a) == s.of(&b) {
		t.Errorf("two new slots have the same stripe %d", s.of(&a))
	}
	before := s.of(&a)
	if after := s.move(&a); after == before || after != s.of(&a) || after >= 4 {
		t.Errorf("move from stripe %d gave %d, of = %d, want another one below 4", before, after, s.of(&a))
	}
}
