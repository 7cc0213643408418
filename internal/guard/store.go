package guard

import (
	"context"
	"fmt"
	"time"

	"github.com/go-batteries/hawkeye/store"
)

// Store is a Store that others wrote. What its calls do to the goroutine that
// they are made on ends up in their error, whose text is safe to read; an
// error that is a nil pointer is none.
//
// It has no optional capability: [As] finds those.
type Store struct {
	below  store.Store
	traits store.Traits
}

var _ store.Store = (*Store)(nil)

// NewStore returns s behind a guard, or an error if not even its traits can be
// read.
func NewStore(s store.Store) (*Store, error) {
	if s, ok := s.(*Store); ok {
		return s, nil
	}
	g := &Store{below: s}
	if err := Apart(func() error { g.traits = s.Traits(); return nil }); err != nil {
		return nil, fmt.Errorf("read its Traits: %w", err)
	}
	if g.traits.Tick <= 0 {
		return nil, fmt.Errorf("want ticks of at least 10ms, got %v", g.traits.Tick)
	}
	return g, nil
}

// As returns an optional capability of a Store. Its methods are to be called
// by [Apart].
func As[T any](s store.Store) (T, bool) {
	if g, ok := s.(*Store); ok {
		s = g.below
	}
	t, ok := s.(T)
	return t, ok
}

// Traits implements [store.Store].
func (s *Store) Traits() store.Traits { return s.traits }

// Now implements [store.Samples].
func (s *Store) Now(ctx context.Context) (now time.Time, err error) {
	err = stored(func() (err error) { now, err = s.below.Now(ctx); return err })
	return now, err
}

// Publish implements [store.Samples].
func (s *Store) Publish(ctx context.Context, p store.Publication) (reply store.PublishReply, err error) {
	err = stored(func() (err error) { reply, err = s.below.Publish(ctx, p); return err })
	return reply, err
}

// Read implements [store.Samples].
func (s *Store) Read(ctx context.Context, q []store.TickQuery) (answers []store.TickBuckets, err error) {
	err = stored(func() (err error) { answers, err = s.below.Read(ctx, q); return err })
	if err == nil && len(answers) != len(q) {
		return nil, fmt.Errorf("the store answers %d questions by %d answers", len(q), len(answers))
	}
	return answers, err
}

// Names implements [store.Samples].
func (s *Store) Names(ctx context.Context, ids []uint64) (names map[uint64]string, err error) {
	err = stored(func() (err error) { names, err = s.below.Names(ctx, ids); return err })
	return names, err
}

// Changes implements [store.Ledger].
func (s *Store) Changes(ctx context.Context, after store.Cursor) (changes store.Changes, err error) {
	err = stored(func() (err error) { changes, err = s.below.Changes(ctx, after); return err })
	return changes, err
}

// Commit implements [store.Ledger].
func (s *Store) Commit(ctx context.Context, c store.Commit) (cursor store.Cursor, err error) {
	err = stored(func() (err error) { cursor, err = s.below.Commit(ctx, c); return err })
	return cursor, err
}

// Restore implements [store.Ledger].
func (s *Store) Restore(ctx context.Context, o store.Offer) error {
	return stored(func() error { return s.below.Restore(ctx, o) })
}

func stored(call func() error) error { return Error(Apart(call)) }
