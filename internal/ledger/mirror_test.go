package ledger

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/go-batteries/hawkeye/store"
	"github.com/go-batteries/hawkeye/store/memstore"
)

// faulty is a Store whose ledger can be exchanged for an empty one and whose
// commits can lose their reply.
type faulty struct {
	store.Store
	shared bool

	mu        sync.Mutex
	loseReply int
}

func (f *faulty) Traits() store.Traits {
	t := f.Store.Traits()
	t.Shared = f.shared
	return t
}

func (f *faulty) Commit(ctx context.Context, c store.Commit) (store.Cursor, error) {
	cur, err := f.Store.Commit(ctx, c)
	f.mu.Lock()
	defer f.mu.Unlock()
	if err == nil && f.loseReply > 0 {
		f.loseReply--
		return store.Cursor{}, errors.New("connection reset")
	}
	return cur, err
}

func newMemory(t *testing.T) store.Store {
	t.Helper()
	s, err := memstore.New()
	if err != nil {
		t.Fatalf("memstore.New() = %v", err)
	}
	return s
}

func newMirror(t *testing.T, s store.Store) *Mirror {
	t.Helper()
	return New(Config{Store: s, Logger: slog.New(slog.DiscardHandler)})
}

func mustSync(t *testing.T, m *Mirror) {
	t.Helper()
	if err := m.Sync(t.Context()); err != nil {
		t.Fatalf("Sync() = %v, want nil", err)
	}
}

func put(t *testing.T, m *Mirror, key, value string) error {
	t.Helper()
	tx := m.Begin()
	tx.Require(key)
	tx.Put(key, []byte(value))
	return m.Commit(t.Context(), tx)
}

func values(m *Mirror) map[string]string {
	all := map[string]string{}
	for key, r := range m.Snapshot() {
		all[key] = string(r.Value)
	}
	return all
}

func TestCommitConflict(t *testing.T) {
	t.Parallel()
	s := newMemory(t)
	a, b := newMirror(t, s), newMirror(t, s)
	mustSync(t, a)
	mustSync(t, b)

	if err := put(t, a, "a/1", "by a"); err != nil {
		t.Fatalf("first commit = %v, want nil", err)
	}
	if err := put(t, b, "a/1", "by b"); !errors.Is(err, store.ErrConflict) {
		t.Fatalf("commit on a stale copy = %v, want %v", err, store.ErrConflict)
	}
	if diff := cmp.Diff(map[string]string{"a/1": "by a"}, values(b)); diff != "" {
		t.Errorf("copy after the conflict (-want +got):\n%s", diff)
	}
	if err := put(t, b, "a/1", "by b"); err != nil {
		t.Errorf("commit after the conflict = %v, want nil", err)
	}
}

func TestCommitIsRepeatedAfterALostReply(t *testing.T) {
	t.Parallel()
	f := &faulty{Store: newMemory(t), loseReply: 3}
	m := newMirror(t, f)
	mustSync(t, m)
	if err := put(t, m, "a/1", "once"); err != nil {
		t.Fatalf("commit = %v, want nil", err)
	}
	if got, want := m.Cursor().Rev, uint64(1); got != want {
		t.Errorf("revision after a commit whose reply was lost three times = %d, want %d", got, want)
	}
	if err := put(t, m, "a/1", "twice"); err != nil {
		t.Errorf("next commit = %v, want nil", err)
	}
}

func TestCommitBeforeOpen(t *testing.T) {
	t.Parallel()
	m := newMirror(t, newMemory(t))
	if err := put(t, m, "a/1", "x"); !errors.Is(err, ErrNotOpen) {
		t.Errorf("commit before the first Sync = %v, want %v", err, ErrNotOpen)
	}
}

func TestDeletedRecordsLeaveEveryCopy(t *testing.T) {
	t.Parallel()
	s := newMemory(t)
	a, b := newMirror(t, s), newMirror(t, s)
	mustSync(t, a)
	for i := range 3 {
		if err := put(t, a, "o/"+strconv.Itoa(i), "row"); err != nil {
			t.Fatal(err)
		}
	}
	mustSync(t, b)
	tx := a.Begin()
	tx.Delete("o/1")
	tx.Delete("o/never-there")
	if err := a.Commit(t.Context(), tx); err != nil {
		t.Fatalf("delete = %v, want nil", err)
	}
	mustSync(t, b)
	want := map[string]string{"o/0": "row", "o/2": "row"}
	for name, m := range map[string]*Mirror{"the committer's": a, "the follower's": b} {
		if diff := cmp.Diff(want, values(m)); diff != "" {
			t.Errorf("%s copy (-want +got):\n%s", name, diff)
		}
		if got := m.Len("o"); got != 2 {
			t.Errorf("%s Len(o) = %d, want 2", name, got)
		}
	}
}

// A store that comes back empty gets the newest copy that any agent has, and
// not that of the one that happens to be first.
func TestReseedTakesTheNewestCopy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		before := &faulty{Store: newMemory(t), shared: true}
		stale, fresh, newcomer := newMirror(t, before), newMirror(t, before), newMirror(t, before)
		mustSync(t, fresh)
		time.Sleep(time.Second)
		mustSync(t, fresh)
		if err := put(t, fresh, "a/1", "old"); err != nil {
			t.Fatal(err)
		}
		mustSync(t, stale)
		if err := put(t, fresh, "a/1", "new"); err != nil {
			t.Fatal(err)
		}

		after := newMemory(t)
		before.Store = after // FLUSHALL
		for _, m := range []*Mirror{newcomer, stale, fresh} {
			mustSync(t, m)
			if m.Open() {
				t.Error("the ledger is open before everybody could offer a copy")
			}
		}
		if err := put(t, fresh, "a/2", "too early"); !errors.Is(err, ErrNotOpen) {
			t.Errorf("commit while the ledger is lost = %v, want %v", err, ErrNotOpen)
		}
		time.Sleep(time.Second)
		for _, m := range []*Mirror{newcomer, stale, fresh} {
			mustSync(t, m)
			if diff := cmp.Diff(map[string]string{"a/1": "new"}, values(m)); diff != "" {
				t.Errorf("copy after the ledger was restored (-want +got):\n%s", diff)
			}
		}
		if err := put(t, stale, "a/1", "newer"); err != nil {
			t.Errorf("commit after the ledger was restored = %v, want nil", err)
		}
	})
}

func TestWatchTellsOfChangesOnce(t *testing.T) {
	t.Parallel()
	m := newMirror(t, newMemory(t))
	mustSync(t, m)
	w := m.Watch()
	if err := put(t, m, "a/1", "1"); err != nil {
		t.Fatal(err)
	}
	if err := put(t, m, "a/1", "2"); err != nil {
		t.Fatal(err)
	}
	select {
	case <-w:
	default:
		t.Error("no word of two commits")
	}
	mustSync(t, m)
	select {
	case <-w:
		t.Error("word of a change, but nothing changed")
	default:
	}
}

func TestSyncHonoursItsContext(t *testing.T) {
	t.Parallel()
	m := newMirror(t, newMemory(t))
	m.io <- struct{}{} // somebody else talks to the store
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := m.Sync(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Sync(cancelled) = %v, want %v", err, context.Canceled)
	}
}

// What was decided before the copy was brought up to date must not be stored
// as if it had been decided after.
func TestRequireIsOfTheCopyAtBegin(t *testing.T) {
	t.Parallel()
	s := newMemory(t)
	a, b := newMirror(t, s), newMirror(t, s)
	mustSync(t, a)
	if err := put(t, a, "o/1", "queued"); err != nil {
		t.Fatalf("Commit() = %v", err)
	}
	mustSync(t, b)
	tx := b.Begin() // b decides: the row is free
	if err := put(t, a, "o/1", "claimed by a"); err != nil {
		t.Fatalf("Commit() = %v", err)
	}
	mustSync(t, b) // another goroutine of b follows the ledger meanwhile
	tx.Require("o/1")
	tx.Put("o/1", []byte("claimed by b"))
	if err := b.Commit(t.Context(), tx); !errors.Is(err, store.ErrConflict) {
		t.Errorf("Commit() of a decision from before = %v, want %v", err, store.ErrConflict)
	}
	if got := values(b)["o/1"]; got != "claimed by a" {
		t.Errorf("the row is %q, want it as a wrote it", got)
	}
}
