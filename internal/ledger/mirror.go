// Package ledger keeps a process's copy of the fleet's ledger: it follows the
// Store's change feed, writes by compare-then-set, and hands the copy back
// when the Store has lost its own.
package ledger

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-batteries/hawkeye/store"
)

// ErrNotOpen is returned by [Mirror.Commit] while the Store's ledger has no
// epoch: evaluation waits until it was restored.
var ErrNotOpen = errors.New("ledger is not open")

// maxDeleted is how many deletions a copy remembers: enough for what is
// decided at the same time.
const maxDeleted = 8192

// Config is what a [Mirror] needs.
type Config struct {
	Store  store.Store
	Logger *slog.Logger
	// Examine, if not nil, looks whether a head is one to go on from, and
	// returns an error if it isn't. It may fill in what the head lacks.
	Examine func(*Head) error
	// Elder, if not nil, says whether a process that began before this one has
	// published a short time ago. Its copy of the ledger may be of more worth
	// than none.
	Elder func(context.Context) (bool, error)
}

// Mirror is this process's copy of the ledger. It is safe for concurrent use;
// reads never do I/O.
type Mirror struct {
	store   store.Store
	traits  store.Traits
	logger  *slog.Logger
	examine func(*Head) error
	elder   func(context.Context) (bool, error)

	io chan struct{} // one token: who holds it talks to the Store

	mu      sync.Mutex // guards what follows
	classes map[string]map[string]store.Record
	cursor  store.Cursor
	open    bool
	changed map[string]uint64 // by class, how often it changed
	resets  int               // how often all was replaced
	// deleted are the revisions of the latest deletions, by key; of those up
	// to forgotten not all are known.
	deleted   map[string]uint64
	forgotten uint64

	loss   loss
	turned int // how often the ledger was not the one it was
	// turnedAt is when it was so last.
	turnedAt time.Time
	lower    Lower
	watch    []watcher
}

// watcher is told of changes in some classes, or in all if it names none.
type watcher struct {
	classes []string
	c       chan struct{}
}

// New returns a Mirror that knows nothing yet: call [Mirror.Sync].
func New(cfg Config) *Mirror {
	return &Mirror{
		store:   cfg.Store,
		traits:  cfg.Store.Traits(),
		logger:  cfg.Logger,
		examine: cfg.Examine,
		elder:   cfg.Elder,
		io:      make(chan struct{}, 1),
		classes: make(map[string]map[string]store.Record),
		changed: make(map[string]uint64),
		deleted: make(map[string]uint64),
	}
}

// Class is the part of a key before its first slash: what kind of record it is.
func Class(key string) string {
	class, _, _ := strings.Cut(key, "/")
	return class
}

// Open says whether the ledger, as last seen, accepts commits.
func (m *Mirror) Open() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.open
}

// Turned returns how often the ledger turned out to be another one than the
// copy was of: it was rolled back, restored, or ran too far ahead.
func (m *Mirror) Turned() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.turned
}

// TurnedAt returns when the ledger last turned out to be another one, zero if
// it never did.
func (m *Mirror) TurnedAt() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.turnedAt
}

// Cursor returns the state that the copy is of.
func (m *Mirror) Cursor() store.Cursor {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.cursor
}

// Get returns the record of key.
func (m *Mirror) Get(key string) (store.Record, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, ok := m.classes[Class(key)][key]
	return r, ok
}

// All returns the records of a class, as they are at the call, in no order.
func (m *Mirror) All(class string) iter.Seq[store.Record] {
	m.mu.Lock()
	records := make([]store.Record, 0, len(m.classes[class]))
	for _, r := range m.classes[class] {
		records = append(records, r)
	}
	m.mu.Unlock()
	return func(yield func(store.Record) bool) {
		for _, r := range records {
			if !yield(r) {
				return
			}
		}
	}
}

// Len returns how many records of a class there are.
func (m *Mirror) Len(class string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.classes[class])
}

func (m *Mirror) size() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for _, records := range m.classes {
		n += len(records)
	}
	return n
}

// Generation returns a number that grows whenever a record of the class
// changes.
func (m *Mirror) Generation(class string) uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.changed[class]
}

// Watch returns a channel that gets a value after records of the classes (of
// any, if none is named) changed, and when the ledger was opened. Changes that
// come while one is waiting are one.
func (m *Mirror) Watch(classes ...string) <-chan struct{} {
	w := watcher{classes: classes, c: make(chan struct{}, 1)}
	m.mu.Lock()
	m.watch = append(m.watch, w)
	m.mu.Unlock()
	return w.c
}

// Sync brings the copy up to date. A ledger without an epoch is offered the
// copy, and opened after a while, by whoever is first; see [Mirror.Due].
func (m *Mirror) Sync(ctx context.Context) error {
	if err := m.acquire(ctx); err != nil {
		return err
	}
	defer m.release()
	return m.sync(ctx)
}

// Look is Sync without an offer: it only reads.
func (m *Mirror) Look(ctx context.Context) error {
	if err := m.acquire(ctx); err != nil {
		return err
	}
	defer m.release()
	ch, err := m.store.Changes(ctx, m.Cursor())
	switch {
	case err != nil:
		return err
	case ch.Cursor.Epoch.IsZero():
		m.mu.Lock()
		m.open = false
		m.mu.Unlock()
	default:
		m.follow(ctx, ch)
	}
	return nil
}

// SyncTo is Sync unless the copy already is at the cursor.
func (m *Mirror) SyncTo(ctx context.Context, at store.Cursor) error {
	if m.Cursor() == at && m.Open() {
		return nil
	}
	return m.Sync(ctx)
}

func (m *Mirror) sync(ctx context.Context) error {
	ch, err := m.store.Changes(ctx, m.Cursor())
	if err != nil {
		return err
	}
	if ch.Cursor.Epoch.IsZero() {
		if opened, err := m.reseed(ctx, ch.Cursor); err != nil || !opened {
			return err
		}
		if ch, err = m.store.Changes(ctx, store.Cursor{}); err != nil {
			return err
		}
		if ch.Cursor.Epoch.IsZero() {
			return nil // lost again in between; the next Sync goes on
		}
	}
	m.follow(ctx, ch)
	return nil
}

func (m *Mirror) apply(ch store.Changes) {
	m.mu.Lock()
	defer m.mu.Unlock()
	opened := !m.open
	m.loss, m.open = loss{}, true
	if ch.Cursor == m.cursor && !ch.Reset && !opened {
		return
	}
	touched := make(map[string]bool)
	if ch.Reset && m.cursor != (store.Cursor{}) {
		m.turned, m.turnedAt = m.turned+1, time.Now()
		m.compare(ch.Cursor)
	}
	if ch.Reset {
		for class := range m.classes {
			touched[class] = true
		}
		clear(m.classes)
		clear(m.deleted)
		m.resets, m.forgotten = m.resets+1, 0
	}
	for _, r := range ch.Records {
		touched[Class(r.Key)] = true
		m.put(r)
	}
	for class := range touched {
		m.changed[class]++
	}
	m.cursor = ch.Cursor
	if len(m.deleted) > maxDeleted {
		clear(m.deleted)
		m.forgotten = m.cursor.Rev
	}
	m.poke(touched, opened)
}

func (m *Mirror) put(r store.Record) {
	class := Class(r.Key)
	if r.Deleted {
		delete(m.classes[class], r.Key)
		m.deleted[r.Key] = r.Rev
		return
	}
	delete(m.deleted, r.Key)
	if m.classes[class] == nil {
		m.classes[class] = make(map[string]store.Record)
	}
	m.classes[class][r.Key] = r
}

func (m *Mirror) poke(touched map[string]bool, all bool) {
	for _, w := range m.watch {
		if !all && len(w.classes) > 0 && !slices.ContainsFunc(w.classes, func(c string) bool { return touched[c] }) {
			continue
		}
		select {
		case w.c <- struct{}{}:
		default:
		}
	}
}

// Snapshot returns a copy of all records by key, for tests and pages.
func (m *Mirror) Snapshot() map[string]store.Record {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make(map[string]store.Record)
	for _, records := range m.classes {
		maps.Copy(all, records)
	}
	return all
}

func (m *Mirror) acquire(ctx context.Context) error {
	select {
	case m.io <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (m *Mirror) release() { <-m.io }
