package hawkeye_test

import (
	"encoding/json"
	"math"
	"testing"
	"testing/synctest"
	"time"
)

// TestWhatIsReturnedMarshals has alerts without a value, and with the greatest
// values that there are: what the methods of a replica that evaluates, and of
// one that follows it, return is JSON all the same.
func TestWhatIsReturnedMarshals(t *testing.T) {
	t.Parallel()
	const config = `
version: 2
receivers: {team: {email: {to: [team@example.com]}}}
defaults: {notify: [team], no_data: alert, no_data_for: 1s}
monitors:
  - {name: ratio, metric: bad, divide_by: all, window: 5s, triggers: [{threshold: 10%}]}
  - {name: slow, metric: took, aggregate: p99, window: 5s, no_data: nodata, triggers: [{threshold: 1}]}
  - {name: level, metric: depth, triggers: [{threshold: 1}]}
  - {name: swing, metric: depth, aggregate: change, window: 5s, triggers: [{threshold: 1}]}
  - {name: growth, metric: bad, compare_to: 10s, window: 5s, triggers: [{threshold: "+50%"}]}
slos:
  - {name: good, objective: 99%, total: all, bad: bad, notify: [team]}
heartbeats:
  - {metric: job, expect_every: 3s, notify: [team]}
`
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		replicas := f.startN(2, config)
		marshal := func() {
			t.Helper()
			for i, r := range replicas {
				out := map[string]any{
					"Alerts": r.Alerts(), "History": r.History(""),
					"Stats": r.Stats(), "Health": r.Health(),
				}
				for _, name := range []string{"ratio", "slow", "level", "swing", "growth", "good", "job"} {
					e, err := r.Explain(t.Context(), name)
					if err != nil {
						t.Errorf("Explain(%s) = %v", name, err)
					}
					out["Explain of "+name] = e
				}
				for _, name := range []string{"bad", "took", "depth", "none"} {
					q, err := r.Query(t.Context(), name, 5*time.Second)
					if err != nil {
						t.Errorf("Query(%s) = %v", name, err)
					}
					out["Query of "+name] = q
				}
				for what, v := range out {
					if _, err := json.Marshal(v); err != nil {
						t.Errorf("replica %d: json.Marshal(%s) = %v", i, what, err)
					}
				}
			}
		}
		marshal()
		for n := range 6 {
			for i, r := range replicas {
				r.Incr("bad")
				r.Count("all", 2)
				r.Observe("took", 3)
				r.SetGauge("depth", math.MaxFloat64*float64(1-2*(n%2)))
				if i == 0 {
					r.Incr("job")
				}
			}
			after(tick)
		}
		marshal()
		after(20 * tick) // the ratio and the percentile have no value any more
		marshal()
		f.stop(replicas[0])
		replicas = replicas[1:]
		after(10 * tick)
		marshal()
	})
}
