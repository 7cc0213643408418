package notify

import (
	"bytes"
	"encoding/json"
	"flag"
	"maps"
	"math"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

// goldenRecords are records of each kind.
type goldenRecords struct {
	Rows     []*Row
	Dead     []*Row
	Threads  []*Thread
	Clocks   []*Clock `json:",omitempty"`
	Groups   []*GroupState
	Silences []*Silence
	Acks     []*Ack
}

// TestOldRecords keeps the records of old ledgers readable, and what is
// written of them the same. Members are only added.
func TestOldRecords(t *testing.T) {
	t.Parallel()
	old, err := os.ReadFile("testdata/records_v1.json")
	if err != nil {
		t.Fatal(err)
	}
	var back goldenRecords
	if err := json.Unmarshal(old, &back); err != nil {
		t.Fatal(err)
	}
	again, err := json.MarshalIndent(back, "", "  ")
	if diff := cmp.Diff(string(bytes.TrimSpace(old)), string(again)); err != nil || diff != "" {
		t.Errorf("records read and written again (-want +got):\n%s\n%v", diff, err)
	}
	if !back.Silences[0].Matches(&Snapshot{Tags: map[string]string{"zone": "eu"}}) {
		t.Error("a silence out of the ledger doesn't match")
	}
}

// TestRecordFormat is what is written today. A change that isn't an addition
// gets a new version and a new file.
func TestRecordFormat(t *testing.T) {
	t.Parallel()
	cfg := oneLevel(time.Hour, &Receiver{Name: "r", Fallback: "f", Group: Group{By: []string{"zone"}, Interval: time.Minute}}, &Receiver{Name: "q"})
	cfg.Receivers["f"] = &Receiver{Name: "f"}
	cfg.Monitors["m"].Levels[0].Escalate = []Escalation{{After: time.Second, Receivers: []string{"r"}}}
	w := newWorld(t, cfg)
	w.answer = func(receiver string, _ time.Duration, _ *Message) Result {
		return map[string]Result{"q": {Kind: Permanent, Error: "550"}, "f": {Kind: Unknown, Error: "late"}}[receiver]
	}
	w.at(0, func() { w.set("m", "a", 9, "zone", "eu") })
	w.at(1, func() { w.set("m", "b", math.Inf(1), "zone", "eu") })
	w.run(2)
	w.silence(3, 100, "zone=eu")
	w.run(4)
	got := goldenRecords{
		Rows: sortedRows(w.rows), Dead: w.dead, Silences: w.silences,
		Acks: []*Ack{{V: RecordVersion, Incident: "i001", Author: "ada", At: w.now, Until: w.now.Add(time.Hour)}},
	}
	for _, k := range slices.SortedFunc(maps.Keys(w.threads), func(a, b ThreadKey) int { return bytes.Compare([]byte(a.Alert+a.Receiver), []byte(b.Alert+b.Receiver)) }) {
		got.Threads = append(got.Threads, w.threads[k])
	}
	for _, key := range slices.Sorted(maps.Keys(w.clocks)) {
		got.Clocks = append(got.Clocks, w.clocks[key])
	}
	for _, g := range w.groups {
		got.Groups = append(got.Groups, g)
	}
	text, err := json.MarshalIndent(got, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	const file = "testdata/records_v1_now.json"
	if *update {
		if err := os.WriteFile(file, append(text, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(bytes.TrimSpace(want)), string(text)); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
	var back goldenRecords
	if err := json.Unmarshal(want, &back); err != nil {
		t.Fatal(err)
	}
	again, err := json.MarshalIndent(back, "", "  ")
	if err != nil || !bytes.Equal(again, text) {
		t.Errorf("records read and written again are\n%s\n%v", again, err)
	}
}

func sortedRows(rows map[string]*Row) []*Row {
	var out []*Row
	for _, id := range slices.Sorted(maps.Keys(rows)) {
		out = append(out, rows[id])
	}
	return out
}
