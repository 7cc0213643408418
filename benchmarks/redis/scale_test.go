//go:build unix

package redis

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/go-batteries/hawkeye/internal/bucket"
	"github.com/go-batteries/hawkeye/internal/publish"
	"github.com/go-batteries/hawkeye/internal/series"
	"github.com/go-batteries/hawkeye/store"
	"github.com/go-batteries/hawkeye/store/redisstore"
	"github.com/go-batteries/hawkeye/store/redisstore/redistest"
)

// The fleet of the sizing in docs/redis.md.
const (
	scaleWriters = 1_000
	scaleSeries  = 10_000
	scaleTicks   = 3 // published; the first evaluation also learns names
)

// BenchmarkScale simulates a fleet of 1,000 replicas with 10,000 counters
// each, of which 2 % or all change in a tick. Writers are no more than an id:
// each flush encodes random counts and publishes them as a replica does. They
// publish three ticks, at the fleet's rate where 2 % change and at a quarter of
// it where all do; what is reported is scaled to the whole rate and to what the
// server holds with the default retention. Run it with -benchtime=1x.
func BenchmarkScale(b *testing.B) {
	names, ids := scaleNames()
	for changed, rate := range map[int]int{scaleSeries / 50: scaleWriters, scaleSeries: scaleWriters / 4} {
		b.Run(fmt.Sprintf("hawkeye/replicas=%d/series=%d/changed=%d", scaleWriters, scaleSeries, changed), func(b *testing.B) {
			c := newClient(b, redistest.Start(b, redistest.Config{}))
			s := newStore(c)
			if _, err := s.Publish(b.Context(), store.Publication{Writer: store.NewID(), Names: names}); err != nil {
				b.Fatal(err)
			}
			f := newScaleFleet(s, ids, changed)
			before := used(b, c)
			for b.Loop() {
				f.publish(b, rate)
			}
			after := used(b, c)
			const flushes = scaleWriters * scaleTicks
			micros, memory := (after.micros-before.micros)/flushes, (after.memory-before.memory)/flushes
			held := (redisstore.DefaultRetention + 15*time.Second).Seconds() * scaleWriters
			b.ReportMetric(float64(f.bytes)/flushes, "B/bucket")
			b.ReportMetric((after.in-before.in)/flushes*scaleWriters/1e6, "MB-in/s")
			b.ReportMetric(micros, "server-µs/flush")
			b.ReportMetric(memory*held/1e9, "redis-GB")

			e := newEvaluator(s, flushed, time.Minute)
			e.round(b, scaleWriters)
			before, start := used(b, c), time.Now()
			for range scaleTicks - 1 {
				e.round(b, scaleWriters)
			}
			took := time.Since(start) / (scaleTicks - 1)
			after = used(b, c)
			read := (after.micros - before.micros) / (scaleTicks - 1)
			b.ReportMetric(float64(took.Microseconds())/1e3, "evaluator-ms/tick")
			b.ReportMetric(read/1e3, "server-ms/read")
			b.ReportMetric((micros*scaleWriters+read)/1e4, "server-CPU-%")
		})
	}
}

// scaleNames are the series that each writer of the fleet has.
func scaleNames() (names []store.Name, ids []uint64) {
	r := series.New(series.Limits{})
	for i := range scaleSeries {
		r.Counter(metric(i))
	}
	names, _ = r.Names(0)
	for _, n := range names {
		ids = append(ids, n.ID)
	}
	return names, ids
}

// scaleFleet publishes what a fleet would.
type scaleFleet struct {
	store   *redisstore.Store
	ids     []uint64
	changed int
	writers []store.ID

	mu    sync.Mutex // guards bytes
	bytes int        // of all buckets
}

func newScaleFleet(s *redisstore.Store, ids []uint64, changed int) *scaleFleet {
	f := &scaleFleet{store: s, ids: ids, changed: changed}
	for range scaleWriters {
		f.writers = append(f.writers, store.NewID())
	}
	return f
}

// publish publishes the ticks one after the other, rate flushes a second.
func (f *scaleFleet) publish(b *testing.B, rate int) {
	pace := time.NewTicker(time.Second / time.Duration(rate))
	defer pace.Stop()
	due := make(chan int)
	var workers sync.WaitGroup
	for range 8 {
		workers.Go(func() {
			for n := range due {
				if err := f.flush(b, f.writers[n%scaleWriters], base+int64(n/scaleWriters)); err != nil {
					b.Error(err)
				}
			}
		})
	}
	for n := range scaleWriters * scaleTicks {
		<-pace.C
		due <- n
	}
	close(due)
	workers.Wait()
}

// flush publishes one writer's bucket and looks for older ones.
func (f *scaleFleet) flush(b *testing.B, writer store.ID, tick int64) error {
	from := rand.IntN(len(f.ids))
	var data bucket.Bucket
	for i := range f.changed {
		data.Counters = append(data.Counters, bucket.Counter{ID: f.ids[(from+i)%len(f.ids)], Delta: (1 + rand.Int64N(100)) * bucket.Unit})
	}
	encoded := bucket.Append(nil, &data)
	p := store.Publication{
		Writer: writer, Check: lookedFor(tick),
		Buckets: []store.Bucket{{Tick: tick, Writer: writer, Data: encoded}},
	}
	f.mu.Lock()
	f.bytes += len(encoded)
	f.mu.Unlock()
	ctx, cancel := context.WithTimeout(b.Context(), publish.DefaultFlushTimeout)
	defer cancel()
	_, err := f.store.Publish(ctx, p)
	return err
}
