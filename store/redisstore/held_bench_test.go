//go:build unix

package redisstore_test

import (
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/go-batteries/hawkeye/internal/bucket"
	"github.com/go-batteries/hawkeye/internal/feed"
	"github.com/go-batteries/hawkeye/internal/samples/clock"
	"github.com/go-batteries/hawkeye/internal/window"
	"github.com/go-batteries/hawkeye/store"
	"github.com/go-batteries/hawkeye/store/redisstore"
	"github.com/go-batteries/hawkeye/store/redisstore/redistest"
)

// commands returns how many of some commands a server has carried out.
func commands(b *testing.B, client *redis.Client, names ...string) (n float64) {
	b.Helper()
	for line := range strings.Lines(client.Info(b.Context(), "commandstats").Val()) {
		for _, name := range names {
			if calls, ok := strings.CutPrefix(line, "cmdstat_"+name+":calls="); ok {
				calls, _, _ = strings.Cut(calls, ",")
				v, _ := strconv.ParseFloat(calls, 64)
				n += v
			}
		}
	}
	return n
}

// BenchmarkHeld is what it costs whoever evaluates to hold a minute of 100
// processes that are gone, 200 of whose series change, and to publish it again
// after a FLUSHALL: 6,000 buckets.
func BenchmarkHeld(b *testing.B) {
	const writers, ticks, series = 100, 60, 200
	client := redistest.Start(b, redistest.Config{}).Client()
	s := redisstore.New(client, redisstore.WithTick(time.Second), redisstore.WithLogger(quiet))
	clock := clock.New(time.Second)
	now, err := s.Now(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	clock.Observe(now, time.Now(), time.Now())
	last := clock.NowTick() - 1
	var names []store.Name
	one := &bucket.Bucket{}
	for i := range uint64(series) {
		names = append(names, store.Name{ID: i << 40, Text: "c|hits|of=" + strconv.FormatUint(i, 10)})
		one.Counters = append(one.Counters, bucket.Counter{ID: i << 40, Delta: bucket.Unit})
	}
	data := bucket.Append(nil, one)
	for range writers {
		id := store.NewID()
		p := store.Publication{Writer: id, Names: names}
		for n := range int64(ticks) {
			p.Buckets = append(p.Buckets, store.Bucket{Tick: last - 15 - n, Writer: id, Data: data})
		}
		mustPublish(b, s, p)
	}
	heap := func() float64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc)
	}
	for b.Loop() {
		f := feed.New(feed.Config{
			Store: s, Clock: clock, Logger: quiet, Runs: feed.NewRuns(0, 1<<62),
			Queries: []window.Query{{Selector: window.Selector{Metric: "hits"}, Window: 4 * time.Minute, Aggregate: "sum"}},
		})
		if err := f.SeekTo(b.Context(), last); err != nil {
			b.Fatal(err)
		}
		if _, err := f.Next(b.Context()); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(f.Stats().HeldBytes)/1e6, "MB-held")
		with := heap()
		client.FlushAll(b.Context())
		before := commands(b, client, "hsetnx", "eval", "hlen")
		began := time.Now()
		for f.Stats().FineAgain < writers*ticks && time.Since(began) < time.Minute {
			if _, err := f.Next(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(time.Since(began).Seconds(), "s/again")
		b.ReportMetric((commands(b, client, "hsetnx", "eval", "hlen")-before)/(writers*ticks), "commands/bucket")
		f.Leave(b.Context())
		b.ReportMetric((with-heap())/1e6, "MB-heap")
	}
	b.ReportMetric(float64(len(data)), "B/bucket")
}
