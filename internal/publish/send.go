package publish

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/go-batteries/hawkeye/internal/guard"
	"github.com/go-batteries/hawkeye/internal/pulse"
	"github.com/go-batteries/hawkeye/store"
)

const (
	minRetry = 50 * time.Millisecond
	// MaxRetry is the longest pause before a flush that failed is tried again.
	MaxRetry = 2 * time.Second
	// minPace is the shortest pause between rounds that follow each other at
	// once, so that a Store that came back isn't drowned.
	minPace = 20 * time.Millisecond
)

// send publishes what was closed, one round trip at a time, until ctx ends.
func (p *Publisher) send(ctx context.Context) {
	alive := pulse.Of(ctx)
	defer alive.Rest()
	for retry := time.Duration(0); ; {
		alive.Rest()
		if retry == 0 && !p.idle(ctx) {
			return
		}
		alive.Work()
		more, err := p.flush(ctx)
		if ctx.Err() != nil {
			return
		}
		p.fails.Note(ctx, err)
		wait := p.pace()
		switch {
		case err != nil:
			retry = min(max(2*retry, minRetry, p.traits.Tick/4), MaxRetry)
			wait = retry/2 + rand.N(retry)
		case more:
			retry = wait
		default:
			retry = 0
			continue
		}
		alive.Rest()
		if !sleep(ctx, wait) {
			return
		}
	}
}

// pace is the pause before another round that is due at once.
func (p *Publisher) pace() time.Duration { return max(minPace, p.traits.Tick/10) }

// idle waits until there is something to send, or returns false when ctx has
// ended.
func (p *Publisher) idle(ctx context.Context) bool {
	select {
	case <-p.signal:
		return true
	case <-ctx.Done():
		return false
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// flush does one round trip. more says that another is due at once.
func (p *Publisher) flush(ctx context.Context) (more bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, p.cfg.FlushTimeout)
	defer cancel()
	if !p.clock.Measured() {
		if err := p.measure(ctx); err != nil {
			p.failed(err)
			return false, err
		}
	}
	for range nameRounds {
		pub, fresh, ahead := p.next()
		sent := time.Now()
		reply, err := p.publish(ctx, pub)
		if err != nil {
			p.failed(err)
			return false, err
		}
		p.observe(reply.Now, sent)
		if !ahead {
			return p.stored(&pub, fresh, reply), nil
		}
		p.named(&pub, reply.Names)
		p.looked(&pub, reply.Missing)
		p.salt(reply.Clashes)
	}
	return true, nil
}

// next returns what is published next: what goes ahead, which is new names or
// a look for buckets under a former id; or buckets, of which fresh, the last
// ones, are published for the first time.
func (p *Publisher) next() (pub store.Publication, fresh int, ahead bool) {
	now := p.clock.NowTick()
	p.mu.Lock()
	defer p.mu.Unlock()
	pub.Writer = p.stats.Writer
	// The series in the ring's buckets were registered before those were
	// added to it, so none of them is overlooked here.
	if pub.Names = p.names.ahead(p.cfg.Registry); len(pub.Names) > 0 {
		return pub, 0, true
	}
	if p.ring.former(&pub, now) {
		return pub, 0, true
	}
	if p.names.renewed == 0 {
		p.names.renewed = now
	}
	// Names are published again now and then because nobody can tell when
	// the Store has lost only them.
	lost := p.names.due(now, p.ring.verifyEvery)
	if lost {
		p.names.tell = true
		p.names.longer(now, p.ring.verifyEvery)
	}
	if p.ring.lookBack(now) || p.traits.Shared && now-p.names.renewed > p.ring.retention/2 || lost {
		p.names.again(p.cfg.Registry, now)
	}
	pub.Names = batch(p.names.known)
	return pub, p.ring.take(&pub), false
}

// named takes note that the names that went ahead are stored.
func (p *Publisher) named(pub *store.Publication, set store.ID) {
	if p.traits.Shared {
		p.names.added(pub.Names, p.clock.NowTick(), p.ticks(recentFor))
	}
	settle(&p.names.fresh, len(pub.Names))
	p.names.follow(set)
}

// observe corrects the clock by the time in a reply.
func (p *Publisher) observe(now, sent time.Time) {
	stepped := p.clock.Observe(now, sent, time.Now())
	if stepped <= 0 {
		return
	}
	p.mu.Lock()
	p.stepped = max(p.stepped, stepped)
	p.mu.Unlock()
	p.log.LogAttrs(context.Background(), slog.LevelWarn, "the clock was behind the store's and stepped forward",
		slog.Duration("by", stepped))
}

// measure asks for the Store's time before anything is published. Ticks that
// were closed by this machine's clock meanwhile get the numbers that they
// have on the Store's.
func (p *Publisher) measure(ctx context.Context) error {
	sent := time.Now()
	now, err := p.now(ctx)
	if err != nil {
		return err
	}
	received := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.clock.Measured() { // by another user of the clock
		return nil
	}
	before := p.clock.NowTick()
	p.clock.Observe(now, sent, received)
	shift := p.clock.NowTick() - before
	p.ring.renumber(shift)
	p.closer.open += shift
	if p.began != 0 {
		p.began += shift
	}
	if p.final != 0 {
		p.final += shift
	}
	p.kick()
	return nil
}

// failed takes note of a round trip without an answer.
func (p *Publisher) failed(err error) {
	p.mu.Lock()
	p.stats.Flushes++
	p.stats.FailedFlushes++
	p.stats.LastError = err
	p.ring.failed()
	p.names.doubt()
	tick := p.ring.newest
	p.mu.Unlock()
	if p.cfg.OnFlush != nil {
		p.cfg.OnFlush(Flushed{Tick: tick, Err: err})
	}
}

// Recovered returns when the Store was last found again after it had failed:
// now while it fails, the zero time if it never did.
func (p *Publisher) Recovered() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stats.LastError != nil {
		return time.Now()
	}
	return p.recovered
}

// stored takes note of a round trip that succeeded, and says whether another
// is due at once.
func (p *Publisher) stored(pub *store.Publication, fresh int, reply store.PublishReply) (more bool) {
	settle(&p.names.known, len(pub.Names))
	now := p.clock.NowTick()
	p.names.follow(reply.Names)
	namesLost := p.names.tell
	p.names.tell = false
	p.mu.Lock()
	before := p.ring.losing
	copied := p.refused(pub, &fresh, reply.Refused)
	entries, again := p.ring.settle(pub, fresh, reply.Missing)
	p.ring.follow(reply.Ledger)
	lost := p.ring.losing && !before
	p.ring.expire(now)
	p.stats.Flushes++
	p.stats.Republished += int64(again)
	if p.stats.LastError != nil {
		p.recovered = time.Now()
	}
	p.stats.LastSuccess, p.stats.LastError = time.Now(), nil
	select {
	case <-p.ready:
	default:
		close(p.ready)
	}
	p.wake()
	tick := p.ring.newest
	more = p.ring.busy()
	p.mu.Unlock()

	p.salt(reply.Clashes)
	if copied {
		p.tellWriter("another process is a copy of this one, writing under a new id")
	}
	if lost {
		p.tellLost()
	}
	p.tellLate(entries, now)
	if p.cfg.OnFlush != nil {
		p.cfg.OnFlush(Flushed{Tick: tick, Reply: reply, NamesLost: namesLost})
	}
	return more || p.names.due(now, p.ring.verifyEvery) || len(p.names.known) > 0 || len(reply.Clashes) > 0
}

// looked takes note of what is missing of buckets under a former id.
func (p *Publisher) looked(pub *store.Publication, missing []int64) {
	if len(pub.Check) == 0 {
		return
	}
	p.mu.Lock()
	before := p.ring.losing
	p.ring.settle(pub, 0, missing)
	lost := p.ring.losing && !before
	p.mu.Unlock()
	if lost {
		p.tellLost()
	}
}

func (p *Publisher) tellLost() {
	p.log.LogAttrs(context.Background(), slog.LevelWarn, "the store has lost what was published, publishing again")
}

func (p *Publisher) tellLate(entries []entry, now int64) {
	if p.cfg.OnLate == nil {
		return
	}
	var late []Late
	for i := range entries {
		if e := &entries[i]; e.tick < now-liveTicks {
			late = append(late, Late{Tick: e.tick, Writer: e.writer})
		}
	}
	if len(late) > 0 {
		p.cfg.OnLate(late)
	}
}

// finish closes the open tick as the last one and publishes everything.
func (p *Publisher) finish(ctx context.Context) error {
	if !p.closer.final {
		p.closeDue()
		p.closeOne(true)
	}
	for {
		more, err := p.flush(ctx)
		if err == nil && !more {
			return nil
		}
		if !sleep(ctx, p.pace()) {
			p.mu.Lock()
			left := len(p.ring.backlog)
			p.mu.Unlock()
			return fmt.Errorf("publish the last %d ticks: %w", left, context.Cause(ctx))
		}
	}
}

// publish calls the Store, whose panic is an error like any other.
func (p *Publisher) publish(ctx context.Context, pub store.Publication) (reply store.PublishReply, err error) {
	defer guard.StoreRecovered(&err)
	return p.cfg.Store.Publish(ctx, pub)
}

func (p *Publisher) now(ctx context.Context) (now time.Time, err error) {
	defer guard.StoreRecovered(&err)
	return p.cfg.Store.Now(ctx)
}
