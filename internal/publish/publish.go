// Package publish brings what a process counted into the Store: it closes a
// tick when it ends, whatever the Store does, and publishes it as one bucket
// that is never edited. So a retry, a duplicate, a publication of everything
// once more changes nothing, and the totals are exact.
package publish

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/go-batteries/hawkeye/internal/bucket"
	"github.com/go-batteries/hawkeye/internal/series"
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
	Clock *Clock
	// Writer is the id of this process' start; zero draws one.
	Writer store.ID
	// Logger gets warnings; nil means [slog.Default].
	Logger *slog.Logger
	// FlushTimeout bounds one round trip, default [DefaultFlushTimeout].
	FlushTimeout time.Duration
	// MaxBytes bounds all buckets in memory, default [DefaultMaxBytes]. What
	// was published leaves first, then the oldest of the backlog, which is
	// counted as dropped.
	MaxBytes int64

	// Notes, if set, returns what the next bucket carries besides samples.
	// It is called once for each tick, at its end.
	Notes func() [][]byte
	// OnClose, if set, is told of each tick when it closes, published or
	// not. It must not keep b, and must not block.
	OnClose func(tick int64, b *bucket.Bucket)
	// OnFlush, if set, is told the outcome of each round trip. It must not
	// block.
	OnFlush func(Flushed)
	// OnLate, if set, is told of each bucket that arrived more than ten
	// ticks after its end: who reads ticks doesn't look there by itself. It
	// must not block.
	OnLate func(Late)
	// OnWriter, if set, is told when the writer's id is drawn anew, after a
	// pause so long that the fleet has forgotten it. It must not block.
	OnWriter func(store.ID)
}

// Flushed is the outcome of one round trip.
type Flushed struct {
	// Tick is the newest tick that is stored, this round or before; 0 if
	// there is none yet.
	Tick int64
	// Reply is the Store's answer, zero if Err is set.
	Reply store.PublishReply
	Err   error
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
	Republished   int64 // buckets the Store had lost
	DroppedTicks  int64 // beyond the bound, never published
	DroppedSeries int64 // series with samples in those ticks
	Backlog       int   // ticks that wait
	BacklogBytes  int64 // all buckets in memory
	Clashes       int64
	Redrawn       int64
	LastSuccess   time.Time // local time; zero if there was none
	LastError     error     // nil if the latest flush succeeded
}

// ErrStopped is returned by [Publisher.Flush] when nothing will be published
// any more.
var ErrStopped = errors.New("publish: stopped")

// Publisher closes ticks and publishes them. Make one with [New]. Its methods
// are safe for concurrent use; Run may be called once.
type Publisher struct {
	cfg    Config
	traits store.Traits
	clock  *Clock
	log    *slog.Logger

	mu sync.Mutex // guards the rest
}

// New returns a Publisher. Nothing happens before [Publisher.Run].
func New(cfg Config) *Publisher { return &Publisher{cfg: cfg} }

// Run closes and publishes ticks until ctx ends or [Publisher.Final] is
// called; it returns nil then. It owns one goroutine, which does the round
// trips, because a tick must close on time while the Store is slow; Run waits
// for it.
func (p *Publisher) Run(ctx context.Context) error { return nil }

// Flush waits until everything that was recorded before the call is stored:
// until the open tick has ended and its bucket is published. It returns the
// tick, up to which a reader finds it all.
func (p *Publisher) Flush(ctx context.Context) (tick int64, err error) { return 0, nil }

// Final ends Run, closes the open tick, marks it as the writer's last and
// publishes it with the whole backlog, trying again until ctx ends. A second
// call waits for the first. It works without Run as well.
func (p *Publisher) Final(ctx context.Context) error { return nil }

// Clock returns the fleet's time.
func (p *Publisher) Clock() *Clock { return p.clock }

// Writer returns the id under which buckets are closed at present.
func (p *Publisher) Writer() store.ID { return p.cfg.Writer }

// Stats returns what happened so far.
func (p *Publisher) Stats() Stats { return Stats{} }
