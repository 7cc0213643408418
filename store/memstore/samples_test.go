package memstore

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-batteries/hawkeye/store"
)

func mustNew(t testing.TB, opts ...Option) *Store {
	t.Helper()
	s, err := New(opts...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func publish(t testing.TB, s *Store, keep time.Duration, buckets ...store.Bucket) {
	t.Helper()
	if _, err := s.Publish(t.Context(), store.Publication{Buckets: buckets, Keep: keep}); err != nil {
		t.Fatal(err)
	}
}

func openTick(s *Store) int64 { return time.Now().UnixNano() / int64(s.cfg.tick) }

func TestExpiredBucketsAreDroppedAtPublish(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := mustNew(t)
		begin := openTick(s)
		for i := range int64(100) {
			publish(t, s, 0, store.Bucket{Tick: begin + i, Writer: store.ID{1}})
			time.Sleep(DefaultTick)
		}
		publish(t, s, time.Hour, store.Bucket{Tier: store.Tier1h, Tick: 1})
		time.Sleep(DefaultRetention - 50*DefaultTick)
		publish(t, s, 0)
		if n := len(s.samples.ticks); n != 51 && n != 52 {
			t.Errorf("%d ticks are kept, want those of the last %v and the long one", n, DefaultRetention)
		}
		time.Sleep(DefaultRetention)
		publish(t, s, 0)
		if len(s.samples.ticks) != 1 || len(s.samples.expiry) != 1 {
			t.Errorf("%d ticks are kept, want the long one", len(s.samples.ticks))
		}
		time.Sleep(time.Hour)
		publish(t, s, 0)
		if len(s.samples.ticks) != 0 || len(s.samples.expiry) != 0 {
			t.Errorf("%d ticks are kept, want none", len(s.samples.ticks))
		}
	})
}

func TestALongerLifeProlongsATicksOwn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := mustNew(t)
		for i := range int64(50) {
			publish(t, s, time.Minute, store.Bucket{Tier: store.Tier5s, Tick: i, Writer: store.ID{1}})
			publish(t, s, time.Duration(60+i*13%50)*time.Minute, store.Bucket{Tier: store.Tier5s, Tick: i, Writer: store.ID{2}})
			publish(t, s, time.Second, store.Bucket{Tier: store.Tier5s, Tick: i, Writer: store.ID{3}})
		}
		for minute := range 60 + 50 {
			publish(t, s, 0)
			for i := range int64(50) {
				ends := int(60 + i*13%50)
				if _, kept := s.samples.ticks[tickKey{store.Tier5s, i}]; kept != (minute <= ends) {
					t.Fatalf("after %d minutes tick %d, to be kept for %d, is there: %v", minute, i, ends, kept)
				}
			}
			time.Sleep(time.Minute)
		}
	})
}

// A bucket of a tick to come lives its retention from then, but a clock that
// is years ahead must not fill the memory.
func TestATickAheadLivesTwiceTheRetentionAtMost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := mustNew(t)
		soon := openTick(s) + 100
		publish(t, s, 0, store.Bucket{Tick: soon}, store.Bucket{Tick: 1 << 62}, store.Bucket{Tick: -1 << 62})
		time.Sleep(DefaultRetention + 100*DefaultTick)
		publish(t, s, 0)
		if s.samples.ticks[tickKey{tick: soon}] == nil {
			t.Error("a tick ahead is dropped before its retention ended")
		}
		time.Sleep(DefaultRetention)
		publish(t, s, 0)
		if n := len(s.samples.ticks); n != 0 {
			t.Errorf("%d ticks are kept, want none", n)
		}
	})
}

func TestNowIsTheWallClock(t *testing.T) {
	t.Parallel()
	s := mustNew(t)
	now, err := s.Now(t.Context())
	if err != nil || now != now.Round(0) || time.Since(now).Abs() > time.Minute {
		t.Errorf("Now() = %v, %v, want the wall clock without a monotonic reading", now, err)
	}
}

func TestAllocations(t *testing.T) {
	s := mustNew(t)
	at := open(t, s)
	ctx := t.Context()
	if n := testing.AllocsPerRun(100, func() {
		if c, err := s.Changes(ctx, at); err != nil || c.Reset {
			t.Error(c, err)
		}
	}); n != 0 {
		t.Errorf("Changes() with nothing new allocates %v times, want 0", n)
	}
	p := store.Publication{Buckets: []store.Bucket{{Writer: store.ID{1}, Data: make([]byte, 100)}}}
	// The tick, its list, its data, its place among the ticks.
	if n := testing.AllocsPerRun(1000, func() {
		p.Buckets[0].Tick++
		if _, err := s.Publish(ctx, p); err != nil {
			t.Error(err)
		}
	}); n > 5 {
		t.Errorf("Publish() of a bucket allocates %v times, want 5 at most", n)
	}
}

func open(t testing.TB, s *Store) store.Cursor {
	t.Helper()
	epoch := store.NewID()
	if err := s.Restore(t.Context(), store.Offer{Open: epoch}); err != nil {
		t.Fatal(err)
	}
	return store.Cursor{Epoch: epoch}
}

func BenchmarkPublish(b *testing.B) {
	s := mustNew(b)
	tick := openTick(s)
	p := store.Publication{Writer: store.ID{1}, Buckets: []store.Bucket{{Writer: store.ID{1}, Data: make([]byte, 2000)}}}
	b.ReportAllocs()
	for b.Loop() {
		tick++
		p.Buckets[0].Tick = tick
		if _, err := s.Publish(b.Context(), p); err != nil {
			b.Fatal(err)
		}
		if tick%1500 == 0 { // as many as there are in a retention
			s.samples = newSamples(s.cfg.tick, s.cfg.retention)
		}
	}
}
