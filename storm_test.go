package hawkeye_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// newestTick returns the end of the newest tick that any replica has
// evaluated.
func (f *fleet) newestTick() (newest time.Time) {
	for _, r := range f.all {
		if at := r.Stats().EvaluatedTick; at.After(newest) {
			newest = at
		}
	}
	return newest
}

// A hundred clean restarts within a minute, of the replica that evaluates
// every other time. One alert fires throughout, another one is pending: no
// end, nothing twice, and evaluation never stands still for more than two
// ticks.
func TestRestartStorm(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		config := errorsFile + `
  - name: slow
    metric: slow
    window: 5m
    triggers:
      - {level: critical, threshold: 10, for: 45s, notify: [ops]}
`
		config = strings.Replace(config, "window: 10s", "window: 5m", 1)
		f.startN(10, config)
		count(f.all[0].Hawkeye, "errors", 10)
		count(f.all[1].Hawkeye, "slow", 10)
		after(4 * tick)
		want(t, "before the storm", f.box.lines(), fired)

		var leaving sync.WaitGroup
		took := make(chan time.Duration, 1000)
		begin, last, moved, gap := time.Now(), f.newestTick(), time.Now(), time.Duration(0)
		counted, evaluators := 10, 0
		const restarts = 100
		for i := range restarts {
			r := f.up()[0]
			for _, other := range f.up() {
				if i%2 == 0 && other.Health().Evaluates {
					r = other
					evaluators++
				}
			}
			count(r.Hawkeye, "errors", 3)
			counted += 3
			r.down = true
			leaving.Go(func() {
				ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
				defer cancel()
				since := time.Now()
				if err := r.Shutdown(ctx); err != nil {
					t.Errorf("Shutdown() = %v, want nil", err)
				}
				took <- time.Since(since)
			})
			f.start(config)
			for time.Since(begin) < time.Duration(i+1)*time.Minute/restarts {
				after(tick / 20)
				if at := f.newestTick(); at.After(last) {
					last, moved = at, time.Now()
				}
				gap = max(gap, time.Since(moved))
			}
			if i == restarts/2 {
				want(t, "half a minute into the storm", f.box.lines())
			}
		}
		leaving.Wait()
		close(took)
		longest := time.Duration(0)
		for d := range took {
			longest = max(longest, d)
		}
		after(10 * tick)
		want(t, "after the storm", f.box.lines(), "ops@example.com: [critical] slow in shop (test)")
		for _, a := range f.evaluator().Alerts() {
			if a.State != "firing" || a.Key == "errors" && a.Value != float64(counted) {
				t.Errorf("%s is %s with %v, want firing, and errors with %d", a.Key, a.State, a.Value, counted)
			}
		}
		t.Logf("%d restarts, %d of the evaluator: evaluation stood still for %v at most, the longest shutdown took %v; counted %d",
			restarts, evaluators, gap, longest, counted)
		if gap > 2*tick {
			t.Errorf("evaluation stood still for %v, want at most two ticks", gap)
		}
	})
}
