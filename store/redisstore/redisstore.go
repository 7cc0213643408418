// Package redisstore is the [store.Store] in which the replicas of a service
// meet: on a Redis (6.2 or later) or Valkey server, single, behind Sentinel or
// as a Cluster.
//
// Samples lie in one hash a tick, whose fields are the writers and whose
// values are their buckets, opaque and never edited. The names of series are
// one hash. The ledger is one hash, too, changed and followed by scripts, so
// that it is lost, expired or evicted as a whole or not at all. Every key has
// a lifetime; when the last replica is gone, so are the keys, some time later.
// docs/redis.md says how to set up the server and what it costs.
package redisstore

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/go-batteries/hawkeye/store"
)

// ErrForeign is wrapped by errors that say that a key under our prefix holds
// something that isn't ours, or was written by a later version.
var ErrForeign = errors.New("redisstore: key holds foreign data")

// Store keeps buckets and ledger on a Redis server. It is safe for concurrent
// use and has no goroutines that outlive its calls by more than the client's
// own timeouts.
type Store struct {
	client redis.UniversalClient
	config config
	keys   keys
	// invalid is what every call returns if the options are wrong.
	invalid error

	calls      chan struct{} // a slot for each call under way
	punctual   bool          // the client ends its calls by their deadlines
	plain      atomic.Bool   // the server refuses "#!lua" (before Redis 7)
	namesSeen  atomic.Bool   // the names hash is ours
	ledgerSeen atomic.Bool   // the ledger is ours and open

	lastReload, lastRenewal, lastNamesSet atomic.Int64 // Unix nanoseconds, own clock

	namesSetMu sync.Mutex
	namesSet   store.ID // as it was seen last; guarded by namesSetMu

	warned warnings
	stats  stats
}

var (
	_ store.Store      = (*Store)(nil)
	_ store.Maintainer = (*Store)(nil)
)

// New returns a Store that uses client, which stays the caller's to configure
// and to close. New does no I/O. What is wrong with the options is reported by
// [Store.Validate], and by every other call until it is mended.
func New(client redis.UniversalClient, opts ...Option) *Store {
	c := defaultConfig()
	for _, o := range opts {
		o.apply(&c)
	}
	return &Store{
		client:  client,
		config:  c,
		keys:    newKeys(c.prefix, c.tick),
		invalid: c.validate(client),
		calls:   make(chan struct{}, maxCalls),
		warned:  warnings{last: map[string]time.Time{}},

		punctual: punctual(client),
	}
}

// Validate reports every mistake in what New was given, joined, each by the
// name of its option. hawkeye.New calls it.
func (s *Store) Validate() error { return s.invalid }

// Traits implements [store.Store].
func (s *Store) Traits() store.Traits {
	return store.Traits{
		Tick:      s.config.tick,
		Retention: s.config.retention,
		Shared:    true,
		Name:      "redis",
	}
}

// Stats are counts since New, for pages and tests.
type Stats struct {
	// Foreign counts keys and values under our prefix that were skipped,
	// because they aren't ours or are damaged.
	Foreign uint64
	// Abandoned counts calls whose ctx ended before the server answered.
	Abandoned uint64
	// Reloads counts how often a Cluster's topology was asked for again
	// after a network error.
	Reloads uint64
}

type stats struct{ foreign, abandoned, reloads atomic.Uint64 }

// Stats returns the current counts. It does no I/O.
func (s *Store) Stats() Stats {
	return Stats{
		Foreign:   s.stats.foreign.Load(),
		Abandoned: s.stats.abandoned.Load(),
		Reloads:   s.stats.reloads.Load(),
	}
}

// warnings lets a message through once in a while.
type warnings struct {
	mu   sync.Mutex // guards last
	last map[string]time.Time
}

const warnEvery = 5 * time.Minute

// warn logs msg unless it was logged a short time ago.
func (s *Store) warn(ctx context.Context, msg string, attrs ...slog.Attr) {
	now := time.Now()
	s.warned.mu.Lock()
	last, seen := s.warned.last[msg]
	due := !seen || now.Sub(last) >= warnEvery
	if due {
		s.warned.last[msg] = now
	}
	s.warned.mu.Unlock()
	if due {
		attrs = append(attrs, slog.String("component", "redisstore"))
		s.config.logger.LogAttrs(ctx, slog.LevelWarn, msg, attrs...)
	}
}

// skipped counts and tells of something that isn't ours.
func (s *Store) skipped(ctx context.Context, key, what string) {
	s.stats.foreign.Add(1)
	s.warn(ctx, "skipped foreign data under the key prefix",
		slog.String("key", key), slog.String("found", what))
}
