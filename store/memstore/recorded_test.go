package memstore

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestReadRecorded(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state")
	data := encodeState(exampleState())
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if !IsStateFile(data) || IsStateFile([]byte(`{"time": 1}`)) || IsStateFile(nil) {
		t.Error("IsStateFile doesn't tell a state file from others")
	}
	r, err := ReadRecorded(path)
	if err != nil {
		t.Fatal(err)
	}
	if r.Tick != 200*time.Millisecond || len(r.Ticks) != 2 || r.Ticks[1].Count != 2 || string(r.Ticks[1].Buckets[0].Data) != "one" {
		t.Errorf("ReadRecorded = %+v, want the two fine ticks", r)
	}
	if got, want := r.Names[7], "c|http.requests|route=/x"; got != want {
		t.Errorf("Names[7] = %q, want %q", got, want)
	}
	after, err := os.ReadFile(path)
	if err != nil || string(after) != string(data) {
		t.Errorf("the file was changed, %v", err)
	}
}

func TestReadRecordedFailures(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	damaged := filepath.Join(dir, "damaged")
	data := encodeState(exampleState())
	data[len(data)/2] ^= 1
	if err := os.WriteFile(damaged, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadRecorded(damaged); !errors.Is(err, errCorrupt) {
		t.Errorf("ReadRecorded(damaged) = %v, want %v", err, errCorrupt)
	}
	if _, err := os.Stat(damaged); err != nil {
		t.Errorf("a damaged file was set aside by a reader: %v", err)
	}
	if _, err := ReadRecorded(filepath.Join(dir, "absent")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("ReadRecorded(absent) = %v, want %v", err, os.ErrNotExist)
	}
}
