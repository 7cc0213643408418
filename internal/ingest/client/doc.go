// Package client hands over what a process records to the process that serves
// the socket.
//
//	series.Registry ─ Collect ─→ bucket ─ lineWriter ─→ chunk ─ Metric.Handle ─→ server
//	     cells                   deltas   statsd lines   a call      JSON-RPC      │
//	                                                       ↑─────── answer ────────┘
//
// A [Relay] has one goroutine, which owns the connection, the bucket and the
// call under way. It collects only when the call before was acknowledged, and
// so memory is bounded by the registry: while the server is away sums go on in
// its cells. A call that was written whole and has no answer is made again, at
// most twice: it counts twice if the server counted it and died without
// answering.
//
// Ping, Flush and Close are called from goroutines of the user's, which ask the
// relay's goroutine and wait for its answer, each until its own context ends.
package client

import (
	"log/slog"
	"time"
)

// Config is what a [Relay] needs to know.
type Config struct {
	Interval  time.Duration // between two calls
	MaxSeries int           // that the registry has room for
	Logger    *slog.Logger
}

// Stats are counts since the start. In samples, unless something else is said:
// a counter's sample is 1 counted; a histogram's an observation; a gauge's a
// change of its value.
type Stats struct {
	Connected bool
	Connects  uint64 // connections that were made
	LastError error  // why the last attempt failed, nil after one that didn't

	Sent     uint64 // acknowledged
	Pending  uint64 // recorded and not acknowledged yet
	Repeated uint64 // sent a second time, for the first had no answer: may count twice
	Dropped  uint64 // given up: left at Close, recorded after it, or thrice unanswered

	RejectedLines uint64 // statsd lines that the server refused
}
