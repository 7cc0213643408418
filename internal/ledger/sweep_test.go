package ledger

import (
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/go-batteries/hawkeye/internal/notify"
	"github.com/go-batteries/hawkeye/store"
)

// fill puts n entries into the history, of as many alerts.
func fill(t *testing.T, m *Mirror, n int) {
	t.Helper()
	at := time.Now().UTC()
	for done := 0; done < n; {
		tx := m.Begin()
		var entries []notify.Entry
		for ; done < n && len(entries) < 500; done++ {
			entries = append(entries, notify.Entry{At: at.Add(time.Duration(done)), Alert: fmt.Sprint(done), What: "fired"})
		}
		if err := tx.putHistory(entries); err != nil {
			t.Fatal(err)
		}
		if err := m.Commit(t.Context(), tx); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSweepIsBounded(t *testing.T) {
	t.Parallel()
	m := newMirror(t, newMemory(t))
	mustSync(t, m)
	book := NewBook(m, slog.New(slog.DiscardHandler))
	fill(t, m, MaxHistory)
	if book.TooMany(0) {
		t.Errorf("TooMany(0) of %d entries, want not", MaxHistory)
	}
	const tooMany = 2*maxSwept + maxSwept/2
	fill(t, m, tooMany)
	if !book.TooMany(0) {
		t.Errorf("TooMany(0) of %d entries is false", MaxHistory+tooMany)
	}
	if book.TooMany(MaxHistory + tooMany) {
		t.Error("TooMany is true of what the last sweep couldn't delete")
	}
	sweep := book.Old(noView(book), time.Now())
	commits := 0
	for tx := sweep.Next(); tx != nil; tx = sweep.Next() {
		commits++
		if n := len(tx.commit.Delete); n > maxSwept {
			t.Errorf("a commit deletes %d records, want at most %d", n, maxSwept)
		}
		if err := m.Commit(t.Context(), tx); err != nil {
			t.Fatalf("Commit() = %v, want nil", err)
		}
	}
	if got := m.Len(ClassHistory); commits != 3 || got != MaxHistory {
		t.Errorf("%d commits left %d entries, want 3 and %d", commits, got, MaxHistory)
	}
}

// A record that was written anew since it was found to be old is not deleted.
func TestSweepLeavesWhatChangedSince(t *testing.T) {
	t.Parallel()
	s := newMemory(t)
	m, other := newMirror(t, s), newMirror(t, s)
	mustSync(t, m)
	old := time.Now().Add(-2 * KeepSent)
	tx := m.Begin()
	if err := tx.PutSent("x", old); err != nil {
		t.Fatal(err)
	}
	if err := m.Commit(t.Context(), tx); err != nil {
		t.Fatal(err)
	}
	book := NewBook(m, slog.New(slog.DiscardHandler))
	sweep := book.Old(noView(book), time.Now())

	mustSync(t, other)
	tx = other.Begin()
	if err := tx.PutSent("x", time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := other.Commit(t.Context(), tx); err != nil {
		t.Fatal(err)
	}
	if err := m.Commit(t.Context(), sweep.Next()); !errors.Is(err, store.ErrConflict) {
		t.Errorf("Commit() of the sweep = %v, want %v", err, store.ErrConflict)
	}
	if !book.Sent("x") {
		t.Error("the note is gone")
	}
}

// noView is what a book holds, without a configuration.
func noView(book *Book) func() *notify.View {
	return func() *notify.View {
		v := book.View()
		v.Config = new(notify.Config)
		return v
	}
}
