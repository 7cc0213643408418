//go:build wallclock

// Built by test/wallclock/run, with a package time whose wall clock can be set.

package hawkeye_test

import (
	"testing"
	"testing/synctest"
	"time"
)

// An application's wall clock jumps under a Store whose clock is right: nobody
// notices, but that a jump by more than the retention makes writers take new
// ids, and so some ticks partial.
func TestWallClockJumps(t *testing.T) {
	for _, jump := range []time.Duration{time.Minute, -time.Minute, 10 * time.Minute, -10 * time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			t.Cleanup(func() { time.Jumped = 0 }) // after the fleet's end
			f := newFleet(t)
			r := f.startN(3, errorsFile)[0]
			end := traffic(r.Hawkeye)
			after(15 * tick)
			want(t, "at the breach", f.box.lines(), fired)
			writer, before := r.WriterID(), time.Now()
			time.Jumped = int64(jump / time.Second)
			if got := time.Now().Round(0).Sub(before.Round(0)); got != jump {
				t.Fatalf("the wall clock jumped by %v, want %v", got, jump)
			}
			f.setJump(-jump) // the Store's is this process's as well
			f.goesOn(30, 29*tick)
			want(t, "after the jump", f.box.lines())
			redrawn := r.WriterID() != writer
			if redrawn != (jump > 5*time.Minute) {
				t.Errorf("after a jump by %v the writer's id is another one: %v", jump, redrawn)
			}
			counted := end()
			after(3 * tick)
			got, err := r.Query(t.Context(), "errors", 2*time.Minute)
			// The old ids are waited for, for ten ticks.
			if err != nil || got.Value != float64(counted) || got.Complete == redrawn {
				t.Errorf("Query() = %+v, %v, want the %d that were counted, complete: %v", got, err, counted, !redrawn)
			}
			after(30 * tick)
			want(t, "its end", f.box.lines(), ended)
			t.Logf("%v: %d counted, told once, ended once; a new id: %v", jump, counted, redrawn)
		})
	}
}
