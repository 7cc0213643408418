package clock

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"
)

func TestClockTakesTheFirstMeasurementAtOnce(t *testing.T) {
	t.Parallel()
	for _, offset := range []time.Duration{-time.Hour, -time.Second, 0, time.Second, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			c := New(time.Second)
			if c.Measured() {
				t.Error("a new clock says that it is measured")
			}
			now := time.Now()
			c.Observe(now.Add(offset), now, now)
			if got := c.Now().Sub(now); got != offset || !c.Measured() {
				t.Errorf("after a measurement of %v the clock is off by %v", offset, got)
			}
		})
	}
}

func TestClockSlewsAndSteps(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		offset time.Duration // of the second measurement
		after  time.Duration
		want   time.Duration // offset of the clock then
	}{
		{"a little ahead", time.Second, 5 * time.Second, 500 * time.Millisecond},
		{"a little ahead, later", time.Second, time.Minute, time.Second},
		{"two seconds aren't stepped", 2 * time.Second, 0, 0},
		{"more than two are", 2*time.Second + 1, 0, 2*time.Second + 1},
		{"an hour ahead", time.Hour, 0, time.Hour},
		{"a little behind", -time.Second, 5 * time.Second, -500 * time.Millisecond},
		{"a little behind, later", -time.Second, time.Minute, -time.Second},
		{"an hour behind never steps", -time.Hour, time.Minute, -6 * time.Second},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := New(time.Second)
				now := time.Now()
				c.Observe(now, now, now)
				c.Observe(now.Add(test.offset), now, now)
				time.Sleep(test.after)
				if got := time.Until(c.Now()); got != test.want {
					t.Errorf("offset after %v = %v, want %v", test.after, got, test.want)
				}
			})
		})
	}
}

func TestClockBelievesTheLedger(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := New(time.Second)
		now := time.Now()
		c.Observe(now, now, now)
		tick := c.NowTick()
		if stepped := c.Told(tick - 1); stepped != 0 || c.NowTick() != tick {
			t.Errorf("told of a tick that is over, the clock steps by %v", stepped)
		}
		if stepped := c.Told(tick + 100); stepped <= 0 || c.NowTick() != tick+101 {
			t.Errorf("told of now+100, the clock steps by %v to now%+d", stepped, c.NowTick()-tick)
		}
		c.Observe(now, now, now)
		if c.NowTick() < tick+101 {
			t.Error("a store that is behind makes the clock step back")
		}
	})
}

func TestClockDoubtsSlowAnswers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := New(time.Second)
		now := time.Now()
		c.Observe(now, now, now)
		time.Sleep(10 * time.Second)
		// The answer was made at once, but took ten seconds to arrive.
		c.Observe(now, now, time.Now())
		time.Sleep(10 * time.Second)
		if got := time.Until(c.Now()); got != 0 {
			t.Errorf("a measurement that agrees with the clock moves it by %v", got)
		}
	})
}

func TestClockNeverGoesBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(1, 1))
		c := New(time.Second)
		now := time.Now()
		c.Observe(now, now, now)
		last := c.Now()
		for range 10_000 {
			sent := time.Now()
			time.Sleep(time.Duration(rng.Int64N(int64(time.Second))))
			switch rng.IntN(3) {
			case 0:
				c.Observe(time.Now().Add(time.Duration(rng.Int64N(int64(2*time.Hour)))-time.Hour), sent, time.Now())
			case 1:
				c.Told(c.NowTick() + rng.Int64N(5) - 3)
			}
			if now := c.Now(); now.Before(last) {
				t.Fatalf("the clock went from %v back to %v", last, now)
			} else {
				last = now
			}
		}
	})
}
