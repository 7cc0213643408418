package supervise

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-batteries/hawkeye/internal/pulse"
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// What fails, panics, returns or loses its goroutine is started again, after a
// pause that grows, and ends when it is stopped.
func TestStartsAgain(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]func() error{
		"fails":   func() error { return errors.New("no") },
		"panics":  func() error { panic("no") },
		"returns": func() error { return nil },
		"exits":   func() error { runtime.Goexit(); return nil },
	} {
		synctest.Test(t, func(t *testing.T) {
			s := New(quiet(), time.Second)
			var began []time.Time
			c := s.Start("part", func(ctx context.Context) error {
				if began = append(began, time.Now()); len(began) <= 3 {
					return fail()
				}
				<-ctx.Done()
				return nil
			})
			time.Sleep(time.Minute)
			synctest.Wait()
			if len(began) != 4 || s.Restarted()["part"].N != 3 {
				t.Fatalf("%s: began %d times, %d of them again; want 4 and 3", name, len(began), s.Restarted()["part"].N)
			}
			if first, last := began[1].Sub(began[0]), began[3].Sub(began[2]); first < minRestartDelay || last <= first {
				t.Errorf("%s: it was started again after %v at first, and %v at last, want a pause that grows", name, first, last)
			}
			if err := c.Stop(t.Context()); err != nil {
				t.Errorf("%s: Stop() = %v", name, err)
			}
			time.Sleep(time.Minute)
			if len(began) != 4 {
				t.Errorf("%s: it was started again after it was stopped", name)
			}
		})
	}
}

// Who waits for a component that doesn't end is let go when its context ends.
func TestStopIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		done := make(chan struct{})
		c := New(quiet(), time.Second).Start("part", func(context.Context) error { <-done; return nil })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := c.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Stop() = %v, want a deadline exceeded", err)
		}
		close(done)
		if err := c.Stop(t.Context()); err != nil {
			t.Errorf("Stop() = %v once it has ended", err)
		}
	})
	var none *Component
	if err := none.Stop(t.Context()); err != nil {
		t.Errorf("Stop() of a part that wasn't started = %v", err)
	}
}

// A component that works without a sign of life stands still; one that rests
// doesn't.
func TestStandsStill(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := New(quiet(), time.Second)
		watch := s.Start("watch", s.Watch)
		release := make(chan struct{})
		hangs := s.Start("hangs", func(ctx context.Context) error {
			pulse.Of(ctx).Work()
			<-release
			pulse.Of(ctx).Rest()
			<-ctx.Done()
			return nil
		})
		rests := s.Start("rests", func(ctx context.Context) error { <-ctx.Done(); return nil })
		time.Sleep(time.Minute)
		if stalled := s.Stalled(); len(stalled) != 1 || stalled["hangs"] < minStall {
			t.Errorf("stalled are %v, want the one that hangs", stalled)
		}
		close(release)
		time.Sleep(2 * lookStep)
		if stalled := s.Stalled(); len(stalled) != 0 {
			t.Errorf("stalled are %v once it went on", stalled)
		}
		for _, c := range []*Component{hangs, rests, watch} {
			if err := c.Stop(t.Context()); err != nil {
				t.Error(err)
			}
		}
	})
}
