package window

import (
	"math"
	"testing"
	"time"

	"github.com/go-batteries/hawkeye/internal/bucket"
	"github.com/go-batteries/hawkeye/internal/series"
	"github.com/go-batteries/hawkeye/store"
)

// What a keyframe doesn't name its writer has no more; other writers' gauges,
// and what was named after it, stay.
func TestKeyframeForgetsGauges(t *testing.T) {
	t.Parallel()
	e := New(time.Second, 5*time.Minute, LiveTicks)
	e.Advance(999)
	all := e.Register(Query{Selector: Selector{Metric: "g"}, Window: time.Minute})
	each := e.Register(Query{Selector: Selector{Metric: "g", By: []string{"x"}}, Window: time.Minute})
	for i, x := range []string{"a", "b"} {
		e.Learn(uint64(i+1), series.Canonical(series.KindGauge, "g", []series.Tag{{Key: "x", Value: x}}))
	}
	one, two := store.NewID(), store.NewID()
	both := []bucket.Gauge{{ID: 1, Value: 1}, {ID: 2, Value: 2}}
	take := func(tick int64, w store.ID, keyframe bool, gauges ...bucket.Gauge) {
		t.Helper()
		e.Advance(tick)
		if !e.Take(tick, w, &bucket.Bucket{Keyframe: keyframe, Gauges: gauges}) {
			t.Fatal("the bucket isn't taken")
		}
	}
	want := func(sum, b float64) {
		t.Helper()
		if v := e.Value(all, e.Group(all, "")); v.V != sum {
			t.Errorf("tick %d: the sum is %v, want %v", e.Now(), v.V, sum)
		}
		v := e.Value(each, e.Group(each, "b"))
		if v.V != b && !(math.IsNaN(b) && v.Status == Missing && !v.Stale) {
			t.Errorf("tick %d: b is %v, want %v", e.Now(), v.V, b)
		}
	}
	take(1000, one, true, both...)
	take(1000, two, false, bucket.Gauge{ID: 2, Value: 10})
	want(13, 12)
	take(1001, one, false)
	take(1001, two, false)
	want(13, 12)
	take(1005, two, true, bucket.Gauge{ID: 2, Value: 10})
	take(1005, one, true, both[0])
	want(11, 10)
	e.Changed(nil)
	take(1006, two, true) // no gauge at all
	if refs := e.Changed(nil); len(refs) != 2 {
		t.Errorf("%d windows changed, want both of what was forgotten", len(refs))
	}
	want(1, math.NaN())
	take(1007, one, false, bucket.Gauge{ID: 2, Value: 5})
	take(1006, one, true, both[0]) // late, from before it came back
	want(6, 5)
}

// A gauge of which a keyframe says how long ago it was set counts for as long
// as that, and not as long again.
func TestStaleGaugesCountNoMore(t *testing.T) {
	t.Parallel()
	e := New(time.Second, 5*time.Minute, LiveTicks)
	e.Advance(999)
	h := e.Register(Query{Selector: Selector{Metric: "g", StaleAfter: 10 * time.Second}, Window: time.Minute})
	always := e.Register(Query{Selector: Selector{Metric: "g"}, Window: time.Minute})
	e.Learn(1, series.Canonical(series.KindGauge, "g", nil))
	w := store.NewID()
	for tick := int64(1000); tick < 1040; tick++ {
		e.Advance(tick)
		b := bucket.Bucket{Keyframe: tick%5 == 0, Gauges: []bucket.Gauge{{ID: 1, Value: 7}}}
		switch {
		case tick == 1002, tick == 1025: // it is set
		case b.Keyframe && tick > 1002:
			set := int64(1002)
			if tick > 1025 {
				set = 1025
			}
			b.Ages = []bucket.Age{{Gauge: 0, Ticks: tick - set}}
		case !b.Keyframe:
			b.Gauges = nil
		}
		e.Take(tick, w, &b)
		v := e.Value(h, e.Group(h, ""))
		if fresh := tick < 1012 || tick >= 1025 && tick < 1035; fresh != (v.Status == OK) || v.Stale == fresh {
			t.Errorf("tick %d: %+v, want a value: %v", tick, v, fresh)
		}
		if v := e.Value(always, e.Group(always, "")); v.V != 7 {
			t.Errorf("tick %d: %v without stale_after, want 7", tick, v.V)
		}
		changed := false
		for _, ref := range e.Changed(nil) {
			changed = changed || ref.Handle == h
		}
		if (tick == 1012 || tick == 1035) && !changed {
			t.Errorf("tick %d: nobody is told that the gauge is stale", tick)
		}
	}
}
