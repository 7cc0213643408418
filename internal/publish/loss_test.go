package publish

import (
	"context"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-batteries/hawkeye/internal/publish/publishtest"
	"github.com/go-batteries/hawkeye/store"
	"github.com/go-batteries/hawkeye/store/memstore"
)

// forgetful is a Store that loses single buckets. It remembers when each was
// published again, and what was looked for.
type forgetful struct {
	*publishtest.Store

	mu     sync.Mutex          // guards what follows
	lost   map[int64]time.Time // by tick
	found  map[int64]time.Duration
	ledger store.Cursor // of each reply
	checks []int        // in each round that had an answer
}

func newForgetful() *forgetful {
	return &forgetful{
		Store: publishtest.New(memstore.WithTick(time.Second)),
		lost:  make(map[int64]time.Time), found: make(map[int64]time.Duration),
		ledger: store.Cursor{Epoch: store.NewID(), Rev: 100, Commit: store.NewID()},
	}
}

func (s *forgetful) lose(ticks ...int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range ticks {
		s.lost[n] = time.Now()
	}
}

func (s *forgetful) setLedger(c store.Cursor) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ledger = c
}

func (s *forgetful) Publish(ctx context.Context, p store.Publication) (store.PublishReply, error) {
	reply, err := s.Store.Publish(ctx, p)
	if err != nil {
		return reply, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range p.Buckets {
		if at, ok := s.lost[b.Tick]; ok {
			s.found[b.Tick] = time.Since(at)
			delete(s.lost, b.Tick)
		}
	}
	for _, n := range p.Check {
		if _, ok := s.lost[n]; ok {
			reply.Missing = append(reply.Missing, n)
		}
	}
	s.checks = append(s.checks, len(p.Check))
	reply.Ledger = s.ledger
	return reply, nil
}

// What a Store has lost is published again, as soon as docs/redis.md says.
func TestLossesAreFoundInTime(t *testing.T) {
	t.Parallel()
	refuse := func(s *forgetful, newest int64) {
		s.Fail(publishtest.Always(publishtest.Refuse))
		time.Sleep(4 * time.Second)
		s.Fail(nil)
	}
	const atOnce = 4 * time.Second // a retry, a round that finds it, one that publishes it
	tests := []struct {
		name   string
		ages   []int64 // of the lost, in ticks before the newest that is stored
		meet   func(s *forgetful, newest int64)
		within time.Duration
	}{
		{name: "the newest", ages: []int64{0}, within: atOnce},
		{name: "the newest, and so all", ages: []int64{0, 1, 20, 100, 200}, within: atOnce},
		{name: "recent, by a server that says nothing", ages: []int64{1}, within: 17 * time.Second},
		{name: "all of 14 s, every third", ages: []int64{2, 5, 8, 11, 14}, within: 16 * time.Second},
		{name: "a single old one", ages: []int64{120}, within: 155 * time.Second},
		{name: "two of three", ages: twoOfThree(16, 280), within: 10 * time.Second},
		{name: "recent, and a failure", ages: []int64{30, 45, 59}, meet: refuse, within: 4*time.Second + atOnce},
		{name: "what was published after a failure", meet: func(s *forgetful, newest int64) {
			refuse(s, newest)
			time.Sleep(4 * time.Second)
			s.lose(newest + 2)
		}, within: verifyEvery + atOnce},
		{name: "old, and the ledger is gone", ages: []int64{120, 121}, meet: func(s *forgetful, newest int64) {
			s.setLedger(store.Cursor{})
		}, within: atOnce},
		{name: "old, and the ledger is another", ages: []int64{120, 121}, meet: func(s *forgetful, newest int64) {
			s.setLedger(store.Cursor{Epoch: store.NewID(), Rev: 101, Commit: store.NewID()})
		}, within: atOnce},
		{name: "old, and the ledger went back", ages: []int64{120, 121}, meet: func(s *forgetful, newest int64) {
			s.setLedger(store.Cursor{Epoch: s.ledger.Epoch, Rev: 99, Commit: store.NewID()})
		}, within: atOnce},
		{name: "old, and the ledger went another way", ages: []int64{120, 121}, meet: func(s *forgetful, newest int64) {
			s.setLedger(store.Cursor{Epoch: s.ledger.Epoch, Rev: 100, Commit: store.NewID()})
		}, within: atOnce},
		{name: "old, and the answers that would say so fail", ages: []int64{0, 120, 121}, meet: func(s *forgetful, newest int64) {
			calls := 0
			s.Fail(func(string) publishtest.Fault { // the first one finds the newest
				if calls++; calls > 1 && calls < 6 {
					return publishtest.Refuse
				}
				return publishtest.None
			})
		}, within: 10*time.Second + atOnce},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newForgetful()
				p := start(t, s, nil)
				defer p.stop()
				time.Sleep(300*time.Second + 500*time.Millisecond)
				newest := p.Stats().PublishedTick
				for _, age := range test.ages {
					s.lose(newest - age)
				}
				if test.meet != nil {
					test.meet(s, newest)
				}
				time.Sleep(test.within)
				s.mu.Lock()
				defer s.mu.Unlock()
				if want := max(len(test.ages), 1); len(s.lost) > 0 || len(s.found) != want {
					t.Errorf("after %v these are still lost: %v, and %d are published again, want %d: %v",
						test.within, slices.Sorted(maps.Keys(s.lost)), len(s.found), want, s.found)
				}
			})
		})
	}
}

func twoOfThree(from, to int64) (ages []int64) {
	for n := from; n < to; n++ {
		if n%3 != 0 {
			ages = append(ages, n)
		}
	}
	return ages
}

// Looking for what isn't lost is the larger part of what a flush costs the
// server, so a healthy one does little of it, and an unhealthy one a bounded
// amount.
func TestFewAreLookedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newForgetful()
		p := start(t, s, nil)
		defer p.stop()
		looked := func(d time.Duration) (most, sum int) {
			s.mu.Lock()
			s.checks = nil
			s.mu.Unlock()
			time.Sleep(d)
			s.mu.Lock()
			defer s.mu.Unlock()
			for _, n := range s.checks {
				sum += n
			}
			return slices.Max(s.checks), sum
		}
		time.Sleep(time.Minute)
		if most, sum := looked(5 * time.Minute); most != 4 || sum > 300*4 {
			t.Errorf("a healthy flush looks for up to %d buckets, %d in five minutes, want 4 each second", most, sum)
		}
		odd := false
		s.Fail(func(call string) publishtest.Fault { // every other one fails
			if odd = !odd; odd {
				return publishtest.Refuse
			}
			return publishtest.None
		})
		if most, sum := looked(time.Minute); most > checkRecent+4 || sum > 13*checkRecent+120*4 {
			t.Errorf("while every other flush fails one looks for up to %d buckets, %d in a minute", most, sum)
		}
	})
}
