package memstore_test

import (
	"context"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/go-batteries/hawkeye/store"
	"github.com/go-batteries/hawkeye/store/memstore"
	"github.com/go-batteries/hawkeye/store/storetest"
)

func TestContract(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t testing.TB) storetest.Fixture {
		return storetest.Fixture{Stores: []store.Store{newStore(t)}}
	})
}

// TestContractOverRestarts has the process restart again and again: from
// one state file to the next, nothing of the contract may be lost.
func TestContractOverRestarts(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t testing.TB) storetest.Fixture {
		r := &restarting{t: t, path: filepath.Join(t.TempDir(), "state")}
		r.now = newStore(t, memstore.WithStateFile(r.path))
		return storetest.Fixture{Stores: []store.Store{r}}
	})
}

func newStore(t testing.TB, opts ...memstore.Option) *memstore.Store {
	t.Helper()
	s, err := memstore.New(opts...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// restartEvery is how many calls a process lives: few enough for most checks
// to see restarts, each of which waits for the disk.
const restartEvery = 15

// restarting is a Store that is written to its state file and read again
// every restartEvery calls.
type restarting struct {
	t    testing.TB
	path string

	mu    sync.Mutex // one call at a time
	calls int
	now   *memstore.Store
}

func (r *restarting) store() *memstore.Store {
	if r.calls++; r.calls%restartEvery == 0 {
		if err := r.now.Sync(context.Background()); err != nil {
			r.t.Error(err)
		}
		next, err := memstore.New(memstore.WithStateFile(r.path))
		if err != nil {
			r.t.Error(err)
			return r.now
		}
		r.now = next
	}
	return r.now
}

func (r *restarting) Traits() store.Traits {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now.Traits()
}

func (r *restarting) Now(ctx context.Context) (time.Time, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now.Now(ctx)
}

func (r *restarting) Publish(ctx context.Context, p store.Publication) (store.PublishReply, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.store().Publish(ctx, p)
}

func (r *restarting) Read(ctx context.Context, q []store.TickQuery) ([]store.TickBuckets, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.store().Read(ctx, q)
}

func (r *restarting) Names(ctx context.Context, ids []uint64) (map[uint64]string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.store().Names(ctx, ids)
}

func (r *restarting) Changes(ctx context.Context, after store.Cursor) (store.Changes, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.store().Changes(ctx, after)
}

func (r *restarting) Commit(ctx context.Context, c store.Commit) (store.Cursor, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.store().Commit(ctx, c)
}

func (r *restarting) Restore(ctx context.Context, o store.Offer) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.store().Restore(ctx, o)
}
