package series

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/go-batteries/hawkeye/internal/bucket"
)

var benchTags = []Tag{{"method", "GET"}, {"route", "/api/orders/:id"}, {"status", "2xx"}}

func BenchmarkCounterHandle(b *testing.B) {
	c := New(Limits{}).Counter("http.requests", benchTags...)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			c.Inc()
		}
	})
}

func BenchmarkCounterHandleFloat(b *testing.B) {
	c := New(Limits{}).Counter("http.requests", benchTags...)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			c.AddFloat(1.5)
		}
	})
}

func BenchmarkCounterHandleBig(b *testing.B) {
	c := New(Limits{}).Counter("http.bytes", benchTags...)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			c.Add(100_000)
		}
	})
}

// BenchmarkCounterName calls for one of 100 series by name and 3 tags.
func BenchmarkCounterName(b *testing.B) {
	r := New(Limits{})
	tags := make([][]Tag, 100)
	for i := range tags {
		tags[i] = []Tag{{"method", "GET"}, {"route", fmt.Sprintf("/api/orders/%d", i)}, {"status", "2xx"}}
		r.Counter("http.requests", tags[i]...)
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			r.Count("http.requests", 1, tags[i%len(tags)])
		}
	})
}

func BenchmarkCounterBytes(b *testing.B) {
	r := New(Limits{})
	name, tags := []byte("http.requests"), []byte("method:GET,route:/api/orders/17,status:2xx")
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r.CounterBytes(name, tags).Inc()
		}
	})
}

func BenchmarkHistogramHandle(b *testing.B) {
	h := New(Limits{}).Histogram("http.request.duration", benchTags...)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			h.Observe(0.001 * float64(i&1023+1))
		}
	})
}

func BenchmarkGaugeSet(b *testing.B) {
	g := New(Limits{}).Gauge("queue.length")
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			g.Set(float64(i))
		}
	})
}

func BenchmarkSetAdd(b *testing.B) {
	s := New(Limits{}).Set("users")
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			s.AddHash(uint64(i & 1023))
		}
	})
}

func benchRegistry(n int) (*Registry, []*Counter) {
	r := New(Limits{MaxSeries: n})
	counters := make([]*Counter, n)
	for i := range counters {
		counters[i] = r.Counter("http.requests", Tag{"method", "GET"}, Tag{"route", fmt.Sprintf("/api/orders/%d", i)}, Tag{"status", "2xx"})
	}
	return r, counters
}

func BenchmarkCollect100kIdle(b *testing.B)   { benchmarkCollect(b, 0) }
func BenchmarkCollect100kActive(b *testing.B) { benchmarkCollect(b, 100_000) }

func benchmarkCollect(b *testing.B, active int) {
	r, counters := benchRegistry(100_000)
	var data bucket.Bucket
	for b.Loop() {
		if active > 0 {
			b.StopTimer()
			for _, c := range counters[:active] {
				c.Inc()
			}
			b.StartTimer()
		}
		r.Collect(&data, false)
		if len(data.Counters) < active {
			b.Fatalf("Collect returned %d counters, want %d", len(data.Counters), active)
		}
	}
}

func BenchmarkCollect1kHistograms(b *testing.B) {
	r := New(Limits{})
	hists := make([]*Histogram, 1000)
	for i := range hists {
		hists[i] = r.Histogram("duration", Tag{"route", fmt.Sprint(i)})
	}
	var data bucket.Bucket
	for b.Loop() {
		for i, h := range hists {
			h.Observe(float64(i))
			h.Observe(0.001 * float64(i+1))
		}
		r.Collect(&data, false)
	}
}

// BenchmarkMemory reports what a counter series with three tags takes when a
// registry holds as many as it does by default.
func BenchmarkMemory(b *testing.B) {
	const n = DefaultMaxSeries
	routes := make([]string, n)
	for i := range routes {
		routes[i] = fmt.Sprintf("/api/orders/%d", i)
	}
	var data bucket.Bucket
	data.Counters = make([]bucket.Counter, 0, n)
	heap := func() (m runtime.MemStats) {
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m
	}
	for b.Loop() {
		before := heap()
		r := New(Limits{})
		for i := range n {
			r.Count("http.requests", 1, []Tag{{"method", "GET"}, {"route", routes[i]}, {"status", "2xx"}})
		}
		r.Collect(&data, false)
		_, cursor := r.Names(0)
		r.Names(cursor)
		after := heap()
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "B/series")
		b.ReportMetric(float64(after.HeapObjects-before.HeapObjects)/n, "objects/series")
		runtime.KeepAlive(r)
	}
}
