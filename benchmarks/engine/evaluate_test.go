package engine

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/go-batteries/hawkeye/internal/alert"
	"github.com/go-batteries/hawkeye/internal/bucket"
	"github.com/go-batteries/hawkeye/internal/evaluate"
	"github.com/go-batteries/hawkeye/internal/monitor"
	"github.com/go-batteries/hawkeye/internal/series"
	"github.com/go-batteries/hawkeye/internal/window"
	"github.com/go-batteries/hawkeye/store"
)

// evaluation is an evaluator with its windows, as an agent has it.
type evaluation struct {
	*evaluate.Evaluator
	engine *window.Engine
	tick   int64
	width  time.Duration
	writer store.ID
}

func newEvaluation(set *monitor.Set, width time.Duration) *evaluation {
	e := &evaluation{engine: window.New(width, 5*time.Minute, 15), width: width, tick: 1_000_000, writer: store.NewID()}
	plan := evaluate.NewPlan(set, width)
	handles := make([]window.Handle, len(plan.Queries))
	for i, q := range plan.Queries {
		handles[i] = e.engine.Register(q)
	}
	incident := 0
	e.Evaluator = evaluate.New(evaluate.Config{Plan: plan, Handles: handles, Born: e.tick, NewID: func() string {
		incident++
		return fmt.Sprint(incident)
	}})
	return e
}

// step takes what was counted in the next tick and judges it, and returns how
// many alerts fired.
func (e *evaluation) step(data *bucket.Bucket) (fired int) {
	e.tick++
	e.engine.Advance(e.tick)
	e.engine.Take(e.tick, e.writer, data)
	e.engine.MarkComplete(e.tick)
	end := time.Unix(0, 0).Add(time.Duration(e.tick+1) * e.width)
	for _, c := range e.Step(e.engine, evaluate.Tick{N: e.tick, End: end}) {
		for _, event := range c.Events {
			if event.Kind == alert.Fired {
				fired++
			}
		}
	}
	e.engine.Folds() // the caller's to publish
	e.engine.Evaluated(e.tick)
	return fired
}

// run fills the windows, measures ticks of calm, and then one whose spike
// must fire as many alerts as it says.
func (e *evaluation) run(b *testing.B, fill int, calm, spike *bucket.Bucket, fires int) {
	b.Helper()
	for range fill {
		if n := e.step(calm); n > 0 {
			b.Fatalf("%d alerts fired while the windows were filled", n)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		if n := e.step(calm); n > 0 {
			b.Fatalf("%d alerts fired in the calm", n)
		}
	}
	if got := e.step(spike); got != fires {
		b.Errorf("%d alerts fired at the spike, want %d", got, fires)
	}
}

func name(i int) string { return fmt.Sprint("metric.", i) }

// counted is a bucket in which n of total series grew by delta.
func counted(n, total int, delta int64) *bucket.Bucket {
	data := new(bucket.Bucket)
	for i := range n {
		data.Counters = append(data.Counters, bucket.Counter{ID: uint64(i * (total / n)), Delta: delta * bucket.Unit})
	}
	return data
}

// BenchmarkEvaluate is a tick of 200 ms of 10,000 monitors, each with a metric
// and a window of a minute of its own: what was counted is taken, the windows
// move on, and who has to be judged is judged. busy is how many of the metrics
// are counted in each tick. B/monitor is the memory, windows included.
func BenchmarkEvaluate(b *testing.B) {
	const n = 10_000
	set := new(monitor.Set)
	for i := range n {
		set.Monitors = append(set.Monitors, monitor.Monitor{
			Name: name(i), Metric: name(i), Kind: monitor.Counter, Window: time.Minute,
			Triggers: []monitor.Trigger{{Level: "critical", Threshold: 1_000_000}},
		})
	}
	for _, busy := range []int{1, 100, n} {
		b.Run(fmt.Sprintf("hawkeye/busy=%d", busy), func(b *testing.B) {
			before := heap()
			e := newEvaluation(set, 200*time.Millisecond)
			for i := range n {
				e.engine.Learn(uint64(i), series.Canonical(series.KindCounter, name(i), nil))
			}
			e.step(counted(n, n, 1)) // so that every one was seen
			e.run(b, 400, counted(busy, n, 1), counted(busy, n, 1_000_000), busy)
			b.ReportMetric(float64(heap().HeapAlloc-before.HeapAlloc)/n, "B/monitor")
			runtime.KeepAlive(e)
		})
	}
}

// BenchmarkEvaluateGroups is one monitor by a tag with 1,000 values, all of
// which are counted in each tick.
func BenchmarkEvaluateGroups(b *testing.B) {
	const n = 1000
	set := &monitor.Set{Monitors: []monitor.Monitor{{
		Name: "requests", Metric: "requests", Kind: monitor.Counter, Window: time.Minute, By: []string{"route"}, MaxGroups: n,
		Triggers: []monitor.Trigger{{Level: "critical", Threshold: 1_000_000}},
	}}}
	b.Run("hawkeye", func(b *testing.B) {
		before := heap()
		e := newEvaluation(set, 200*time.Millisecond)
		for i := range n {
			e.engine.Learn(uint64(i), series.Canonical(series.KindCounter, "requests", []series.Tag{{Key: "route", Value: name(i)}}))
		}
		e.run(b, 400, counted(n, n, 1), counted(n, n, 1_000_000), n)
		b.ReportMetric(float64(heap().HeapAlloc-before.HeapAlloc)/n, "B/monitor")
		runtime.KeepAlive(e)
	})
}

// BenchmarkEvaluateSLO is a tick of 100 SLOs of 30 d, each with its eight
// windows of 5 m to 3 d over two metrics that are counted in each tick. A
// tenth of the spike's events are bad.
func BenchmarkEvaluateSLO(b *testing.B) {
	const n = 100
	set := new(monitor.Set)
	calm, spike := new(bucket.Bucket), new(bucket.Bucket)
	for i := range n {
		set.SLOs = append(set.SLOs, monitor.SLO{
			Name: fmt.Sprint("slo.", i), Objective: 0.999, Period: 30 * 24 * time.Hour,
			Bad: fmt.Sprint("bad.", i), Total: fmt.Sprint("total.", i),
		})
		bad, total := uint64(2*i), uint64(2*i+1)
		calm.Counters = append(calm.Counters, bucket.Counter{ID: total, Delta: 10 * bucket.Unit})
		spike.Counters = append(spike.Counters, bucket.Counter{ID: bad, Delta: 1e9 * bucket.Unit},
			bucket.Counter{ID: total, Delta: 2e9 * bucket.Unit})
	}
	b.Run("hawkeye", func(b *testing.B) {
		before := heap()
		e := newEvaluation(set, time.Second)
		for i := range n {
			e.engine.Learn(uint64(2*i), series.Canonical(series.KindCounter, fmt.Sprint("bad.", i), nil))
			e.engine.Learn(uint64(2*i+1), series.Canonical(series.KindCounter, fmt.Sprint("total.", i), nil))
		}
		e.run(b, 3*24*3600+7200, calm, spike, n)
		b.ReportMetric(float64(heap().HeapAlloc-before.HeapAlloc)/n, "B/monitor")
		runtime.KeepAlive(e)
	})
}
