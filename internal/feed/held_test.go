package feed

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-batteries/hawkeye/internal/publish"
	"github.com/go-batteries/hawkeye/internal/publish/publishtest"
	"github.com/go-batteries/hawkeye/internal/series"
	"github.com/go-batteries/hawkeye/internal/window"
	"github.com/go-batteries/hawkeye/store"
	"github.com/go-batteries/hawkeye/store/memstore"
)

// minutes runs a feed while a process counts one hit and two errors a tick.
func (f *Feed) minutes(t *testing.T, n int, p *process) {
	t.Helper()
	for until := time.Now().Add(time.Duration(n) * time.Minute); time.Now().Before(until); {
		p.reg.Counter("hits").Inc()
		p.reg.Counter("errors").Add(2)
		f.must(t)
	}
}

// upTo ends what a process counts and steps to its last tick.
func (f *Feed) upTo(t *testing.T, p *process) {
	t.Helper()
	tick, err := p.Flush(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for f.Watermark() < tick {
		f.must(t)
	}
}

// later returns a feed of an evaluator that takes over.
func (f *Feed) later(t *testing.T, s store.Store, queries ...window.Query) *Feed {
	t.Helper()
	n := New(Config{Store: s, Clock: f.cfg.Clock, Queries: queries, Logger: quiet()})
	if err := n.SeekTo(t.Context(), f.Watermark()); err != nil {
		t.Fatal(err)
	}
	return n
}

// The writer of some of the series is gone by then, so that nobody but the
// evaluator has its samples, and its names.
func TestLostFoldsArePublishedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := publishtest.New(memstore.WithTick(time.Second), memstore.WithRetention(time.Minute))
		p, gone := start(t, s, nil), start(t, s, nil)
		queries := []window.Query{sum("hits", 20*time.Minute), sum("hits", 3*time.Hour)}
		f := newFeed(t, s, p.Clock(), queries...)
		f.minutes(t, 1, p)
		gone.reg.Counter("hits", series.Tag{Key: "from", Value: "gone"}).Add(1000)
		f.minutes(t, 1, p)
		if err := gone.Final(t.Context()); err != nil {
			t.Fatal(err)
		}
		gone.stop()
		f.minutes(t, 8, p)
		s.Wipe()
		f.minutes(t, 2, p)
		f.upTo(t, p)
		if n := f.Stats().FoldsAgain; n == 0 {
			t.Error("no folds are published again after a loss")
		}
		fresh := f.later(t, s, queries...)
		for i := range queries {
			got, want := fresh.value(i), f.value(i)
			if got.V != want.V || got.Unknown > want.Unknown {
				t.Errorf("over %v a later evaluator has %v with %d unknown ticks, want %v with %d",
					queries[i].Window, got.V, got.Unknown, want.V, want.Unknown)
			}
		}
		again := f.Stats().FoldsAgain
		f.minutes(t, 5, p)
		if n := f.Stats().FoldsAgain; n != again {
			t.Errorf("%d folds are published again without a loss", n-again)
		}
		p.stop()
	})
}

// An evaluator that starts anew right after a loss still has what it held.
func TestLostFoldsAreLoadedFromWhatIsHeld(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := publishtest.New(memstore.WithTick(time.Second), memstore.WithRetention(time.Minute))
		p := start(t, s, nil)
		query := sum("hits", 20*time.Minute)
		first := newFeed(t, s, p.Clock(), query)
		first.minutes(t, 8, p)
		f := first.later(t, s, query) // that read the folds, not wrote them
		f.minutes(t, 2, p)
		f.upTo(t, p)
		want := f.value(0)
		s.Wipe()
		if err := f.SeekTo(t.Context(), f.Watermark()); err != nil {
			t.Fatal(err)
		}
		// Only the newest ticks, which aren't folded yet, may be missing.
		if got := f.value(0); !(got.V >= want.V-100) {
			t.Errorf("after a loss and a new start the value is %v, want about %v", got.V, want.V)
		}
		if len(f.folds.queue) == 0 {
			t.Error("no fold is queued, want those that were lost")
		}
		f.minutes(t, 1, p)
		f.upTo(t, p)
		fresh := f.later(t, s, query)
		if got, want := fresh.value(0), f.value(0); got.V != want.V || got.Unknown > want.Unknown {
			t.Errorf("a later evaluator has %v with %d unknown ticks, want %v with %d", got.V, got.Unknown, want.V, want.Unknown)
		}
		p.stop()
	})
}

func TestHeldIsBounded(t *testing.T) {
	t.Parallel()
	var h held
	large := make([]byte, maxHeldBytes/10)
	for cell := range int64(30) {
		h.put(cellKey{store.Tier1m, cell}, encoded{store.ID{1}, large})
		h.put(cellKey{store.Tier1m, cell}, encoded{store.ID{1}, large})
	}
	if len(h.order) != 10 || len(h.cells) != 10 || h.bytes > maxHeldBytes || h.order[0].cell != 20 {
		t.Errorf("held %d cells of %d bytes from %d on, want the newest 10", len(h.order), h.bytes, h.order[0].cell)
	}
	h.expire(28*time.Minute, func(store.Tier) time.Duration { return 2 * time.Minute })
	if len(h.order) != 5 || h.order[0].cell != 25 {
		t.Errorf("%d cells are left of 10 after some expired, want 5", len(h.order))
	}
	if got := len(h.check(1)); got != checkFolds+checkNewest {
		t.Errorf("%d cells are looked for at a tick, want %d", got, checkFolds+checkNewest)
	}
	if got := h.check(1); got != nil {
		t.Errorf("%d cells are looked for at the same tick again, want none", len(got))
	}
}

// A monitor that is added finds folds that know nothing of its metric.
func TestFoldsWithoutTheMetricAreUnknown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := publishtest.New(memstore.WithTick(time.Second), memstore.WithRetention(time.Minute))
		p := start(t, s, nil)
		hits, errs, long := sum("hits", 10*time.Minute), sum("errors", 10*time.Minute), sum("errors", time.Hour)
		first := newFeed(t, s, p.Clock(), hits, sum("hits", time.Hour))
		first.minutes(t, 12, p)
		first.upTo(t, p)
		f := first.later(t, s, hits, errs, long)
		if v := f.value(0); v.V != first.value(0).V || v.Unknown != 0 {
			t.Errorf("the old monitor has %v with %d unknown ticks, want %v and none", v.V, v.Unknown, first.value(0).V)
		}
		for i := 1; i <= 2; i++ {
			v := f.value(i)
			if v.Unknown < 8*60 {
				t.Errorf("the new monitor over %v knows of all but %d ticks, though no fold holds its metric",
					f.cfg.Queries[i].Window, v.Unknown)
			}
			if v.V < 100 || v.V > 130 {
				t.Errorf("the new monitor over %v has %v, want what the fine ticks hold, about 120", f.cfg.Queries[i].Window, v.V)
			}
		}
		f.minutes(t, 11, p)
		f.upTo(t, p)
		want := f.value(0).V * 2
		if v := f.value(1); v.V != want || v.Unknown != 0 {
			t.Errorf("11 minutes later the new monitor has %v with %d unknown ticks, want %v and none", v.V, v.Unknown, want)
		}
		third := f.later(t, s, hits, errs, long)
		if v := third.value(1); v.V != want || v.Unknown != 0 {
			t.Errorf("a later evaluator has %v with %d unknown ticks, want %v and none", v.V, v.Unknown, want)
		}
		if got, want := third.value(2), f.value(2); got.Unknown < want.Unknown || got.V > want.V {
			t.Errorf("over an hour a later evaluator has %v with %d unknown ticks, want at most %v and at least %d",
				got.V, got.Unknown, want.V, want.Unknown)
		}
		p.stop()
	})
}

// A window within the retention needs no folds, but may have cells as wide as
// the folds of another metric.
func TestFoldsOfAnotherMetricHideNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := publishtest.New(memstore.WithTick(time.Second), memstore.WithRetention(5*time.Minute))
		p := start(t, s, nil)
		queries := []window.Query{sum("hits", 6*time.Minute), sum("errors", 3*time.Minute)}
		f := newFeed(t, s, p.Clock(), queries...)
		f.minutes(t, 8, p)
		f.upTo(t, p)
		fresh := f.later(t, s, queries...)
		for i := range queries {
			if got, want := fresh.value(i), f.value(i); got.V != want.V || got.Unknown != 0 {
				t.Errorf("a later evaluator has %v of %s with %d unknown ticks, want %v and none",
					got.V, queries[i].Selector.Metric, got.Unknown, want.V)
			}
		}
		p.stop()
	})
}

// After a loss, the bucket of a writer that was cut off comes in place of one
// that nobody has any more: as many as before, but others.
func TestLateBucketAfterALossIsRead(t *testing.T) {
	t.Parallel()
	for _, watching := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			s := publishtest.New(memstore.WithTick(time.Second))
			away := &cutOff{Store: s}
			a, gone := start(t, s, nil), start(t, s, nil)
			f := New(Config{Store: s, Clock: a.Clock(), Queries: []window.Query{sum("hits", 4*time.Minute)}, Logger: quiet()})
			b := start(t, away, func(c *publish.Config) { c.OnLate = f.tellLate })
			if err := f.SeekTo(t.Context(), a.Clock().NowTick()-1); err != nil {
				t.Fatal(err)
			}
			run := func(d time.Duration) {
				for until := time.Now().Add(d); time.Now().Before(until); {
					f.must(t)
				}
			}
			run(20 * time.Second)
			away.away.Store(true)
			b.reg.Counter("hits").Add(100)
			run(3 * time.Second)
			if err := gone.Final(t.Context()); err != nil {
				t.Fatal(err)
			}
			gone.stop()
			run(20 * time.Second)
			s.Wipe()
			if watching {
				run(20 * time.Second)
			} else {
				time.Sleep(20 * time.Second)
			}
			away.away.Store(false)
			if !watching {
				time.Sleep(5 * time.Second)
			}
			run(time.Minute)
			if v := f.value(0); v.V != 100 {
				t.Errorf("watching the loss: %v, the value is %v, want the late 100", watching, v.V)
			}
			a.stop()
			b.stop()
		})
	}
}
