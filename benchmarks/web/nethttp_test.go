package web

import (
	"net/http"
	"strconv"
	"testing"

	"github.com/felixge/httpsnoop"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	slok "github.com/slok/go-http-metrics/metrics/prometheus"
	"github.com/slok/go-http-metrics/middleware"
	"github.com/slok/go-http-metrics/middleware/std"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/trace/noop"
)

// BenchmarkNetHTTP is a ServeMux with one route, and a middleware around it.
func BenchmarkNetHTTP(b *testing.B) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+route, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })

	b.Run("none", func(b *testing.B) { loop(b, mux) })
	b.Run("hawkeye", func(b *testing.B) {
		h := start(b)
		loop(b, h.Middleware(mux))
		stop(b, h)
	})
	b.Run("httpsnoop", func(b *testing.B) { // counting by hand with client_golang
		p := newProm("method", "route", "code")
		loop(b, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			m := httpsnoop.CaptureMetrics(mux, w, r)
			code := strconv.Itoa(m.Code)
			p.requests.WithLabelValues(r.Method, r.Pattern, code).Inc()
			p.durations.WithLabelValues(r.Method, r.Pattern, code).Observe(m.Duration.Seconds())
		}))
		p.delivered(b)
	})
	b.Run("slok", func(b *testing.B) { // its histogram counts the requests, too
		reg := prometheus.NewRegistry()
		m := middleware.New(middleware.Config{
			Recorder:               slok.NewRecorder(slok.Config{Registry: reg}),
			DisableMeasureSize:     true,
			DisableMeasureInflight: true,
		})
		loop(b, std.Handler(route, m, mux))
		delivered(b, "durations", gathered(b, reg, "http_request_duration_seconds"))
	})
	b.Run("promhttp", func(b *testing.B) { // knows no routes: this is one handler's
		p := newProm("method", "code")
		loop(b, promhttp.InstrumentHandlerCounter(p.requests, promhttp.InstrumentHandlerDuration(p.durations, mux)))
		p.delivered(b)
	})
	b.Run("otelhttp", func(b *testing.B) { // without traces
		reader := metric.NewManualReader()
		loop(b, otelhttp.NewHandler(mux, "server",
			otelhttp.WithMeterProvider(metric.NewMeterProvider(metric.WithReader(reader))),
			otelhttp.WithTracerProvider(noop.NewTracerProvider())))
		delivered(b, "durations", observed(b, reader, "http.server.request.duration"))
	})
}
