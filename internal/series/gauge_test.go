package series

import (
	"math"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/go-batteries/hawkeye/internal/bucket"
)

func TestGaugeIsCollectedWhenChangedOrInKeyframes(t *testing.T) {
	t.Parallel()
	r := New(Limits{})
	g := r.Gauge("g")
	for _, step := range []struct {
		what     string
		do       func()
		keyframe bool
		want     []float64
	}{
		{"never set", func() {}, false, nil},
		{"never set, keyframe", func() {}, true, nil},
		{"set", func() { g.Set(1); g.Set(2.5) }, false, []float64{2.5}},
		{"unchanged", func() {}, false, nil},
		{"set to the same", func() { g.Set(2.5) }, false, nil},
		{"unchanged, keyframe", func() {}, true, []float64{2.5}},
		{"add", func() { g.Add(-3) }, false, []float64{-0.5}},
		{"set, then add", func() { g.Set(10); g.Add(1) }, false, []float64{11}},
		{"to zero", func() { g.Set(0) }, false, []float64{0}},
		{"zero, keyframe", func() {}, true, []float64{0}},
		{"idle drop leaves it", func() { r.DropIdle(0) }, true, []float64{0}},
		{"NaN and infinities", func() { g.Set(math.NaN()); g.Set(math.Inf(1)); g.Add(math.Inf(-1)) }, false, nil},
		{"a sum that is infinite", func() { g.Set(math.MaxFloat64); g.Add(math.MaxFloat64) }, false, []float64{math.MaxFloat64}},
	} {
		step.do()
		var b bucket.Bucket
		r.Collect(&b, step.keyframe)
		var got []float64
		for _, gauge := range b.Gauges {
			got = append(got, gauge.Value)
		}
		if diff := cmp.Diff(step.want, got); diff != "" || b.Keyframe != step.keyframe {
			t.Errorf("%s: Collect (-want +got):\n%s", step.what, diff)
		}
	}
	if got := r.Stats().RejectedValues; got != 4 {
		t.Errorf("RejectedValues = %d, want 4", got)
	}
}

func TestGaugeAddStartsAtZero(t *testing.T) {
	t.Parallel()
	r := New(Limits{})
	r.AddGauge("g", 2, nil)
	r.AddGauge("g", 3, nil)
	var b bucket.Bucket
	r.Collect(&b, false)
	if len(b.Gauges) != 1 || b.Gauges[0].Value != 5 {
		t.Errorf("Collect after Add(2), Add(3) = %v, want 5", b.Gauges)
	}
}

func TestGaugeAddsAreExactUnderConcurrency(t *testing.T) {
	t.Parallel()
	r := New(Limits{})
	g := r.Gauge("g")
	var writers sync.WaitGroup
	for range 8 {
		writers.Go(func() {
			for range 5000 {
				g.Add(3)
				g.Add(-2)
			}
		})
	}
	writers.Wait()
	var b bucket.Bucket
	r.Collect(&b, false)
	if len(b.Gauges) != 1 || b.Gauges[0].Value != 40_000 {
		t.Errorf("Collect = %v, want 40000", b.Gauges)
	}
}
