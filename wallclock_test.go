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
	for _, jump := range []time.Duration{time.Minute, -time.Minute, 10 * time.Minute, -10 * time.Minute, time.Hour, -time.Hour} {
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

// In one process the wall clock is the Store's. It is set by an hour, at once
// or bit by bit, while an alert fires: that is told once, and its end once.
func TestWallClockJumpsInOneProcess(t *testing.T) {
	for _, jump := range []time.Duration{time.Hour, -time.Hour} {
		for _, steps := range []int{1, 6, 60} {
			synctest.Test(t, func(t *testing.T) {
				t.Cleanup(func() { time.Jumped = 0 })
				box := &mailbox{}
				h := start(t, errorsFile, box)
				defer stop(t, h)
				end := traffic(h)
				after(15 * time.Second)
				want(t, "at the breach", box.lines(), fired)
				for range steps {
					time.Jumped += int64(jump/time.Second) / int64(steps)
					after(3 * time.Second)
				}
				after(30 * time.Second)
				want(t, "after the jump", box.lines())
				end()
				after(10 * time.Minute) // set back, time is made up slowly
				want(t, "its end", box.lines(), ended)
				t.Logf("%v in %d steps: told once, ended once", jump, steps)
			})
		}
	}
}
