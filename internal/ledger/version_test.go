package ledger

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/go-batteries/hawkeye/internal/alert"
	"github.com/go-batteries/hawkeye/internal/notify"
)

func TestCheckVersion(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, value string
		newer       bool
	}{
		{"none", `{"at":"x"}`, false},
		{"the first", `{"v":1,"id":"x"}`, false},
		{"the first, at the end", `{"id":"x","v":1}`, false},
		{"a state of the first", `{"monitor":"m","state":{"v":1,"phase":"firing"}}`, false},
		{"a tag that is called v", `{"monitor":"m","state":{"v":1,"phase":"firing"},"snapshot":{"tags":{"v":"9"}}}`, false},
		{"text that looks like it", `{"v":1,"comment":"\"v\":9,"}`, false},
		{"damaged", `{"v":2,`, false},
		{"nothing", ``, false},
		{"the next", `{"v":2,"id":"x"}`, true},
		{"of two digits", `{"v":11,"id":"x"}`, true},
		{"a state of the next", `{"monitor":"m","state":{"v":2,"phase":"exotic"}}`, true},
		{"a state of the next in a record of the first", `{"v":1,"state":{"v":2,"phase":"firing"}}`, true},
		{"the next, with another type elsewhere", `{"v":2,"state":"firing"}`, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if err := checkVersion([]byte(c.value)); errors.Is(err, ErrNewer) != c.newer || (err != nil) != c.newer {
				t.Errorf("checkVersion(%s) = %v, want newer: %v", c.value, err, c.newer)
			}
		})
	}
}

// A record of a newer version is skipped, warned about once, and neither
// replaced nor deleted; those beside it are read and written.
func TestNewerRecordsAreLeftAlone(t *testing.T) {
	t.Parallel()
	s := newMemory(t)
	newer, older := newMirror(t, s), newMirror(t, s)
	mustSync(t, newer)
	future := map[string]string{
		"a/new":   `{"monitor":"m","state":{"v":2,"phase":"exotic"}}`,
		"a/new2":  `{"monitor":"m","state":{"v":3}}`,
		"o/new":   `{"v":2,"id":"new"}`,
		"d/new":   `{"v":2,"id":"new","settled":"2000-01-01T00:00:00Z"}`,
		"s/new":   `{"v":2,"at":"2000-01-01T00:00:00Z"}`,
		"t/1/m/r": `{"v":2,"alert":"m","receiver":"r","incident":"i"}`,
		"g/1/r/":  `{"v":2,"receiver":"r"}`,
		"q/new":   `{"v":2,"id":"new"}`,
		"k/new":   `{"v":2,"incident":"new"}`,
		"c/new":   `{"v":2,"first":9}`,
		"fleet":   `{"v":2,"writers":[]}`,
	}
	for key, value := range future {
		tx := newer.Begin()
		tx.Put(key, []byte(value))
		if err := newer.Commit(t.Context(), tx); err != nil {
			t.Fatal(err)
		}
	}
	mustSync(t, older)
	var log bytes.Buffer
	book := NewBook(older, slog.New(slog.NewTextHandler(&log, nil)))
	now := time.Now()
	tx := older.Begin()
	for key := range future {
		if err := tx.PutJSON(key, map[string]int{"v": 1}); err != nil {
			t.Fatal(err)
		}
		tx.Delete(key)
	}
	row := &notify.Row{V: 1, ID: "old", Incident: "i", Receiver: "r", Created: now.UTC()}
	plan := &notify.Plan{
		Rows:    []*notify.Row{row},
		Threads: []*notify.Thread{{V: 1, Alert: "m", Receiver: "r"}},
		Groups:  []*notify.GroupState{{V: 1, Receiver: "r"}},
		Sent:    []string{"new"},
	}
	if err := tx.PutPlan(plan, now); err != nil {
		t.Fatal(err)
	}
	if err := older.Commit(t.Context(), tx); err != nil {
		t.Fatalf("Commit() = %v, want nil: what can be written is", err)
	}
	sweep := book.Old(noView(book), now)
	for tx := sweep.Next(); tx != nil; tx = sweep.Next() {
		if err := older.Commit(t.Context(), tx); err != nil {
			t.Fatalf("Commit() of a sweep = %v, want nil", err)
		}
	}
	got := values(older)
	for key, value := range future {
		if got[key] != value {
			t.Errorf("%s is %s, want %s: it is a newer version's", key, got[key], value)
		}
	}
	if rows := book.Rows(); len(rows) != 1 || rows[0].ID != "old" {
		t.Errorf("Rows() = %v, want the one that this version wrote", rows)
	}
	if n := len(book.Alerts()) + len(book.Dead()) + len(book.Configs()); n != 0 {
		t.Errorf("%d records of a newer version were read", n)
	}
	if _, ok := book.Fleet(); ok {
		t.Error("the fleet's record of a newer version was read")
	}
	if n := strings.Count(log.String(), "key=a/new"); n != 1 {
		t.Errorf("%d warnings about alerts, want 1:\n%s", n, log.String())
	}
}

func TestHeadOfANewerVersion(t *testing.T) {
	t.Parallel()
	m := newMirror(t, newMemory(t))
	mustSync(t, m)
	if err := put(t, m, HeadKey, `{"v":2,"tick":7}`); err != nil {
		t.Fatal(err)
	}
	if _, _, ok, err := m.Head(); !ok || !errors.Is(err, ErrNewer) {
		t.Errorf("Head() = %v, %v, want there and %v", ok, err, ErrNewer)
	}
}

// A head that is refused is returned all the same, with the reason.
func TestHeadIsExamined(t *testing.T) {
	t.Parallel()
	refused := errors.New("of another width")
	m := New(Config{Store: newMemory(t), Logger: slog.New(slog.DiscardHandler), Examine: func(h *Head) error {
		if h.Width == 0 {
			h.Width = time.Second
		}
		if h.Width != time.Second {
			return refused
		}
		return nil
	}})
	mustSync(t, m)
	for value, want := range map[string]error{
		`{"tick":7}`: nil, `{"tick":7,"width":1000000000}`: nil, `{"tick":7,"width":200000000}`: refused,
	} {
		if err := put(t, m, HeadKey, value); err != nil {
			t.Fatal(err)
		}
		head, _, ok, err := m.Head()
		if head.Tick != 7 || head.Width == 0 || !ok || !errors.Is(err, want) {
			t.Errorf("Head() of %s = %+v, %v, %v, want what it says and %v", value, head, ok, err, want)
		}
	}
}

// TestGoldenRecords reads what version 1 wrote, by the golden files of the
// packages that own the formats.
func TestGoldenRecords(t *testing.T) {
	t.Parallel()
	m := newMirror(t, newMemory(t))
	mustSync(t, m)
	var states []json.RawMessage
	golden(t, "../alert/testdata/state_v1.json", &states)
	var records struct{ Rows, Dead, Threads, Groups, Silences, Acks []json.RawMessage }
	golden(t, "../notify/testdata/records_v1.json", &records)
	tx := m.Begin()
	for i, s := range states {
		tx.Put(AlertKey(string(rune('a'+i))), []byte(`{"monitor":"m","state":`+string(s)+`}`))
	}
	for class, of := range map[string][]json.RawMessage{
		ClassRow: records.Rows, ClassDead: records.Dead, ClassThread: records.Threads,
		ClassGroup: records.Groups, ClassSilence: records.Silences, ClassAck: records.Acks,
	} {
		if len(of) == 0 {
			t.Errorf("the golden file has no record of the class %s", class)
		}
		for i, r := range of {
			tx.Put(class+"/"+string(rune('a'+i)), r)
		}
	}
	if err := m.Commit(t.Context(), tx); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	book := NewBook(m, slog.New(slog.NewTextHandler(&log, nil)))
	v := book.View()
	type counts struct{ Alerts, Rows, Dead, Threads, Groups, Silences, Acks int }
	want := counts{len(states), len(records.Rows), len(records.Dead), len(records.Threads), len(records.Groups), len(records.Silences), len(records.Acks)}
	got := counts{len(book.Alerts()), len(v.Rows), len(book.Dead()), len(v.Threads), len(v.Groups), len(v.Silences), len(v.Acks)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("records of version 1 that were read (-want +got):\n%s", diff)
	}
	var first alert.State
	if err := json.Unmarshal(states[1], &first); err != nil {
		t.Fatal(err)
	}
	if a, ok := book.Alert("b"); !ok || !a.State.Equal(&first) {
		t.Errorf("Alert() = %+v, %v, want the state of the golden file", a, ok)
	}
	if log.Len() > 0 {
		t.Errorf("warnings: %s", log.String())
	}
}

func golden(t *testing.T, file string, v any) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, v); err != nil {
		t.Fatal(err)
	}
}
