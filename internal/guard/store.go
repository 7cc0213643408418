package guard

import (
	"context"
	"fmt"
	"time"

	"github.com/go-batteries/hawkeye/internal/pulse"
	"github.com/go-batteries/hawkeye/store"
)

// Store is a Store that others wrote. What its calls do to the goroutine that
// they are made on ends up in their error, whose text is safe to read; an
// error that is a nil pointer is none.
//
// It has no optional capability but [Store.Problem]: [As] finds those.
//
// A call that doesn't come back when its ctx ends is waited for for a while,
// and then left behind, as if its answer were lost on the way: what it holds
// up goes on.
type Store struct {
	below  store.Store
	traits store.Traits
	calls  Leaver
	says   Leaver // of Problem
}

const (
	// storeGrace is how long after the end of its ctx a call is waited for: a
	// Store that takes long for each call does its work, and would do none if
	// all of them were given up.
	storeGrace = 30 * time.Second
	// maxCallsLeft is how many calls that don't come back are left behind. The
	// ones after that are waited for.
	maxCallsLeft = 16
)

var _ store.Store = (*Store)(nil)

// NewStore returns s behind a guard, or an error if not even its traits can be
// read.
func NewStore(s store.Store) (*Store, error) {
	if s, ok := s.(*Store); ok {
		return s, nil
	}
	g := &Store{below: s, calls: Leaver{Most: maxCallsLeft, Grace: storeGrace}, says: Leaver{Most: 1, Grace: time.Second}}
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
func (s *Store) Now(ctx context.Context) (time.Time, error) {
	return ask(ctx, s, func() (time.Time, error) { return s.below.Now(ctx) })
}

// Publish implements [store.Samples].
func (s *Store) Publish(ctx context.Context, p store.Publication) (store.PublishReply, error) {
	return ask(ctx, s, func() (store.PublishReply, error) { return s.below.Publish(ctx, p) })
}

// Read implements [store.Samples].
func (s *Store) Read(ctx context.Context, q []store.TickQuery) ([]store.TickBuckets, error) {
	answers, err := ask(ctx, s, func() ([]store.TickBuckets, error) { return s.below.Read(ctx, q) })
	if err == nil && len(answers) != len(q) {
		return nil, fmt.Errorf("the store answers %d questions by %d answers", len(q), len(answers))
	}
	return answers, err
}

// Names implements [store.Samples].
func (s *Store) Names(ctx context.Context, ids []uint64) (map[uint64]string, error) {
	return ask(ctx, s, func() (map[uint64]string, error) { return s.below.Names(ctx, ids) })
}

// Changes implements [store.Ledger].
func (s *Store) Changes(ctx context.Context, after store.Cursor) (store.Changes, error) {
	return ask(ctx, s, func() (store.Changes, error) { return s.below.Changes(ctx, after) })
}

// Commit implements [store.Ledger].
func (s *Store) Commit(ctx context.Context, c store.Commit) (store.Cursor, error) {
	return ask(ctx, s, func() (store.Cursor, error) { return s.below.Commit(ctx, c) })
}

// Restore implements [store.Ledger].
func (s *Store) Restore(ctx context.Context, o store.Offer) error {
	_, err := ask(ctx, s, func() (struct{}, error) { return struct{}{}, s.below.Restore(ctx, o) })
	return err
}

// Left returns how many calls were left behind and haven't come back yet.
func (s *Store) Left() int { return s.calls.Left() }

// Problem is what the Store says itself is wrong with it, nil if it says
// nothing. It doesn't wait for a Store that doesn't answer.
func (s *Store) Problem() error {
	r, ok := s.below.(store.Reporter)
	if !ok || s.says.Left() > 0 {
		return nil
	}
	_, err := within(soon(), &s.says, func() (struct{}, error) { return struct{}{}, r.Problem() })
	return Error(err)
}

// ask makes a call. Its return is a sign of life of the loop that made it.
func ask[T any](ctx context.Context, s *Store, call func() (T, error)) (T, error) {
	v, err := Within(ctx, &s.calls, call)
	pulse.Of(ctx).Beat()
	return v, Error(err)
}

// StoreRecovered, deferred, turns a panic of the Store into an error.
func StoreRecovered(err *error) {
	if v := recover(); v != nil {
		*err = fmt.Errorf("the store panicked: %v", v)
	}
}
