package record

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"
	"testing"

	"github.com/DataDog/datadog-go/v5/statsd"
	vm "github.com/VictoriaMetrics/metrics"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/puzpuzpuz/xsync/v4"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/go-batteries/hawkeye"
)

// BenchmarkCounterHandle adds 1 to one counter that was looked up beforehand.
func BenchmarkCounterHandle(b *testing.B) {
	method, route, status := values(0)
	b.Run("hawkeye", func(b *testing.B) {
		h := start(b)
		c := h.Counter("http.requests", hawkeye.T("method", method), hawkeye.T("route", route), hawkeye.T("status", status))
		loop(b, func(pb *testing.PB) {
			for pb.Next() {
				c.Inc()
			}
		})
		stop(b, h, "http.requests")
	})
	b.Run("VictoriaMetrics", func(b *testing.B) {
		c := vm.NewSet().GetOrCreateCounter(text(0))
		loop(b, func(pb *testing.PB) {
			for pb.Next() {
				c.Inc()
			}
		})
		delivered(b, float64(c.Get()))
	})
	b.Run("client_golang", func(b *testing.B) {
		c := promCounters().WithLabelValues(method, route, status)
		loop(b, func(pb *testing.PB) {
			for pb.Next() {
				c.Inc()
			}
		})
		delivered(b, promValue(b, c))
	})
	b.Run("OpenTelemetry", func(b *testing.B) {
		reader, c := otelCounter(b)
		ctx, attrs := context.Background(), metric.WithAttributeSet(attribute.NewSet(otelTags(0)...))
		loop(b, func(pb *testing.PB) {
			for pb.Next() {
				c.Add(ctx, 1, attrs)
			}
		})
		delivered(b, otelSum(b, reader))
	})
	b.Run("xsync.Counter", func(b *testing.B) { // cells alone, without names
		c := xsync.NewCounter()
		loop(b, func(pb *testing.PB) {
			for pb.Next() {
				c.Inc()
			}
		})
		delivered(b, float64(c.Value()))
	})
	b.Run("atomic.Int64", func(b *testing.B) { // what one would write by hand
		var c atomic.Int64
		loop(b, func(pb *testing.PB) {
			for pb.Next() {
				c.Add(1)
			}
		})
		delivered(b, float64(c.Load()))
	})
}

// BenchmarkCounterName adds 1 to one of 100 counters by name and 3 tags.
func BenchmarkCounterName(b *testing.B) {
	b.Run("hawkeye", func(b *testing.B) {
		h := start(b)
		var tags [series][3]hawkeye.Tag
		for i := range tags {
			method, route, status := values(i)
			tags[i] = [3]hawkeye.Tag{{Key: "method", Value: method}, {Key: "route", Value: route}, {Key: "status", Value: status}}
		}
		loop(b, func(pb *testing.PB) {
			for i := 0; pb.Next(); i = next(i) {
				h.Incr("http.requests", tags[i][:]...)
			}
		})
		stop(b, h, "http.requests")
	})
	b.Run("VictoriaMetrics", func(b *testing.B) {
		set := vm.NewSet()
		var all [series][3]string
		for i := range all {
			all[i][0], all[i][1], all[i][2] = values(i)
		}
		loop(b, func(pb *testing.PB) {
			for i := 0; pb.Next(); i = next(i) {
				v := &all[i]
				set.GetOrCreateCounter(`http_requests{method="` + v[0] + `",route="` + v[1] + `",status="` + v[2] + `"}`).Inc()
			}
		})
		sum := uint64(0)
		for i := range all {
			sum += set.GetOrCreateCounter(text(i)).Get()
		}
		delivered(b, float64(sum))
	})
	b.Run("VictoriaMetrics_prepared", func(b *testing.B) {
		set := vm.NewSet()
		var texts [series]string
		for i := range texts {
			texts[i] = text(i)
		}
		loop(b, func(pb *testing.PB) {
			for i := 0; pb.Next(); i = next(i) {
				set.GetOrCreateCounter(texts[i]).Inc()
			}
		})
		sum := uint64(0)
		for i := range texts {
			sum += set.GetOrCreateCounter(texts[i]).Get()
		}
		delivered(b, float64(sum))
	})
	b.Run("client_golang", func(b *testing.B) {
		vec := promCounters()
		var all [series][3]string
		for i := range all {
			all[i][0], all[i][1], all[i][2] = values(i)
		}
		loop(b, func(pb *testing.PB) {
			for i := 0; pb.Next(); i = next(i) {
				vec.WithLabelValues(all[i][0], all[i][1], all[i][2]).Inc()
			}
		})
		sum := 0.0
		for i := range min(series, b.N) {
			sum += promValue(b, vec.WithLabelValues(values(i)))
		}
		delivered(b, sum)
	})
	b.Run("OpenTelemetry", func(b *testing.B) {
		reader, c := otelCounter(b)
		ctx := context.Background()
		var tags [series][]attribute.KeyValue
		for i := range tags {
			tags[i] = otelTags(i)
		}
		loop(b, func(pb *testing.PB) {
			for i := 0; pb.Next(); i = next(i) {
				c.Add(ctx, 1, metric.WithAttributes(tags[i]...))
			}
		})
		delivered(b, otelSum(b, reader))
	})
	b.Run("datadog-go", func(b *testing.B) { // aggregating in the process, as by default
		sink := new(lines)
		c, err := statsd.NewWithWriter(sink, statsd.WithoutTelemetry(), statsd.WithoutOriginDetection())
		if err != nil {
			b.Fatal(err)
		}
		var tags [series][]string
		for i := range tags {
			method, route, status := values(i)
			tags[i] = []string{"method:" + method, "route:" + route, "status:" + status}
		}
		loop(b, func(pb *testing.PB) {
			for i := 0; pb.Next(); i = next(i) {
				_ = c.Incr("http.requests", tags[i], 1)
			}
		})
		if err := c.Close(); err != nil {
			b.Fatal(err)
		}
		delivered(b, float64(sink.sum.Load()))
	})
}

func text(i int) string {
	method, route, status := values(i)
	return fmt.Sprintf(`http_requests{method=%q,route=%q,status=%q}`, method, route, status)
}

func promCounters() *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "http_requests"}, []string{"method", "route", "status"})
}

func promValue(b *testing.B, m prometheus.Metric) float64 {
	b.Helper()
	var out dto.Metric
	if err := m.Write(&out); err != nil {
		b.Fatal(err)
	}
	return out.GetCounter().GetValue()
}

func otelCounter(b *testing.B) (*sdk.ManualReader, metric.Int64Counter) {
	b.Helper()
	reader := sdk.NewManualReader()
	c, err := sdk.NewMeterProvider(sdk.WithReader(reader)).Meter("benchmark").Int64Counter("http.requests")
	if err != nil {
		b.Fatal(err)
	}
	return reader, c
}

func otelTags(i int) []attribute.KeyValue {
	method, route, status := values(i)
	return []attribute.KeyValue{attribute.String("method", method), attribute.String("route", route), attribute.String("status", status)}
}

func otelSum(b *testing.B, reader *sdk.ManualReader) (sum float64) {
	b.Helper()
	var out metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &out); err != nil {
		b.Fatal(err)
	}
	for _, scope := range out.ScopeMetrics {
		for _, m := range scope.Metrics {
			switch data := m.Data.(type) {
			case metricdata.Sum[int64]:
				for _, p := range data.DataPoints {
					sum += float64(p.Value)
				}
			case metricdata.ExponentialHistogram[float64]:
				for _, p := range data.DataPoints {
					sum += float64(p.Count)
				}
			}
		}
	}
	return sum
}

// lines sums the counters that it is sent.
type lines struct{ sum atomic.Int64 }

var _ io.WriteCloser = (*lines)(nil)

func (l *lines) Write(p []byte) (int, error) {
	for i := 0; i+2 < len(p); i++ {
		if p[i] != ':' || !isDigit(p[i+1]) {
			continue
		}
		n := int64(0)
		for i++; i < len(p) && isDigit(p[i]); i++ {
			n = 10*n + int64(p[i]-'0')
		}
		if i+1 < len(p) && p[i] == '|' && p[i+1] == 'c' {
			l.sum.Add(n)
		}
	}
	return len(p), nil
}

func (l *lines) Close() error { return nil }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
