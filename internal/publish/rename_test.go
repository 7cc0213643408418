package publish

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/go-batteries/hawkeye/internal/bucket"
)

// TestRenameIn says that a series that gets another id gets it in all that a
// bucket says of it.
func TestRenameIn(t *testing.T) {
	t.Parallel()
	with := func(id uint64) bucket.Bucket {
		return bucket.Bucket{
			Counters:   []bucket.Counter{{ID: 1, Delta: 5}, {ID: id, Delta: 6}},
			Beyond:     []bucket.Beyond{{ID: id, Whole: 7}, {ID: 1, Whole: 8}},
			Gauges:     []bucket.Gauge{{ID: id, Value: 9}},
			Histograms: []bucket.Histogram{{ID: id, Sum: 10}},
			Sets:       []bucket.Set{{ID: id}},
		}
	}
	got, want := with(2), with(3)
	if !renameIn(&got, map[uint64]uint64{2: 3}) {
		t.Error("renameIn = false, want true")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if renameIn(&got, map[uint64]uint64{2: 3}) {
		t.Error("renameIn of an id that isn't there = true, want false")
	}
}
