package publish

import (
	"context"
	"log/slog"
	"time"

	"github.com/go-batteries/hawkeye/internal/bucket"
	"github.com/go-batteries/hawkeye/internal/samples/clock"
)

const (
	// liveTicks is how long a writer is live without a bucket. Ticks that
	// were slept through are published empty as far back as that, and in a
	// Store of this process alone, where nobody else can have counted
	// anything, as far as sleepFor.
	liveTicks = 10
	sleepFor  = 10 * time.Second
	// pauseAfter is how late a tick must be closed for the process to have been
	// stopped meanwhile, and not just busy.
	pauseAfter = time.Second
	// keyframeEvery is how often a bucket names all gauges: on seconds
	// divisible by it.
	keyframeEvery = 5 * time.Second
	// idleEvery is how often idle series are looked for.
	idleEvery = time.Minute
)

// closer is the state of the loop that closes ticks. It belongs to Run's
// goroutine, and to Final's after it; open is guarded by Publisher.mu because
// the first measurement of the clock moves it.
type closer struct {
	open     int64 // the tick that is open; 0 before the first
	keyframe bool  // the next bucket must name all gauges
	woke     time.Time
	swept    int64 // the tick at which idle series were looked for
	final    bool  // the last tick is closed
	scratch  bucket.Bucket
}

// closeTicks closes each tick just after its end until ctx ends or Final
// wants it to stop. It never waits for the Store.
func (p *Publisher) closeTicks(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	alive := p.cfg.Closing
	defer alive.Rest()
	for {
		alive.Rest()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		case <-p.stop:
			return
		}
		alive.Work()
		open := p.closeDue()
		timer.Reset(max(p.clock.Until(p.clock.End(open)), 0) + time.Millisecond/4)
	}
}

// closeDue closes what has ended, and returns the tick that is open now.
func (p *Publisher) closeDue() (open int64) {
	asleep := p.noticePause()
	p.mu.Lock()
	c, now := &p.closer, p.clock.NowTick()
	first := c.open == 0
	due := now > c.open
	if due && !first {
		p.fill(max(c.open, now-p.slept(asleep)), now-1, asleep-p.traits.Tick >= pauseAfter)
	}
	if first {
		// The hello: from the next tick on, everybody waits for us.
		p.fill(now-1, now, false)
		p.began = now - 1
	}
	if due {
		c.open = now
	}
	open = c.open
	p.mu.Unlock()
	if due && !first {
		p.closeOne(false)
	}
	if due {
		p.kick()
	}
	return open
}

// slept is how many ticks that were slept through are published, empty: no
// more than have passed. What the clock skipped while we were awake is unknown,
// or what fires would be ended by a clock that was set.
func (p *Publisher) slept(asleep time.Duration) int64 {
	passed := p.ticks(asleep+asleep/clock.SlewPart) + 1
	if p.traits.Shared {
		return min(passed, liveTicks)
	}
	return min(passed, max(liveTicks, p.ticks(sleepFor)))
}

// fill adds empty buckets for the ticks from up to, but without, to: this
// process slept through them. What was counted meanwhile is in the tick that
// follows. Of a pause that was no mere delay it says so: in it nobody could
// count what should have been. It wants mu held.
func (p *Publisher) fill(from, to int64, paused bool) {
	data := bucket.Append(nil, &bucket.Bucket{Asleep: paused})
	for ; from < to; from++ {
		p.ring.add(entry{tick: from, writer: p.stats.Writer, data: data})
	}
}

// closeOne makes a bucket of all that was counted since the last one: that of
// the tick before the open one or, as the final one, of the open tick itself.
func (p *Publisher) closeOne(final bool) {
	c := &p.closer
	var notes [][]byte
	if p.cfg.Notes != nil {
		notes = p.cfg.Notes()
	}
	e, firstDrop := p.collect(final, notes)
	b := &c.scratch
	if firstDrop {
		p.log.LogAttrs(context.Background(), slog.LevelWarn, "the backlog is full, the oldest ticks are dropped")
	}
	if p.cfg.OnClose != nil {
		p.cfg.OnClose(e.tick, b)
	}
	if p.cfg.IdleAfter > 0 && e.tick-c.swept >= p.ticks(idleEvery) {
		c.swept = e.tick
		p.cfg.Registry.DropIdle(int(p.ticks(p.cfg.IdleAfter)))
	}
}

// collect brings what was counted into the ring, as a bucket that stays in
// the closer's scratch.
func (p *Publisher) collect(final bool, notes [][]byte) (e entry, firstDrop bool) {
	p.collecting.Lock()
	defer p.collecting.Unlock()
	c := &p.closer
	b := &c.scratch
	p.mu.Lock()
	tick := p.closing(final)
	p.mu.Unlock()
	p.cfg.Registry.Collect(b, c.keyframe || final || p.isKeyframe(tick))
	c.keyframe, c.final = p.cfg.Registry.Forgot(), final
	b.Final, b.Notes = final, notes
	e.data = bucket.Append(nil, b)
	e.series = len(b.Counters) + len(b.Gauges) + len(b.Histograms) + len(b.Sets)
	p.mu.Lock()
	defer p.mu.Unlock()
	before := p.ring.droppedTicks
	// The number is taken only now: the first measurement of the clock moves
	// the ticks that were closed before it.
	e.writer, e.tick = p.stats.Writer, p.closing(final)
	p.ring.add(e)
	if final {
		p.final = e.tick
	}
	if p.ring.droppedTicks > before {
		p.stats.LastDrop = time.Now()
	}
	return e, before == 0 && p.ring.droppedTicks > 0
}

// closing returns the tick that closeOne closes.
func (p *Publisher) closing(final bool) int64 {
	if final {
		return p.closer.open
	}
	return p.closer.open - 1
}

// isKeyframe says whether a second that is divisible by five begins in the
// tick.
func (p *Publisher) isKeyframe(tick int64) bool {
	w := int64(p.traits.Tick)
	return floorDiv((tick+1)*w-1, int64(keyframeEvery)) != floorDiv(tick*w-1, int64(keyframeEvery))
}

// noticePause draws a new id if this process was away for longer than the
// fleet remembers: it may be the copy of a virtual machine, of which another
// goes on under the same id. It returns how long the process was away by the
// monotonic clock.
func (p *Publisher) noticePause() time.Duration {
	now := time.Now()
	last := p.closer.woke
	p.closer.woke = now
	if last.IsZero() {
		return 0
	}
	p.mu.Lock()
	stepped := p.stepped
	p.closer.keyframe = p.closer.keyframe || p.copied
	p.stepped, p.copied = 0, false
	p.mu.Unlock()
	// The monotonic clock stands still while a machine sleeps, the wall
	// clock jumps when it wakes.
	away := max(now.Sub(last), now.Round(0).Sub(last.Round(0)), stepped)
	if away > p.traits.Retention {
		p.redraw(away)
	}
	return now.Sub(last)
}

// redraw gives this writer a new id.
func (p *Publisher) redraw(away time.Duration) {
	p.mu.Lock()
	p.draw()
	p.mu.Unlock()
	p.closer.keyframe = true
	p.tellWriter("paused for longer than the fleet remembers, writing under a new id", slog.Duration("away", away))
}

// kick tells the sender that there is something to send.
func (p *Publisher) kick() {
	select {
	case p.signal <- struct{}{}:
	default:
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
