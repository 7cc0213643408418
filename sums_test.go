package hawkeye_test

import (
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-batteries/hawkeye"
	"github.com/go-batteries/hawkeye/hawkeyetest"
)

// TestWindowSumOfBigCounts counts more than an int64 of millionths can hold.
func TestWindowSumOfBigCounts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := hawkeyetest.New(t, hawkeye.WithConfig("m.yaml", []byte(`
version: 2
from: hawkeye@example.com
receivers: {team: {email: {to: [team@example.com]}}}
monitors:
  - {name: egress, metric: egress.bytes, window: 1d, notify: [team], triggers: [{threshold: 5TB}]}
`)))
		var want float64
		for range 200 { // 1 GB a second, 12 TB in 200 minutes
			h.Count("egress.bytes", 60_000_000_000)
			want += 60_000_000_000
			h.Advance(time.Minute)
		}
		a := h.Alerts()[0]
		if saturated := h.Stats().Saturated; a.Value != want || a.State != "firing" || saturated > 0 {
			t.Errorf("after %v bytes: value %v, %s, %d saturated; want %v, firing, none", want, a.Value, a.State, saturated, want)
		}
		h.WantAlert("[critical] egress")
		h.WantNone()
	})
}

// TestSumsSaturateAndAreCounted counts more than is counted.
func TestSumsSaturateAndAreCounted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := hawkeyetest.New(t, hawkeye.WithConfig("m.yaml", []byte(`
version: 2
receivers: {team: {email: {to: [team@example.com]}}}
monitors: [{name: egress, metric: egress.bytes, window: 1m, notify: [team], triggers: [{threshold: 1}]}]
`)))
		h.Count("egress.bytes", 1e18)
		h.Advance(2 * time.Second)
		if n := h.Stats().Saturated; n != 0 {
			t.Errorf("%d saturated at 1e18, want none", n)
		}
		h.Count("egress.bytes", 1e18)
		h.Advance(2 * time.Second)
		if a, n := h.Alerts()[0], h.Stats().Saturated; a.Value != 1e18 || n == 0 {
			t.Errorf("value of twice 1e18 = %v, %d saturated, want 1e18 and some", a.Value, n)
		}
		before := h.Stats().Saturated
		if got, err := h.Query(t.Context(), "egress.bytes", time.Minute); err != nil || got.Value != 1e18 || h.Stats().Saturated <= before {
			t.Errorf("Query() = %+v, %v, %d saturated, want 1e18 and more than %d", got, err, h.Stats().Saturated, before)
		}
		before = h.Stats().Saturated
		h.Count("egress.bytes", math.MaxInt64)
		if n := h.Stats().Saturated; n != before+1 {
			t.Errorf("a sample beyond 1e18 makes %d saturated, want %d", n, before+1)
		}
		h.Advance(2 * time.Minute)
		if a := h.Alerts()[0]; a.Value != 0 {
			t.Errorf("value a window later = %v, want 0", a.Value)
		}
	})
}

// TestSumsAgreeWithBig has two replicas count and observe what is large and
// what is small. What windows, those of an evaluator that takes over, and
// Query come to is compared with the sums of math/big.
func TestSumsAgreeWithBig(t *testing.T) {
	t.Parallel()
	const config = `
version: 2
receivers: {team: {email: {to: [team@example.com]}}}
defaults: {notify: team}
monitors:
  - {name: counter 1m, metric: counter, window: 1m, triggers: [{threshold: 1e18}]}
  - {name: counter 1h, metric: counter, window: 1h, triggers: [{threshold: 1e18}]}
  - {name: histogram 1m, metric: histogram, aggregate: sum, window: 1m, triggers: [{threshold: 1e18}]}
  - {name: histogram 1h, metric: histogram, aggregate: sum, window: 1h, triggers: [{threshold: 1e18}]}
  - {name: gauge, metric: gauge, triggers: [{threshold: 1e18}]}
`
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		replicas := f.startN(2, config)
		rng := rand.New(rand.NewPCG(1, 2))
		var counter, histogram []event
		gauges := make([]float64, len(replicas))
		size := func() float64 { return math.Pow(10, 15*rng.Float64()) }
		check := func(what string, got float64, want *big.Rat) {
			t.Helper()
			if !precisely(got, want) {
				t.Errorf("%v: %s = %v, want %v", time.Now(), what, got, want.FloatString(6))
			}
		}
		checkAll := func(r *replica) {
			t.Helper()
			now := time.Now()
			values := make(map[string]float64)
			for _, a := range r.Alerts() {
				values[a.Monitor] = a.Value
			}
			check("counter 1m", values["counter 1m"], sumSince(counter, now.Add(-time.Minute)))
			check("counter 1h", values["counter 1h"], sumSince(counter, now.Add(-time.Hour)))
			check("histogram 1m", values["histogram 1m"], sumSince(histogram, now.Add(-time.Minute)))
			check("histogram 1h", values["histogram 1h"], sumSince(histogram, now.Add(-time.Hour)))
			level := new(big.Rat)
			for _, v := range gauges {
				level.Add(level, new(big.Rat).SetFloat64(v))
			}
			check("gauge", values["gauge"], level)
			for metric, events := range map[string][]event{"counter": counter, "histogram": histogram} {
				for _, window := range []time.Duration{time.Minute, 4 * time.Minute, time.Hour} {
					got, err := r.Query(t.Context(), metric, window)
					if err != nil {
						t.Fatal(err)
					}
					check("Query of "+metric+" over "+window.String(), got.Sum, sumSince(events, now.Add(-window)))
				}
			}
		}
		evaluates := func() int {
			return slices.IndexFunc(replicas, func(r *replica) bool { return r.Health().Evaluates })
		}
		for n := range 960 {
			for i, r := range replicas {
				if n%60 < 20 || n%60 >= 40 { // so that the edges of windows cut nothing
					break
				}
				if rng.IntN(3) == 0 {
					whole := int64(size())
					r.Count("counter", whole)
					counter = append(counter, event{time.Now(), new(big.Rat).SetInt64(whole)})
				}
				if rng.IntN(3) == 0 {
					millionths := rng.Int64N(1e6)
					r.Counter("counter").AddFloat(float64(millionths) / 1e6)
					counter = append(counter, event{time.Now(), big.NewRat(millionths, 1e6)})
				}
				v := size()
				r.Observe("histogram", v)
				histogram = append(histogram, event{time.Now(), new(big.Rat).SetFloat64(v)})
				gauges[i] = size()
				r.Gauge("gauge").Set(gauges[i])
			}
			after(tick)
			switch n {
			case 60, 840:
				checkAll(replicas[evaluates()])
			case 850:
				i := evaluates()
				f.stop(replicas[i])
				replicas, gauges = slices.Delete(replicas, i, i+1), slices.Delete(gauges, i, i+1)
			case 889: // Query took its time
				checkAll(replicas[evaluates()])
			}
		}
	})
}

// event is what was recorded at a time.
type event struct {
	at    time.Time
	value *big.Rat
}

func sumSince(events []event, from time.Time) *big.Rat {
	sum := new(big.Rat)
	for _, e := range events {
		if !e.at.Before(from) {
			sum.Add(sum, e.value)
		}
	}
	return sum
}

// precisely says whether a sum is right to 1 part in 2^52.
func precisely(got float64, want *big.Rat) bool {
	diff := new(big.Rat).SetFloat64(got)
	diff.Sub(diff, want).Abs(diff)
	return diff.Cmp(new(big.Rat).Mul(new(big.Rat).Abs(want), big.NewRat(1, 1<<52))) <= 0
}
