package publish

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-batteries/hawkeye/internal/bucket"
	"github.com/go-batteries/hawkeye/internal/publish/publishtest"
	"github.com/go-batteries/hawkeye/internal/series"
	"github.com/go-batteries/hawkeye/store"
	"github.com/go-batteries/hawkeye/store/memstore"
)

// copies starts two processes that are one and the same, as far as they know.
func copies(t *testing.T, s store.Store) (a, b *process) {
	t.Helper()
	id := store.NewID()
	same := func(c *Config) { c.Writer = id }
	return start(t, s, same), start(t, s, same)
}

// A snapshot is resumed twice at once: both copies count, and go on publishing
// under one id. Whoever comes second notices, takes another id, and what it
// counted counts, whatever happens to replies and buckets.
func TestTwoCopiesOfOneProcess(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) { twoCopies(t, seed) })
	}
}

func twoCopies(t *testing.T, seed uint64) {
	s := publishtest.New(memstore.WithTick(time.Second), memstore.WithRetention(5*time.Minute))
	faults, rng := rand.New(rand.NewPCG(seed, 7)), rand.New(rand.NewPCG(seed, 8))
	if seed > 0 {
		s.Fail(func(string) publishtest.Fault {
			if faults.IntN(2) == 0 {
				return publishtest.None
			}
			return []publishtest.Fault{publishtest.Refuse, publishtest.LoseReply, publishtest.Half}[faults.IntN(3)]
		})
	}
	a, b := copies(t, s)
	began := a.Clock().NowTick() - 1
	counted := int64(0)
	for range 40 {
		time.Sleep(time.Second / 2)
		n := 1 + rng.Int64N(5)
		a.reg.Counter("hits").Add(n)
		b.reg.Counter("hits").Add(n + 10) // never the same
		a.reg.Gauge("depth").Set(1)
		b.reg.Gauge("depth").Set(2)
		counted += 2*n + 10
	}
	s.Fail(nil)
	for _, p := range []*process{a, b} {
		if err := p.Final(t.Context()); err != nil {
			t.Fatalf("seed %d: Final() = %v", seed, err)
		}
		p.stop()
	}
	if a.Writer() == b.Writer() || a.Stats().Redrawn+b.Stats().Redrawn == 0 {
		t.Errorf("seed %d: the copies write under %v and %v, want two ids", seed, a.Writer(), b.Writer())
	}
	if drawn := max(a.Stats().Redrawn, b.Stats().Redrawn); drawn > 1 {
		t.Errorf("seed %d: an id was drawn %d times, want once", seed, drawn)
	}
	if got := total(t, s, began, began+30); got != counted {
		t.Errorf("seed %d: the total is %d, want %d", seed, got, counted)
	}
}

// The copies are resumed after a pause that is longer than the retention: both
// draw a new id, and not the same one.
func TestTwoCopiesAfterALongPause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := publishtest.New(memstore.WithTick(time.Second))
		a, b := copies(t, s)
		old := a.Writer()
		time.Sleep(5 * time.Second)
		s.SetOffset(time.Hour) // their clocks stood still, the Store's didn't
		time.Sleep(5 * time.Second)
		a.reg.Counter("hits").Add(3)
		b.reg.Counter("hits").Add(3) // the same, which two writers may
		time.Sleep(3 * time.Second)
		a.stop()
		b.stop()
		if a.Writer() == old || b.Writer() == old || a.Writer() == b.Writer() {
			t.Errorf("the copies of %v write under %v and %v, want two new ids", old, a.Writer(), b.Writer())
		}
		now := a.Clock().NowTick()
		if got := total(t, s, now-8, now); got != 6 {
			t.Errorf("the total is %d, want 6", got)
		}
	})
}

// Who is alone keeps its id, whatever happens to its replies.
func TestNobodyIsItsOwnCopy(t *testing.T) {
	t.Parallel()
	for seed := range uint64(10) {
		synctest.Test(t, func(t *testing.T) {
			s := publishtest.New(memstore.WithTick(time.Second))
			faults, rng := rand.New(rand.NewPCG(seed, 9)), rand.New(rand.NewPCG(seed, 10))
			s.Fail(func(string) publishtest.Fault { return publishtest.Fault(faults.IntN(5)) })
			p := start(t, s, nil)
			for i := range 120 {
				p.reg.Counter("hits").Inc()
				if rng.IntN(30) == 0 {
					s.Wipe()
				}
				if i%20 == 0 {
					p.reg.Counter("hits", series.Tag{Key: "i", Value: fmt.Sprint(i)}).Inc()
				}
				time.Sleep(time.Second / 2)
			}
			p.stop()
			if n := p.Stats().Redrawn; n > 0 {
				t.Errorf("seed %d: %d ids were drawn by a process that is alone", seed, n)
			}
		})
	}
}

// The new id is told, in the log and to whoever asked, and the gauges follow
// with the next bucket.
func TestCopyIsTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := publishtest.New(memstore.WithTick(time.Second))
		old, told := store.NewID(), make(chan store.ID, 10)
		var log strings.Builder // written to by the copy that is second, alone
		same := func(c *Config) {
			c.Writer, c.Logger = old, slog.New(slog.NewTextHandler(&log, nil))
			c.OnWriter = func(id store.ID) { told <- id }
		}
		a, b := start(t, s, same), start(t, s, same)
		for _, p := range []*process{a, b} {
			p.reg.Gauge("depth").Set(2)
		}
		time.Sleep(7 * time.Second) // both have named all gauges, and the same
		a.reg.Counter("hits").Inc()
		time.Sleep(3 * time.Second)
		a.stop()
		b.stop()
		drawn := a
		if b.Stats().Redrawn > 0 {
			drawn = b
		}
		close(told)
		if id := <-told; id != drawn.Writer() || id == old || len(told) > 0 || drawn.Stats().Redrawn != 1 {
			t.Errorf("told of %v and %d more, drawn %d times, want once of %v", id, len(told), drawn.Stats().Redrawn, drawn.Writer())
		}
		if n := strings.Count(log.String(), "another process is a copy of this one"); n != 1 {
			t.Errorf("the log tells %d times of a copy, want once:\n%s", n, log.String())
		}
		now, gauges := a.Clock().NowTick(), 0
		for _, tick := range stored(t, s, now-6, now) {
			if b := tick[drawn.Writer()]; b != nil {
				gauges += len(b.Gauges)
			}
		}
		if gauges != 1 {
			t.Errorf("the buckets of the new writer name %d gauges, want the one that there is, once", gauges)
		}
	})
}

// A process that took another id goes on looking for what it published under
// the one before, also if the Store loses nothing else; and no longer than it
// keeps that.
func TestFormerIdsAreLookedFor(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		lose func(s *forgetful, first, last int64)
	}{
		{"everything", func(s *forgetful, _, _ int64) { s.Wipe() }},
		{"of the former id alone", func(s *forgetful, first, last int64) {
			for n := first; n <= last; n++ {
				s.lose(n)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newForgetful()
				p := start(t, s, nil)
				defer p.stop()
				former, first := p.Writer(), int64(0)
				for range 300 { // more than one publication asks for
					p.reg.Counter("hits").Inc()
					last := flush(t, p)
					first = max(first, last-270)
				}
				// A copy is first in the tick that is open.
				open := p.Clock().NowTick()
				copied := bucket.Append(nil, &bucket.Bucket{Notes: [][]byte{[]byte("another's")}})
				pub := store.Publication{Writer: former, Buckets: []store.Bucket{{Tick: open, Writer: former, Data: copied}}}
				if _, err := s.Store.Publish(t.Context(), pub); err != nil {
					t.Fatal(err)
				}
				p.reg.Counter("hits").Inc()
				last := flush(t, p)
				if p.Writer() == former {
					t.Fatal("the id is the same after a bucket was refused")
				}
				time.Sleep(10 * time.Second)
				before := total(t, s, first, last)
				c.lose(s, first, last-1)
				time.Sleep(15 * time.Second)
				if got := total(t, s, first+15, last); got < before-15 {
					t.Errorf("the total is %d, want all of %d but for what fades", got, before)
				}
				s.mu.Lock()
				for tick := range s.lost {
					if tick >= first+30 {
						t.Errorf("tick %d, of %d to %d, was not found lost", tick, first, last)
					}
				}
				s.mu.Unlock()
				// Nothing of the former id is left: one round trip a tick.
				time.Sleep(5 * time.Minute)
				calls := s.Calls("Publish")
				time.Sleep(20 * time.Second)
				if n := s.Calls("Publish") - calls; n > 20 {
					t.Errorf("%d round trips in 20 ticks, want one a tick", n)
				}
			})
		})
	}
}
