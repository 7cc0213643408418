package client

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/pprof"
	"slices"
	"sync"
	"time"

	"github.com/go-batteries/hawkeye/internal/bucket"
	"github.com/go-batteries/hawkeye/internal/guard"
	"github.com/go-batteries/hawkeye/internal/series"
)

const (
	// maxChunkBytes is where a call is full; the last line may go beyond.
	maxChunkBytes = 64 << 10
	// maxAttempts is how often a call is made that gets no answer.
	maxAttempts = 3

	minBackoff = 50 * time.Millisecond
	maxBackoff = 5 * time.Second
	closeLimit = 10 * time.Second
	// quietFor is after how long without a call the connection is tried
	// out, so that the gauges of a quiet process get to a new server.
	quietFor = time.Second
	// idleFor is after how long a series that didn't grow is dropped.
	idleFor = 10 * time.Minute
)

// Relay hands over what a registry gained. One goroutine, run, owns the
// connection and all that isn't under mu; it ends in close.
type Relay struct {
	reg      *series.Registry
	path     string
	interval time.Duration
	logger   *slog.Logger
	dial     DialFunc

	requests chan request
	closing  chan struct{} // closed by the first close
	closed   chan struct{} // closed when run has ended
	ctx      context.Context
	cancel   context.CancelFunc // ends the I/O of run

	mu    sync.Mutex // guards what follows
	stats Stats
	shut  bool

	conn     *serverConn // nil while there is none
	used     time.Time   // when conn last gave an answer
	fresh    bool        // no gauge was sent on conn yet
	gauges   bool        // there are gauges
	bucket   bucket.Bucket
	lines    lineWriter // what of bucket is to be sent
	chunk    chunk      // the call that is under way
	waiting  []request
	retryAt  time.Time
	backoff  time.Duration
	collects int
}

// request asks run for something and is answered by closing done or, if it
// is a ping, by sending its outcome. Nobody waits any more when ctx has ended.
type request struct {
	ctx  context.Context
	ping chan error // buffered; nil in a flush
	done chan struct{}
}

// Start returns a relay that hands over what reg gains to the server at path,
// until it is closed.
func Start(reg *series.Registry, path string, cfg Config, dial DialFunc) *Relay {
	r := &Relay{
		reg: reg, path: path, interval: cfg.Interval, dial: dial,
		logger:   cfg.Logger.With(slog.String("component", "client"), slog.String("socket", path)),
		requests: make(chan request),
		closing:  make(chan struct{}),
		closed:   make(chan struct{}),
	}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.lines = newLineWriter(&r.bucket, reg.NamesOf, 2*cfg.MaxSeries)
	go r.run() // a client has no supervisor: this is its one goroutine, and close waits for it
	return r
}

// run is the goroutine. A panic, which would be a mistake of ours, costs what
// was being handed over and not the host.
func (r *Relay) run() {
	defer close(r.closed)
	defer r.cancel()
	pprof.SetGoroutineLabels(pprof.WithLabels(r.ctx, pprof.Labels("hawkeye", "client")))
	for ended := false; !ended; {
		err := guard.Call(func() error {
			r.loop()
			ended = true
			return nil
		})
		if !ended {
			r.logger.LogAttrs(r.ctx, slog.LevelError, "client failed, starting it again", slog.Any("error", err))
			r.abandon()
		}
	}
}

func (r *Relay) loop() {
	ticker := time.NewTicker(r.interval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			r.tick(time.Now())
		case q := <-r.requests:
			r.serve(q)
		case <-r.closing:
			r.finish()
			return
		}
	}
}

func (r *Relay) tick(now time.Time) {
	if now.Before(r.retryAt) {
		return
	}
	if r.conn != nil && now.Sub(r.used) >= quietFor {
		r.tryOut()
	}
	r.sync()
}

// serve answers a ping, or hands over for a flush without waiting for the
// next tick or the end of a backoff. What fails is tried again at the ticks.
func (r *Relay) serve(q request) {
	if q.ping != nil {
		err := r.connect()
		if err == nil {
			err = r.tryOut()
		}
		q.ping <- err
		return
	}
	r.waiting = slices.DeleteFunc(r.waiting, func(w request) bool { return w.ctx.Err() != nil })
	r.waiting = append(r.waiting, q)
	r.sync()
}

// finish hands over the last of it, until r.ctx ends.
func (r *Relay) finish() {
	for r.sync() != nil && r.ctx.Err() == nil {
		select {
		case <-time.After(time.Until(r.retryAt)):
		case <-r.ctx.Done():
		}
	}
	r.mu.Lock()
	r.reg.Collect(&r.bucket, false) // what could not even be collected is dropped too
	r.stats.Pending += bucketSamples(&r.bucket)
	r.mu.Unlock()
	r.abandon()
}

// abandon drops what was collected, and the connection.
func (r *Relay) abandon() {
	if r.conn != nil {
		r.conn.Close()
		r.conn = nil
	}
	r.chunk.reset()
	r.bucket.Reset()
	r.lines.start()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stats.Connected = false
	r.stats.Dropped += r.stats.Pending
	r.stats.Pending = 0
}

// sync hands over what was collected before and not acknowledged, then
// collects once and hands that over. If it comes to its end, those are
// answered who waited when it began.
func (r *Relay) sync() error {
	waiting := len(r.waiting)
	if err := r.drain(); err != nil {
		return err
	}
	if r.conn != nil || r.gauges || r.reg.Pending() > 0 {
		if err := r.connect(); err != nil {
			return err // the sums stay in the registry
		}
		r.collect()
		if err := r.drain(); err != nil {
			return err
		}
	}
	for _, q := range r.waiting[:waiting] {
		close(q.done)
	}
	r.waiting = append(r.waiting[:0], r.waiting[waiting:]...)
	return nil
}

// collect fills the bucket, which must be used up.
func (r *Relay) collect() {
	r.mu.Lock()
	r.reg.Collect(&r.bucket, r.fresh)
	r.stats.Pending += bucketSamples(&r.bucket)
	r.mu.Unlock()
	r.fresh = false
	r.gauges = r.gauges || len(r.bucket.Gauges) > 0
	r.lines.start()
	r.collects++
	if idle := max(int(idleFor/r.interval), 1); r.collects%max(idle/10, 1) == 0 {
		r.reg.DropIdle(idle)
	}
}

// bucketSamples counts as [Stats] does.
func bucketSamples(b *bucket.Bucket) uint64 {
	n := uint64(len(b.Gauges))
	for _, c := range b.Counters {
		n += samplesOf(c.Delta)
	}
	for _, c := range b.Beyond {
		n += uint64(max(c.Whole, -c.Whole))
	}
	for _, h := range b.Histograms {
		for _, hb := range h.Buckets {
			n += hb.Count
		}
	}
	return n
}

// drain makes calls until the bucket is used up. It connects only if there is
// something to send.
func (r *Relay) drain() error {
	for {
		if r.chunk.empty() {
			r.chunk.fill(&r.lines)
		}
		if r.chunk.empty() {
			return nil
		}
		if err := r.connect(); err != nil {
			return err
		}
		reply, whole, err := r.conn.call(r.chunk.text)
		if err != nil {
			if whole {
				r.unanswered()
			}
			return r.lost(err)
		}
		r.acknowledged(reply)
	}
}

// unanswered notes that a call was written whole and has no answer.
func (r *Relay) unanswered() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.chunk.attempts++; r.chunk.attempts < maxAttempts {
		r.stats.Repeated += r.chunk.samples
		return
	}
	r.stats.Dropped += r.chunk.samples
	r.stats.Pending -= r.chunk.samples
	r.chunk.reset()
}

func (r *Relay) acknowledged(reply serverReply) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stats.Sent += r.chunk.samples
	r.stats.Pending -= r.chunk.samples
	r.stats.RejectedLines += uint64(reply.rejected(r.chunk.lines))
	r.chunk.reset()
	r.used, r.backoff = time.Now(), 0
}

// connect makes a connection if there is none, and tries it out: a server
// that is full closes it before it reads, and then nothing is in doubt.
func (r *Relay) connect() error {
	if r.conn != nil {
		return nil
	}
	conn, err := r.dial(r.ctx)
	if err != nil {
		return r.failed(fmt.Errorf("connect to %q: %w", r.path, err))
	}
	r.conn, r.fresh = newConn(r.ctx, conn), true
	if err := r.tryOut(); err != nil {
		return err
	}
	r.mu.Lock()
	back := r.stats.LastError != nil
	r.stats.Connected = true
	r.stats.Connects++
	r.stats.LastError = nil
	r.mu.Unlock()
	if back {
		r.logger.LogAttrs(r.ctx, slog.LevelInfo, "server is back")
	}
	return nil
}

// tryOut asks for an answer on the connection.
func (r *Relay) tryOut() error {
	if err := r.conn.ping(); err != nil {
		return r.lost(err)
	}
	r.used = time.Now()
	return nil
}

// lost drops the connection.
func (r *Relay) lost(err error) error {
	r.conn.Close()
	r.conn = nil
	return r.failed(fmt.Errorf("call %q: %w", r.path, err))
}

// failed notes an error, sets the time of the next attempt (half to one and a
// half of a delay that doubles), and returns the error.
func (r *Relay) failed(err error) error {
	r.mu.Lock()
	first := r.stats.LastError == nil
	r.stats.Connected = false
	r.stats.LastError = err
	r.mu.Unlock()
	r.backoff = min(max(2*r.backoff, minBackoff), maxBackoff)
	r.retryAt = time.Now().Add(r.backoff/2 + rand.N(r.backoff))
	if first && r.ctx.Err() == nil {
		r.logger.LogAttrs(r.ctx, slog.LevelWarn, "server is away, keeping what is counted", slog.Any("error", err))
	}
	return err
}
