// Package publishtest has a Store that fails on demand, for tests of what
// publishes to one and of what reads it.
package publishtest

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/go-batteries/hawkeye/store"
	"github.com/go-batteries/hawkeye/store/memstore"
)

// ErrFault is what a call returns that was made to fail.
var ErrFault = errors.New("publishtest: injected fault")

// Fault is what happens to a call.
type Fault uint8

// The faults.
const (
	None      Fault = iota
	Refuse          // an error, and nothing was done
	LoseReply       // an error, though all was done
	Half            // an error, and a part was done
	Stall           // nothing happens until the call's context ends
	Panic           // the Store panics
)

// Store is a memory Store behind faults. It says that it is shared, so that
// nobody relies on it. Its methods are safe for concurrent use.
type Store struct {
	opts []memstore.Option

	mu     sync.Mutex
	inner  *memstore.Store
	fault  func(call string) Fault
	offset time.Duration
	clash  map[uint64]bool
	calls  map[string]int
	names  map[uint64]string // that were published since they were lost
	set    store.ID          // of names, since they were lost; zero before
}

// New returns a Store without faults.
func New(opts ...memstore.Option) *Store {
	s := &Store{opts: opts, calls: make(map[string]int)}
	s.Wipe()
	return s
}

// Wipe loses everything, as FLUSHALL does.
func (s *Store) Wipe() {
	inner, err := memstore.New(s.opts...)
	if err != nil {
		panic(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inner = inner
	if s.names != nil {
		s.names, s.set = make(map[uint64]string), store.NewID()
	}
}

// LoseNames loses the names alone, as the eviction of their key does.
func (s *Store) LoseNames() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.names, s.set = make(map[uint64]string), store.NewID()
}

// Fail decides the fault of each call from now on: f gets the method's name.
// A nil f means none.
func (s *Store) Fail(f func(call string) Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = f
}

// Always is a function for Fail.
func Always(f Fault) func(string) Fault { return func(string) Fault { return f } }

// SetOffset moves the Store's clock.
func (s *Store) SetOffset(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.offset = d
}

// Clash makes the names of these ids clash.
func (s *Store) Clash(ids ...uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clash = make(map[uint64]bool)
	for _, id := range ids {
		s.clash[id] = true
	}
}

// Calls returns how often a method was called.
func (s *Store) Calls(call string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[call]
}

func (s *Store) enter(ctx context.Context, call string) (inner *memstore.Store, f Fault, err error) {
	s.mu.Lock()
	inner = s.inner
	s.calls[call]++
	if s.fault != nil {
		f = s.fault(call)
	}
	s.mu.Unlock()
	switch f {
	case Refuse:
		return nil, f, ErrFault
	case Stall:
		<-ctx.Done()
		return nil, f, ctx.Err()
	case Panic:
		panic("publishtest: injected panic")
	}
	return inner, f, nil
}

// Traits implements [store.Store].
func (s *Store) Traits() store.Traits {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.inner.Traits()
	t.Shared, t.Name = true, "faulty"
	return t
}

// Now implements [store.Samples].
func (s *Store) Now(ctx context.Context) (time.Time, error) {
	inner, f, err := s.enter(ctx, "Now")
	if err != nil {
		return time.Time{}, err
	}
	now, err := inner.Now(ctx)
	if f != None {
		return time.Time{}, ErrFault
	}
	return s.shift(now), err
}

func (s *Store) shift(t time.Time) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return t.Add(s.offset)
}

// Publish implements [store.Samples].
func (s *Store) Publish(ctx context.Context, p store.Publication) (store.PublishReply, error) {
	inner, f, err := s.enter(ctx, "Publish")
	if err != nil {
		return store.PublishReply{}, err
	}
	if f == Half {
		p.Buckets, p.Names = p.Buckets[:len(p.Buckets)/2], p.Names[len(p.Names)/2:]
	}
	var clashes []store.Name
	s.mu.Lock()
	for _, n := range p.Names {
		if s.clash[n.ID] {
			clashes = append(clashes, n)
		}
	}
	s.mu.Unlock()
	reply, err := inner.Publish(ctx, p)
	if f != None {
		return store.PublishReply{}, ErrFault
	}
	reply.Now = s.shift(reply.Now)
	reply.Clashes = append(reply.Clashes, clashes...)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.names != nil {
		for _, n := range p.Names {
			s.names[n.ID] = n.Text
		}
		reply.Names = s.set
	}
	return reply, err
}

// Read implements [store.Samples].
func (s *Store) Read(ctx context.Context, q []store.TickQuery) ([]store.TickBuckets, error) {
	inner, f, err := s.enter(ctx, "Read")
	if err == nil && f != None {
		err = ErrFault
	}
	if err != nil {
		return nil, err
	}
	return inner.Read(ctx, q)
}

// Names implements [store.Samples].
func (s *Store) Names(ctx context.Context, ids []uint64) (map[uint64]string, error) {
	inner, f, err := s.enter(ctx, "Names")
	if err == nil && f != None {
		err = ErrFault
	}
	if err != nil {
		return nil, err
	}
	known, err := inner.Names(ctx, ids)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.names != nil {
		maps.DeleteFunc(known, func(id uint64, _ string) bool { return s.names[id] == "" })
	}
	return known, err
}

// Changes implements [store.Ledger].
func (s *Store) Changes(ctx context.Context, after store.Cursor) (store.Changes, error) {
	inner, _, err := s.enter(ctx, "Changes")
	if err != nil {
		return store.Changes{}, err
	}
	return inner.Changes(ctx, after)
}

// Commit implements [store.Ledger].
func (s *Store) Commit(ctx context.Context, c store.Commit) (store.Cursor, error) {
	inner, _, err := s.enter(ctx, "Commit")
	if err != nil {
		return store.Cursor{}, err
	}
	return inner.Commit(ctx, c)
}

// Restore implements [store.Ledger].
func (s *Store) Restore(ctx context.Context, o store.Offer) error {
	inner, _, err := s.enter(ctx, "Restore")
	if err != nil {
		return err
	}
	return inner.Restore(ctx, o)
}

var _ store.Store = (*Store)(nil)
