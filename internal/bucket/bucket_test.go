package bucket

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRoundTripSmoke(t *testing.T) {
	in := Bucket{Final: true, Counters: []Counter{{1, 5 * Unit}, {2, -7}, {3, 1 << 62}}, Gauges: []Gauge{{9, -1.5}},
		Histograms: []Histogram{{ID: 4, Sum: 3, Buckets: []HistBucket{{-5, 1}, {7, 1 << 40}}}}}
	var out Bucket
	if err := Decode(Append(nil, &in), &out); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(in, out); d != "" {
		t.Error(d)
	}
}
