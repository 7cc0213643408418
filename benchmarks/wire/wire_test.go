// Package wire measures what other processes send: statsd lines and JSON-RPC
// calls, parsed, over real sockets, and counted in full.
package wire

import (
	"context"
	"log/slog"
	"net"
	"path/filepath"
	"testing"

	"github.com/go-batteries/hawkeye/internal/bucket"
	"github.com/go-batteries/hawkeye/internal/intake"
	"github.com/go-batteries/hawkeye/internal/series"
)

// line is what clients count, in DogStatsD's grammar.
const line = "http.requests:1|c|#method:GET,route:/api/orders/17,status:2xx"

// sum is everything that was counted in reg.
func sum(reg *series.Registry) (sum float64) {
	var data bucket.Bucket
	reg.Collect(&data, false)
	for _, c := range data.Counters {
		sum += float64(c.Delta) / bucket.Unit
	}
	return sum
}

// delivered asserts that as much was counted as was sent.
func delivered(b *testing.B, got, want float64) {
	b.Helper()
	if got != want {
		b.Errorf("delivered %v of %v", got, want)
	}
}

// serve runs hawkeye's server at a unix socket until stop, which returns when
// all that was sent is counted.
func serve(b *testing.B) (reg *series.Registry, path string, stop func()) {
	b.Helper()
	reg = series.New(series.Limits{})
	path = filepath.Join(b.TempDir(), "s")
	s, err := intake.New(intake.Config{Registry: reg, Socket: path, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	if err := s.Listen(); err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	return reg, path, func() {
		cancel()
		if err := <-done; err != nil {
			b.Error(err)
		}
	}
}

func dial(b *testing.B, network, address string) net.Conn {
	b.Helper()
	c, err := net.Dial(network, address)
	if err != nil {
		b.Fatal(err)
	}
	return c
}
