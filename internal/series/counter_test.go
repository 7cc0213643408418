package series

import (
	"math"
	"math/big"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"

	"github.com/go-batteries/hawkeye/internal/bucket"
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
	c.Add(math.MaxInt64)
	c.Add(math.MaxInt64) // no room any more
	c.AddFloat(1e300)
	if got := r.Stats(); got.RejectedValues != 2 || got.Saturated != 3 {
		t.Errorf("Stats = %+v, want 2 rejected values, 3 saturated", got)
	}
	if got := collected(t, r)["c|c"]; got != maxGrowth {
		t.Errorf("Collect = %d, want %d", got, int64(maxGrowth))
	}
	c.Add(math.MinInt64)
	c.AddFloat(-1e300)
	if got := collected(t, r)["c|c"]; got != -maxGrowth {
		t.Errorf("Collect in the next tick = %d, want %d", got, int64(-maxGrowth))
	}
}

func TestBigSamplesOfASlowGoroutineCountForTheNewTick(t *testing.T) {
	t.Parallel()
	r := New(Limits{})
	cell := r.Counter("c").cell
	for _, step := range []struct {
		collects    uint32
		units, want int64
	}{
		{1, maxGrowth - 1, maxGrowth - 1},
		{0, 2, 1}, // read the number of Collects before the one above
		{1, 1, 0},
		{2, 1, 1},
		{2, -1 << 62, -maxGrowth - 1},
	} {
		if got := r.big.admit(cell, step.collects, step.units); got != step.want {
			t.Errorf("admit(%d) after %d Collects = %d, want %d", step.units, step.collects, got, step.want)
		}
	}
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
			n := rng.Int64N(1 << (1 + rng.IntN(39)))
			if rng.IntN(8) == 0 {
				n = -n
			}
			c.Add(n)
			want.Add(want, new(big.Int).Mul(big.NewInt(n), big.NewInt(bucket.Unit)))
		}
		total.Add(total, big.NewInt(collected(t, r)["c|c"]))
	}
	if total.Cmp(want) != 0 || r.Stats().Saturated != 0 {
		t.Errorf("sum of all deltas = %v, want %v (%d saturated)", total, want, r.Stats().Saturated)
	}
}

// TestCountersAreExactUnderConcurrency has writers by handle, by name and by
// bytes, new series, Collect, DropIdle and the garbage collector at once.
func TestCountersAreExactUnderConcurrency(t *testing.T) {
	t.Parallel()
	const writers, rounds, names = 8, 20_000, 16
	r := New(Limits{})
	var writing, collecting sync.WaitGroup
	totals := map[uint64]int64{}
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
			}
		})
	}
	writing.Wait()
	close(done)
	collecting.Wait()
	total := int64(0)
	for _, n := range totals {
		total += n
	}
	if want := int64(writers * rounds * bucket.Unit); total != want {
		t.Errorf("sum of all deltas = %d, want %d", total, want)
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
