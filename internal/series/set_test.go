package series

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/go-batteries/hawkeye/internal/bucket"
)

func collectSet(r *Registry) []uint64 {
	var b bucket.Bucket
	r.Collect(&b, false)
	if len(b.Sets) == 0 {
		return nil
	}
	slices.Sort(b.Sets[0].Hashes)
	return b.Sets[0].Hashes
}

func TestSetCollectsDifferentValuesOfATick(t *testing.T) {
	t.Parallel()
	r := New(Limits{})
	s := r.Set("s")
	s.AddString("alice")
	s.AddBytes([]byte("bob"))
	r.AddToSet("s", "alice", nil)
	want := []uint64{HashValue("alice"), HashValue("bob")}
	slices.Sort(want)
	if diff := cmp.Diff(want, collectSet(r)); diff != "" {
		t.Errorf("Collect (-want +got):\n%s", diff)
	}
	if got := collectSet(r); got != nil {
		t.Errorf("second Collect = %v, want nothing", got)
	}
	s.AddString("alice")
	if got := collectSet(r); !slices.Equal(got, []uint64{HashValue("alice")}) {
		t.Errorf("Collect of the next tick = %v, want alice again", got)
	}
}

func TestSetIsBounded(t *testing.T) {
	t.Parallel()
	r := New(Limits{})
	s := r.Set("s")
	for i := range MaxSetValues + 5 {
		s.AddString(fmt.Sprint(i))
	}
	s.AddString("0") // is in it
	if got := r.Stats().SetOverflow; got != 5 {
		t.Errorf("SetOverflow = %d, want 5", got)
	}
	if got := len(collectSet(r)); got != MaxSetValues {
		t.Errorf("Collect has %d values, want %d", got, MaxSetValues)
	}
}

// The hash is the same in all processes and versions.
func TestHashValueNeverChanges(t *testing.T) {
	t.Parallel()
	if got, want := HashValue("alice"), HashValue([]byte("alice")); got != want {
		t.Errorf("HashValue(string) = %#x, HashValue([]byte) = %#x", got, want)
	}
	for value, want := range map[string]uint64{"": 0xefd01f60ba992926, "alice": 0x3507d047a67c08f4} {
		if got := HashValue(value); got != want {
			t.Errorf("HashValue(%q) = %#x, want %#x", value, got, want)
		}
	}
}
