package record

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/DataDog/sketches-go/ddsketch"
	"github.com/HdrHistogram/hdrhistogram-go"
	vm "github.com/VictoriaMetrics/metrics"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	sdk "go.opentelemetry.io/otel/sdk/metric"

	"github.com/go-batteries/hawkeye"
)

// BenchmarkHistogramObserve observes durations of 1 ms to 1 s in one histogram
// that was looked up beforehand. The sketches aren't safe for concurrent use
// and get a mutex, as one would have to give them.
func BenchmarkHistogramObserve(b *testing.B) {
	method, route, status := values(0)
	b.Run("hawkeye", func(b *testing.B) {
		h := start(b)
		x := h.Histogram("http.duration", hawkeye.T("method", method), hawkeye.T("route", route), hawkeye.T("status", status))
		loop(b, func(pb *testing.PB) {
			for i := 0; pb.Next(); i++ {
				x.Observe(seconds(i))
			}
		})
		stop(b, h, "http.duration")
	})
	b.Run("VictoriaMetrics", func(b *testing.B) {
		x := vm.NewSet().GetOrCreateHistogram(text(0))
		loop(b, func(pb *testing.PB) {
			for i := 0; pb.Next(); i++ {
				x.Update(seconds(i))
			}
		})
		count := uint64(0)
		x.VisitNonZeroBuckets(func(_ string, n uint64) { count += n })
		delivered(b, float64(count))
	})
	b.Run("client_golang", func(b *testing.B) { // its 11 default buckets
		x := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "http_duration"})
		loop(b, func(pb *testing.PB) {
			for i := 0; pb.Next(); i++ {
				x.Observe(seconds(i))
			}
		})
		delivered(b, promCount(b, x))
	})
	b.Run("client_golang_native", func(b *testing.B) { // at most 2.2 % wide
		x := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "http_duration", NativeHistogramBucketFactor: 1.03})
		loop(b, func(pb *testing.PB) {
			for i := 0; pb.Next(); i++ {
				x.Observe(seconds(i))
			}
		})
		delivered(b, promCount(b, x))
	})
	b.Run("OpenTelemetry_exponential", func(b *testing.B) {
		reader := sdk.NewManualReader()
		view := sdk.NewView(sdk.Instrument{Name: "http.duration"},
			sdk.Stream{Aggregation: sdk.AggregationBase2ExponentialHistogram{MaxSize: 1024, MaxScale: 5}})
		x, err := sdk.NewMeterProvider(sdk.WithReader(reader), sdk.WithView(view)).Meter("benchmark").Float64Histogram("http.duration")
		if err != nil {
			b.Fatal(err)
		}
		ctx := context.Background()
		loop(b, func(pb *testing.PB) {
			for i := 0; pb.Next(); i++ {
				x.Record(ctx, seconds(i))
			}
		})
		delivered(b, otelSum(b, reader))
	})
	b.Run("DDSketch", func(b *testing.B) {
		x, err := ddsketch.NewDefaultDDSketch(0.016)
		if err != nil {
			b.Fatal(err)
		}
		var mu sync.Mutex
		loop(b, func(pb *testing.PB) {
			for i := 0; pb.Next(); i++ {
				mu.Lock()
				_ = x.Add(seconds(i))
				mu.Unlock()
			}
		})
		delivered(b, x.GetCount())
	})
	b.Run("HdrHistogram", func(b *testing.B) { // in microseconds up to an hour
		x := hdrhistogram.New(1, int64(time.Hour/time.Microsecond), 2)
		var mu sync.Mutex
		loop(b, func(pb *testing.PB) {
			for i := 0; pb.Next(); i++ {
				mu.Lock()
				_ = x.RecordValue(int64(seconds(i) * 1e6))
				mu.Unlock()
			}
		})
		delivered(b, float64(x.TotalCount()))
	})
}

// seconds is the i-th duration: 1 ms to 1.024 s.
func seconds(i int) float64 { return 0.001 * float64(i&1023+1) }

func promCount(b *testing.B, m prometheus.Metric) float64 {
	b.Helper()
	var out dto.Metric
	if err := m.Write(&out); err != nil {
		b.Fatal(err)
	}
	return float64(out.GetHistogram().GetSampleCount())
}
