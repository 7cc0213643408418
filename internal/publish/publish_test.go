package publish

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-batteries/hawkeye/internal/bucket"
	"github.com/go-batteries/hawkeye/internal/publish/publishtest"
	"github.com/go-batteries/hawkeye/internal/samples/clock"
	"github.com/go-batteries/hawkeye/internal/series"
	"github.com/go-batteries/hawkeye/store"
	"github.com/go-batteries/hawkeye/store/memstore"
)

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// process is a publisher that runs, and its registry.
type process struct {
	*Publisher
	reg  *series.Registry
	stop func()
}

func start(t *testing.T, s store.Store, set func(*Config)) *process {
	t.Helper()
	cfg := Config{Store: s, Registry: series.New(series.Limits{}), Logger: quiet()}
	if set != nil {
		set(&cfg)
	}
	p := &process{Publisher: New(cfg), reg: cfg.Registry}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := p.Run(ctx); err != nil {
			t.Errorf("Run = %v", err)
		}
	}()
	p.stop = func() { cancel(); <-done }
	return p
}

// stored is what a Store has of the ticks from up to and with to.
func stored(t *testing.T, s store.Store, from, to int64) map[int64]map[store.ID]*bucket.Bucket {
	t.Helper()
	var q []store.TickQuery
	for n := from; n <= to; n++ {
		q = append(q, store.TickQuery{Tick: n})
	}
	answers, err := s.Read(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[int64]map[store.ID]*bucket.Bucket)
	for _, a := range answers {
		all[a.Tick] = make(map[store.ID]*bucket.Bucket)
		for _, b := range a.Buckets {
			decoded := &bucket.Bucket{}
			if err := bucket.Decode(b.Data, decoded); err != nil {
				t.Fatal(err)
			}
			all[a.Tick][b.Writer] = decoded
		}
	}
	return all
}

// total is the sum of all counters in the Store.
func total(t *testing.T, s store.Store, from, to int64) (sum int64) {
	t.Helper()
	for _, tick := range stored(t, s, from, to) {
		for _, b := range tick {
			for _, c := range b.Counters {
				sum += c.Delta
			}
		}
	}
	return sum / bucket.Unit
}

func flush(t *testing.T, p *process) int64 {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick, err := p.Flush(ctx)
	if err != nil {
		t.Fatalf("Flush = %v", err)
	}
	return tick
}

func TestTotalsAreExactUnderFaults(t *testing.T) {
	t.Parallel()
	for seed := range uint64(8) {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 2))
			s := publishtest.New(memstore.WithTick(time.Second))
			first := clock.New(time.Second).NowTick() - 2
			a, b := start(t, s, nil), start(t, s, nil)
			faults := rand.New(rand.NewPCG(seed, 3)) // the store calls it under a lock
			s.Fail(func(string) publishtest.Fault {
				return publishtest.Fault(faults.IntN(7)) // 6 is none, too
			})
			counted := int64(0)
			for range 1200 { // two minutes
				for _, p := range []*process{a, b} {
					n := int64(rng.IntN(5))
					p.reg.Counter("hits", series.Tag{Key: "n", Value: string(rune('a' + n))}).Add(n)
					counted += n
				}
				if rng.IntN(300) == 0 {
					s.Wipe()
				}
				time.Sleep(100 * time.Millisecond)
			}
			s.Fail(nil)
			last := max(flush(t, a), flush(t, b))
			time.Sleep(15 * time.Second) // for what was lost to be found and published again
			if got := total(t, s, first, last+16); got != counted {
				t.Errorf("seed %d: the store has %d, want %d", seed, got, counted)
			}
			for _, p := range []*process{a, b} {
				if st := p.Stats(); st.DroppedTicks != 0 || st.Backlog > 1 || st.FailedFlushes == 0 {
					t.Errorf("seed %d: stats = %+v, want failures, nothing dropped, no backlog", seed, st)
				}
				p.stop()
			}
		})
	}
}

func TestHeartbeatFromTheTickBeforeTheStart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := publishtest.New(memstore.WithTick(time.Second))
		time.Sleep(300 * time.Millisecond)
		p := start(t, s, nil)
		begun := p.Clock().NowTick()
		p.reg.Counter("early").Inc()
		time.Sleep(10 * time.Second)
		p.stop()
		ticks := stored(t, s, begun-3, begun+12)
		for n := begun - 3; n <= begun+12; n++ {
			if want := n >= begun-1 && n < begun+10; (len(ticks[n]) == 1) != want {
				t.Errorf("tick begun%+d has %d buckets, want one: %v", n-begun, len(ticks[n]), want)
			}
		}
		if got := total(t, s, begun, begun); got != 1 {
			t.Errorf("the first tick holds %d, want 1", got)
		}
	})
}

func TestGaugesAreAllNamedInKeyframes(t *testing.T) {
	t.Parallel()
	for _, width := range []time.Duration{200 * time.Millisecond, time.Second, 3 * time.Second, 7 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			s := publishtest.New(memstore.WithTick(width))
			p := start(t, s, nil)
			begun := p.Clock().NowTick()
			p.reg.Gauge("depth").Set(4)
			time.Sleep(60 * time.Second)
			p.stop()
			for n, tick := range stored(t, s, begun, p.Clock().NowTick()-1) {
				from := time.Duration(n) * width
				second := (from + 5*time.Second - 1) / (5 * time.Second) * (5 * time.Second)
				want := n == begun || second < from+width
				for _, b := range tick {
					if b.Keyframe != want || (len(b.Gauges) == 1) != want {
						t.Errorf("width %v: tick at %v has keyframe %v and %d gauges, want them: %v",
							width, from, b.Keyframe, len(b.Gauges), want)
					}
				}
			}
		})
	}
}

func TestTicksCloseOnTimeWhileTheStoreStalls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := publishtest.New(memstore.WithTick(time.Second))
		p := start(t, s, nil)
		time.Sleep(2500 * time.Millisecond)
		s.Fail(publishtest.Always(publishtest.Stall))
		want := make(map[int64]int64)
		for i := range int64(20) {
			p.reg.Counter("hits").Add(i)
			want[p.Clock().NowTick()] = i
			time.Sleep(time.Second)
		}
		s.Fail(nil)
		flush(t, p)
		for n, count := range want {
			if got := total(t, s, n, n); got != count {
				t.Errorf("tick %d holds %d, want %d: it belongs where it was counted", n, got, count)
			}
		}
		p.stop()
	})
}

func TestBacklogIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := publishtest.New(memstore.WithTick(time.Second), memstore.WithRetention(30*time.Second))
		p := start(t, s, nil)
		time.Sleep(3 * time.Second)
		s.Fail(publishtest.Always(publishtest.Refuse))
		for range 100 {
			p.reg.Counter("hits").Inc()
			time.Sleep(time.Second)
		}
		st := p.Stats()
		if st.Backlog > 31 || st.DroppedTicks < 69 || st.DroppedSeries != st.DroppedTicks {
			t.Errorf("after 100 s without a store: %d ticks wait, %d are dropped with %d series, want 31 and 69, 69",
				st.Backlog, st.DroppedTicks, st.DroppedSeries)
		}
		s.Fail(nil)
		last := flush(t, p)
		if got, want := total(t, s, last-60, last), 100-p.Stats().DroppedSeries; got != want {
			t.Errorf("the store has %d, want the %d that weren't dropped", got, want)
		}
		p.stop()
	})
}

func TestBytesAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := publishtest.New(memstore.WithTick(time.Second))
		p := start(t, s, func(c *Config) { c.MaxBytes = 2000 })
		for i := range 20 {
			p.reg.Counter("hits", series.Tag{Key: "i", Value: string(rune('a' + i))})
		}
		time.Sleep(3 * time.Second)
		s.Fail(publishtest.Always(publishtest.Refuse))
		for range 60 {
			for i := range 20 {
				p.reg.Counter("hits", series.Tag{Key: "i", Value: string(rune('a' + i))}).Inc()
			}
			time.Sleep(time.Second)
		}
		if st := p.Stats(); st.BacklogBytes > 2000 || st.DroppedTicks == 0 {
			t.Errorf("stats = %+v, want at most 2000 bytes and something dropped", st)
		}
		p.stop()
	})
}

func TestFinal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := publishtest.New(memstore.WithTick(time.Second))
		p := start(t, s, nil)
		time.Sleep(2500 * time.Millisecond)
		p.reg.Counter("hits").Add(3)
		open := p.Clock().NowTick()
		if err := p.Final(t.Context()); err != nil {
			t.Fatalf("Final = %v", err)
		}
		b := stored(t, s, open, open)[open][p.Writer()]
		if b == nil || !b.Final || len(b.Counters) != 1 {
			t.Errorf("the open tick's bucket = %+v, want a final one with the counter", b)
		}
		if err := p.Final(t.Context()); err != nil {
			t.Errorf("a second Final = %v", err)
		}
		if _, err := p.Flush(t.Context()); !errors.Is(err, ErrStopped) {
			t.Errorf("Flush after Final = %v, want %v", err, ErrStopped)
		}
		time.Sleep(3 * time.Second)
		for n, tick := range stored(t, s, open+1, open+4) {
			if len(tick) > 0 {
				t.Errorf("tick %d after the final one has a bucket", n)
			}
		}
		p.stop()
	})
}

func TestFinalWithoutRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := publishtest.New(memstore.WithTick(time.Second))
		p := New(Config{Store: s, Registry: series.New(series.Limits{}), Logger: quiet()})
		p.cfg.Registry.Counter("hits").Inc()
		open := p.Clock().NowTick()
		if err := p.Final(t.Context()); err != nil {
			t.Fatalf("Final = %v", err)
		}
		if got := total(t, s, open-2, open+1); got != 1 {
			t.Errorf("the store has %d, want 1", got)
		}
		if err := p.Run(t.Context()); err != nil {
			t.Errorf("Run after Final = %v, want nil at once", err)
		}
	})
}

func TestFinalGivesUpAndTriesAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := publishtest.New(memstore.WithTick(time.Second))
		p := start(t, s, nil)
		time.Sleep(1500 * time.Millisecond)
		first := p.Clock().NowTick()
		p.reg.Counter("hits").Inc()
		for _, f := range []publishtest.Fault{publishtest.Refuse, publishtest.Stall, publishtest.Panic, publishtest.LoseReply} {
			s.Fail(publishtest.Always(f))
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			if err := p.Final(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Final with fault %d = %v, want the deadline", f, err)
			}
			cancel()
		}
		s.Fail(nil)
		if err := p.Final(t.Context()); err != nil {
			t.Errorf("Final = %v", err)
		}
		if got := total(t, s, first-2, first+2); got != 1 {
			t.Errorf("the store has %d, want 1", got)
		}
		p.stop()
	})
}

func TestTicksBeforeTheFirstMeasurementAreRenumbered(t *testing.T) {
	t.Parallel()
	for _, offset := range []time.Duration{-time.Hour, -300 * time.Millisecond, 0, 400 * time.Millisecond, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			s := publishtest.New(memstore.WithTick(time.Second))
			s.SetOffset(offset)
			s.Fail(publishtest.Always(publishtest.Refuse))
			p := start(t, s, nil)
			time.Sleep(1500 * time.Millisecond)
			for range 10 {
				p.reg.Counter("hits").Inc()
				time.Sleep(time.Second)
			}
			s.Fail(nil)
			flush(t, p)
			now := clock.New(time.Second).TickOf(time.Now().Add(offset))
			ticks := stored(t, s, now-20, now)
			for n := now - 11; n < now-1; n++ {
				if len(ticks[n]) != 1 {
					t.Errorf("offset %v: tick now%+d has %d buckets, want 1", offset, n-now, len(ticks[n]))
				}
			}
			if got := total(t, s, now-20, now); got != 10 {
				t.Errorf("offset %v: the store has %d in the ticks of its own time, want 10", offset, got)
			}
			p.stop()
		})
	}
}

func TestStoreThatIsFarAheadDrawsANewWriter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := publishtest.New(memstore.WithTick(time.Second))
		var told []store.ID
		p := start(t, s, func(c *Config) { c.OnWriter = func(id store.ID) { told = append(told, id) } })
		time.Sleep(3 * time.Second)
		old := p.Writer()
		p.reg.Gauge("depth").Set(2)
		time.Sleep(6 * time.Second)
		s.SetOffset(time.Hour)
		time.Sleep(4 * time.Second)
		p.stop()
		if st := p.Stats(); st.Writer == old || st.Redrawn != 1 || len(told) != 1 || told[0] != st.Writer {
			t.Errorf("writer was %v, is %v, redrawn %d times, told %v, want one new id", old, st.Writer, st.Redrawn, told)
		}
		now := p.Clock().NowTick()
		gauges := 0
		for _, tick := range stored(t, s, now-6, now) {
			if b := tick[p.Writer()]; b != nil {
				gauges += len(b.Gauges)
			}
		}
		if gauges == 0 {
			t.Error("no bucket of the new writer names its gauge, want a keyframe")
		}
	})
}

func TestLateBucketsAreTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := publishtest.New(memstore.WithTick(time.Second))
		var late []Late
		p := start(t, s, func(c *Config) { c.OnLate = func(l []Late) { late = append(late, l...) } })
		time.Sleep(2500 * time.Millisecond)
		cut := p.Clock().NowTick()
		s.Fail(publishtest.Always(publishtest.Refuse))
		time.Sleep(20 * time.Second)
		s.Fail(nil)
		flush(t, p)
		p.stop()
		if len(late) < 8 || len(late) > 14 || // a retry waits up to 3 s
			late[0].Tick != cut || late[0].Writer != p.Writer() {
			t.Errorf("late after 20 s = %v, want about ten from %d on", late, cut)
		}
	})
}

func TestNamesArePublishedAgainAfterALoss(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := publishtest.New(memstore.WithTick(time.Second))
		p := start(t, s, nil)
		p.reg.Counter("hits").Inc()
		flush(t, p)
		s.Wipe()
		time.Sleep(4 * time.Second)
		names, _ := p.reg.Names(0)
		known, err := s.Names(t.Context(), []uint64{names[0].ID})
		if err != nil || known[names[0].ID] != names[0].Text {
			t.Errorf("Names after a loss = %v, %v, want %q", known, err, names[0].Text)
		}
		if st := p.Stats(); st.Republished == 0 {
			t.Errorf("stats = %+v, want something published again", st)
		}
		p.stop()
	})
}

func TestFlushBeforeTheHelloWaitsForSamples(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := publishtest.New(memstore.WithTick(time.Second))
		p := start(t, s, nil)
		p.reg.Counter("hits").Inc()
		last := flush(t, p)
		if got := total(t, s, last-1, last); got != 1 {
			t.Errorf("after the first flush %d samples are stored, want 1", got)
		}
		p.stop()
	})
}

// No sample is ever stored under an id that stands for another series: not
// those of the first tick either, nor of those that waited for the Store.
func TestClashSaltsTheSeries(t *testing.T) {
	t.Parallel()
	for _, waiting := range []int{0, 5} {
		synctest.Test(t, func(t *testing.T) {
			s := publishtest.New(memstore.WithTick(time.Second))
			p := start(t, s, nil)
			first := p.Clock().NowTick() - 1
			hits, took, seen := p.reg.Counter("hits"), p.reg.Histogram("took"), p.reg.Set("seen")
			p.reg.Gauge("load").Set(1)
			seen.AddHash(1)
			names, _ := p.reg.Names(0)
			clashing := make(map[uint64]bool)
			for _, n := range names {
				clashing[n.ID] = true
				s.Clash(slices.Collect(maps.Keys(clashing))...)
			}
			if waiting > 0 {
				s.Fail(publishtest.Always(publishtest.Refuse))
			}
			for range waiting {
				hits.Inc()
				took.Observe(1)
				time.Sleep(time.Second)
			}
			s.Fail(nil)
			for range 2 {
				hits.Inc()
				took.Observe(1)
				flush(t, p)
			}
			last := flush(t, p)
			counted, observed := int64(0), 0
			for n, tick := range stored(t, s, first, last) {
				for _, b := range tick {
					for _, c := range b.Counters {
						counted += c.Delta / bucket.Unit
					}
					for _, h := range b.Histograms {
						observed += int(h.Sum)
					}
					for _, id := range seriesIDs(b) {
						if clashing[id] {
							t.Errorf("after %d ticks without the store, bucket %d names a series that clashes", waiting, n)
						}
					}
				}
			}
			if want := waiting + 2; counted != int64(want) || observed != want {
				t.Errorf("%d are counted and %d observed under new ids, want %d", counted, observed, want)
			}
			if st := p.Stats(); st.Clashes != 4 {
				t.Errorf("clashes = %d, want 4", st.Clashes)
			}
			p.stop()
		})
	}
}

func seriesIDs(b *bucket.Bucket) (ids []uint64) {
	for _, x := range b.Counters {
		ids = append(ids, x.ID)
	}
	for _, x := range b.Gauges {
		ids = append(ids, x.ID)
	}
	for _, x := range b.Histograms {
		ids = append(ids, x.ID)
	}
	for _, x := range b.Sets {
		ids = append(ids, x.ID)
	}
	return ids
}

// New names cost a round trip of their own; without any there is one a tick.
func TestRoundTripsOfATick(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := publishtest.New(memstore.WithTick(time.Second))
		p := start(t, s, nil)
		c := p.reg.Counter("hits")
		flush(t, p)
		ticks := func(each func(i int)) int {
			before := s.Calls("Publish")
			for i := range 20 {
				c.Inc()
				each(i)
				flush(t, p)
			}
			return s.Calls("Publish") - before
		}
		if got := ticks(func(int) {}); got != 20 {
			t.Errorf("20 ticks without new series take %d round trips, want 20", got)
		}
		if got := ticks(func(i int) { p.reg.Counter(fmt.Sprint("new", i)).Inc() }); got != 40 {
			t.Errorf("20 ticks with new series take %d round trips, want 40", got)
		}
		p.stop()
	})
}

func TestFlushHonoursItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := publishtest.New(memstore.WithTick(time.Second))
		s.Fail(publishtest.Always(publishtest.Refuse))
		p := start(t, s, nil)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if _, err := p.Flush(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Flush without a store = %v, want the deadline", err)
		}
		if st := p.Stats(); !errors.Is(st.LastError, publishtest.ErrFault) || !st.LastSuccess.IsZero() {
			t.Errorf("last error %v, last success %v, want the fault and never", st.LastError, st.LastSuccess)
		}
		p.stop()
	})
}

func TestTwoStartsAreTwoWriters(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := publishtest.New(memstore.WithTick(time.Second))
		var first int64
		for i := range 3 {
			p := start(t, s, nil)
			if i == 0 {
				first = p.Clock().NowTick()
			}
			p.reg.Counter("hits").Inc()
			if err := p.Final(t.Context()); err != nil {
				t.Errorf("Final = %v", err)
			}
			p.stop()
		}
		if got := total(t, s, first-2, first+2); got != 3 {
			t.Errorf("three starts within a tick count %d, want 3", got)
		}
	})
}

func BenchmarkIdleTick(b *testing.B) {
	s, err := memstore.New()
	if err != nil {
		b.Fatal(err)
	}
	p := New(Config{Store: s, Registry: series.New(series.Limits{}), Logger: quiet()})
	for i := range 100 {
		p.cfg.Registry.Counter("hits", series.Tag{Key: "n", Value: string(rune('a' + i))}).Inc()
	}
	p.closeDue()
	b.ReportAllocs()
	for b.Loop() {
		p.closer.open--
		p.closeDue()
		if _, err := p.flush(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

func TestPause(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		away    time.Duration
		buckets int // that are made on return, besides that of the hello
		redrawn bool
	}{
		{"none", time.Second, 1, false},
		{"slept through three", 4 * time.Second, 4, false},
		{"no more than the fleet looks back", 2 * time.Minute, 10, false},
		{"forgotten", 6 * time.Minute, 10, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := publishtest.New(memstore.WithTick(time.Second))
				p := New(Config{Store: s, Registry: series.New(series.Limits{}), Logger: quiet()})
				old := p.Writer()
				p.closeDue()
				p.cfg.Registry.Counter("hits").Inc()
				time.Sleep(test.away) // stopped: nobody closes ticks
				p.closeDue()
				if _, err := p.flush(t.Context()); err != nil {
					t.Fatal(err)
				}
				now := p.Clock().NowTick()
				made := 0
				for _, tick := range stored(t, s, now-int64(test.buckets)-1, now) {
					for writer := range tick {
						if writer == p.Writer() {
							made++
						}
					}
				}
				if hello := 1; test.away < 10*time.Second && made != test.buckets+hello || made < test.buckets {
					t.Errorf("%d buckets are made, want %d", made, test.buckets)
				}
				if redrawn := p.Writer() != old; redrawn != test.redrawn {
					t.Errorf("the writer's id was drawn anew: %v, want %v", redrawn, test.redrawn)
				}
				if got := total(t, s, now-1, now-1); got != 1 {
					t.Errorf("the tick before the return has %d, want what was counted", got)
				}
			})
		})
	}
}
