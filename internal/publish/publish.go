// Package publish brings what a process counted into the Store: it closes a
// tick when it ends, whatever the Store does, and publishes it as one bucket
// that is never edited. So a retry, a duplicate, a publication of everything
// once more changes nothing, and the totals are exact.
package publish

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/go-batteries/hawkeye/internal/bucket"
	"github.com/go-batteries/hawkeye/internal/pulse"
	"github.com/go-batteries/hawkeye/internal/samples/clock"
	"github.com/go-batteries/hawkeye/internal/series"
	"github.com/go-batteries/hawkeye/internal/trouble"
	"github.com/go-batteries/hawkeye/store"
)

// What a [Config] means where it says nothing.
const (
	// DefaultFlushTimeout bounds one round trip to the Store.
	DefaultFlushTimeout = 5 * time.Second
	// DefaultMaxBytes bounds the buckets that are kept in memory.
	DefaultMaxBytes = 64 << 20
)

// Config says where samples come from and where they go. Store and Registry
// are required.
type Config struct {
	Store    store.Store
	Registry *series.Registry
	// Clock is the fleet's time, shared with whoever reads ticks; nil makes
	// one.
	Clock *clock.Clock
	// Identity is under which id this process publishes; nil makes one.
	Identity *Identity
	// Writer is the id that it begins with; zero leaves it.
	Writer store.ID
	// Logger gets warnings; nil means [slog.Default].
	Logger *slog.Logger
	// FlushTimeout bounds one round trip, default [DefaultFlushTimeout].
	FlushTimeout time.Duration
	// MaxBytes bounds all buckets in memory, default [DefaultMaxBytes]. What
	// was published leaves first, then the oldest of the backlog, which is
	// counted as dropped.
	MaxBytes int64

	// IdleAfter, if not 0, is how long a counter, histogram or set may do
	// nothing before it is dropped from memory, until something is recorded
	// again.
	IdleAfter time.Duration

	// Closing, if set, is the pulse of the loop that closes ticks. That of the
	// one that publishes is what Run's ctx carries.
	Closing *pulse.Pulse

	// Notes, if set, returns what the next bucket carries besides samples.
	// It is called once for each tick, at its end, before samples are
	// collected.
	Notes func() [][]byte
	// OnClose, if set, is told of each tick when it closes, published or
	// not. It must not keep b, and must not block.
	OnClose func(tick int64, b *bucket.Bucket)
	// OnFlush, if set, is told the outcome of each round trip. It must not
	// block.
	OnFlush func(Flushed)
	// OnLate, if set, is told of buckets that were published for the first
	// time more than ten ticks after their tick: who reads ticks doesn't look
	// there by itself. It must not block.
	OnLate func([]Late)
	// OnWriter, if set, is told when the writer's id is drawn anew: after a
	// pause so long that the fleet has forgotten it, or because a copy of this
	// process publishes under it. It must not block.
	OnWriter func(store.ID)
}

// Flushed is the outcome of one round trip.
type Flushed struct {
	// Tick is the newest tick that is stored, this round or before; 0 if
	// there is none yet.
	Tick int64
	// Reply is the Store's answer, zero if Err is set.
	Reply store.PublishReply
	// NamesLost says that the Store has lost names.
	NamesLost bool
	Err       error
}

// Late names a bucket that arrived long after its tick.
type Late struct {
	Tick   int64
	Writer store.ID
}

// Stats is what a Publisher has done and what it holds.
type Stats struct {
	Writer        store.ID
	ClosedTicks   int64
	PublishedTick int64 // the newest
	Flushes       int64
	FailedFlushes int64
	Republished   int64     // buckets the Store had lost
	DroppedTicks  int64     // beyond the bound, never published
	DroppedSeries int64     // series with samples in those ticks
	LastDrop      time.Time // local time; zero if none was dropped
	Backlog       int       // ticks that wait
	BacklogBytes  int64     // all buckets in memory
	Clashes       int64
	Redrawn       int64
	LastSuccess   time.Time // local time; zero if there was none
	LastError     error     // nil if the latest flush succeeded
}

// Errors of [Publisher.Flush].
var (
	ErrStopped = errors.New("publish: stopped")
	ErrDropped = errors.New("publish: the tick was dropped from a full backlog")
)

// Publisher closes ticks and publishes them. Make one with [New]. Its methods
// are safe for concurrent use.
type Publisher struct {
	cfg    Config
	traits store.Traits
	clock  *clock.Clock
	log    *slog.Logger
	fails  *trouble.Log  // of flushes
	signal chan struct{} // capacity 1: there is something to send

	stopOnce sync.Once
	stop     chan struct{} // closed by Final: Run ends
	running  chan struct{} // capacity 1: full while Run runs, or Final after it
	finished bool          // guarded by running: the final bucket is published

	closer closer
	// collecting is held while a tick is on its way from the Registry into the
	// ring, or ids change in both. It is taken before mu.
	collecting sync.Mutex
	mu         sync.Mutex // guards what follows; never held over a call to Store
	ring       ring
	names      names
	stats      Stats
	recovered  time.Time     // when the Store was last found again, local time
	stepped    time.Duration // by how much the clock stepped forward, for noticePause
	copied     bool          // the id was drawn anew because another process has it, too, for noticePause
	moved      chan struct{} // closed, and replaced, when something was published
	ready      chan struct{} // closed after the first flush that succeeded
	ended      bool          // nothing will be published any more
	final      int64         // the tick of the last bucket; 0 while there are more to come
	began      int64         // the tick of the first one; 0 before it
}

// New returns a Publisher. Nothing happens before [Publisher.Run].
func New(cfg Config) *Publisher {
	p := &Publisher{
		cfg:     cfg,
		traits:  cfg.Store.Traits(),
		clock:   cfg.Clock,
		log:     cfg.Logger,
		signal:  make(chan struct{}, 1),
		stop:    make(chan struct{}),
		running: make(chan struct{}, 1),
		moved:   make(chan struct{}),
		ready:   make(chan struct{}),
	}
	if p.clock == nil {
		p.clock = clock.New(p.traits.Tick)
	}
	if p.log == nil {
		p.log = slog.Default()
	}
	p.log = p.log.With(slog.String("component", "publish"))
	p.fails = trouble.New(p.log, "publishing to the store fails, ticks are kept", "publishing to the store works again")
	if p.cfg.Identity == nil {
		p.cfg.Identity = NewIdentity()
	}
	if !p.cfg.Writer.IsZero() {
		p.cfg.Identity.set(p.cfg.Writer)
	}
	if p.cfg.FlushTimeout <= 0 {
		p.cfg.FlushTimeout = DefaultFlushTimeout
	}
	if p.cfg.MaxBytes <= 0 {
		p.cfg.MaxBytes = DefaultMaxBytes
	}
	p.stats.Writer = p.cfg.Identity.Writer()
	p.closer.keyframe = true
	p.ring = ring{
		retention:   p.ticks(p.traits.Retention),
		verifyEvery: p.ticks(verifyEvery),
		settled:     int(p.ticks(settledAfter)),
		maxBytes:    p.cfg.MaxBytes,
		keeps:       p.traits.Shared,
	}
	return p
}

// ticks returns how many ticks d lasts, at least one.
func (p *Publisher) ticks(d time.Duration) int64 {
	return max(int64(d/p.traits.Tick), 1)
}

// Run closes and publishes ticks until ctx ends or [Publisher.Final] is
// called; it returns nil then. It owns one goroutine, which does the round
// trips, because a tick must close on time while the Store is slow; Run waits
// for it. A panic there, of a hook say, ends Run with an error. After that, or
// a panic of Run itself, it may be called again.
func (p *Publisher) Run(ctx context.Context) (err error) {
	p.running <- struct{}{}
	defer func() { <-p.running }()
	select {
	case <-p.stop: // Final came first and closes what is open
		return nil
	default:
	}
	ctx, cancel := context.WithCancel(ctx)
	sent := make(chan error, 1)
	go func() {
		defer cancel()
		failed := errExited
		defer func() { sent <- failed }()
		failed = p.guardedSend(ctx)
	}()
	defer func() {
		cancel()
		if failed := <-sent; failed != nil {
			err = failed
		}
	}()
	p.closeTicks(ctx)
	return nil
}

// errExited says that the Store, or a hook, has ended the goroutine that it was
// called on, as runtime.Goexit does.
var errExited = errors.New("publish: its goroutine was ended")

// guardedSend turns a panic of send into an error: it has a goroutine of its
// own, in which a panic would end the host.
func (p *Publisher) guardedSend(ctx context.Context) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("publish: panic: %v\n%s", v, debug.Stack())
		}
	}()
	p.send(ctx)
	return nil
}

// Flush waits until everything that was recorded before the call is stored:
// until the open tick has ended and its bucket is published. It returns that
// tick; a reader finds everything up to and with it. It returns ctx's error,
// [ErrStopped] after Final, or [ErrDropped].
func (p *Publisher) Flush(ctx context.Context) (tick int64, err error) {
	p.collecting.Lock() // a tick on its way into the ring may lack what was recorded last
	p.mu.Lock()
	seq := p.ring.closed + 1
	if p.closer.open == 0 { // the first one will be the hello, which holds nothing
		seq++
	}
	p.mu.Unlock()
	p.collecting.Unlock()
	for {
		p.mu.Lock()
		moved, ended := p.moved, p.ended
		lost, done, tick := p.ring.dropped >= seq, p.ring.published >= seq, p.ring.newest
		p.mu.Unlock()
		switch {
		case lost:
			return 0, ErrDropped
		case done:
			return tick, nil
		case ended:
			return 0, ErrStopped
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

// Final ends Run, closes the open tick, marks it as the writer's last and
// publishes it with the whole backlog, trying again until ctx ends, whose
// error it returns then. A second call does nothing, once it has succeeded.
// It works without Run as well.
func (p *Publisher) Final(ctx context.Context) error {
	p.stopOnce.Do(func() { close(p.stop) })
	select {
	case p.running <- struct{}{}: // Run gives it back soon after stop was closed
	case <-ctx.Done():
		return fmt.Errorf("publish the last ticks: %w", context.Cause(ctx))
	}
	defer func() { <-p.running }()
	if p.finished {
		return nil
	}
	err := p.finish(ctx)
	p.finished = err == nil
	p.mu.Lock()
	p.ended = true
	p.wake()
	p.mu.Unlock()
	return err
}

// Began returns the tick of this process' first bucket, 0 before there is one.
func (p *Publisher) Began() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.began
}

// FinalTick returns the tick of this writer's last bucket, and false while
// there are more to come. It is known before the bucket can be read.
func (p *Publisher) FinalTick() (tick int64, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.final, p.final != 0
}

// Ready returns a channel that is closed after the first flush that
// succeeded: the clock is measured and this writer is known then.
func (p *Publisher) Ready() <-chan struct{} { return p.ready }

// Clock returns the fleet's time.
func (p *Publisher) Clock() *clock.Clock { return p.clock }

// Writer returns the id under which buckets are closed at present.
func (p *Publisher) Writer() store.ID {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stats.Writer
}

// Losing says whether the Store has lost buckets of this writer that aren't all
// known to be there again.
func (p *Publisher) Losing() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ring.losing
}

// Stats returns what happened so far.
func (p *Publisher) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.stats
	s.ClosedTicks, s.PublishedTick = p.ring.closed, p.ring.newest
	s.Backlog, s.BacklogBytes = len(p.ring.backlog), p.ring.bytes
	s.DroppedTicks, s.DroppedSeries = p.ring.droppedTicks, p.ring.droppedSeries
	return s
}

// wake tells those who wait in Flush to look again. It wants mu held.
func (p *Publisher) wake() {
	close(p.moved)
	p.moved = make(chan struct{})
}
