//go:build unix

package redis

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/go-batteries/hawkeye/internal/bucket"
	"github.com/go-batteries/hawkeye/store"
	"github.com/go-batteries/hawkeye/store/redisstore/redistest"
)

// flushed is how many series a replica has.
const flushed = 1000

// BenchmarkFlush is the end of a tick of one replica with 1,000 counters, of
// which a fifth or all were counted once: collect, encode, publish in one
// round trip. The layout before writes that many events, one after the other
// as it did, and in one pipeline as it could have. ping is a round trip that
// asks for nothing: of a server that sleeps in between, most of what it costs
// to be woken. hawkeye_default has a client with go-redis' default options.
func BenchmarkFlush(b *testing.B) {
	b.Run("ping", func(b *testing.B) {
		c := redistest.Start(b, redistest.Config{}).Client()
		ping(b, c)
		before := used(b, c)
		b.ReportAllocs()
		for b.Loop() {
			ping(b, c)
		}
		reportUsed(b, c, before, b.N)
	})
	for _, busy := range []int{200, flushed} {
		b.Run(fmt.Sprintf("hawkeye/busy=%d", busy), func(b *testing.B) {
			flushAlone(b, newClient(b, redistest.Start(b, redistest.Config{})), busy)
		})
		b.Run(fmt.Sprintf("hawkeye_default/busy=%d", busy), func(b *testing.B) {
			flushAlone(b, redistest.Start(b, redistest.Config{}).Client(), busy)
		})
		b.Run(fmt.Sprintf("before/busy=%d", busy), func(b *testing.B) {
			c := redistest.Start(b, redistest.Config{}).Client()
			before, now := used(b, c), time.Now().UnixMicro()
			for b.Loop() {
				for i := range busy {
					now++
					if err := addEvent(b, c, metric(i), now); err != nil {
						b.Fatal(err)
					}
				}
			}
			reportUsed(b, c, before, b.N)
			assertEvents(b, c, b.N)
		})
		b.Run(fmt.Sprintf("before_pipelined/busy=%d", busy), func(b *testing.B) {
			c := redistest.Start(b, redistest.Config{}).Client()
			before, now := used(b, c), time.Now().UnixMicro()
			for b.Loop() {
				p := c.Pipeline()
				for i := range busy {
					now++
					if err := addEvent(b, p, metric(i), now); err != nil {
						b.Fatal(err)
					}
				}
				if _, err := p.Exec(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			reportUsed(b, c, before, b.N)
			assertEvents(b, c, b.N)
		})
	}
}

// flushAlone has one replica flush.
func flushAlone(b *testing.B, c *redis.Client, busy int) {
	s, r := newStore(c), newReplica(flushed)
	r.publishNames(b, s)
	tick := int64(1_000_000)
	r.flush(b, s, tick, busy)
	before := used(b, c)
	b.ReportAllocs()
	for b.Loop() {
		tick++
		r.flush(b, s, tick, busy)
	}
	reportUsed(b, c, before, b.N)
	r.assertStored(b, s, tick, busy)
}

// addEvent writes an event as the system before did.
func addEvent(b *testing.B, c redis.Cmdable, metric string, micros int64) error {
	if err := c.HSet(b.Context(), "event:"+metric, micros, 1).Err(); err != nil {
		return err
	}
	return c.ZAdd(b.Context(), "index:"+metric, redis.Z{Score: float64(micros), Member: micros}).Err()
}

func assertEvents(b *testing.B, c *redis.Client, want int) {
	b.Helper()
	if n, err := c.ZCard(b.Context(), "index:"+metric(0)).Result(); err != nil || n != int64(want) {
		b.Errorf("%d events of %d, %v", n, want, err)
	}
}

func ping(b *testing.B, c *redis.Client) {
	b.Helper()
	if err := c.Ping(b.Context()).Err(); err != nil {
		b.Error(err)
	}
}

// BenchmarkFlushBusy is BenchmarkFlush from 64 replicas at once, so that the
// server doesn't go to sleep between two: what a flush costs a fleet's server.
func BenchmarkFlushBusy(b *testing.B) {
	const first = int64(1_000_000)
	parallelism := max(1, 64/runtime.GOMAXPROCS(0))
	b.Run("ping", func(b *testing.B) {
		c := redistest.Start(b, redistest.Config{}).Client()
		before := used(b, c)
		b.SetParallelism(parallelism)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				ping(b, c)
			}
		})
		reportUsed(b, c, before, b.N)
	})
	for _, busy := range []int{200, flushed} {
		b.Run(fmt.Sprintf("hawkeye/busy=%d", busy), func(b *testing.B) {
			c := newClient(b, redistest.Start(b, redistest.Config{}))
			s := newStore(c)
			newReplica(flushed).publishNames(b, s)
			replicas := make(chan *replica, parallelism*runtime.GOMAXPROCS(0))
			for range cap(replicas) {
				replicas <- newReplica(flushed)
			}
			before := used(b, c)
			b.SetParallelism(parallelism)
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				r, tick := <-replicas, first
				for ; pb.Next(); tick++ {
					r.flush(b, s, tick, busy)
				}
				r.newest = tick - 1
				replicas <- r
			})
			reportUsed(b, c, before, b.N)
			for range cap(replicas) {
				if r := <-replicas; r.newest >= first { // it had a turn
					r.assertStored(b, s, r.newest, busy)
				}
			}
		})
	}
}

// assertStored reads the bucket of a tick back.
func (r *replica) assertStored(b *testing.B, s store.Store, tick int64, want int) {
	b.Helper()
	answers, err := s.Read(b.Context(), []store.TickQuery{{Tick: tick}})
	if err != nil {
		b.Fatal(err)
	}
	for _, stored := range answers[0].Buckets {
		if stored.Writer != r.writer {
			continue
		}
		var data bucket.Bucket
		if err := bucket.Decode(stored.Data, &data); err != nil || len(data.Counters) != want {
			b.Errorf("%d counters of %d, %v", len(data.Counters), want, err)
		}
		return
	}
	b.Errorf("tick %d isn't stored", tick)
}
