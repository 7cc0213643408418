package memstore

import (
	"errors"
	"fmt"
	"testing"

	"github.com/go-batteries/hawkeye/store"
)

func put(t testing.TB, s *Store, epoch store.ID, keys ...string) store.Cursor {
	t.Helper()
	c := store.Commit{ID: store.NewID(), Epoch: epoch}
	for _, key := range keys {
		c.Put = append(c.Put, store.Entry{Key: key, Value: []byte("value of " + key)})
	}
	return commit(t, s, c)
}

func commit(t testing.TB, s *Store, c store.Commit) store.Cursor {
	t.Helper()
	at, err := s.Commit(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func changes(t testing.TB, s *Store, after store.Cursor) store.Changes {
	t.Helper()
	c, err := s.Changes(t.Context(), after)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCommitWithoutAnIDIsRefused(t *testing.T) {
	t.Parallel()
	s := mustNew(t)
	at := open(t, s)
	_, err := s.Commit(t.Context(), store.Commit{Epoch: at.Epoch, Put: []store.Entry{{Key: "k"}}})
	if err == nil || errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrEpoch) {
		t.Errorf("Commit() without an id = %v, want an error of its own", err)
	}
	if c := changes(t, s, at); c.Cursor != at {
		t.Errorf("Changes() = %+v, want nothing new", c)
	}
}

func TestAKeyBothPutAndDeletedIsDeleted(t *testing.T) {
	t.Parallel()
	s := mustNew(t)
	at := open(t, s)
	commit(t, s, store.Commit{ID: store.NewID(), Epoch: at.Epoch, Put: []store.Entry{{Key: "k"}, {Key: "k"}}, Delete: []string{"k", "k"}})
	if c := changes(t, s, at); len(c.Records) != 1 || !c.Records[0].Deleted {
		t.Errorf("Changes() = %+v, want one deletion", c)
	}
}

func TestHistoryIsBounded(t *testing.T) {
	t.Parallel()
	s := mustNew(t)
	at := open(t, s)
	for i := range 5 * keepCommits {
		key := fmt.Sprint("key ", i)
		put(t, s, at.Epoch, key)
		commit(t, s, store.Commit{ID: store.NewID(), Epoch: at.Epoch, Delete: []string{key}})
	}
	h := &s.ledger.history
	if n := len(h.commits); n < keepCommits || n > 2*keepCommits || len(h.byID) != n {
		t.Errorf("%d commits and %d ids are kept, want %d to %d of both", n, len(h.byID), keepCommits, 2*keepCommits)
	}
	if n := len(s.ledger.deleted); n > keepCommits {
		t.Errorf("%d deleted keys are kept, want those of the history", n)
	}
	if h.named > 2*keepCommits {
		t.Errorf("%d keys are counted in the history", h.named)
	}
}

// Huge commits shorten what can be followed, and not what is known by id.
func TestHistoryNamesBoundedKeys(t *testing.T) {
	t.Parallel()
	const huge = keepKeys / 4
	s := mustNew(t)
	start := open(t, s)
	first := store.Commit{ID: store.NewID(), Epoch: start.Epoch, Put: []store.Entry{{Key: "first"}}}
	firstAt := commit(t, s, first)
	keys := make([]string, huge)
	var cursors []store.Cursor
	for i := range 6 {
		for k := range keys {
			keys[k] = fmt.Sprint(i, "/", k)
		}
		cursors = append(cursors, put(t, s, start.Epoch, keys...))
		if i > 0 {
			commit(t, s, store.Commit{ID: store.NewID(), Epoch: start.Epoch, Delete: []string{fmt.Sprint(i-1, "/0")}})
		}
	}
	if n := s.ledger.history.named; n > keepKeys {
		t.Errorf("the history names %d keys, want %d at most", n, keepKeys)
	}
	if c := changes(t, s, start); !c.Reset {
		t.Error("Changes() since before the huge commits is no snapshot")
	}
	if c := changes(t, s, cursors[4]); c.Reset || len(c.Records) != huge+2 {
		t.Errorf("Changes() since the last but one = %d records, reset %v, want %d", len(c.Records), c.Reset, huge+2)
	}
	if again := commit(t, s, first); again != firstAt {
		t.Errorf("Commit() repeated = %+v, want %+v", again, firstAt)
	}
	if n := len(s.ledger.deleted); n > 5 {
		t.Errorf("%d deleted keys are kept", n)
	}

	for k := range keys {
		keys[k] = fmt.Sprint("more/", k)
	}
	var all []string
	for i := range 5 {
		for _, key := range keys {
			all = append(all, fmt.Sprint(i, key))
		}
	}
	last := put(t, s, start.Epoch, all...)
	if c := changes(t, s, cursors[5]); !c.Reset || c.Cursor != last {
		t.Error("Changes() since before a commit that is too large to follow is no snapshot")
	}
	if c := changes(t, s, last); c.Reset || len(c.Records) != 0 {
		t.Error("Changes() since a commit that is too large to follow is not empty")
	}
}

func BenchmarkChangesNothingNew(b *testing.B) {
	s := mustNew(b)
	at := put(b, s, open(b, s).Epoch, "key")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Changes(b.Context(), at); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCommit(b *testing.B) {
	s := mustNew(b)
	epoch := open(b, s).Epoch
	b.ReportAllocs()
	for b.Loop() {
		put(b, s, epoch, "state", "watermark")
	}
}
