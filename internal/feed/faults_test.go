package feed

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-batteries/hawkeye/internal/publish"
	"github.com/go-batteries/hawkeye/internal/publish/publishtest"
	"github.com/go-batteries/hawkeye/internal/samples/clock"
	"github.com/go-batteries/hawkeye/internal/window"
	"github.com/go-batteries/hawkeye/store/memstore"
)

// Whatever happens to the store, the windows of a feed that lives through it
// and those of one that comes later hold exactly what was counted.
func TestWindowsAreExactThroughFaults(t *testing.T) {
	t.Parallel()
	for seed := range uint64(12) {
		synctest.Test(t, func(t *testing.T) { throughFaults(t, seed) })
	}
}

func throughFaults(t *testing.T, seed uint64) {
	rng, faults := rand.New(rand.NewPCG(seed, 4)), rand.New(rand.NewPCG(seed, 5))
	s := publishtest.New(memstore.WithTick(time.Second))
	query := sum("hits", 4*time.Minute)
	clock := clock.New(time.Second)
	f := New(Config{Store: s, Clock: clock, Queries: []window.Query{query}, Logger: quiet()})
	late := func(c *publish.Config) { c.OnLate = f.tellLate }
	ps := []*process{start(t, s, late), start(t, s, late), start(t, s, late)}
	if err := f.SeekTo(t.Context(), clock.NowTick()-1); err != nil {
		t.Fatal(err)
	}
	s.Fail(func(string) publishtest.Fault {
		if faults.IntN(2) == 0 {
			return publishtest.None
		}
		return publishtest.Fault(faults.IntN(6))
	})
	counted := int64(0)
	begun := time.Now()
	for time.Since(begun) < 2*time.Minute {
		for _, p := range ps {
			n := int64(rng.IntN(10))
			p.reg.Counter("hits").Add(n)
			counted += n
		}
		// What a process published that is gone can't come back after a loss,
		// so there is either the one or the other.
		switch event := rng.IntN(40); {
		case event == 0 && seed%2 == 0:
			s.Wipe()
		case event == 0: // one starts anew
			i := rng.IntN(len(ps))
			s.Fail(nil)
			if err := ps[i].Final(t.Context()); err != nil {
				t.Fatal(err)
			}
			ps[i].stop()
			ps[i] = start(t, s, late)
			s.Fail(func(string) publishtest.Fault { return publishtest.Fault(faults.IntN(7)) })
		}
		if _, err := f.Next(t.Context()); err != nil {
			time.Sleep(time.Duration(rng.IntN(1000)) * time.Millisecond)
		}
	}
	s.Fail(nil)
	for _, p := range ps {
		if _, err := p.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(15 * time.Second)
	for f.Watermark() < f.cfg.Clock.NowTick()-1 {
		f.must(t)
	}
	for range 3 * window.LiveTicks {
		f.must(t)
	}
	if v := f.value(0); v.V != float64(counted) {
		t.Errorf("seed %d: the feed that lived through it has %v, want %d", seed, v.V, counted)
	}
	fresh := New(Config{Store: s, Clock: f.cfg.Clock, Queries: []window.Query{query}, Logger: quiet()})
	if err := fresh.SeekTo(t.Context(), f.Watermark()); err != nil {
		t.Fatal(err)
	}
	if v := fresh.value(0); v.V != float64(counted) {
		t.Errorf("seed %d: the feed that comes later has %v, want %d", seed, v.V, counted)
	}
	for _, p := range ps {
		p.stop()
	}
}
