package ledger

import (
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/go-batteries/hawkeye/store"
)

// The form in which the records of writers are stored.
func TestWriterRecordFormat(t *testing.T) {
	t.Parallel()
	m := newMirror(t, newMemory(t))
	mustSync(t, m)
	book := NewBook(m, slog.New(slog.DiscardHandler))
	id := store.ID{0x0a}
	runs := []Run{{From: 5, To: 20}, {From: 40, To: 60, Final: true}, {From: 80}}
	tx := m.Begin()
	if err := tx.PutRuns(id, runs); err != nil {
		t.Fatal(err)
	}
	tx.Put("w/not an id", []byte(`{"v":1}`))
	tx.Put("w/000000000000000000000000000000ff", []byte(`{"v":2,"runs":"other"}`))
	if err := m.Commit(t.Context(), tx); err != nil {
		t.Fatal(err)
	}
	const want = `{"v":1,"runs":[{"f":5,"t":20},{"f":40,"t":60,"x":true},{"f":80}]}`
	if got := values(m)["w/0a000000000000000000000000000000"]; got != want {
		t.Errorf("the record is %s, want %s", got, want)
	}
	got := book.Writers()
	if diff := cmp.Diff(map[store.ID]*WriterRecord{id: {V: 1, Runs: runs}}, got); diff != "" {
		t.Errorf("Writers() (-want +got):\n%s", diff)
	}
}

// Records go when neither a window nor the retention needs them, and not
// before.
func TestOldWritersAreSwept(t *testing.T) {
	t.Parallel()
	m := newMirror(t, newMemory(t))
	mustSync(t, m)
	book := NewBook(m, slog.New(slog.DiscardHandler))
	width := m.traits.Tick
	now := time.Now()
	ago := func(d time.Duration) int64 { return now.Add(-d).UnixNano() / int64(width) }
	put := map[store.ID][]Run{
		{1}: {{From: ago(time.Hour)}},
		{2}: {{From: ago(time.Hour), To: ago(m.traits.Retention / 2)}},
		{3}: {{From: ago(time.Hour), To: ago(m.traits.Retention + time.Minute)}, {From: ago(time.Minute), To: ago(time.Second)}},
		{4}: {{From: ago(time.Hour), To: ago(m.traits.Retention + time.Minute), Final: true}},
	}
	tx := m.Begin()
	for id, runs := range put {
		if err := tx.PutRuns(id, runs); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Commit(t.Context(), tx); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		keep time.Duration
		left int
	}{{m.traits.Retention + time.Hour, 4}, {0, 3}} {
		book.KeepWriters = c.keep
		sweep := book.Old(noView(book), now)
		for tx := sweep.Next(); tx != nil; tx = sweep.Next() {
			if err := m.Commit(t.Context(), tx); err != nil {
				t.Fatal(err)
			}
		}
		if got := m.Len(ClassWriter); got != c.left {
			t.Errorf("with %v to keep %d records are left, want %d", c.keep, got, c.left)
		}
	}
}
