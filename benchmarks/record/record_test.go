// Package record measures the calls that a host's own code makes: a counter by
// handle and by name, a histogram. hawkeye is measured through its public
// handle, of an instance that runs with its defaults and so flushes and
// evaluates meanwhile.
//
// What every library was given is read back and compared with the number of
// calls: nanoseconds of a call that delivers nothing mean nothing.
package record

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/go-batteries/hawkeye"
)

// series is how many series the benchmarks by name go through.
const series = 100

// The tags of series i, the same for every library.
func values(i int) (method, route, status string) {
	return "GET", fmt.Sprintf("/api/orders/%d", i), "2xx"
}

// start returns an instance that runs until the end of the benchmark.
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
func stop(b *testing.B, h *hawkeye.Hawkeye, metric string) {
	b.Helper()
	b.StopTimer()
	res, err := h.Query(b.Context(), metric, 4*time.Minute)
	if err != nil {
		b.Fatal(err)
	}
	delivered(b, res.Count)
	if err := h.Shutdown(b.Context()); err != nil {
		b.Fatal(err)
	}
}

// delivered asserts that as much arrived as was recorded.
func delivered(b *testing.B, got float64) {
	b.Helper()
	if got != float64(b.N) {
		b.Errorf("delivered %v of %d", got, b.N)
	}
}

// loop runs body in GOMAXPROCS goroutines, b.N turns in all. Bodies call what
// they measure directly: a closure in between costs as much as a counter.
func loop(b *testing.B, body func(pb *testing.PB)) {
	b.Helper()
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(body)
	b.StopTimer()
}

// next is the series after i.
func next(i int) int {
	if i++; i < series {
		return i
	}
	return 0
}
