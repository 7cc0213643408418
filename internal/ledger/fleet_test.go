package ledger

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/go-batteries/hawkeye/store"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestLowest(t *testing.T) {
	t.Parallel()
	first, second := Formats{1, 1, 1}, Formats{2, 2, 2}
	for _, c := range []struct {
		name    string
		writers map[string]Member
		want    Formats
	}{
		{"nobody", nil, first},
		{"one", map[string]Member{"a": {Reads: second}}, second},
		{"two", map[string]Member{"a": {Reads: second}, "b": {Reads: second}}, second},
		{"one of before", map[string]Member{"a": {Reads: second}, "b": {Reads: first}}, first},
		{"one that doesn't say", map[string]Member{"a": {Reads: second}, "b": {Config: "x"}}, first},
		{"one that doesn't say all", map[string]Member{"a": {Reads: second}, "b": {Reads: Formats{Bucket: 3, State: 2}}}, Formats{2, 1, 2}},
		{"one that has left, and may still read", map[string]Member{"a": {Reads: second}, "b": {Reads: first, Left: 7}}, first},
		{"each the lowest in something", map[string]Member{"a": {Reads: Formats{2, 3, 4}}, "b": {Reads: Formats{4, 2, 3}}, "c": {Reads: Formats{3, 4, 2}}}, second},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := (&Fleet{Writers: c.writers}).Lowest(); got != c.want {
				t.Errorf("Lowest() = %v, want %v", got, c.want)
			}
		})
	}
}

// TestFleetRecordFormat keeps the records of old ledgers readable that say who
// evaluates, who is live, and with which configuration. A change of a format
// gets a new version and a new file; this one stays.
func TestFleetRecordFormat(t *testing.T) {
	t.Parallel()
	type records struct {
		Head   Head
		Fleet  Fleet
		Config ConfigRecord
		Silent Member // of a version that doesn't say what it reads
	}
	fleet := Fleet{Tick: 7, Writers: map[string]Member{
		"00000000000000000000000000000001": {Config: "abc", Agent: true, Notifier: true, Reads: Formats{1, 1, 1}},
		"00000000000000000000000000000002": {Config: "def", Left: 6, Reads: Formats{2, 2, 2}},
	}}
	fleet.Reads = fleet.Lowest()
	text, err := json.MarshalIndent(records{
		Head:  Head{Tick: 7, Writer: store.ID{1}, Born: 3, Config: "abc"},
		Fleet: fleet, Config: ConfigRecord{Generation: 2, First: 5, Keys: []string{"errors"}}, Silent: Member{Config: "abc", Agent: true},
	}, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	const file = "testdata/fleet_v1.json"
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
	var back records
	if err := json.Unmarshal(want, &back); err != nil {
		t.Fatal(err)
	}
	if !back.Fleet.Equal(&fleet) || back.Fleet.Reads != fleet.Reads {
		t.Errorf("the fleet that was read is %+v, want %+v", back.Fleet, fleet)
	}
}
