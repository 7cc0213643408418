package storetest

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/go-batteries/hawkeye/store"
)

// broken is a Store with one fault, and the checks that must see it.
type broken struct {
	name    string // "a store that" ...
	breakIt func(*faulty) store.Store
	fails   []string
}

func brokenStores() []broken {
	return slices.Concat(brokenSamples(), brokenLedgers(), brokenChanges())
}

// altered is a sound Store but for the calls that have a function here.
type altered struct {
	*faulty
	traits  func(store.Traits) store.Traits
	nowFunc func(context.Context) (time.Time, error)
	publish func(context.Context, store.Publication) (store.PublishReply, error)
	read    func(context.Context, []store.TickQuery) ([]store.TickBuckets, error)
	names   func(context.Context, []uint64) (map[uint64]string, error)
	changes func(context.Context, store.Cursor) (store.Changes, error)
	commit  func(context.Context, store.Commit) (store.Cursor, error)
	restore func(context.Context, store.Offer) error
}

func (a *altered) Traits() store.Traits {
	if a.traits != nil {
		return a.traits(a.faulty.Traits())
	}
	return a.faulty.Traits()
}

func (a *altered) Now(ctx context.Context) (time.Time, error) {
	if a.nowFunc != nil {
		return a.nowFunc(ctx)
	}
	return a.faulty.Now(ctx)
}

func (a *altered) Publish(ctx context.Context, p store.Publication) (store.PublishReply, error) {
	if a.publish != nil {
		return a.publish(ctx, p)
	}
	return a.faulty.Publish(ctx, p)
}

func (a *altered) Read(ctx context.Context, q []store.TickQuery) ([]store.TickBuckets, error) {
	if a.read != nil {
		return a.read(ctx, q)
	}
	return a.faulty.Read(ctx, q)
}

func (a *altered) Names(ctx context.Context, ids []uint64) (map[uint64]string, error) {
	if a.names != nil {
		return a.names(ctx, ids)
	}
	return a.faulty.Names(ctx, ids)
}

func (a *altered) Changes(ctx context.Context, after store.Cursor) (store.Changes, error) {
	if a.changes != nil {
		return a.changes(ctx, after)
	}
	return a.faulty.Changes(ctx, after)
}

func (a *altered) Commit(ctx context.Context, c store.Commit) (store.Cursor, error) {
	if a.commit != nil {
		return a.commit(ctx, c)
	}
	return a.faulty.Commit(ctx, c)
}

func (a *altered) Restore(ctx context.Context, o store.Offer) error {
	if a.restore != nil {
		return a.restore(ctx, o)
	}
	return a.faulty.Restore(ctx, o)
}

// The helpers below make a breakIt of what is to happen before or after one
// call.

func onTraits(change func(*store.Traits)) func(*faulty) store.Store {
	return func(f *faulty) store.Store {
		return &altered{faulty: f, traits: func(t store.Traits) store.Traits {
			change(&t)
			return t
		}}
	}
}

func onPublish(before func(*store.Publication), after func(store.Publication, *store.PublishReply)) func(*faulty) store.Store {
	return func(f *faulty) store.Store {
		return &altered{faulty: f, publish: func(ctx context.Context, p store.Publication) (store.PublishReply, error) {
			if before != nil {
				before(&p)
			}
			reply, err := f.Publish(ctx, p)
			if after != nil && err == nil {
				after(p, &reply)
			}
			return reply, err
		}}
	}
}

func onRead(after func([]store.TickQuery, []store.TickBuckets) []store.TickBuckets) func(*faulty) store.Store {
	return func(f *faulty) store.Store {
		return &altered{faulty: f, read: func(ctx context.Context, q []store.TickQuery) ([]store.TickBuckets, error) {
			answers, err := f.Read(ctx, q)
			if err == nil {
				answers = after(q, answers)
			}
			return answers, err
		}}
	}
}

func onChanges(after func(store.Cursor, *store.Changes)) func(*faulty) store.Store {
	return func(f *faulty) store.Store {
		return &altered{faulty: f, changes: func(ctx context.Context, cursor store.Cursor) (store.Changes, error) {
			c, err := f.Changes(ctx, cursor)
			if err == nil {
				after(cursor, &c)
			}
			return c, err
		}}
	}
}

func onCommit(before func(*faulty, *store.Commit)) func(*faulty) store.Store {
	return func(f *faulty) store.Store {
		return &altered{faulty: f, commit: func(ctx context.Context, c store.Commit) (store.Cursor, error) {
			before(f, &c)
			return f.Commit(ctx, c)
		}}
	}
}

func onRestore(before func(*faulty, *store.Offer)) func(*faulty) store.Store {
	return func(f *faulty) store.Store {
		return &altered{faulty: f, restore: func(ctx context.Context, o store.Offer) error {
			before(f, &o)
			return f.Restore(ctx, o)
		}}
	}
}

// stored returns all records, and where they stand.
func (f *faulty) stored() (map[string]store.Record, store.Cursor) {
	c, err := f.Changes(context.Background(), store.Cursor{})
	if err != nil {
		return nil, store.Cursor{}
	}
	return byKey(c.Records), c.Cursor
}

// memo is a map for broken stores that remember what they should not.
type memo[K comparable, V any] struct {
	mu sync.Mutex
	of map[K]V
}

func newMemo[K comparable, V any]() *memo[K, V] { return &memo[K, V]{of: make(map[K]V)} }

func (m *memo[K, V]) get(k K) (V, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v, ok := m.of[k]
	return v, ok
}

func (m *memo[K, V]) put(k K, v V) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.of[k] = v
}
