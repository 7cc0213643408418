package ledger

import (
	"errors"
	"strconv"
	"testing"

	"github.com/go-batteries/hawkeye/store"
)

// What a commit depends on is the record that it names, as it was when the
// decision was begun, and no other of its kind: the copy is brought up to date
// while it is decided.
func TestRequireIsOfOneRecord(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		meanwhile map[string]string // by another replica; "" deletes
		want      error
	}{
		"nothing changes":                  {nil, nil},
		"other rows change":                {map[string]string{"o/2": "settled", "o/3": "", "o/4": "queued"}, nil},
		"the row is claimed":               {map[string]string{"o/1": "claimed"}, store.ErrConflict},
		"the row is settled":               {map[string]string{"o/1": ""}, store.ErrConflict},
		"a row is there that wasn't":       {map[string]string{"o/new": "queued"}, store.ErrConflict},
		"a record of another kind changes": {map[string]string{"a/1": "fires"}, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newMemory(t)
			a, b := newMirror(t, s), newMirror(t, s)
			mustSync(t, a)
			for i := range 3 {
				if err := put(t, a, "o/"+strconv.Itoa(i+1), "queued"); err != nil {
					t.Fatal(err)
				}
			}
			mustSync(t, b)
			tx := b.Begin()
			change(t, a, test.meanwhile)
			mustSync(t, b)
			tx.Require("o/1")
			tx.Require("o/new")
			tx.Put("o/1", []byte("claimed by b"))
			if err := b.Commit(t.Context(), tx); !errors.Is(err, test.want) {
				t.Errorf("Commit() = %v, want %v", err, test.want)
			}
		})
	}
}

// A row that is deleted and queued anew between two looks isn't the one that
// was decided about, nor is one that came and went.
func TestRequireOfARowThatCameAndWent(t *testing.T) {
	t.Parallel()
	s := newMemory(t)
	a, b := newMirror(t, s), newMirror(t, s)
	mustSync(t, a)
	mustSync(t, b)
	absent := b.Begin()
	change(t, a, map[string]string{"o/1": "queued"})
	mustSync(t, b)
	there := b.Begin()
	change(t, a, map[string]string{"o/1": ""})
	mustSync(t, b)
	for name, tx := range map[string]*Tx{"from when it was absent": absent, "from when it was there": there} {
		tx.Require("o/1")
		tx.Put("o/1", []byte("by b"))
		if err := b.Commit(t.Context(), tx); !errors.Is(err, store.ErrConflict) {
			t.Errorf("Commit() %s = %v, want %v", name, err, store.ErrConflict)
		}
	}
	change(t, a, map[string]string{"o/1": "queued again"})
	mustSync(t, b)
	if err := put(t, b, "o/1", "by b"); err != nil {
		t.Errorf("Commit() of what is decided now = %v, want nil", err)
	}
}

// The copy remembers only the latest deletions. What was decided before those
// that it has forgotten conflicts.
func TestDeletionsAreForgotten(t *testing.T) {
	t.Parallel()
	s := newMemory(t)
	m := newMirror(t, s)
	mustSync(t, m)
	before := m.Begin()
	all := make(map[string]string)
	for i := range maxDeleted + 1 {
		all["h/"+strconv.Itoa(i)] = "entry"
	}
	change(t, m, all)
	for key := range all {
		all[key] = ""
	}
	change(t, m, all)
	if n := len(m.deleted); n != 0 {
		t.Errorf("%d deletions are remembered, want none after more than %d", n, maxDeleted)
	}
	before.Require("o/1")
	before.Put("o/1", []byte("row"))
	if err := m.Commit(t.Context(), before); !errors.Is(err, store.ErrConflict) {
		t.Errorf("Commit() of a decision from before = %v, want %v", err, store.ErrConflict)
	}
	if err := put(t, m, "o/1", "row"); err != nil {
		t.Errorf("Commit() of what is decided now = %v, want nil", err)
	}
}

// change writes records, and deletes those without a value.
func change(t *testing.T, m *Mirror, values map[string]string) {
	t.Helper()
	tx := m.Begin()
	for key, value := range values {
		if value == "" {
			tx.Delete(key)
		} else {
			tx.Put(key, []byte(value))
		}
	}
	if err := m.Commit(t.Context(), tx); err != nil {
		t.Fatal(err)
	}
}
