package engine

import (
	"fmt"
	"io"
	"runtime"
	"testing"

	vm "github.com/VictoriaMetrics/metrics"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/go-batteries/hawkeye/internal/bucket"
	"github.com/go-batteries/hawkeye/internal/series"
)

// flushed is how many series there are.
const flushed = 100_000

// BenchmarkFlush is a tick's end with 100,000 counters, of which none, 1,000
// or all were counted in the tick: what they gained is collected and encoded
// as the store gets it. Peers collect or write out all of theirs, as a scrape
// makes them do.
func BenchmarkFlush(b *testing.B) {
	for _, busy := range []int{0, 1_000, flushed} {
		b.Run(fmt.Sprintf("hawkeye/busy=%d", busy), func(b *testing.B) {
			r := series.New(series.Limits{MaxSeries: flushed})
			counters := make([]*series.Counter, flushed)
			for i := range counters {
				counters[i] = r.Counter("http.requests", tags(fmt.Sprint("/api/orders/", i))...)
			}
			var data bucket.Bucket
			var encoded []byte
			r.Collect(&data, false)
			got := 0.0
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				b.StopTimer()
				for i := range busy {
					counters[i*(flushed/busy)].Inc()
				}
				b.StartTimer()
				r.Collect(&data, false)
				encoded = bucket.Append(encoded[:0], &data)
				b.StopTimer()
				got += sum(&data)
				b.StartTimer()
			}
			b.StopTimer()
			if want := float64(busy) * float64(b.N); got != want {
				b.Errorf("delivered %v of %v", got, want)
			}
		})
	}
	b.Run("VictoriaMetrics", func(b *testing.B) {
		set := vm.NewSet()
		for i := range flushed {
			set.GetOrCreateCounter(fmt.Sprintf(`http_requests{method="GET",route="/api/orders/%d",status="2xx"}`, i)).Inc()
		}
		b.ReportAllocs()
		for b.Loop() {
			set.WritePrometheus(io.Discard)
		}
	})
	b.Run("client_golang", func(b *testing.B) {
		vec := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "http_requests"}, []string{"method", "route", "status"})
		for i := range flushed {
			vec.WithLabelValues("GET", fmt.Sprint("/api/orders/", i), "2xx").Inc()
		}
		reg := prometheus.NewRegistry()
		reg.MustRegister(vec)
		b.ReportAllocs()
		for b.Loop() {
			families, err := reg.Gather()
			if err != nil || len(families) != 1 || len(families[0].GetMetric()) != flushed {
				b.Fatal("gathered too little", err)
			}
		}
	})
}

// BenchmarkMemory is what a counter with 3 tags takes, among 10,000. The tags'
// values are there before. The number of stripes follows from -cpu.
func BenchmarkMemory(b *testing.B) {
	const n = series.DefaultMaxSeries
	routes := make([]string, n)
	for i := range routes {
		routes[i] = fmt.Sprint("/api/orders/", i)
	}
	measure := func(b *testing.B, fill func() any) {
		for b.Loop() {
			before := heap()
			kept := fill()
			after := heap()
			b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "B/series")
			b.ReportMetric(float64(after.HeapObjects-before.HeapObjects)/n, "objects/series")
			runtime.KeepAlive(kept)
		}
	}
	b.Run("hawkeye", func(b *testing.B) {
		data := bucket.Bucket{Counters: make([]bucket.Counter, 0, n)}
		measure(b, func() any {
			r := series.New(series.Limits{})
			for i := range n {
				r.Count("http.requests", 1, tags(routes[i]))
			}
			r.Collect(&data, false)
			_, cursor := r.Names(0)
			r.Names(cursor)
			if got := sum(&data); got != n {
				b.Errorf("delivered %v of %d", got, n)
			}
			return r
		})
	})
	b.Run("VictoriaMetrics", func(b *testing.B) {
		measure(b, func() any {
			set := vm.NewSet()
			for i := range n {
				set.GetOrCreateCounter(fmt.Sprintf(`http_requests{method="GET",route=%q,status="2xx"}`, routes[i])).Inc()
			}
			return set
		})
	})
	b.Run("client_golang", func(b *testing.B) {
		measure(b, func() any {
			vec := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "http_requests"}, []string{"method", "route", "status"})
			for i := range n {
				vec.WithLabelValues("GET", routes[i], "2xx").Inc()
			}
			return vec
		})
	})
}
