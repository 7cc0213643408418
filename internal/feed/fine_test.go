package feed

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-batteries/hawkeye/internal/publish/publishtest"
	"github.com/go-batteries/hawkeye/internal/samples/clock"
	"github.com/go-batteries/hawkeye/internal/series"
	"github.com/go-batteries/hawkeye/internal/window"
	"github.com/go-batteries/hawkeye/store"
	"github.com/go-batteries/hawkeye/store/memstore"
)

func TestFineIsBounded(t *testing.T) {
	t.Parallel()
	h := newFine()
	h.max = 10 * (1000 + bucketOverhead)
	for n := range int64(30) {
		for range 2 { // the second one is there
			h.put(n, encoded{store.ID{1}, make([]byte, 1000)})
		}
	}
	h.put(3, encoded{store.ID{2}, make([]byte, 1000)}) // late, and older than what has room
	if len(h.order) != 10 || len(h.ticks) != 10 || h.bytes > h.max || h.order[0] != 20 {
		t.Errorf("held are %d ticks of %d bytes from %d on, want the newest 10", len(h.order), h.bytes, h.order[0])
	}
	h.doubtAll()
	asked := len(h.check())
	h.counted(29, 1)
	h.counted(28, 0)
	h.expire(25)
	if asked != 10 || h.left != 4 || len(h.check()) != 4 || !h.ticks[28].short {
		t.Errorf("after a loss %d ticks were asked for and %d of 5 are in doubt, want 10 and 4, 28 short", asked, h.left)
	}
	if h.drop(); h.bytes != 0 || len(h.check()) > 0 {
		t.Errorf("%d bytes are held after all was dropped", h.bytes)
	}
}

// gone publishes some hits in a tick and ends, with a goodbye or without.
func gone(t *testing.T, s store.Store, hits int64, final bool) {
	t.Helper()
	p := start(t, s, nil)
	p.reg.Counter("hits", series.Tag{Key: "from", Value: "gone"}).Add(hits)
	if _, err := p.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if final {
		if err := p.Final(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	p.stop()
}

// evaluator returns a feed that knows runs, as that of an evaluator does.
func evaluator(t *testing.T, s store.Store, clock *clock.Clock, runs *Runs, queries ...window.Query) *Feed {
	t.Helper()
	f := New(Config{Store: s, Clock: clock, Queries: queries, Logger: quiet(), Runs: runs})
	if err := f.SeekTo(t.Context(), clock.NowTick()-1); err != nil {
		t.Fatalf("SeekTo = %v", err)
	}
	return f
}

// taken returns what an evaluator that takes over sees: the ledger has the runs
// of the one before, and the Store whatever it has.
func (f *Feed) taken(t *testing.T, s store.Store, q window.Query) window.Value {
	t.Helper()
	runs := NewRuns(f.cfg.Runs.Born, none)
	for id, r := range f.cfg.Runs.All() {
		runs.Add(id, r)
	}
	n := New(Config{Store: s, Clock: f.cfg.Clock, Queries: []window.Query{q}, Logger: quiet(), Runs: runs})
	if err := n.SeekTo(t.Context(), f.Watermark()); err != nil {
		t.Fatal(err)
	}
	return n.value(0)
}

// complete says whether all is known of a value since the ledger's birth.
func (f *Feed) complete(v window.Value) bool {
	return v.Partial == 0 && v.LastUnknown <= f.cfg.Runs.Born
}

func (f *Feed) steps(t *testing.T, n int) {
	t.Helper()
	for range n {
		f.must(t)
	}
}

func TestLostBucketsOfTheGoneArePublishedAgain(t *testing.T) {
	t.Parallel()
	for _, final := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			s := publishtest.New(memstore.WithTick(time.Second))
			p := start(t, s, nil)
			query := sum("hits", 4*time.Minute)
			f := evaluator(t, s, p.Clock(), NewRuns(p.Clock().NowTick()-1, none), query)
			gone(t, s, 100, final)
			f.steps(t, 40)
			s.Wipe()
			if got := f.taken(t, s, query); f.complete(got) || got.V > 0 {
				t.Errorf("right after the loss the value is %v, complete: %v, want none, incomplete", got.V, f.complete(got))
			}
			f.steps(t, 5)
			// Of a writer that ended without a goodbye ten ticks are partial.
			if got := f.taken(t, s, query); got.V != 100 || f.complete(got) != final {
				t.Errorf("five ticks later the value is %v, complete: %v, want 100, %v", got.V, f.complete(got), final)
			}
			if got := f.Stats().FineAgain; got == 0 {
				t.Error("Stats() says that nothing was published again")
			}
			n := s.Calls("Publish")
			f.steps(t, 30)
			if n = s.Calls("Publish") - n; n > 31 {
				t.Errorf("%d publications in 30 ticks after all is there again, want those of the writer", n)
			}
			p.stop()
		})
	}
}

// What has no room is missed, not taken for nothing.
func TestBucketsBeyondTheBoundAreMissed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := publishtest.New(memstore.WithTick(time.Second))
		p := start(t, s, nil)
		query := sum("hits", 4*time.Minute)
		f := evaluator(t, s, p.Clock(), NewRuns(p.Clock().NowTick()-1, none), query)
		f.fine.max = 20 * (bucketOverhead + 20)
		gone(t, s, 100, true)
		f.steps(t, 40)
		gone(t, s, 10, true)
		f.steps(t, 5)
		s.Wipe()
		f.steps(t, 8)
		if got := f.taken(t, s, query); got.V != 10 || f.complete(got) {
			t.Errorf("with room for the newest the value is %v, complete: %v, want 10, incomplete", got.V, f.complete(got))
		}
		if st := f.Stats(); st.HeldBytes > f.fine.max || st.HeldSince < f.Watermark()-40 {
			t.Errorf("Stats() = %d bytes since %d ticks ago, want at most %d bytes", st.HeldBytes, f.Watermark()-st.HeldSince, f.fine.max)
		}
		p.stop()
	})
}

// A writer is live when the loss comes, and dies before it has published
// again.
func TestWriterDiesAfterTheLoss(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := publishtest.New(memstore.WithTick(time.Second))
		away := &cutOff{Store: s}
		p := start(t, s, nil)
		query := sum("hits", 4*time.Minute)
		f := evaluator(t, s, p.Clock(), NewRuns(p.Clock().NowTick()-1, none), query)
		other := start(t, away, nil)
		other.reg.Counter("hits").Add(100)
		f.steps(t, 20)
		away.away.Store(true)
		s.Wipe()
		f.steps(t, 5)
		other.stop()
		if got := f.taken(t, s, query); f.complete(got) {
			t.Errorf("while the writer is live the value is %v, complete, want it incomplete", got.V)
		}
		f.steps(t, 20)
		if got := f.taken(t, s, query); got.V != 100 {
			t.Errorf("when it is gone the value is %v, want 100", got.V)
		}
		p.stop()
	})
}

// The windows are filled anew right after a loss, as after a roll-back.
func TestHeldBucketsAreLoaded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := publishtest.New(memstore.WithTick(time.Second))
		p := start(t, s, nil)
		query := sum("hits", 4*time.Minute)
		f := evaluator(t, s, p.Clock(), NewRuns(p.Clock().NowTick()-1, none), query)
		gone(t, s, 100, true)
		f.steps(t, 20)
		for _, back := range []int64{0, 19} { // to before it has counted, too
			s.Wipe()
			if err := f.SeekTo(t.Context(), f.Watermark()-back); err != nil {
				t.Fatal(err)
			}
			f.steps(t, 20+int(back))
			if got := f.value(0); got.V != 100 || !f.complete(got) {
				t.Errorf("from %d ticks ago the value is %v, complete: %v, want 100, complete", back, got.V, f.complete(got))
			}
			if got := f.taken(t, s, query); got.V != 100 || !f.complete(got) {
				t.Errorf("from %d ticks ago a later evaluator has %v, complete: %v, want 100, complete", back, got.V, f.complete(got))
			}
		}
		p.stop()
	})
}

// An evaluator that leaves right after a loss publishes what it holds before,
// also if it hasn't seen the loss, and when the Store is there again.
func TestLeavePublishesWhatIsHeld(t *testing.T) {
	t.Parallel()
	for _, steps := range []int{0, 1} {
		for _, away := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				s := publishtest.New(memstore.WithTick(time.Second))
				p := start(t, s, nil)
				query := sum("hits", 4*time.Minute)
				f := evaluator(t, s, p.Clock(), NewRuns(p.Clock().NowTick()-1, none), query)
				gone(t, s, 100, true)
				f.steps(t, 20)
				s.Wipe()
				f.steps(t, steps)
				if away {
					s.Fail(publishtest.Always(publishtest.Refuse))
					f.Leave(t.Context())
					s.Fail(nil)
				}
				f.Leave(t.Context())
				if got := f.taken(t, s, query); got.V != 100 {
					t.Errorf("after it left the value is %v, want 100 (away: %t, steps after the loss: %d)", got.V, away, steps)
				}
				if f.fine.bytes != 0 {
					t.Errorf("%d bytes are held by one that doesn't evaluate", f.fine.bytes)
				}
				p.stop()
			})
		}
	}
}

// The own buckets come first, but aren't waited for for ever.
func TestOwnBucketsGoFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := publishtest.New(memstore.WithTick(time.Second))
		p := start(t, s, nil)
		var busy atomic.Bool
		f := New(Config{
			Store: s, Clock: p.Clock(), Queries: []window.Query{sum("hits", 4*time.Minute)}, Logger: quiet(),
			Runs: NewRuns(p.Clock().NowTick()-1, none), Busy: busy.Load,
		})
		if err := f.SeekTo(t.Context(), p.Clock().NowTick()-1); err != nil {
			t.Fatal(err)
		}
		gone(t, s, 100, true)
		f.steps(t, 20)
		busy.Store(true)
		s.Wipe()
		f.steps(t, 4)
		if n := f.Stats().FineAgain; n > 0 {
			t.Errorf("%d buckets of others are published before the own ones", n)
		}
		f.steps(t, 6)
		if n := f.Stats().FineAgain; n == 0 {
			t.Error("buckets of others aren't published although the own ones take long")
		}
		p.stop()
	})
}

// A window that is longer than the fine ticks reads folds: they say whose
// ticks they hold, and so whose they don't.
func TestFoldsThatLackAWriter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := publishtest.New(memstore.WithTick(time.Second), memstore.WithRetention(time.Minute))
		p := start(t, s, nil)
		query := sum("hits", 20*time.Minute)
		f := newFeed(t, s, p.Clock(), query)
		born := f.Watermark()
		f.minutes(t, 4, p)
		for _, c := range []struct {
			name     string
			run      Run
			complete bool
		}{
			{"of nobody", Run{From: born - 20, To: born, Final: true}, true},
			{"of a writer that isn't in them", Run{From: born + 60, To: born + 90, Final: true}, false},
		} {
			runs := NewRuns(born, none)
			runs.Add(store.ID{9}, c.run)
			n := New(Config{Store: s, Clock: f.cfg.Clock, Queries: []window.Query{query}, Logger: quiet(), Runs: runs})
			if err := n.SeekTo(context.Background(), f.Watermark()); err != nil {
				t.Fatal(err)
			}
			if got := n.value(0); got.Partial == 0 != c.complete || got.V == 0 {
				t.Errorf("with a run %s the value is %v with %d partial ticks, want partial ones: %v", c.name, got.V, got.Partial, !c.complete)
			}
		}
		p.stop()
	})
}

// Names alone are lost: those of series that nobody counts any more come from
// whoever evaluates.
func TestLostNamesOfTheGone(t *testing.T) {
	t.Parallel()
	for _, long := range []bool{false, true} { // in fine ticks, in folds
		synctest.Test(t, func(t *testing.T) {
			s := publishtest.New(memstore.WithTick(time.Second), memstore.WithRetention(time.Minute))
			p := start(t, s, nil)
			query := sum("hits", 50*time.Second)
			if long {
				query.Window = 20 * time.Minute
			}
			f := evaluator(t, s, p.Clock(), NewRuns(p.Clock().NowTick()-1, none), query)
			gone(t, s, 100, true)
			f.steps(t, 10)
			if long {
				f.steps(t, 120)
			}
			s.LoseNames()
			if got := f.taken(t, s, query); got.V > 0 {
				t.Errorf("without names the value is %v, want none", got.V)
			}
			f.LoseNames()
			f.steps(t, 1)
			if got := f.taken(t, s, query); got.V != 100 {
				t.Errorf("a tick after the names were lost the value is %v, want 100", got.V)
			}
			before := s.Calls("Publish")
			f.steps(t, 10)
			if n := s.Calls("Publish") - before; n > 13 {
				t.Errorf("%d publications in ten ticks after that, want those of the writer, and of a fold", n)
			}
			p.stop()
		})
	}
}

// This process' own series are known without the Store.
func TestOwnNamesAreNotAskedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := publishtest.New(memstore.WithTick(time.Second))
		p, other := start(t, s, nil), start(t, s, nil)
		f := New(Config{Store: s, Clock: p.Clock(), Queries: []window.Query{sum("hits", time.Minute)}, Logger: quiet(), Text: p.reg.NamesOf})
		p.reg.Counter("hits").Add(1)
		other.reg.Counter("hits").Add(2)
		time.Sleep(3 * time.Second)
		s.LoseNames()
		s.Fail(func(call string) publishtest.Fault {
			if call == "Names" {
				return publishtest.Refuse
			}
			return publishtest.None
		})
		if err := f.SeekTo(t.Context(), p.Clock().NowTick()-1); err != nil {
			t.Fatalf("SeekTo() = %v, want nil", err)
		}
		if got := f.value(0); got.V != 3 {
			t.Errorf("the value is %v, want 3", got.V)
		}
		p.stop()
		other.stop()
	})
}
