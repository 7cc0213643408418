// Package clock is the fleet's time as one process knows it.
//
// Machines disagree about the time, so none of them decides: the Store's clock
// does, which each flush measures, and the newest tick that the ledger tells of
// is a lower bound of it.
//
//	Observe (a flush) ─┐
//	                   ├─→ target ─ slewed by a tenth, stepped if far behind ─→ Now, NowTick
//	Told (the ledger) ─┘
//
// Time goes on monotonically between measurements, so a wall clock that is set
// has no part in it. Ticks are numbered from the Unix epoch by their width: tick
// n ends at (n+1) widths.
package clock

import (
	"sync"
	"time"
)

const (
	// stepAbove is how far behind the fleet's time the clock may be before
	// it steps forward; less is slewed away.
	stepAbove = 2 * time.Second
	// SlewPart is the part of the time that passes by which the clock is
	// corrected: a tenth, so a second of difference is gone after ten.
	SlewPart = 10
)

// Clock is the fleet's time as this process knows it: the Store's time, and
// no less than the newest tick that the ledger tells of. It is measured at
// each flush and corrected gently: it runs up to a tenth faster or slower. If
// it is more than two seconds behind it steps forward; it never steps back.
//
// Before the first measurement it shows this machine's time. It is safe for
// concurrent use.
type Clock struct {
	width time.Duration

	mu       sync.Mutex // guards what follows
	measured bool
	base     time.Time     // monotonic anchor: the fleet's time then was base's wall clock + offset
	offset   time.Duration // fleet minus local, at base
	target   time.Duration // where the offset is slewed to
}

// New returns a clock whose ticks are width wide.
func New(width time.Duration) *Clock {
	return &Clock{width: width, base: time.Now()}
}

// Width returns the width of a tick.
func (c *Clock) Width() time.Duration { return c.width }

// Now returns the fleet's time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now(time.Now())
}

// NowTick returns the tick that is open.
func (c *Clock) NowTick() int64 { return c.TickOf(c.Now()) }

// TickOf returns the tick that t lies in.
func (c *Clock) TickOf(t time.Time) int64 { return floorDiv(t.UnixNano(), int64(c.width)) }

// End returns when tick n ends, and tick n+1 begins.
func (c *Clock) End(n int64) time.Time { return time.Unix(0, (n+1)*int64(c.width)) }

// Until returns how long it is until the fleet's time is t: at most 0 if it
// has passed. The clock may be corrected meanwhile, so whoever waited looks
// again.
func (c *Clock) Until(t time.Time) time.Duration { return t.Sub(c.Now()) }

// Measured says whether the Store's time was ever seen.
func (c *Clock) Measured() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.measured
}

// Observe takes a measurement: the Store answered a call that was sent at
// sent, and answered by received, with the time now. It returns by how much
// the clock stepped, which is 0 but for the first measurement and for one
// that finds it more than two seconds behind.
func (c *Clock) Observe(now, sent, received time.Time) (stepped time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	// The answer was made at some moment between sent and received, so the
	// offset is between lo and hi; one that agrees with that is left alone.
	lo, hi := now.Sub(c.local(received)), now.Sub(c.local(sent))
	first := !c.measured
	c.measured = true
	offset := lo + (hi-lo)/2
	if is := c.slewed(received); !first && lo <= is && is <= hi {
		offset = is
	}
	return c.correct(received, offset, first)
}

// Told says that the ledger knows of tick n as taken, so that it has ended.
func (c *Clock) Told(n int64) (stepped time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := time.Now()
	end := c.End(n)
	if !end.After(c.now(at)) {
		return 0
	}
	return c.correct(at, end.Sub(c.local(at)), false)
}

// correct makes offset the target as of the local moment at. With set it is
// taken over at once, in either direction.
func (c *Clock) correct(at time.Time, offset time.Duration, set bool) time.Duration {
	before := c.slewed(at)
	c.rebase(at, before)
	c.target = offset
	if !set && offset-before <= stepAbove {
		return 0
	}
	c.offset = offset
	return offset - before
}

// rebase moves the anchor to at. A new anchor on the monotonic clock would
// take over jumps of the wall clock, so the anchor's wall reading is kept.
func (c *Clock) rebase(at time.Time, offset time.Duration) {
	if passed := at.Sub(c.base); passed > 0 {
		c.base = c.base.Add(passed)
	}
	c.offset = offset
}

// local is this machine's time at the moment at, on the monotonic clock and
// so without jumps of the wall clock since the start.
func (c *Clock) local(at time.Time) time.Time {
	return c.base.Add(at.Sub(c.base)).Round(0)
}

// now is the fleet's time at the local moment at.
func (c *Clock) now(at time.Time) time.Time {
	return c.local(at).Add(c.slewed(at))
}

// slewed is the offset at the local moment at.
func (c *Clock) slewed(at time.Time) time.Duration {
	passed := max(at.Sub(c.base), 0)
	step := passed / SlewPart
	switch {
	case c.target > c.offset:
		return min(c.offset+step, c.target)
	default:
		return max(c.offset-step, c.target)
	}
}

// floorDiv divides rounding down, also below zero.
func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
