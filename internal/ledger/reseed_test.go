package ledger

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/go-batteries/hawkeye/store"
	"github.com/go-batteries/hawkeye/store/memstore"
)

// lossy is a shared Store that can be emptied, and whose Restore can fail.
type lossy struct {
	store.Store
	refuse atomic.Bool
	offers atomic.Int64
	opens  atomic.Int64
}

func newLossy(t *testing.T) *lossy {
	s := &lossy{}
	s.flush(t)
	return s
}

func (s *lossy) flush(t *testing.T) {
	t.Helper()
	inner, err := memstore.New(memstore.WithTick(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	s.Store = inner
}

func (s *lossy) Traits() store.Traits {
	t := s.Store.Traits()
	t.Shared = true
	return t
}

func (s *lossy) Restore(ctx context.Context, o store.Offer) error {
	s.offers.Add(1)
	if s.refuse.Load() {
		return errors.New("connection reset")
	}
	if !o.Open.IsZero() {
		s.opens.Add(1)
	}
	return s.Store.Restore(ctx, o)
}

// copies returns mirrors of a ledger that holds some records.
func copies(t *testing.T, s *lossy, n int) []*Mirror {
	t.Helper()
	all := make([]*Mirror, n)
	for i := range all {
		all[i] = newMirror(t, s)
	}
	mustSync(t, all[0])
	time.Sleep(all[0].traits.Tick * 3)
	mustSync(t, all[0])
	for i := range 5 {
		if err := put(t, all[0], "a/"+strconv.Itoa(i), "x"); err != nil {
			t.Fatal(err)
		}
	}
	for _, m := range all {
		mustSync(t, m)
	}
	return all
}

// What was offered is lost before the ledger is opened: whoever has a copy
// offers it again, and opens nothing without it.
func TestOffersAreMadeAgain(t *testing.T) {
	t.Parallel()
	for tenth := range 10 {
		synctest.Test(t, func(t *testing.T) {
			s := newLossy(t)
			all := copies(t, s, 2)
			want := values(all[0])
			newcomer := New(Config{Store: s, Logger: slog.New(slog.DiscardHandler), Elder: func(context.Context) (bool, error) { return true, nil }})
			s.flush(t)
			began := time.Now()
			for step := 0; !all[0].Open() || step == 0; step++ {
				switch at := time.Since(began); {
				case step == 8+tenth, step == 15+tenth:
					s.flush(t)
				case at > time.Minute:
					t.Fatal("the ledger isn't open after a minute")
				}
				if step%10 == 3 {
					mustSync(t, newcomer)
				}
				if step%10 == 0 {
					mustSync(t, all[0])
				}
				if step%10 == tenth {
					mustSync(t, all[1])
				}
				time.Sleep(100 * time.Millisecond)
			}
			for _, m := range append(all, newcomer) {
				mustSync(t, m)
				if diff := cmp.Diff(want, values(m)); diff != "" {
					t.Errorf("after the loss (-want +got):\n%s", diff)
				}
			}
		})
	}
}

// An offer that fails doesn't begin the wait anew, and what lies there already
// isn't offered again.
func TestOffersThatFail(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newLossy(t)
		m := copies(t, s, 1)[0]
		s.flush(t)
		s.refuse.Store(true)
		began := time.Now()
		if err := m.Sync(t.Context()); err == nil {
			t.Error("Sync() = nil, want the error of the offer")
		}
		time.Sleep(time.Second)
		s.refuse.Store(false)
		for range 3 {
			mustSync(t, m)
		}
		if n := s.offers.Load(); n != 1+1+1 { // one to open it at first, by copies
			t.Errorf("%d offers, want one that failed, and one more", n-1)
		}
		for !m.Open() {
			time.Sleep(100 * time.Millisecond)
			mustSync(t, m)
		}
		if took := time.Since(began); took > 2600*time.Millisecond {
			t.Errorf("opened %v after the loss was seen, want 2.5s", took)
		}
	})
}

func TestNewcomerWaitsForElders(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		until time.Duration // an elder publishes until then
		opens time.Duration
	}{
		{"nobody is there", 0, 5 * time.Second},
		{"an elder leaves at once", 5*time.Second + 1, 15 * time.Second},
		{"an elder stays for a while", 20 * time.Second, 25 * time.Second},
		{"an elder stays, and doesn't open it", time.Hour, time.Minute},
	} {
		synctest.Test(t, func(t *testing.T) {
			s, began := newLossy(t), time.Now()
			asked := 0
			m := New(Config{Store: s, Logger: slog.New(slog.DiscardHandler), Elder: func(context.Context) (bool, error) {
				asked++
				return time.Since(began) < c.until, nil
			}})
			for !m.Open() && time.Since(began) < 2*time.Minute {
				mustSync(t, m)
				at := m.Due()
				if at.IsZero() {
					break
				}
				time.Sleep(min(time.Until(at), time.Second))
			}
			if took := time.Since(began).Round(time.Second); took != c.opens {
				t.Errorf("%s: opened after %v, want %v", c.name, took, c.opens)
			}
			if asked > 7 {
				t.Errorf("%s: looked for elders %d times, which costs, want at most every ten seconds", c.name, asked)
			}
		})
	}
}

// The copy of a ledger that was opened with less is kept until it is let go.
func TestLowerLedger(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newLossy(t)
		late := copies(t, s, 1)[0]
		want := late.Snapshot()
		s.flush(t)
		newcomer := newMirror(t, s)
		mustSync(t, newcomer)
		time.Sleep(6 * time.Second)
		mustSync(t, newcomer)
		if !newcomer.Open() {
			t.Fatal("the ledger isn't open")
		}
		if got := late.Lower(); !got.At.IsZero() {
			t.Errorf("Lower() before = %+v, want nothing", got)
		}
		mustSync(t, late)
		got := late.Lower()
		if diff := cmp.Diff(want, got.Records); diff != "" || got.Was != 5 || got.Is != 0 {
			t.Errorf("Lower() = revision %d, was %d, want 0 and 5; records (-want +got):\n%s", got.Is, got.Was, diff)
		}
		if late.Forget(); late.Lower().Records != nil || late.Lower().At.IsZero() {
			t.Error("Forget() lets go of the records, and of nothing else")
		}
		if late.Len("a") != 0 {
			t.Error("the copy isn't that of the new ledger")
		}
	})
}
