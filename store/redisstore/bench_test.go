//go:build unix

package redisstore_test

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/go-batteries/hawkeye/store"
	"github.com/go-batteries/hawkeye/store/redisstore"
	"github.com/go-batteries/hawkeye/store/redisstore/redistest"
)

// bucketBytes is about what a replica takes of whose counters 200 changed.
const bucketBytes = 2100

// lookedFor are the ticks that a publisher of tick looks for if all is well.
func lookedFor(tick int64) []int64 { return []int64{tick - 1, tick - 16, tick - 140, tick - 141} }

// BenchmarkPublish is a flush as each replica makes it every tick: one bucket
// and four checks. server-µs is the processor time of the server.
func BenchmarkPublish(b *testing.B) {
	for _, writers := range []int{1, 100} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			client := redistest.Start(b, redistest.Config{}).Client()
			s := redisstore.New(client, redisstore.WithLogger(quiet))
			ids := make([]store.ID, writers)
			for i := range ids {
				ids[i] = store.NewID()
			}
			data := bytes.Repeat([]byte{7}, bucketBytes)
			before, n := serverMicros(b, client), 0
			b.ReportAllocs()
			for b.Loop() {
				tick := int64(1_000_000 + n/writers)
				w := ids[n%writers]
				mustPublish(b, s, store.Publication{
					Writer: w, Check: lookedFor(tick), Buckets: []store.Bucket{{Tick: tick, Writer: w, Data: data}},
				})
				n++
			}
			b.ReportMetric((serverMicros(b, client)-before)/float64(n), "server-µs/op")
		})
	}
}

// BenchmarkPublishBusy is the same with 64 replicas at once, so that the
// server doesn't wake up for each.
func BenchmarkPublishBusy(b *testing.B) {
	client := redistest.Start(b, redistest.Config{}).Client()
	s := redisstore.New(client, redisstore.WithLogger(quiet))
	data := bytes.Repeat([]byte{7}, bucketBytes)
	before := serverMicros(b, client)
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		w := store.NewID()
		for tick := int64(1_000_000); pb.Next(); tick++ {
			mustPublish(b, s, store.Publication{
				Writer: w, Check: lookedFor(tick), Buckets: []store.Bucket{{Tick: tick, Writer: w, Data: data}},
			})
		}
	})
	b.ReportMetric((serverMicros(b, client)-before)/float64(b.N), "server-µs/op")
}

// BenchmarkRead is an evaluation round over 100 writers: the newest ticks
// whole, the ten before by their count.
func BenchmarkRead(b *testing.B) {
	client := redistest.Start(b, redistest.Config{}).Client()
	s := redisstore.New(client, redisstore.WithLogger(quiet))
	const writers, ticks = 100, 60
	fill(b, s, writers, ticks)
	for _, fresh := range []int{0, 1, 3, 60} {
		b.Run(fmt.Sprintf("fresh=%d", fresh), func(b *testing.B) {
			var q []store.TickQuery
			for i := range ticks {
				switch {
				case i < fresh:
					q = append(q, store.TickQuery{Tick: int64(ticks - 1 - i)})
				case i < fresh+10:
					q = append(q, store.TickQuery{Tick: int64(ticks - 1 - i), Known: writers})
				}
			}
			before, n := serverMicros(b, client), 0
			for b.Loop() {
				if _, err := s.Read(b.Context(), q); err != nil {
					b.Fatal(err)
				}
				n++
			}
			b.ReportMetric((serverMicros(b, client)-before)/float64(n), "server-µs/op")
		})
	}
}

// fill publishes a bucket for each writer and tick.
func fill(t testing.TB, s *redisstore.Store, writers, ticks int) {
	t.Helper()
	data := bytes.Repeat([]byte{7}, bucketBytes)
	for range writers {
		w := store.NewID()
		p := store.Publication{Writer: w}
		for tick := range int64(ticks) {
			p.Buckets = append(p.Buckets, store.Bucket{Tick: tick, Writer: w, Data: data})
		}
		mustPublish(t, s, p)
	}
}

// serverMicros is the processor time that the server has used.
func serverMicros(t testing.TB, client *redis.Client) float64 {
	t.Helper()
	info, err := client.Info(t.Context(), "cpu").Result()
	if err != nil {
		t.Fatalf("info: %v", err)
	}
	var sum float64
	for line := range strings.Lines(info) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if name == "used_cpu_sys_main_thread" || name == "used_cpu_user_main_thread" {
			seconds, err := strconv.ParseFloat(value, 64)
			if err != nil {
				t.Fatalf("info cpu: %v", err)
			}
			sum += seconds * 1e6
		}
	}
	return sum
}
