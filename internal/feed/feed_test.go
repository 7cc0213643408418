package feed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-batteries/hawkeye/internal/bucket"
	"github.com/go-batteries/hawkeye/internal/publish"
	"github.com/go-batteries/hawkeye/internal/publish/publishtest"
	"github.com/go-batteries/hawkeye/internal/samples/clock"
	"github.com/go-batteries/hawkeye/internal/series"
	"github.com/go-batteries/hawkeye/internal/window"
	"github.com/go-batteries/hawkeye/store"
	"github.com/go-batteries/hawkeye/store/memstore"
)

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// process is a publisher that runs, and its registry.
type process struct {
	*publish.Publisher
	reg  *series.Registry
	stop func()
}

func start(t *testing.T, s store.Store, set func(*publish.Config)) *process {
	t.Helper()
	cfg := publish.Config{Store: s, Registry: series.New(series.Limits{}), Logger: quiet()}
	if set != nil {
		set(&cfg)
	}
	p := &process{Publisher: publish.New(cfg), reg: cfg.Registry}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := p.Run(ctx); err != nil {
			t.Errorf("Run = %v", err)
		}
	}()
	<-p.Ready()
	p.stop = func() { cancel(); <-done }
	return p
}

func sum(metric string, length time.Duration) window.Query {
	return window.Query{Selector: window.Selector{Metric: metric}, Window: length, Aggregate: "sum"}
}

func newFeed(t *testing.T, s store.Store, clock *clock.Clock, queries ...window.Query) *Feed {
	t.Helper()
	f := New(Config{Store: s, Clock: clock, Queries: queries, Logger: quiet()})
	if err := f.SeekTo(t.Context(), clock.NowTick()-1); err != nil {
		t.Fatalf("SeekTo = %v", err)
	}
	return f
}

func (f *Feed) must(t *testing.T) Tick {
	t.Helper()
	tick, err := f.Next(t.Context())
	if err != nil {
		t.Fatalf("Next = %v", err)
	}
	return tick
}

// value is that of a query without By.
func (f *Feed) value(i int) window.Value {
	h := f.Handle(i)
	return f.engine.Value(h, f.engine.Group(h, ""))
}

func TestTickOfMemoryIsTakenWhenItEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, err := memstore.New()
		if err != nil {
			t.Fatal(err)
		}
		clock := clock.New(s.Traits().Tick)
		f := New(Config{Store: s, Clock: clock, Queries: []window.Query{sum("hits", time.Minute)}, Logger: quiet()})
		p := start(t, s, func(c *publish.Config) {
			c.Clock = clock
			c.OnFlush = func(r publish.Flushed) { f.Wake(r.Tick) }
		})
		if err := f.SeekTo(t.Context(), p.Clock().NowTick()-1); err != nil {
			t.Fatal(err)
		}
		f.must(t)
		for i := range 100 {
			p.reg.Counter("hits").Inc()
			tick := f.must(t)
			if tick.Status != Complete || len(tick.Late) > 0 || tick.Skipped > 0 {
				t.Errorf("tick %d = %+v, want it complete", i, tick)
			}
			if took := time.Since(tick.End); took > 5*time.Millisecond {
				t.Errorf("tick %d is taken %v after its end", i, took)
			}
			if v := f.value(0); v.V != float64(i+1) {
				t.Errorf("value at tick %d = %v, want %d", i, v.V, i+1)
			}
		}
		p.stop()
	})
}

func TestFinalTickOfMemoryIsTakenBeforeItEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, err := memstore.New(memstore.WithTick(time.Second))
		if err != nil {
			t.Fatal(err)
		}
		p := start(t, s, nil)
		f := newFeed(t, s, p.Clock(), sum("hits", time.Minute))
		time.Sleep(1200 * time.Millisecond)
		f.must(t)
		p.reg.Counter("hits").Add(4)
		open := p.Clock().NowTick()
		if err := p.Final(t.Context()); err != nil {
			t.Fatal(err)
		}
		f.Wake(open)
		begun := time.Now()
		for f.Watermark() < open {
			f.must(t)
		}
		if took := time.Since(begun); took > 10*time.Millisecond || f.value(0).V != 4 {
			t.Errorf("after the final flush the value is %v after %v, want 4 at once", f.value(0).V, took)
		}
		p.stop()
	})
}

func TestPartialThenLate(t *testing.T) {
	t.Parallel()
	for _, cut := range []time.Duration{3 * time.Second, 25 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			s := publishtest.New(memstore.WithTick(time.Second))
			away := &cutOff{Store: s}
			a := start(t, s, nil)
			f := New(Config{Store: s, Clock: a.Clock(), Queries: []window.Query{sum("hits", time.Minute)}, Logger: quiet()})
			b := start(t, away, func(c *publish.Config) { c.OnLate = f.tellLate })
			if err := f.SeekTo(t.Context(), a.Clock().NowTick()-1); err != nil {
				t.Fatal(err)
			}
			for range 5 {
				a.reg.Counter("hits").Inc()
				b.reg.Counter("hits").Inc()
				if tick := f.must(t); tick.Status != Complete {
					t.Errorf("tick %d is %v, want complete", tick.N, tick.Status)
				}
			}
			time.Sleep(500 * time.Millisecond)
			away.away.Store(true)
			first := a.Clock().NowTick()
			b.reg.Counter("hits").Add(100)
			partial, until := 0, time.Now().Add(cut)
			for time.Now().Before(until) {
				switch tick := f.must(t); {
				case tick.Status == Partial:
					partial++
				case tick.N >= first && tick.N < first+window.LiveTicks:
					t.Errorf("tick first%+d is %v without a live writer's bucket", tick.N-first, tick.Status)
				}
			}
			if want := min(int(cut/time.Second), window.LiveTicks); partial < want-2 || partial > want {
				t.Errorf("cut off for %v, %d ticks are partial, want about %d", cut, partial, want)
			}
			away.away.Store(false)
			var late []int64
			for range 4 {
				late = append(late, f.must(t).Late...)
			}
			if !slices.Contains(late, first) {
				t.Errorf("cut off for %v, the late ticks are %v, want %d among them", cut, late, first)
			}
			refs := f.engine.ChangedLate(nil)
			if len(refs) != 1 {
				t.Fatalf("ChangedLate = %v, want one group", refs)
			}
			if v, ok := f.engine.ValueAt(refs[0].Handle, refs[0].Group, first); !ok || v.V != 110 {
				t.Errorf("ValueAt(first) = %v, %v, want 110", v.V, ok)
			}
			if v := f.value(0); v.V != 110 || v.Partial != 0 {
				t.Errorf("value = %v with %d partial ticks, want 110 and none", v.V, v.Partial)
			}
			a.stop()
			b.stop()
		})
	}
}

// tellLate does what the ledger does: it carries late ticks to the evaluator.
func (f *Feed) tellLate(late []publish.Late) {
	for _, l := range late {
		f.Late(l.Tick)
	}
}

// cutOff is a store that one replica can't reach for a while.
type cutOff struct {
	*publishtest.Store
	away atomic.Bool
}

func (c *cutOff) Publish(ctx context.Context, p store.Publication) (store.PublishReply, error) {
	if c.away.Load() {
		return store.PublishReply{}, publishtest.ErrFault
	}
	return c.Store.Publish(ctx, p)
}

func TestGoneWriterBlocksNothingAndItsGaugesDropOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := publishtest.New(memstore.WithTick(time.Second))
		a, b := start(t, s, nil), start(t, s, nil)
		a.reg.Gauge("depth").Set(3)
		b.reg.Gauge("depth").Set(4)
		f := newFeed(t, s, a.Clock(), window.Query{Selector: window.Selector{Metric: "depth"}, Window: time.Minute})
		f.must(t)
		f.must(t)
		if v := f.value(0); v.V != 7 {
			t.Errorf("gauge of two = %v, want 7", v.V)
		}
		b.stop()
		statuses := map[Status]int{}
		for range 20 {
			statuses[f.must(t).Status]++
		}
		if statuses[Partial] < 8 || statuses[Partial] > 10 || statuses[Complete] < 10 {
			t.Errorf("after a kill the ticks are %v, want about ten partial", statuses)
		}
		if v := f.value(0); v.V != 3 {
			t.Errorf("gauge of the one that is left = %v, want 3", v.V)
		}
		a.stop()
	})
}

func TestCleanShutdownLeavesNoPartialTick(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := publishtest.New(memstore.WithTick(time.Second))
		a, b := start(t, s, nil), start(t, s, nil)
		f := newFeed(t, s, a.Clock(), sum("hits", time.Minute))
		f.must(t)
		f.must(t)
		if err := b.Final(t.Context()); err != nil {
			t.Fatal(err)
		}
		for range 15 {
			if tick := f.must(t); tick.Status != Complete {
				t.Errorf("tick %d after a clean shutdown is %v", tick.N, tick.Status)
			}
		}
		a.stop()
		b.stop()
	})
}

func TestReadErrorHaltsTheWatermark(t *testing.T) {
	t.Parallel()
	for _, call := range []string{"Read", "Names"} {
		synctest.Test(t, func(t *testing.T) {
			s := publishtest.New(memstore.WithTick(time.Second))
			p := start(t, s, nil)
			f := newFeed(t, s, p.Clock(), sum("hits", time.Minute))
			f.must(t)
			p.reg.Counter("hits").Inc()
			at := f.Watermark()
			s.Fail(func(c string) publishtest.Fault {
				if c == call {
					return publishtest.Refuse
				}
				return publishtest.None
			})
			errs := 0
			for range 20 {
				if _, err := f.Next(t.Context()); errors.Is(err, publishtest.ErrFault) {
					errs++
				}
			}
			if errs < 15 || f.Watermark() > at+2 {
				t.Errorf("%s fails: %d errors, the watermark went %d ticks on", call, errs, f.Watermark()-at)
			}
			s.Fail(nil)
			for f.Watermark() < p.Clock().NowTick()-2 {
				f.must(t)
			}
			if v := f.value(0); v.V != 1 || v.Partial > 0 {
				t.Errorf("%s is back: value %v with %d partial ticks, want 1 and none", call, v.V, v.Partial)
			}
			p.stop()
		})
	}
}

func TestNobodyKnows(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := publishtest.New(memstore.WithTick(time.Second))
		p := start(t, s, nil)
		clock := p.Clock()
		f := newFeed(t, s, clock, sum("hits", time.Minute))
		f.must(t)
		if err := p.Final(t.Context()); err != nil {
			t.Fatal(err)
		}
		f.must(t)
		for range 5 {
			if tick := f.must(t); tick.Status != Unknown {
				t.Errorf("tick %d without a process is %v, want unknown", tick.N, tick.Status)
			}
		}
		if v := f.value(0); v.Unknown < 5 || v.LastUnknown != f.Watermark() {
			t.Errorf("the window has %d unknown ticks, the last %d, want 5 at least, and %d", v.Unknown, v.LastUnknown, f.Watermark())
		}
		p.stop()
	})
}

// A bucket whose names come later is taken into the windows within two ticks of
// them, however long it waited for them, as far as its tick can still be judged.
func TestUnknownIdIsUnreadUntilItHasAName(t *testing.T) {
	t.Parallel()
	for _, later := range []int64{0, 1, window.LiveTicks + 5, 50} {
		t.Run(fmt.Sprintf("%d ticks", later), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { unreadUntilNamed(t, later) })
		})
	}
}

func unreadUntilNamed(t *testing.T, later int64) {
	s := publishtest.New(memstore.WithTick(time.Second), memstore.WithRetention(time.Hour))
	p := start(t, s, nil)
	f := newFeed(t, s, p.Clock(), sum("hits", time.Minute))
	f.must(t)
	stranger := store.NewID()
	n := f.Watermark() + 1
	b := bucket.Append(nil, &bucket.Bucket{Counters: []bucket.Counter{{ID: 77, Delta: 5 * bucket.Unit}}})
	put := func(names ...store.Name) {
		if _, err := s.Publish(t.Context(), store.Publication{
			Writer: stranger, Buckets: []store.Bucket{{Tick: n, Writer: stranger, Data: b}}, Names: names,
		}); err != nil {
			t.Fatal(err)
		}
	}
	put()
	if tick := f.must(t); tick.Status != Partial || f.value(0).Status != window.Unseen {
		t.Errorf("tick with an unknown id is %v with value %v, want partial, unseen", tick.Status, f.value(0))
	}
	for range later {
		f.must(t)
	}
	put(store.Name{ID: 77, Text: "c|hits"})
	late := append(f.must(t).Late, f.must(t).Late...)
	if v := f.value(0); !slices.Contains(late, n) || v.V != 5 {
		t.Errorf("after the name came: late %v, value %+v, want %d late and 5", late, v, n)
	}
	p.stop()
}

func TestCorruptBucketSpoilsOnlyItself(t *testing.T) {
	t.Parallel()
	for name, data := range map[string][]byte{
		"empty": {}, "newer version": {250, 0, 1}, "garbage": {1, 0, 1, 200, 3}, "text": []byte("hello"),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := publishtest.New(memstore.WithTick(time.Second))
				p := start(t, s, nil)
				f := newFeed(t, s, p.Clock(), sum("hits", time.Minute))
				f.must(t)
				bad := store.NewID()
				if _, err := s.Publish(t.Context(), store.Publication{
					Writer: bad, Buckets: []store.Bucket{{Tick: f.Watermark() + 1, Writer: bad, Data: data}},
				}); err != nil {
					t.Fatal(err)
				}
				p.reg.Counter("hits").Add(3)
				tick := f.must(t)
				if st := f.Stats(); tick.Status != Partial || f.value(0).V != 3 || st.BadBuckets != 1 {
					t.Errorf("tick is %v with value %v and %d bad buckets, want partial, 3, 1", tick.Status, f.value(0).V, st.BadBuckets)
				}
				p.stop()
			})
		})
	}
}

func TestFreshFeedKnowsWhatALongLivedOneKnows(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := publishtest.New(memstore.WithTick(time.Second), memstore.WithRetention(30*time.Second))
		a, b := start(t, s, nil), start(t, s, nil)
		defer a.stop()
		defer b.stop()
		var queries []window.Query
		for _, w := range []time.Duration{5 * time.Second, 20 * time.Second, 3 * time.Minute, 10 * time.Minute, 30 * time.Minute} {
			queries = append(queries, sum("hits", w),
				window.Query{Selector: window.Selector{Metric: "took"}, Window: w, Aggregate: "count"},
				window.Query{Selector: window.Selector{Metric: "took"}, Window: w, Aggregate: "p90"},
				window.Query{Selector: window.Selector{Metric: "users"}, Window: w},
				window.Query{Selector: window.Selector{Metric: "depth"}, Window: w},
				window.Query{Selector: window.Selector{Metric: "depth"}, Window: w, Aggregate: "avg"},
			)
		}
		f := newFeed(t, s, a.Clock(), queries...)
		for i := range 2400 {
			for k, p := range []*process{a, b} {
				p.reg.Counter("hits").Add(int64(1 + k))
				p.reg.Histogram("took").Observe(float64(i % 17))
				p.reg.Gauge("depth").Set(float64(i % 13))
				if i%7 == 0 {
					p.reg.Set("users").AddHash(uint64(i))
				}
			}
			f.must(t)
			if i%150 != 149 {
				continue
			}
			fresh := New(Config{Store: s, Clock: a.Clock(), Queries: queries, Logger: quiet(), NoFolds: true})
			if err := fresh.SeekTo(t.Context(), f.Watermark()); err != nil {
				t.Fatal(err)
			}
			for k, q := range queries {
				got, want := fresh.value(k), f.value(k)
				if diff := got.V - want.V; diff > 1e-6 || diff < -1e-6 || got.Status != want.Status {
					t.Errorf("after %d s: %v over %v of %s = %v, want %v", i+1, q.Aggregate, q.Window, q.Selector.Metric, got.V, want.V)
				}
				if got.Unknown > want.Unknown || got.Partial > want.Partial {
					t.Errorf("after %d s: %v over %v of %s lacks %d+%d ticks, want %d+%d", i+1, q.Aggregate, q.Window,
						q.Selector.Metric, got.Unknown, got.Partial, want.Unknown, want.Partial)
				}
			}
			if t.Failed() {
				return
			}
			if i%600 == 599 { // the evaluator changes
				f = New(Config{Store: s, Clock: a.Clock(), Queries: queries, Logger: quiet()})
				if err := f.SeekTo(t.Context(), fresh.Watermark()); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

func TestLongGapIsPassedOverAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := publishtest.New(memstore.WithTick(time.Second), memstore.WithRetention(30*time.Second))
		p := start(t, s, nil)
		f := newFeed(t, s, p.Clock(), sum("hits", time.Minute))
		at := f.must(t).N
		time.Sleep(10 * time.Minute)
		tick := f.must(t)
		if tick.Skipped != tick.N-at-1 || tick.Skipped < 500 {
			t.Errorf("after ten minutes the next tick is %d on, %d skipped", tick.N-at, tick.Skipped)
		}
		steps := 0
		for f.Watermark() < p.Clock().NowTick()-1 {
			if got := f.must(t); got.Skipped != 0 || got.Status != Complete {
				t.Errorf("tick %d = %+v, want it complete", got.N, got)
			}
			steps++
		}
		if steps < 25 {
			t.Errorf("%d ticks are stepped through one by one, want all that the store has", steps)
		}
		p.stop()
	})
}

func TestQueryOfAllThatIsKept(t *testing.T) {
	t.Parallel()
	for _, width := range []time.Duration{100 * time.Millisecond, time.Second} {
		synctest.Test(t, func(t *testing.T) {
			const kept = 20 * time.Second
			s := publishtest.New(memstore.WithTick(width), memstore.WithRetention(kept))
			p := start(t, s, nil)
			defer p.stop()
			for range 2 * int(kept/width) {
				p.reg.Counter("hits").Inc()
				time.Sleep(width)
			}
			tick, err := p.Flush(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			ans, err := Query(t.Context(), s, p.Clock(), sum("hits", kept), tick)
			if n := float64(kept / width); err != nil || !ans.Complete() || ans.V < n-1 || ans.V > n {
				t.Errorf("Query(hits) of %v in ticks of %v = %+v, %v, want one hit for each of %v ticks but the last, complete",
					kept, width, ans.Value, err, n)
			}
			// What is older isn't made up.
			if ans, err := Query(t.Context(), s, p.Clock(), sum("hits", kept+5*time.Second), tick); err != nil || ans.Complete() {
				t.Errorf("Query(hits) of more than is kept = %+v, %v, want it incomplete", ans.Value, err)
			}
		})
	}
}

func TestQuery(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := publishtest.New(memstore.WithTick(time.Second))
		a, b := start(t, s, nil), start(t, s, nil)
		time.Sleep(70 * time.Second)
		a.reg.Counter("hits", series.Tag{Key: "route", Value: "/a"}).Add(2)
		b.reg.Counter("hits", series.Tag{Key: "route", Value: "/b"}).Add(3)
		for i := range 100 {
			a.reg.Histogram("took").Observe(float64(i))
		}
		tick, err := a.Flush(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		ask := func(metric string) Answer {
			ans, err := Query(t.Context(), s, a.Clock(), window.Query{Selector: window.Selector{Metric: metric}, Window: time.Minute}, tick)
			if err != nil {
				t.Fatal(err)
			}
			return ans
		}
		if ans := ask("hits"); ans.V != 5 || ans.Kind != series.KindCounter || !ans.Complete() {
			t.Errorf("Query(hits) = %+v, want a complete 5", ans.Value)
		}
		if ans := ask("took"); ans.Count != 100 || ans.Sum != 4950 || ans.Quantile(0.5) < 48 || ans.Quantile(0.5) > 51 {
			t.Errorf("Query(took) = %+v, p50 %v, want 100, 4950, about 50", ans.Value, ans.Quantile(0.5))
		}
		if ans := ask("typo"); ans.Status != window.Unseen {
			t.Errorf("Query(typo) = %+v, want unseen", ans.Value)
		}
		s.Fail(publishtest.Always(publishtest.Refuse))
		if _, err := Query(t.Context(), s, a.Clock(), sum("hits", time.Minute), tick); !errors.Is(err, publishtest.ErrFault) {
			t.Errorf("Query of a store that fails = %v, want its error", err)
		}
		a.stop()
		b.stop()
	})
}
