// Package pulse tells a loop that stands still from one that waits for work.
//
// A loop says when it works and when it rests, and who works gives a sign of
// life at each step. Whoever watches looks now and then: work without a sign
// for too long is a standstill. Time counts only as far as the watcher was
// awake itself, so that a process that was paused, or a machine that slept, is
// not taken for one.
package pulse

import (
	"context"
	"sync/atomic"
	"time"
)

// Pulse is that of one loop. Its zero value rests. Work and Rest belong to the
// loop's goroutine; Beat is safe for concurrent use. A nil Pulse does nothing.
type Pulse struct {
	n atomic.Uint64 // grows with each sign; odd while the loop works
}

// Work says that the loop works from now on. While it works already that is a
// sign of life.
func (p *Pulse) Work() { p.turn(1) }

// Rest says that the loop waits for work, for however long.
func (p *Pulse) Rest() { p.turn(0) }

// Beat is a sign of life. It makes no loop work that rests.
func (p *Pulse) Beat() {
	if p != nil {
		p.n.Add(2)
	}
}

func (p *Pulse) turn(parity uint64) {
	if p != nil {
		p.n.Add(2 - (p.n.Load()^parity)&1)
	}
}

// Working says whether the loop works.
func (p *Pulse) Working() bool { return p != nil && p.n.Load()&1 == 1 }

// Pause has the loop rest while wait runs.
func (p *Pulse) Pause(wait func()) {
	if !p.Working() {
		wait()
		return
	}
	p.Rest()
	defer p.Work()
	wait()
}

type key struct{}

// With returns a ctx that carries a loop's pulse to what the loop calls.
func With(ctx context.Context, p *Pulse) context.Context { return context.WithValue(ctx, key{}, p) }

// Of returns the pulse that ctx carries, nil if it carries none.
func Of(ctx context.Context) *Pulse {
	p, _ := ctx.Value(key{}).(*Pulse)
	return p
}

// Watch measures for how long a loop has stood still. It belongs to one
// goroutine.
type Watch struct {
	last   uint64
	looked time.Time
	quiet  time.Duration
}

// Look returns for how long a loop has worked without a sign of life. It is to
// be called every step: of a longer time between two looks only twice that
// counts, for whoever looks has slept as well.
func (w *Watch) Look(p *Pulse, step time.Duration) time.Duration {
	now, n := time.Now(), p.n.Load()
	switch {
	case n&1 == 0 || n != w.last || w.looked.IsZero():
		w.quiet = 0
	default:
		w.quiet += min(now.Sub(w.looked), 2*step)
	}
	w.last, w.looked = n, now
	return w.quiet
}

// Sleep waits for d or until ctx ends; whoever's pulse ctx has is at rest
// meanwhile.
func Sleep(ctx context.Context, d time.Duration) {
	Of(ctx).Pause(func() {
		select {
		case <-time.After(d):
		case <-ctx.Done():
		}
	})
}
