package series

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/go-batteries/hawkeye/internal/bucket"
)

// gauges returns what a Collect has of gauges: values by name, and ages.
func (r *Registry) collected(keyframe bool) (map[string]float64, map[string]int64) {
	var b bucket.Bucket
	r.Collect(&b, keyframe)
	values, ages := map[string]float64{}, map[string]int64{}
	name := func(id uint64) string {
		_, name, _, _ := ParseCanonical(r.NamesOf([]uint64{id})[0].Text)
		return name
	}
	for _, g := range b.Gauges {
		values[name(g.ID)] = g.Value
	}
	for _, a := range b.Ages {
		ages[name(b.Gauges[a.Gauge].ID)] = a.Ticks
	}
	return values, ages
}

// A gauge that another process sends is forgotten when it isn't sent any more;
// one of this process stays.
func TestRelayedGaugesAreForgotten(t *testing.T) {
	t.Parallel()
	r := New(Limits{})
	r.ForgetGauges(3)
	own, theirs := r.Gauge("own"), r.Gauge("theirs")
	own.Set(1)
	theirs.Set(2)
	theirs.Relayed()
	r.collected(false)
	for range 3 {
		if values, _ := r.collected(true); !cmp.Equal(values, map[string]float64{"own": 1, "theirs": 2}) {
			t.Errorf("collected %v before the time is over, want both", values)
		}
	}
	if r.Forgot() {
		t.Error("a gauge was forgotten before its time")
	}
	theirs.Set(2) // the same again
	for range 4 {
		if values, _ := r.collected(true); !cmp.Equal(values, map[string]float64{"own": 1, "theirs": 2}) {
			t.Errorf("collected %v, want both: it was sent again", values)
		}
	}
	for range 2 {
		if values, _ := r.collected(true); !cmp.Equal(values, map[string]float64{"own": 1}) {
			t.Errorf("collected %v, want the own one alone", values)
		}
	}
	if !r.Forgot() || r.Forgot() {
		t.Error("that a gauge was forgotten is said once")
	}
	theirs.Add(4)
	if values, _ := r.collected(false); !cmp.Equal(values, map[string]float64{"theirs": 4}) {
		t.Errorf("collected %v, want the one that came back", values)
	}
}

// Keyframes say how long ago gauges were set; those that somebody watches are
// in each bucket after they were set.
func TestAgesOfGauges(t *testing.T) {
	t.Parallel()
	r := New(Limits{})
	r.WatchGauges(map[string]bool{"watched": true, "later": true})
	once, watched := r.Gauge("once"), r.Gauge("watched")
	once.Set(1)
	watched.Set(2)
	r.collected(false)
	watched.Set(2)
	once.Set(1)
	if values, ages := r.collected(false); !cmp.Equal(values, map[string]float64{"watched": 2}) || len(ages) > 0 {
		t.Errorf("collected %v, %v, want the one that is watched", values, ages)
	}
	r.collected(false)
	later := r.Gauge("later")
	later.Set(3)
	r.collected(false)
	later.Set(3)
	if values, ages := r.collected(true); !cmp.Equal(values, map[string]float64{"once": 1, "watched": 2, "later": 3}) ||
		!cmp.Equal(ages, map[string]int64{"once": 3, "watched": 3}) {
		t.Errorf("a keyframe has %v and says that %v are old", values, ages)
	}
	r.WatchGauges(map[string]bool{"once": true})
	watched.Set(2)
	once.Set(1)
	if values, _ := r.collected(false); !cmp.Equal(values, map[string]float64{"once": 1}) {
		t.Errorf("collected %v, want the one that is watched now", values)
	}
}
