package guard

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

// ErrLeft says that code didn't come back in time, and was left behind: it may
// still do what it was asked for.
var ErrLeft = errors.New("it ignores its deadline, and isn't waited for any more")

// Leaver bounds what is left behind: each is a goroutine that may never end.
// Its zero value leaves nothing behind.
type Leaver struct {
	Most  int32         // how many may be left behind at a time
	Grace time.Duration // how long the end of its ctx is waited for

	left atomic.Int32
}

// Left returns how many didn't come back yet.
func (l *Leaver) Left() int { return int(l.left.Load()) }

// leave says whether one more may be left behind, and counts it.
func (l *Leaver) leave() bool {
	if l.left.Add(1) <= l.Most {
		return true
	}
	l.left.Add(-1)
	return false
}

// Within is [Apart] for code that should come back when ctx ends. If it hasn't
// done so by a while after that it is left behind, with [ErrLeft], unless so
// many are left already that it is better to wait. What f uses isn't its
// caller's alone any more then.
func Within[T any](ctx context.Context, l *Leaver, f func() (T, error)) (T, error) {
	return within(ctx.Done(), l, f)
}

// soon is a channel for [within] that has ended: f has the grace alone.
func soon() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

func within[T any](over <-chan struct{}, l *Leaver, f func() (T, error)) (v T, err error) {
	var (
		back  T
		berr  = ErrExited
		done  = make(chan struct{})
		state atomic.Int32 // 1 once f came back, 2 once it was left behind
	)
	go func() {
		defer func() {
			if !state.CompareAndSwap(0, 1) {
				l.left.Add(-1)
			}
			close(done)
		}()
		berr = Call(func() (err error) { back, err = f(); return err })
	}()
	select {
	case <-done:
		return back, berr
	case <-over:
	}
	if !ends(done, l.Grace) && l.leave() {
		if state.CompareAndSwap(0, 2) {
			return v, ErrLeft
		}
		l.left.Add(-1) // it came back just now
	}
	<-done
	return back, berr
}

// ends waits for done, in small steps: a process that was paused has given it
// no time.
func ends(done <-chan struct{}, d time.Duration) bool {
	const step = time.Second
	timer := time.NewTimer(min(d, step))
	defer timer.Stop()
	for ; d > 0; d -= step {
		timer.Reset(min(d, step))
		select {
		case <-done:
			return true
		case <-timer.C:
		}
	}
	select {
	case <-done:
		return true
	default:
		return false
	}
}
