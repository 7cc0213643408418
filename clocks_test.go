package hawkeye_test

import (
	"context"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-batteries/hawkeye"
	"github.com/go-batteries/hawkeye/store"
	"github.com/go-batteries/hawkeye/store/memstore"
)

// traffic counts 20 errors a second, which errorsFile fires at, until stop.
// It returns how many they were.
func traffic(h *hawkeye.Hawkeye) (stop func() int) {
	stopped, done := make(chan struct{}), make(chan int)
	go func() {
		n := 0
		for {
			select {
			case <-stopped:
				done <- n
				return
			case <-time.After(50 * time.Millisecond):
				h.Incr("errors")
				n++
			}
		}
	}()
	return func() int { close(stopped); return <-done }
}

// goesOn lets so many ticks pass, and checks that the watermarks of the
// handles never go back, and that the newest moves on by so much at least.
func goesOn(t *testing.T, ticks int, least time.Duration, handles ...*hawkeye.Hawkeye) {
	t.Helper()
	seen := make([]time.Time, len(handles))
	newest := func() time.Time {
		for i, h := range handles {
			now := h.Stats().EvaluatedTick
			if now.Before(seen[i]) {
				t.Errorf("the watermark went from %v back to %v", seen[i], now)
			}
			seen[i] = now
		}
		return slices.MaxFunc(seen, time.Time.Compare)
	}
	first := newest()
	for range 4 * ticks {
		after(tick / 4)
		newest()
	}
	if went := newest().Sub(first); went < least {
		t.Errorf("evaluation went on by %v within %d ticks, want %v at least", went, ticks, least)
	}
}

func (f *fleet) goesOn(ticks int, least time.Duration) {
	f.t.Helper()
	var handles []*hawkeye.Hawkeye
	for _, r := range f.up() {
		handles = append(handles, r.Hawkeye)
	}
	goesOn(f.t, ticks, least, handles...)
}

// A Store whose time stands still slows ticks by a tenth, and does nothing
// else, whether its clock goes on from there afterwards or is set right.
func TestStoreTimeStandsStill(t *testing.T) {
	t.Parallel()
	for _, lost := range []time.Duration{0, time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			f := newFleet(t)
			f.startN(3, errorsFile)
			f.freeze()
			ev := f.evaluator().Hawkeye
			f.goesOn(20, 17*tick)
			joined := f.start(errorsFile)
			f.goesOn(10, 7*tick)
			stop := traffic(joined.Hawkeye)
			f.goesOn(5, 3*tick)
			want(t, "a breach while the Store's time stands still", f.box.lines(), fired)
			f.goesOn(25, 20*tick)
			f.thaw(lost)
			f.goesOn(20, 17*tick)
			want(t, "when it goes on", f.box.lines())
			counted := stop()
			after(3 * tick)
			got, err := joined.Query(t.Context(), "errors", 3*time.Minute)
			if err != nil || got.Value != float64(counted) {
				t.Errorf("Query() = %+v, %v, want the %d that were counted", got, err, counted)
			}
			after(30 * tick)
			want(t, "its end", f.box.lines(), ended)
			if f.evaluator().Hawkeye != ev {
				t.Error("another replica evaluates, want no take-over")
			}
		})
	}
}

// An alert that fires goes on firing over a jump of the Store's clock, told
// once, though nothing is known of the time that was skipped.
func TestStoreTimeJumpsWhileFiring(t *testing.T) {
	t.Parallel()
	for _, jump := range []time.Duration{5 * time.Second, 15 * time.Second, 20 * time.Second, 10 * time.Minute, -10 * time.Minute, time.Hour, -time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			f := newFleet(t)
			r := f.startN(3, errorsFile)[0]
			stop := traffic(r.Hawkeye)
			after(15 * tick)
			want(t, "at the breach", f.box.lines(), fired)
			f.setJump(jump)
			f.goesOn(30, 25*tick)
			want(t, "after the jump "+jump.String(), f.box.lines())
			stop()
			after(30 * tick)
			want(t, "its end", f.box.lines(), ended)
		})
	}
}

// machine is a memory Store on a machine whose wall clock jumps: that is the
// Store's time.
type machine struct {
	*memstore.Store
	jump atomic.Int64
}

func (m *machine) Now(ctx context.Context) (time.Time, error) {
	now, err := m.Store.Now(ctx)
	return now.Add(time.Duration(m.jump.Load())), err
}

func (m *machine) Publish(ctx context.Context, p store.Publication) (store.PublishReply, error) {
	reply, err := m.Store.Publish(ctx, p)
	reply.Now = reply.Now.Add(time.Duration(m.jump.Load()))
	return reply, err
}

// In one process the machine's clock is the Store's.
func TestMachineTimeJumpsInMemory(t *testing.T) {
	t.Parallel()
	for _, jump := range []time.Duration{5 * time.Second, 15 * time.Second, 10 * time.Minute, -10 * time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			box, m := &mailbox{}, &machine{Store: newMemory(t)}
			h := start(t, errorsFile, box, hawkeye.WithStore(m))
			defer stop(t, h)
			end := traffic(h)
			after(15 * tick)
			want(t, "at the breach", box.lines(), fired)
			m.jump.Store(int64(jump))
			goesOn(t, 30, 25*time.Second, h)
			want(t, "after the jump "+jump.String(), box.lines())
			end()
			after(30 * tick)
			want(t, "its end", box.lines(), ended)
			count(h, "errors", 10)
			after(tick)
			want(t, "at the next breach", box.lines(), fired)
		})
	}
}

// A machine whose clock was set back while its process was down: the ledger
// knows that it was later already.
func TestMachineTimeIsBackAfterARestart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		box := &mailbox{}
		path := filepath.Join(t.TempDir(), "state")
		run := func(jump time.Duration) (h *hawkeye.Hawkeye) {
			m := &machine{Store: newMemory(t, memstore.WithStateFile(path))}
			m.jump.Store(int64(jump))
			return start(t, errorsFile, box, hawkeye.WithStore(m))
		}
		h := run(0)
		end := traffic(h)
		after(15 * tick)
		want(t, "at the breach", box.lines(), fired)
		end()
		stop(t, h)
		h = run(-10 * time.Minute)
		defer stop(t, h)
		end = traffic(h)
		goesOn(t, 30, 25*time.Second, h)
		want(t, "after the restart", box.lines())
		end()
		after(30 * tick)
		want(t, "its end", box.lines(), ended)
	})
}
