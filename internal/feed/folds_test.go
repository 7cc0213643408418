package feed

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-batteries/hawkeye/internal/bucket"
	"github.com/go-batteries/hawkeye/internal/publish"
	"github.com/go-batteries/hawkeye/internal/publish/publishtest"
	"github.com/go-batteries/hawkeye/internal/samples/clock"
	"github.com/go-batteries/hawkeye/internal/window"
	"github.com/go-batteries/hawkeye/store"
	"github.com/go-batteries/hawkeye/store/memstore"
)

// One writer is cut off for longer than folding waits, so its buckets are in
// folds of their own; with two evaluators, each cell is folded twice.
func TestFoldsHoldEachBucketOnce(t *testing.T) {
	t.Parallel()
	for evaluators := 1; evaluators <= 2; evaluators++ {
		synctest.Test(t, func(t *testing.T) { foldOnce(t, evaluators) })
	}
}

func foldOnce(t *testing.T, evaluators int) {
	s := publishtest.New(memstore.WithTick(time.Second), memstore.WithRetention(time.Minute))
	away := &cutOff{Store: s}
	clock := clock.New(time.Second)
	queries := []window.Query{sum("hits", 3*time.Minute), sum("hits", 20*time.Minute)}
	var feeds []*Feed
	for range evaluators {
		feeds = append(feeds, New(Config{Store: s, Clock: clock, Queries: queries, Logger: quiet()}))
	}
	tell := func(c *publish.Config) {
		c.OnLate = func(late []publish.Late) {
			for _, f := range feeds {
				f.tellLate(late)
			}
		}
	}
	a, b := start(t, s, tell), start(t, away, tell)
	for _, f := range feeds {
		if err := f.SeekTo(t.Context(), clock.NowTick()-1); err != nil {
			t.Fatal(err)
		}
	}
	counted := 0
	for i := range 15 * 60 {
		away.away.Store(i%100 > 60 && i%100 < 95) // up to 34 s
		a.reg.Counter("hits").Inc()
		b.reg.Counter("hits").Add(2)
		counted += 3
		for _, f := range feeds {
			f.must(t)
		}
		time.Sleep(time.Until(clock.End(clock.NowTick()))) // at most two ticks a turn
	}
	for _, p := range []*process{a, b} {
		if _, err := p.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range feeds {
		for f.Watermark() < clock.NowTick()-1 {
			f.must(t)
		}
	}
	fresh := New(Config{Store: s, Clock: clock, Queries: queries, Logger: quiet()})
	if err := fresh.SeekTo(t.Context(), feeds[0].Watermark()); err != nil {
		t.Fatal(err)
	}
	for i := range queries {
		for k, f := range feeds {
			if got, want := fresh.value(i), f.value(i); got.V != want.V {
				t.Errorf("with %d evaluators, a later one has %v over %v, evaluator %d has %v",
					evaluators, got.V, queries[i].Window, k, want.V)
			}
		}
	}
	if v := fresh.value(1); v.V != float64(counted) {
		t.Errorf("with %d evaluators, a later one has %v over all the time, want %d", evaluators, v.V, counted)
	}
	if n := feeds[0].Stats().Folds; n < 15*60/5 {
		t.Errorf("%d folds are written, want one each five seconds at least", n)
	}
	a.stop()
	b.stop()
}

func TestShortWindowsNeedNoFolds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := publishtest.New(memstore.WithTick(time.Second))
		p := start(t, s, nil)
		f := newFeed(t, s, p.Clock(), sum("hits", 5*time.Minute))
		for range 120 {
			p.reg.Counter("hits").Inc()
			f.must(t)
		}
		if n := f.Stats().Folds; n != 0 {
			t.Errorf("a window within the retention makes %d folds, want none", n)
		}
		p.stop()
	})
}

func TestDisjoint(t *testing.T) {
	t.Parallel()
	ids := []store.ID{{1}, {2}, {3}}
	made := func(writer byte, named bool, ticks ...int64) fold {
		b := &bucket.Bucket{}
		for _, n := range ticks {
			b.Taken = append(b.Taken, bucket.Taken{Tick: n, Writers: ids[:1]})
		}
		return fold{writer: store.ID{writer}, bucket: b, named: named}
	}
	tests := []struct {
		name  string
		folds []fold
		want  string
	}{
		{"none", nil, "[]"},
		{"a later one beside the first", []fold{made(1, false, 1, 2), made(2, false, 3)}, "[1 2]"},
		{"twice the same", []fold{made(2, false, 1, 2), made(1, false, 1, 2)}, "[1]"},
		{"the one that holds more", []fold{made(1, false, 1), made(2, false, 1, 2)}, "[2]"},
		{"the one that was used already", []fold{made(1, false, 1, 2, 3), made(2, true, 1)}, "[2]"},
		{"holding nothing", []fold{made(1, false), made(2, false)}, "[1 2]"},
	}
	for _, test := range tests {
		var got []byte
		for _, f := range disjoint(test.folds) {
			got = append(got, f.writer[0])
		}
		if fmt.Sprint(got) != test.want {
			t.Errorf("%s: disjoint keeps %v, want %v", test.name, got, test.want)
		}
	}
}

// Nothing is lost or counted twice when the Store loses everything again and
// again, and the evaluator starts anew at any moment.
func TestFoldsAreExactThroughLosses(t *testing.T) {
	t.Parallel()
	for seed := range uint64(6) {
		synctest.Test(t, func(t *testing.T) { foldsThroughLosses(t, seed) })
	}
}

func foldsThroughLosses(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 6))
	s := publishtest.New(memstore.WithTick(time.Second), memstore.WithRetention(time.Minute))
	queries := []window.Query{sum("hits", 6*time.Minute), sum("hits", 30*time.Minute), sum("hits", 3*time.Hour)}
	a, b := start(t, s, nil), start(t, s, nil)
	f := newFeed(t, s, a.Clock(), queries...)
	counted := 0.0
	for i := range 25 * 60 {
		n := rng.IntN(5)
		a.reg.Counter("hits").Add(int64(n))
		b.reg.Counter("hits").Add(1)
		counted += float64(n + 1)
		f.must(t)
		if rng.IntN(60) == 0 && i%60 < 30 {
			s.Wipe()
		}
		if rng.IntN(40) == 0 {
			if err := f.SeekTo(t.Context(), f.Watermark()); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range 40 { // until all is published again
		f.must(t)
	}
	for _, p := range []*process{a, b} {
		f.upTo(t, p)
	}
	for range window.LiveTicks {
		f.must(t)
	}
	fresh := f.later(t, s, queries...)
	for i, q := range queries {
		want := counted
		if q.Window < 30*time.Minute { // which doesn't hold all of it
			want = f.value(i).V
		}
		if got := f.value(i).V; got != want {
			t.Errorf("seed %d: over %v the value is %v, want %v", seed, q.Window, got, want)
		}
		if got := fresh.value(i).V; got != want {
			t.Errorf("seed %d: over %v a later evaluator has %v, want %v", seed, q.Window, got, want)
		}
	}
	a.stop()
	b.stop()
}

// TestNamesOfFoldsLiveAsLongAsTheLongestFold: a Store forgets a name some time
// after the buckets that it came with, so a fold that is kept for longer than
// those of before brings it again, and one that isn't doesn't, for a while.
func TestNamesOfFoldsLiveAsLongAsTheLongestFold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := publishtest.New(memstore.WithTick(time.Second))
		f := New(Config{Store: s, Clock: clock.New(time.Second), Logger: quiet()})
		f.engine.Learn(1, "c|hits")
		data := bucket.Append(nil, &bucket.Bucket{Counters: []bucket.Counter{{ID: 1, Delta: 1}}})
		for i, c := range []struct {
			wait, keep time.Duration
			want       int
		}{
			{keep: time.Hour, want: 1},
			{keep: time.Minute, want: 0},
			{keep: time.Hour, want: 0},
			{keep: 30 * time.Hour, want: 1},
			{keep: time.Hour, want: 0},
			{wait: renameAfter, keep: time.Hour, want: 1},
			{keep: 30 * time.Hour, want: 1},
		} {
			time.Sleep(c.wait)
			f.folds.push(queued{cellKey: cellKey{store.Tier5m, int64(i)}, encoded: encoded{store.NewID(), data}, keep: c.keep})
			if got := len(f.foldNames(f.folds.queue[0])); got != c.want {
				t.Errorf("fold %d, kept for %v, %v later, brings %d names, want %d", i, c.keep, c.wait, got, c.want)
			}
			f.publishFolds(t.Context())
		}
	})
}
