//go:build unix

package redis

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/go-batteries/hawkeye/internal/bucket"
	"github.com/go-batteries/hawkeye/internal/evaluate"
	"github.com/go-batteries/hawkeye/internal/monitor"
	"github.com/go-batteries/hawkeye/internal/publish"
	"github.com/go-batteries/hawkeye/internal/window"
	"github.com/go-batteries/hawkeye/store"
	"github.com/go-batteries/hawkeye/store/redisstore"
	"github.com/go-batteries/hawkeye/store/redisstore/redistest"
)

// minute is how many ticks the store holds; the evaluator goes round in them.
const minute = 60

// BenchmarkEvaluate is one round of the evaluator of a fleet whose replicas
// have 1,000 counters each, all of them counted in each tick: ask whether the
// last ten ticks have something late, read the newest, decode it, take it into
// the windows, judge the monitors. Each monitor has a window of its own; ten
// times as many monitors are ten windows a metric.
//
// redis-MB is the server's memory for the fleet's minute, B/monitor the
// evaluator's.
func BenchmarkEvaluate(b *testing.B) {
	for _, replicas := range []int{10, 100} {
		c, s, memory := filled(b, replicas)
		for _, length := range []time.Duration{time.Minute, time.Hour} {
			for _, monitors := range []int{1_000, 10_000} {
				b.Run(fmt.Sprintf("hawkeye/replicas=%d/window=%v/monitors=%d", replicas, length, monitors), func(b *testing.B) {
					evaluateRounds(b, c, s, replicas, monitors, length)
					b.ReportMetric(memory/1e6, "redis-MB")
				})
			}
		}
	}
	b.Run("before/events=10000", func(b *testing.B) {
		c := redistest.Start(b, redistest.Config{}).Client()
		const events = 10_000
		p := c.Pipeline()
		for i := range int64(events) {
			if err := addEvent(b, p, metric(0), i); err != nil {
				b.Fatal(err)
			}
		}
		empty := used(b, c)
		if _, err := p.Exec(b.Context()); err != nil {
			b.Fatal(err)
		}
		before := used(b, c)
		for b.Loop() {
			if n := countEvents(b, c); n != events {
				b.Fatalf("%d events of %d", n, events)
			}
		}
		reportUsed(b, c, before, b.N)
		b.ReportMetric((before.memory-empty.memory)/events, "redis-B/event")
	})
}

// countEvents evaluates a window as the system before did.
func countEvents(b *testing.B, c *redis.Client) (sum int) {
	members, err := c.ZRangeByScore(b.Context(), "index:"+metric(0), &redis.ZRangeBy{Min: "-inf", Max: "+inf"}).Result()
	if err != nil {
		b.Fatal(err)
	}
	for _, m := range members {
		n, err := c.HGet(b.Context(), "event:"+metric(0), m).Int()
		if err != nil {
			b.Fatal(err)
		}
		sum += n
	}
	return sum
}

// filled is a server with a minute of a fleet in it, and the bytes that takes.
func filled(b *testing.B, replicas int) (c *redis.Client, s *redisstore.Store, memory float64) {
	b.Helper()
	c = newClient(b, redistest.Start(b, redistest.Config{}))
	s = newStore(c)
	before := used(b, c)
	for i := range replicas {
		r := newReplica(flushed)
		if i == 0 {
			r.publishNames(b, s)
		}
		for tick := range int64(minute) {
			r.flush(b, s, base+tick, flushed)
		}
	}
	return c, s, used(b, c).memory - before.memory
}

// base is the first tick, a multiple of minute.
const base = 1_000_020

// evaluator is what an agent has in memory.
type evaluator struct {
	*evaluate.Evaluator
	store   *redisstore.Store
	engine  *window.Engine
	queries []window.Query
	handles []window.Handle // of the queries
	tick    int64
	data    bucket.Bucket
}

func evaluateRounds(b *testing.B, c *redis.Client, s *redisstore.Store, replicas, monitors int, length time.Duration) {
	memory := heap()
	e := newEvaluator(s, monitors, length)
	for range 2 * minute {
		e.round(b, replicas)
	}
	rounds := 2 * minute
	before := used(b, c)
	b.ReportAllocs()
	for b.Loop() {
		e.round(b, replicas)
		rounds++
	}
	reportUsed(b, c, before, b.N)
	b.ReportMetric(float64(heap()-memory)/float64(monitors), "B/monitor")
	e.check(b, replicas, rounds)
	runtime.KeepAlive(e)
}

func newEvaluator(s *redisstore.Store, monitors int, length time.Duration) *evaluator {
	set := new(monitor.Set)
	for i := range monitors {
		set.Monitors = append(set.Monitors, monitor.Monitor{
			Name: fmt.Sprint("monitor.", i), Metric: metric(i % flushed), Kind: monitor.Counter,
			Window:   length + time.Duration(i/flushed)*length/minute,
			Triggers: []monitor.Trigger{{Level: "critical", Threshold: 1e9}},
		})
	}
	e := &evaluator{store: s, engine: window.New(time.Second, redisstore.DefaultRetention, 15), tick: base - 1}
	plan := evaluate.NewPlan(set, time.Second)
	e.queries = plan.Queries
	for _, q := range plan.Queries {
		e.handles = append(e.handles, e.engine.Register(q))
	}
	e.Evaluator = evaluate.New(evaluate.Config{Plan: plan, Handles: e.handles, Born: base - 1, NewID: func() string { return "1" }})
	return e
}

// check asserts each window's sum after a number of rounds, in each of which
// each replica counted 1. Windows of an hour are kept in minutes, so they also
// hold what there is of the current one; rounds begin with a whole minute.
func (e *evaluator) check(b *testing.B, replicas, rounds int) {
	b.Helper()
	for i, h := range e.handles {
		ticks := int(e.queries[i].Window.Seconds())
		if ticks >= 3600 {
			ticks += rounds % minute
		}
		want := float64(replicas * min(rounds, ticks))
		if v := e.engine.Value(h, e.engine.Group(h, "")); v.V != want {
			b.Fatalf("the fleet's sum over %v is %v after %d rounds, want %v", e.queries[i].Window, v.V, rounds, want)
		}
	}
}

// round takes the next tick. The store's minute comes again and again.
func (e *evaluator) round(b *testing.B, replicas int) {
	e.tick++
	stored := func(tick int64) int64 { return base + (tick-base)%minute }
	var q []store.TickQuery
	for n := max(e.tick-window.LiveTicks, base); n < e.tick; n++ {
		q = append(q, store.TickQuery{Tick: stored(n), Known: replicas})
	}
	q = append(q, store.TickQuery{Tick: stored(e.tick)})
	ctx, cancel := context.WithTimeout(b.Context(), publish.DefaultFlushTimeout)
	defer cancel()
	answers, err := e.store.Read(ctx, q)
	if err != nil {
		b.Fatal(err)
	}
	newest := answers[len(answers)-1]
	if len(newest.Buckets) != replicas {
		b.Fatalf("%d buckets of %d", len(newest.Buckets), replicas)
	}
	e.engine.Advance(e.tick)
	for i := range newest.Buckets {
		e.take(b, &newest.Buckets[i])
	}
	e.engine.MarkComplete(e.tick)
	end := time.Unix(e.tick+1, 0)
	if changes := e.Step(e.engine, evaluate.Tick{N: e.tick, End: end}); len(changes) > 0 && e.tick > base {
		b.Fatalf("%d alerts changed", len(changes))
	}
	e.engine.Folds() // the caller's to publish
	e.engine.Evaluated(e.tick)
}

func (e *evaluator) take(b *testing.B, from *store.Bucket) {
	if err := bucket.Decode(from.Data, &e.data); err != nil {
		b.Fatal(err)
	}
	if e.engine.Take(e.tick, from.Writer, &e.data) {
		return
	}
	names, err := e.store.Names(b.Context(), e.engine.Unknown(nil, &e.data))
	if err != nil {
		b.Fatal(err)
	}
	for id, text := range names {
		e.engine.Learn(id, text)
	}
	if !e.engine.Take(e.tick, from.Writer, &e.data) {
		b.Fatal("a name is missing")
	}
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
