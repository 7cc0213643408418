package storetest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/go-batteries/hawkeye/store"
	"github.com/go-batteries/hawkeye/store/memstore"
)

// TestSoundStorePasses has every check run and none skipped: the Fixture has
// every hook.
func TestSoundStorePasses(t *testing.T) {
	t.Parallel()
	Run(t, func(t testing.TB) Fixture { return newFaulty(t).fixture(nil) })
	for _, c := range checks() {
		t.Run("unskipped/"+c.name, func(t *testing.T) {
			t.Parallel()
			r := try(t, c, func(t testing.TB) Fixture { return newFaulty(t).fixture(nil) })
			if r.skipped || len(r.failures) > 0 {
				t.Errorf("with a sound Store: skipped %v, failures %q", r.skipped, r.failures)
			}
		})
	}
}

func TestBrokenStoresFail(t *testing.T) {
	t.Parallel()
	for _, b := range brokenStores() {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			for _, c := range checks() {
				if !slices.Contains(b.fails, c.name) {
					continue
				}
				r := try(t, c, func(t testing.TB) Fixture {
					f := newFaulty(t)
					return f.fixture(b.breakIt(f))
				})
				if r.panicked != nil {
					t.Errorf("check %s panics: %v", c.name, r.panicked)
				}
				if len(r.failures) == 0 {
					t.Errorf("check %s passes, want it to fail (skipped: %v)", c.name, r.skipped)
				}
			}
		})
	}
}

// TestEveryCheckCanFail: a check that no broken store fails proves nothing.
func TestEveryCheckCanFail(t *testing.T) {
	t.Parallel()
	untested := make(map[string]bool)
	for _, c := range checks() {
		if untested[c.name] {
			t.Errorf("two checks are named %s", c.name)
		}
		untested[c.name] = true
	}
	for _, b := range brokenStores() {
		for _, name := range b.fails {
			if _, ok := untested[name]; !ok {
				t.Errorf("the store that %s names %s, which is no check", b.name, name)
			}
			untested[name] = false
		}
	}
	for name, yes := range untested {
		if yes {
			t.Errorf("no broken store fails %s", name)
		}
	}
}

func TestWithoutHooksChecksAreSkipped(t *testing.T) {
	t.Parallel()
	for _, c := range checks() {
		r := try(t, c, func(t testing.TB) Fixture { return Fixture{Stores: newFaulty(t).fixture(nil).Stores} })
		if r.skipped != (c.needs != nil) {
			t.Errorf("check %s without hooks: skipped %v, want %v", c.name, r.skipped, c.needs != nil)
		}
	}
}

func TestNoStoreFails(t *testing.T) {
	t.Parallel()
	if r := try(t, checks()[0], func(testing.TB) Fixture { return Fixture{} }); len(r.failures) != 1 {
		t.Errorf("a Fixture without a Store: failures %q, want one", r.failures)
	}
}

// recorder is a test whose failure is not one of the test that runs it.
type recorder struct {
	testing.TB
	mu       sync.Mutex
	failures []string
	skipped  bool
	panicked any
}

// try runs a check to its end, in a goroutine of its own, since FailNow ends
// it.
func try(t testing.TB, c check, f Factory) *recorder {
	r := &recorder{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() { r.panicked = recover() }()
		c.on(r, f)
	}()
	<-done
	return r
}

func (r *recorder) fail(message string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures = append(r.failures, message)
}

func (r *recorder) Failed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.failures) > 0
}

func (r *recorder) Helper()                           {}
func (r *recorder) Log(...any)                        {}
func (r *recorder) Logf(string, ...any)               {}
func (r *recorder) Error(args ...any)                 { r.fail(fmt.Sprint(args...)) }
func (r *recorder) Errorf(format string, args ...any) { r.fail(fmt.Sprintf(format, args...)) }

func (r *recorder) Fatal(args ...any) {
	r.Error(args...)
	runtime.Goexit()
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

func (r *recorder) Skipf(string, ...any) {
	r.skipped = true
	runtime.Goexit()
}

// faulty is a sound Store to which everything can happen that a Fixture has
// a hook for: a memory store that can be exchanged.
type faulty struct {
	t   testing.TB
	dir string

	mu    sync.Mutex
	now   *memstore.Store
	lives int // how many there were
	cut   bool
}

var errCut = errors.New("the store can't be reached")

func newFaulty(t testing.TB) *faulty {
	f := &faulty{t: t, dir: t.TempDir()}
	f.exchange(nil)
	return f
}

// fixture has two handles on broken, or on f itself.
func (f *faulty) fixture(broken store.Store) Fixture {
	if broken == nil {
		broken = f
	}
	return Fixture{
		Stores: []store.Store{broken, broken},
		Lose:   func() { f.exchange(nil) },
		Save: func() func() {
			saved := f.save()
			return func() { f.exchange(saved) }
		},
		Cut: func() func() {
			f.setCut(true)
			return func() { f.setCut(false) }
		},
	}
}

func (f *faulty) setCut(cut bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cut = cut
}

func (f *faulty) save() []byte {
	s, err := f.store()
	if err == nil {
		err = s.Sync(context.Background())
	}
	if err != nil {
		f.t.Fatal(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	saved, err := os.ReadFile(f.path())
	if err != nil {
		f.t.Fatal(err)
	}
	return saved
}

// path is the state file of the Store of now. Each has its own, because what
// is beside it leads on from an old state to the newest one.
func (f *faulty) path() string { return filepath.Join(f.dir, fmt.Sprint("state", f.lives)) }

// exchange goes on with what save returned, or with nothing.
func (f *faulty) exchange(saved []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var err error
	f.lives++
	if saved != nil {
		err = os.WriteFile(f.path(), saved, 0o600)
	}
	if err == nil {
		f.now, err = memstore.New(memstore.WithStateFile(f.path()))
	}
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *faulty) store() (*memstore.Store, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.cut {
		return nil, errCut
	}
	return f.now, nil
}

func (f *faulty) Traits() store.Traits {
	traits := (&memstore.Store{}).Traits()
	if s, err := f.store(); err == nil {
		traits = s.Traits()
	}
	traits.Shared = true
	return traits
}

func (f *faulty) Now(ctx context.Context) (time.Time, error) {
	s, err := f.store()
	if err != nil {
		return time.Time{}, err
	}
	return s.Now(ctx)
}

func (f *faulty) Publish(ctx context.Context, p store.Publication) (store.PublishReply, error) {
	s, err := f.store()
	if err != nil {
		return store.PublishReply{}, err
	}
	return s.Publish(ctx, p)
}

func (f *faulty) Read(ctx context.Context, q []store.TickQuery) ([]store.TickBuckets, error) {
	s, err := f.store()
	if err != nil {
		return nil, err
	}
	return s.Read(ctx, q)
}

func (f *faulty) Names(ctx context.Context, ids []uint64) (map[uint64]string, error) {
	s, err := f.store()
	if err != nil {
		return nil, err
	}
	return s.Names(ctx, ids)
}

func (f *faulty) Changes(ctx context.Context, after store.Cursor) (store.Changes, error) {
	s, err := f.store()
	if err != nil {
		return store.Changes{}, err
	}
	return s.Changes(ctx, after)
}

func (f *faulty) Commit(ctx context.Context, c store.Commit) (store.Cursor, error) {
	s, err := f.store()
	if err != nil {
		return store.Cursor{}, err
	}
	return s.Commit(ctx, c)
}

func (f *faulty) Restore(ctx context.Context, o store.Offer) error {
	s, err := f.store()
	if err != nil {
		return err
	}
	return s.Restore(ctx, o)
}
