package hawkeye

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/go-batteries/hawkeye/internal/guard"
	"github.com/go-batteries/hawkeye/internal/ingest/client"
	"github.com/go-batteries/hawkeye/internal/series"
)

// DefaultFlushInterval is how often a [Client] hands over what it summed.
const DefaultFlushInterval = 100 * time.Millisecond

// maxSocketPath is what fits into a socket address on every system.
const maxSocketPath = 103

// Client records in another process than the one that serves the socket. It
// has the recording methods of [Hawkeye], and they cost the same: they add to
// cells in this process, never block, and never wait for the socket. Every
// [WithFlushInterval] the sums are handed over, as JSON-RPC calls of many
// statsd lines each, which the server acknowledges.
//
// The Client connects when it first has something to hand over, and again,
// with backoff, whenever the connection is lost. While the server is away the
// sums go on in the cells, so that nothing is dropped however long it takes
// and memory stays bounded by the number of series ([WithMaxSeries]). All of
// it counts at the moment in which it is handed over. A gauge keeps its last
// value, and all gauges are sent again on a new connection, for the server
// may be a new process.
//
// Names and tags that statsd lines can't carry are changed: ':' and '|' in
// names and keys, ',' and '|' in values become '_'. A histogram's buckets
// arrive as they are, its sum to within rounding.
//
// # What a dying server loses or repeats
//
// One call is under way at a time. If the connection dies before a call was
// written whole, the server can't have read it, and it is made again: exact.
// If it dies after that and before the answer, the server either had not
// counted it yet, or died in the very moment in between. The call is made
// again, at most twice, and counted in [ClientStats].Repeated. It counts
// twice only if the server counted it, stored it, and died without answering.
// The alternative, not to repeat it, would lose a call whenever a server is
// killed that is behind with its reading, and that is when counts matter. A
// server that ends by Shutdown answers all it has counted, and so costs
// nothing. What a killed server had acknowledged and not yet stored is lost
// with it.
//
// All methods are safe for concurrent use. A nil *Client is a working
// recorder that does nothing.
type Client struct {
	reg   *series.Registry
	relay *client.Relay
}

// ClientOption changes what [NewClient] makes.
type ClientOption interface{ applyClient(*clientConfig) }

type clientOptionFunc func(*clientConfig)

func (f clientOptionFunc) applyClient(c *clientConfig) { f(c) }

type clientConfig struct {
	interval  time.Duration
	maxSeries int
	logger    *slog.Logger
}

// WithFlushInterval sets how often a [Client] hands over what it summed;
// at least 1 ms. Default [DefaultFlushInterval].
func WithFlushInterval(d time.Duration) ClientOption {
	return clientOptionFunc(func(c *clientConfig) { c.interval = d })
}

// WithMaxSeries sets how many series (name and tags) a [Client] keeps, which
// bounds its memory. What comes beyond goes to one overflow series a name.
// Default 10,000.
func WithMaxSeries(n int) ClientOption {
	return clientOptionFunc(func(c *clientConfig) { c.maxSeries = n })
}

// WithClientLogger sets the logger of a [Client], which says when the server
// is lost and found. Default: [slog.Default] at the time of NewClient.
func WithClientLogger(l *slog.Logger) ClientOption {
	return clientOptionFunc(func(c *clientConfig) { c.logger = l })
}

// NewClient returns a client of the server at the socket path, which need not
// be there yet. Close it.
//
// It returns an error wrapping [ErrInvalidOption] that names every mistake.
func NewClient(path string, opts ...ClientOption) (*Client, error) {
	cfg := clientConfig{interval: DefaultFlushInterval, maxSeries: 10_000, logger: slog.Default()}
	var problems []error
	for i, opt := range opts {
		if opt == nil {
			problems = append(problems, fmt.Errorf("%w: NewClient: options[%d]: is nil", ErrInvalidOption, i))
			continue
		}
		opt.applyClient(&cfg)
	}
	if err := errors.Join(append(problems, cfg.validate(path))...); err != nil {
		return nil, err
	}
	cfg.logger = guard.Logger(cfg.logger)
	reg := series.New(series.Limits{MaxSeries: cfg.maxSeries})
	relay := client.Start(reg, path, client.Config{Interval: cfg.interval, MaxSeries: cfg.maxSeries, Logger: cfg.logger}, client.Dial(path))
	return &Client{reg: reg, relay: relay}, nil
}

func (c *clientConfig) validate(path string) error {
	var problems []error
	problem := func(option, text string) {
		problems = append(problems, fmt.Errorf("%w: %s: %s", ErrInvalidOption, option, text))
	}
	switch {
	case path == "":
		problem("NewClient", "want the path of a socket, got none")
	case len(path) > maxSocketPath || strings.IndexByte(path, 0) >= 0:
		problem("NewClient", fmt.Sprintf("want a socket path of at most %d bytes without NUL, got %q", maxSocketPath, path))
	}
	if c.interval < time.Millisecond {
		problem("WithFlushInterval", fmt.Sprintf("want at least 1ms, got %v", c.interval))
	}
	if c.maxSeries < 1 {
		problem("WithMaxSeries", fmt.Sprintf("want at least 1, got %d", c.maxSeries))
	}
	if c.logger == nil {
		problem("WithClientLogger", "want a logger, got nil; slog.New(slog.DiscardHandler) is silent")
	}
	return errors.Join(problems...)
}

// Ping asks the server for an answer, and connects if need be. It tries once.
func (c *Client) Ping(ctx context.Context) error {
	if c == nil {
		return nil
	}
	return c.relay.Ping(guard.Context(ctx))
}

// Flush waits until the server has acknowledged all that was recorded before
// the call. While the server is away it keeps trying until ctx ends, and then
// says why.
func (c *Client) Flush(ctx context.Context) error {
	if c == nil {
		return nil
	}
	return c.relay.Flush(guard.Context(ctx))
}

// Close hands over what was recorded, as Flush does, until ctx ends, but for
// 10 s at most, and closes the connection. It returns an error if something
// had to be dropped. What is recorded afterwards is dropped.
//
// It may be called more than once. The first caller's ctx bounds the handing
// over; others wait for it, each until its own ctx ends.
func (c *Client) Close(ctx context.Context) error {
	if c == nil {
		return nil
	}
	return c.relay.Close(guard.Context(ctx))
}

// ClientStats are counts since NewClient, in samples unless something else is
// said: a counter's sample is 1 counted, so that Add(5) is 5 of them; a
// histogram's an observation; a gauge's a change of its value, of which those
// between two flushes are one.
type ClientStats struct {
	Connected bool
	Connects  uint64 // connections that were made
	LastError error  // why the last attempt failed, nil after one that didn't

	Sent     uint64 // acknowledged
	Pending  uint64 // recorded and not acknowledged yet
	Repeated uint64 // sent a second time, for the first had no answer: may count twice
	Dropped  uint64 // given up: left at Close, recorded after it, or thrice unanswered

	RejectedLines  uint64 // statsd lines that the server refused
	RejectedValues uint64 // NaN and infinities
	Series         int    // series that there are now
	Overflowed     uint64 // recordings that found no room for a new series
}

// Stats returns counts of what became of what was recorded.
func (c *Client) Stats() ClientStats {
	if c == nil {
		return ClientStats{}
	}
	s, reg := c.relay.Stats(), c.reg.Stats()
	return ClientStats{
		Connected: s.Connected, Connects: s.Connects, LastError: s.LastError,
		Sent: s.Sent, Pending: s.Pending, Repeated: s.Repeated, Dropped: s.Dropped,
		RejectedLines: s.RejectedLines, RejectedValues: reg.RejectedValues, Series: reg.Series, Overflowed: reg.Overflowed,
	}
}

// Incr implements [Recorder].
func (c *Client) Incr(name string, tags ...Tag) { c.registry().Count(name, 1, tags) }

// Decr implements [Recorder].
func (c *Client) Decr(name string, tags ...Tag) { c.registry().Count(name, -1, tags) }

// Count implements [Recorder].
func (c *Client) Count(name string, n int64, tags ...Tag) {
	c.registry().Counter(name, tags...).Add(n)
}

// SetGauge implements [Recorder].
func (c *Client) SetGauge(name string, v float64, tags ...Tag) { c.registry().SetGauge(name, v, tags) }

// Timing implements [Recorder].
func (c *Client) Timing(name string, d time.Duration, tags ...Tag) {
	c.registry().Observe(name, milliseconds(d), tags)
}

// Observe implements [Recorder].
func (c *Client) Observe(name string, v float64, tags ...Tag) { c.registry().Observe(name, v, tags) }

// Counter is [Hawkeye.Counter] for a client.
func (c *Client) Counter(name string, tags ...Tag) *Counter {
	return (*Counter)(c.registry().Counter(name, tags...))
}

// Gauge is [Hawkeye.Gauge] for a client.
func (c *Client) Gauge(name string, tags ...Tag) *Gauge {
	return (*Gauge)(c.registry().Gauge(name, tags...))
}

// Histogram is [Hawkeye.Histogram] for a client.
func (c *Client) Histogram(name string, tags ...Tag) *Histogram {
	return (*Histogram)(c.registry().Histogram(name, tags...))
}

func (c *Client) registry() *series.Registry {
	if c == nil {
		return nil
	}
	return c.reg
}
