package memstore

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-batteries/hawkeye/store"
)

func TestLifetimesGoOnWhileAway(t *testing.T) {
	t.Parallel()
	path := statePath(t)
	synctest.Test(t, func(t *testing.T) {
		s := mustNew(t, WithStateFile(path))
		tick := openTick(s)
		publish(t, s, 0, store.Bucket{Tick: tick})
		publish(t, s, time.Hour, store.Bucket{Tier: store.Tier1h, Tick: tick})
		time.Sleep(4 * time.Minute)
		mustSync(t, s)
		for _, row := range []struct {
			away time.Duration
			want int
		}{{0, 2}, {59 * time.Second, 2}, {3 * time.Second, 1}, {54 * time.Minute, 1}, {2 * time.Minute, 0}} {
			time.Sleep(row.away)
			if n := len(mustNew(t, WithStateFile(path)).samples.ticks); n != row.want {
				t.Errorf("%v later %d ticks are left, want %d", row.away, n, row.want)
			}
		}
	})
}

func TestAClockThatWentBackProlongsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := mustNew(t)
		publish(t, s, 0, store.Bucket{Tick: openTick(s)})
		saved := s.snapshot(time.Now())
		next := mustNew(t)
		next.adopt(saved, saved.written.Add(-10*time.Hour))
		for _, tick := range next.samples.ticks {
			if left := tick.expires.Sub(saved.written.Add(-10 * time.Hour)); left > DefaultRetention+DefaultTick {
				t.Errorf("a tick has %v left, want the retention at most", left)
			}
		}
		if len(next.samples.ticks) != 1 {
			t.Errorf("%d ticks are left, want 1", len(next.samples.ticks))
		}
	})
}

func TestAnotherTickDropsFineTicksOnly(t *testing.T) {
	t.Parallel()
	path := statePath(t)
	s := mustNew(t, WithStateFile(path))
	at := put(t, s, open(t, s).Epoch, "key")
	publish(t, s, time.Hour, store.Bucket{Tick: openTick(s)}, store.Bucket{Tier: store.Tier5s, Tick: 1})
	mustSync(t, s)
	var log journal
	s = mustNew(t, WithStateFile(path), WithTick(time.Second), WithLogger(log.logger()))
	if len(s.samples.ticks) != 1 || s.samples.ticks[tickKey{store.Tier5s, 1}] == nil {
		t.Errorf("%d ticks are left, want the coarse one", len(s.samples.ticks))
	}
	if c := changes(t, s, store.Cursor{}); c.Cursor != at || len(c.Records) != 1 {
		t.Errorf("the ledger is %+v, want it as it was", c)
	}
	if !strings.Contains(log.String(), "another width") {
		t.Errorf("the log is %q, want a warning", log.String())
	}
}

// Names that are in use stay over any number of restarts; others go when no
// bucket can use them any more.
func TestNamesOutliveTheBucketsThatUseThem(t *testing.T) {
	t.Parallel()
	path := statePath(t)
	synctest.Test(t, func(t *testing.T) {
		s := mustNew(t, WithStateFile(path))
		names := []store.Name{{ID: 1, Text: "asked for"}, {ID: 2, Text: "published"}, {ID: 3, Text: "forgotten"}}
		_, err := s.Publish(t.Context(), store.Publication{Names: names, Keep: 48 * time.Hour, Buckets: []store.Bucket{{Tier: store.Tier1h, Tick: 1}}})
		if err != nil {
			t.Fatal(err)
		}
		mustSync(t, s)
		for day := range 7 {
			s = mustNew(t, WithStateFile(path))
			if got, want := s.samples.names[3] != nil, day < 3; got != want {
				t.Errorf("on day %d the forgotten name is there: %v, want %v", day, got, want)
			}
			known, err := s.Names(t.Context(), []uint64{1})
			if err != nil || len(known) != 1 {
				t.Errorf("on day %d Names() = %v, %v", day, known, err)
			}
			if reply, err := s.Publish(t.Context(), store.Publication{Names: names[1:2]}); err != nil || len(reply.Clashes) > 0 {
				t.Errorf("on day %d Publish() = %+v, %v", day, reply, err)
			}
			mustSync(t, s)
			time.Sleep(24 * time.Hour)
		}
	})
}
