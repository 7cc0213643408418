// Package web measures what a middleware adds to a request: its ns/op less
// those of the same router without one ("none"). Every middleware counts
// requests by method, route and code, and observes durations by route, and
// what it counted is read back.
package web

import (
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/go-batteries/hawkeye"
)

const (
	path  = "/users/7"
	route = "/users/{id}"
)

// writer is the cheapest there is.
type writer struct{ header http.Header }

func (w *writer) Header() http.Header       { return w.header }
func (*writer) WriteHeader(int)             {}
func (*writer) Write(p []byte) (int, error) { return len(p), nil }

// loop serves b.N requests on GOMAXPROCS goroutines.
func loop(b *testing.B, h http.Handler) {
	b.Helper()
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		r, err := http.NewRequest(http.MethodGet, path, nil)
		if err != nil {
			b.Error(err)
			return
		}
		w := &writer{header: http.Header{}}
		for pb.Next() {
			h.ServeHTTP(w, r)
		}
	})
	b.StopTimer()
}

func delivered(b *testing.B, what string, got float64) {
	b.Helper()
	if got != float64(b.N) {
		b.Errorf("%s: delivered %v of %d", what, got, b.N)
	}
}

// start returns an instance that runs with its defaults.
func start(b *testing.B) *hawkeye.Hawkeye {
	b.Helper()
	h, err := hawkeye.New(hawkeye.WithoutSocket(), hawkeye.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		b.Fatal(err)
	}
	if err := h.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	return h
}

// stop reads back what h counted and ends it.
func stop(b *testing.B, h *hawkeye.Hawkeye) {
	b.Helper()
	for _, metric := range []string{"http.requests", "http.response.204", "http.request.duration"} {
		res, err := h.Query(b.Context(), metric, 4*time.Minute, `method="GET"`)
		if err != nil {
			b.Fatal(err)
		}
		delivered(b, metric, res.Count)
	}
	if err := h.Shutdown(b.Context()); err != nil {
		b.Fatal(err)
	}
}

// prom is the pair of metrics that peers are given.
type prom struct {
	requests  *prometheus.CounterVec
	durations *prometheus.HistogramVec
}

func newProm(labels ...string) *prom {
	return &prom{
		requests:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "http_requests_total"}, labels),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "http_request_duration_seconds"}, labels),
	}
}

func (p *prom) delivered(b *testing.B) {
	b.Helper()
	reg := prometheus.NewRegistry()
	reg.MustRegister(p.requests, p.durations)
	delivered(b, "requests", gathered(b, reg, "http_requests_total"))
	delivered(b, "durations", gathered(b, reg, "http_request_duration_seconds"))
}

// gathered is how much a family counted, over all its labels.
func gathered(b *testing.B, reg prometheus.Gatherer, name string) (sum float64) {
	b.Helper()
	families, err := reg.Gather()
	if err != nil {
		b.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			sum += m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount()+m.GetSummary().GetSampleCount())
		}
	}
	return sum
}

// observed is how many values an OpenTelemetry histogram has.
func observed(b *testing.B, reader *metric.ManualReader, name string) (sum float64) {
	b.Helper()
	var out metricdata.ResourceMetrics
	if err := reader.Collect(b.Context(), &out); err != nil {
		b.Fatal(err)
	}
	for _, scope := range out.ScopeMetrics {
		for _, m := range scope.Metrics {
			if data, ok := m.Data.(metricdata.Histogram[float64]); ok && m.Name == name {
				for _, p := range data.DataPoints {
					sum += float64(p.Count)
				}
			}
		}
	}
	return sum
}
