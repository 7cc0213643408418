package feed

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/go-batteries/hawkeye/internal/pulse"
	"github.com/go-batteries/hawkeye/internal/window"
	"github.com/go-batteries/hawkeye/store"
)

const (
	// aheadTicks is how many ticks are read at once when there is a backlog.
	aheadTicks = 128
	// healTicks is how many old ticks are looked at again in each round, in
	// turn. After a loss, writers publish again what nobody had read yet; a
	// tick may even seem complete because their other buckets were lost too.
	healTicks = 16
	// rememberedTicks is how far back the windows know who was live.
	rememberedTicks = 50
	// maxRetry is the longest pause after a read error.
	maxRetry = 250 * time.Millisecond
)

// poll is when the next tick was and will be read.
type poll struct {
	tick  int64 // that it is about
	again time.Time
	pause time.Duration
	woken bool
}

// Next waits for the next tick and takes it: when it is complete, or when its
// waiting time is over. After an error, which is always that of a read or of
// ctx, the feed stands where it stood, and the next call waits a little
// before it tries again.
func (f *Feed) Next(ctx context.Context) (Tick, error) {
	f.engine.Evaluated(f.next - 1)
	if f.failed {
		if err := f.pause(ctx, min(f.traits.Tick, maxRetry)); err != nil {
			return Tick{}, err
		}
	}
	f.failed = true
	t, err := f.step(ctx)
	f.failed = err != nil && ctx.Err() == nil
	return t, err
}

func (f *Feed) step(ctx context.Context) (Tick, error) {
	// A gap that the Store has nothing left of is passed over at once: folds
	// are made of ticks that were evaluated, so there are none in it either,
	// unless the ledger was rolled back that far; SeekTo takes those into the
	// windows, and what was decided by them was told then.
	if f.next < f.oldest() {
		if err := f.SeekTo(ctx, f.next-1-f.skipped); err != nil {
			return Tick{}, err
		}
	}
	f.publishFolds(ctx)
	f.publishNames(ctx)
	f.publishHeld(ctx)
	for {
		t, ok, err := f.decide(ctx)
		if ok || err != nil {
			return t, err
		}
		wait := f.due()
		if wait <= 0 {
			if err := f.round(ctx); err != nil {
				return Tick{}, err
			}
			continue
		}
		if err := f.pause(ctx, wait); err != nil {
			return Tick{}, err
		}
	}
}

// oldest is the oldest tick that the Store still has for sure.
func (f *Feed) oldest() int64 { return f.cfg.Clock.NowTick() - f.retention + 1 }

// pause waits for d, or shorter if this process publishes the tick.
func (f *Feed) pause(ctx context.Context, d time.Duration) error {
	alive := pulse.Of(ctx)
	if alive.Working() {
		alive.Rest()
		defer alive.Work()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-f.woken:
		f.poll.woken = true
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// due returns how long it is until the next tick is to be read.
func (f *Feed) due() time.Duration {
	p := &f.poll
	clock := f.cfg.Clock
	if p.tick != f.next {
		*p = poll{tick: f.next, again: clock.End(f.next), pause: max(f.traits.Tick/50, time.Millisecond)}
		f.mu.Lock()
		p.woken = f.wake >= f.next
		waked := f.wake > 0
		f.mu.Unlock()
		// A shared Store gets a moment for the others' buckets to arrive; in
		// memory, Wake says when ours is there.
		switch {
		case f.traits.Shared:
			p.again = p.again.Add(p.pause)
		case waked:
			p.again = p.again.Add(f.cfg.Wait / 4)
		}
	}
	if p.woken && !f.traits.Shared {
		p.woken = false
		f.mu.Lock()
		published := f.wake >= f.next
		f.mu.Unlock()
		if published {
			return 0
		}
	}
	return clock.Until(p.again)
}

// wait is how long after its end a tick is waited for. One that only this
// process can bring, and is known to bring, is worth more patience: where the
// machine is busy publisher and evaluator are late together.
func (f *Feed) wait() time.Duration {
	f.mu.Lock()
	ours := f.wake > 0 && !f.traits.Shared
	f.mu.Unlock()
	if ours {
		return max(f.cfg.Wait, ownWait)
	}
	return f.cfg.Wait
}

// final is the newest tick to which nothing more will come, for sure: in a Store
// of this process alone that is the newest that it has published. It began
// after those before its first, and other writers that are still live were
// processes before it.
func (f *Feed) final() int64 {
	if f.traits.Shared {
		return -none
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.wake == 0 {
		return -none
	}
	return f.wake
}

// round reads the next tick, those behind it if they have ended, and again
// the last ones, in which something may be late.
func (f *Feed) round(ctx context.Context) error {
	clock := f.cfg.Clock
	now := clock.Now()
	q := append(f.held.check(f.next), f.rechecks()...)
	counts := len(q)
	q = append(q, f.fine.check()...)
	whole := len(q)
	last := max(min(clock.TickOf(now)-1, f.next+aheadTicks), f.next)
	for n := f.next; n <= last; n++ {
		q = append(q, f.question(n))
	}
	final := f.final() // before it is read
	answers, err := f.read(ctx, q)
	if err != nil {
		return fmt.Errorf("read %d ticks: %w", len(q), err)
	}
	for i := range answers {
		if answers[i].Tier != store.TierFine {
			f.checkedFolds(&answers[i])
			continue
		}
		if counts <= i && i < whole {
			f.fine.counted(answers[i].Tick, answers[i].Count)
			continue
		}
		n := answers[i].Tick
		t := f.tick(n)
		fresh := f.add(t, &answers[i]) + f.recall(n, t)
		t.settled = t.settled || n <= final || !now.Before(clock.End(n).Add(f.wait()))
		if n < f.next && (fresh > 0 || len(t.pending) > 0) {
			if err := f.takeLate(ctx, n, t, fresh); err != nil {
				return err
			}
		}
		f.mu.Lock()
		delete(f.late, n)
		f.mu.Unlock()
	}
	f.postpone(now)
	return f.takeNamed(ctx)
}

// takeNamed adds to the windows what waits for names that are there by now, of
// those ticks that can still be judged again: once a tick, and with one question
// for all of them. Those of the last ten were looked at by round, older ones
// are looked at in turn.
func (f *Feed) takeNamed(ctx context.Context) error {
	if f.named == f.next {
		return nil
	}
	f.named = f.next
	f.ids = f.ids[:0]
	waiting := make(map[int64]int)
	for n := f.next - f.margin; n < f.next-window.LiveTicks; n++ {
		if t := f.ticks[n]; t != nil && len(t.pending) > 0 {
			waiting[n] = len(t.pending)
			f.takeAll(n, t)
		}
	}
	if len(waiting) == 0 {
		return nil
	}
	if err := f.learn(ctx, f.ids); err != nil {
		return err
	}
	for n, before := range waiting {
		f.takeAll(n, f.ticks[n])
		f.tookLate(n, f.ticks[n], before)
	}
	return nil
}

// postpone sets when the tick is read again, if it isn't complete yet: with
// growing pauses, and at the end of its waiting time.
func (f *Feed) postpone(now time.Time) {
	p := &f.poll
	p.tick = f.next
	p.again = now.Add(max(p.pause, time.Millisecond))
	p.pause = min(2*p.pause, f.traits.Tick/4)
	if end := f.cfg.Clock.End(f.next).Add(f.cfg.Wait); now.Before(end) && p.again.After(end) {
		p.again = end
	}
}

// rechecks returns the questions about ticks that were handed out already:
// the last ten, those that the ledger names, and some others in turn.
func (f *Feed) rechecks() (q []store.TickQuery) {
	ask := func(n int64) { q = append(q, f.question(n)) }
	recent := f.next - window.LiveTicks
	for n := recent; n < f.next; n++ {
		ask(n)
	}
	oldest := f.oldest()
	f.mu.Lock()
	for n := range f.late {
		switch {
		case n >= recent: // asked for anyway, now or when its time comes
			delete(f.late, n)
		case n < oldest:
			delete(f.late, n)
		default:
			ask(n) // until it was read
		}
	}
	f.mu.Unlock()
	if !f.traits.Shared {
		return q
	}
	f.doubtAll()
	f.healing = max(f.healing, oldest)
	stop := min(recent, f.healing+aheadTicks)
	for asked := 0; asked < healTicks && f.healing < stop; f.healing++ {
		if f.ticks[f.healing] != nil {
			ask(f.healing)
			asked++
		}
	}
	if f.healing >= recent {
		f.healing = 0
	}
	return q
}

// takeLate adds buckets to a tick that was handed out already.
func (f *Feed) takeLate(ctx context.Context, n int64, t *tick, fresh int) error {
	before := len(t.pending)
	if err := f.apply(ctx, n, t); err != nil {
		return err
	}
	f.mu.Lock()
	f.stats.LateBuckets += int64(fresh)
	f.mu.Unlock()
	f.tookLate(n, t, before)
	return nil
}

// tookLate takes note that a tick that was handed out already has more in the
// windows than then, when that many of its buckets were waiting.
func (f *Feed) tookLate(n int64, t *tick, before int) {
	if len(t.pending) < before {
		f.lateMin = min(f.lateMin, n)
	}
	s := Partial // who was live so long ago is forgotten, but for their runs
	if f.cfg.Runs != nil || f.next-n <= rememberedTicks {
		_, missing := f.missing(n, t)
		s = t.judge(len(missing))
	}
	if s != t.status && (s == Complete || t.status == Unknown || len(t.pending) > 0) {
		t.status = s
		f.mark(n, s)
	}
}

// decide takes the next tick if it can be said what it is.
func (f *Feed) decide(ctx context.Context) (Tick, bool, error) {
	n := f.next
	t := f.ticks[n]
	if t == nil {
		return Tick{}, false, nil
	}
	now, end := f.cfg.Clock.Now(), f.cfg.Clock.End(n)
	over := t.settled && (n <= f.final() || !now.Before(end.Add(f.wait())))
	live, missing := f.missing(n, t)
	present := len(missing) == 0 && len(t.has) > 0
	// A tick that hasn't ended can be complete only as the last one of the
	// only writer.
	if !over && (!present || f.traits.Shared && now.Before(end)) {
		return Tick{}, false, nil
	}
	if !t.begun {
		f.engine.Advance(n)
		t.begun = true
	}
	if err := f.apply(ctx, n, t); err != nil {
		return Tick{}, false, err
	}
	status := t.judge(len(missing))
	if status != Complete && !over && (t.bad == 0 || len(t.pending) > 0) {
		return Tick{}, false, nil
	}
	t.status = status
	f.mark(n, status)
	out := Tick{N: n, End: end, Status: status, Asleep: status == Complete && t.awake == 0, Skipped: f.skipped, Late: f.lateTicks(), Again: f.rejudge}
	f.advance(out, live, missing)
	return out, true, nil
}

// lateTicks returns the ticks whose windows changed by what came late, as far
// back as they can be evaluated.
func (f *Feed) lateTicks() (late []int64) {
	for n := max(f.lateMin, f.next-f.margin); n < f.next; n++ {
		late = append(late, n)
	}
	f.lateMin, f.rejudge = none, false
	return late
}

func (f *Feed) advance(t Tick, live, missing []store.ID) {
	f.next++
	f.skipped = 0
	delete(f.ticks, f.next-f.retention-1)
	for _, of := range f.folded {
		delete(of, f.next-f.retention-1)
	}
	if f.next > f.formerUntil {
		f.former = nil
	}
	f.holdFolds()
	f.fine.expire(f.fading())
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stats.Watermark = t.N
	f.stats.Writers, f.stats.Missing = slices.Clip(live), slices.Clip(missing)
	f.stats.FoldsQueued = len(f.folds.queue)
	f.stats.HeldBytes, f.stats.HeldSince = f.fine.bytes, f.fine.floor
	if len(f.fine.order) > 0 {
		f.stats.HeldSince = f.fine.order[0]
	}
	switch t.Status {
	case Complete:
		f.stats.Complete++
	case Partial:
		f.stats.Partial++
	default:
		f.stats.Unknown++
	}
}
