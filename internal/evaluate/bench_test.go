package evaluate_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/go-batteries/hawkeye/internal/bucket"
	"github.com/go-batteries/hawkeye/internal/evaluate"
	"github.com/go-batteries/hawkeye/internal/monitor"
	"github.com/go-batteries/hawkeye/internal/series"
	"github.com/go-batteries/hawkeye/internal/window"
	"github.com/go-batteries/hawkeye/store"
)

// BenchmarkStep is a tick of 10,000 monitors of three levels, of which some
// are counted in the tick: work is for what changed. B/monitor is what windows
// and alerts hold.
func BenchmarkStep(b *testing.B) {
	const n = 10_000
	set := new(monitor.Set)
	for i := range n {
		set.Monitors = append(set.Monitors, monitor.Monitor{
			Name: fmt.Sprint("m", i), Metric: fmt.Sprint("metric.", i), Kind: monitor.Counter, Window: time.Minute,
			Triggers: []monitor.Trigger{{Level: "a", Threshold: 1e6}, {Level: "b", Threshold: 2e6}, {Level: "c", Threshold: 3e6}},
		})
	}
	for _, busy := range []int{0, 100, n} {
		b.Run(fmt.Sprint("busy=", busy), func(b *testing.B) {
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			const width = 200 * time.Millisecond
			plan := evaluate.NewPlan(set, width)
			w := window.New(width, 5*time.Minute, window.LiveTicks)
			handles := make([]window.Handle, len(plan.Queries))
			for i, q := range plan.Queries {
				handles[i] = w.Register(q)
			}
			var all, some bucket.Bucket
			for i := range n {
				w.Learn(uint64(i), series.Canonical(series.KindCounter, fmt.Sprint("metric.", i), nil))
				c := bucket.Counter{ID: uint64(i), Delta: bucket.Unit}
				all.Counters = append(all.Counters, c)
				if i < busy {
					some.Counters = append(some.Counters, c)
				}
			}
			e := evaluate.New(evaluate.Config{Plan: plan, Handles: handles, NewID: func() string { return "i" }})
			writer, tick := store.NewID(), int64(1)
			step := func(counted *bucket.Bucket) {
				w.Advance(tick)
				w.Take(tick, writer, counted)
				e.Step(w, evaluate.Tick{N: tick, End: time.Unix(0, (tick+1)*int64(width))})
				w.Evaluated(tick)
				tick++
			}
			step(&all)
			for range 400 { // until samples leave the windows as they come
				step(&some)
			}
			runtime.GC()
			runtime.ReadMemStats(&after)
			b.ReportAllocs()
			for b.Loop() {
				step(&some)
			}
			b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "B/monitor")
		})
	}
}
