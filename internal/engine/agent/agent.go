// Package agent decides when a threshold is breached: it evaluates the fleet's
// ticks, and stores what follows from them.
//
//	Run ─ await: whose turn is it? ─→ load ─→ evaluate ─ tick by tick ─→ commit
//	        ↑    (election.go)       (load.go)      feed, evaluate       states, outbox,
//	        │                                                        watermark (commit.go)
//	        └──────────── somebody else decides, a gap, a reload ───────┘
//
// One agent of a fleet evaluates: the one that wrote the ledger's head last. The
// others wait until the head stands still. That is for efficiency only: a
// decision is stored only if the head is the one that it was made from, so two
// that evaluate at a time cost work and not correctness.
//
// What is evaluated is pinned, from load to the commit: a reload ends the
// evaluation, which begins anew with what is in force. Whose turn it is goes by
// the configuration in force.
package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/go-batteries/hawkeye/internal/engine/follower"
	"github.com/go-batteries/hawkeye/internal/engine/membership"
	"github.com/go-batteries/hawkeye/internal/engine/ruleset"
	"github.com/go-batteries/hawkeye/internal/engine/sentlog"
	"github.com/go-batteries/hawkeye/internal/evaluate"
	"github.com/go-batteries/hawkeye/internal/failpoint"
	"github.com/go-batteries/hawkeye/internal/feed"
	"github.com/go-batteries/hawkeye/internal/ledger"
	"github.com/go-batteries/hawkeye/internal/notify"
	"github.com/go-batteries/hawkeye/internal/notify/routing"
	"github.com/go-batteries/hawkeye/internal/pulse"
	"github.com/go-batteries/hawkeye/internal/samples/clock"
	"github.com/go-batteries/hawkeye/internal/trouble"
	"github.com/go-batteries/hawkeye/internal/window"
	"github.com/go-batteries/hawkeye/store"
)

const (
	// minLease is the least time for which the head of the ledger must stay
	// unchanged before somebody else evaluates.
	minLease = 3 * time.Second
	// leaseTicks is that time in ticks, if they are wide.
	leaseTicks = 4
	// catchUpLag is how far behind a tick must be for its outcome to be stored
	// together with those after it, at most maxCatchUp and for half a lease: a
	// gap is told in sum.
	catchUpLag = 3 * time.Second
	maxCatchUp = 10_000
	// orphanLeases is for how many leases the head of another service must
	// stand still before that service is taken to be gone, or renamed. Its own
	// replicas take over after one.
	orphanLeases = 5
	// settleGrace is how long the outcome of a message may take from its
	// sender to the ledger before somebody else writes it down.
	settleGrace = 5 * time.Second
	// handInTicks is how long after an outage nothing is evaluated, because
	// others have something to say first.
	handInTicks = 3
)

// errFenced says that somebody else evaluates by now, or that the store was
// rolled back: what is in memory is not what is stored.
var errFenced = errors.New("the ledger has moved on without this evaluator")

// errNotLeader says that somebody else took over while we waited for it.
var errNotLeader = errors.New("somebody else was faster")

// errGap says that nothing was evaluated for a while.
var errGap = errors.New("nothing was evaluated for a while")

// errOurs says that what a newer version kept can be read again.
var errOurs = errors.New("a newer version keeps an alert no more")

// errReloaded says that the configuration was replaced.
var errReloaded = errors.New("the configuration was replaced")

// errFinished ends the evaluation at a shutdown.
var errFinished = errors.New("evaluated up to the last tick")

// Config is what an Agent needs. Nothing in it changes.
type Config struct {
	Store    store.Store
	Traits   store.Traits
	Mirror   *ledger.Mirror
	Book     *ledger.Book
	Owner    *ledger.Owner
	Clock    *clock.Clock
	Current  *ruleset.Current
	Feed     *feed.Feed
	Sent     *sentlog.Log
	Members  *membership.Roster
	Follower *follower.Follower
	Logger   *slog.Logger

	// Of the publisher: under which id this process publishes, which may be
	// drawn anew; the tick of its last bucket, once that is known; and when it
	// last reached the Store.
	Writer      func() store.ID
	FinalTick   func() (int64, bool)
	LastSuccess func() time.Time

	Service, Environment string        // as messages say them
	OutageAfter          time.Duration // how long nothing must be evaluated for replicas to evaluate alone
}

// Agent evaluates when it is this process's turn. What isn't said to be for
// others belongs to the goroutine of Run.
type Agent struct {
	cfg    Config
	logger *slog.Logger
	mirror *ledger.Mirror
	book   *ledger.Book
	pinned *ruleset.Ruleset // that is evaluated
	feed   *feed.Feed
	lease  time.Duration
	watch  <-chan struct{}

	left    map[string]bool                 // alerts that were not judged, as a newer version keeps them
	blocked bool                            // the head can't be read
	resets  int                             // as the mirror counts
	lostTo  string                          // the winner that was logged
	configs map[string]*ledger.ConfigRecord // as Removed saw them

	outage int64 // the tick at which one was last found over

	interrupted *trouble.Log // of Run
	unread      *trouble.Log // of ticks
	unstored    *trouble.Log // of decisions

	awaited store.ID // the head from which await let us go on

	head  store.ID // the commit of the head that memory is of
	born  int64    // see ledger.Head
	sweep sweep

	runs *feed.Runs // nil where the Store is this process's own

	// stepView is what told answers from during a step, nil until it is asked:
	// in a storm that is thousands of times.
	stepView *notify.View

	mu        sync.Mutex          // guards evaluator and waits
	evaluator *evaluate.Evaluator // nil while somebody else evaluates
	waits     bool                // it is our turn, and others write something down first

	finishing chan struct{} // closed by Finish
	finished  chan struct{} // closed when Run has evaluated the last tick
	doneOnce  sync.Once
	askOnce   sync.Once
}

// New returns an agent that works when Run does.
func New(cfg Config) *Agent {
	return &Agent{
		cfg: cfg, logger: cfg.Logger, mirror: cfg.Mirror, book: cfg.Book, pinned: cfg.Current.Load(),
		feed:      cfg.Feed,
		lease:     jittered(max(minLease, leaseTicks*cfg.Traits.Tick)),
		watch:     cfg.Mirror.Watch(ledger.HeadKey),
		finishing: make(chan struct{}),
		finished:  make(chan struct{}),

		interrupted: trouble.New(cfg.Logger, "evaluation interrupted", "evaluation goes on after an interruption"),
		unread:      trouble.New(cfg.Logger, "reading ticks fails", "ticks are read again"),
		unstored:    trouble.New(cfg.Logger, "storing a decision fails, trying again", "decisions are stored again"),
	}
}

// Lease is for how long a head must stand still before somebody else goes on.
func (a *Agent) Lease() time.Duration { return a.lease }

// Run evaluates whenever it is this process's turn.
func (a *Agent) Run(ctx context.Context) error {
	alive := pulse.Of(ctx)
	for {
		alive.Work()
		err := a.await(ctx)
		if err == nil {
			err = a.evaluate(ctx)
		}
		a.mu.Lock()
		a.evaluator = nil
		a.mu.Unlock()
		switch {
		case errors.Is(err, errFinished):
			a.doneOnce.Do(func() { close(a.finished) })
			alive.Rest()
			<-ctx.Done()
			return nil
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, errFenced), errors.Is(err, errGap), errors.Is(err, errReloaded), errors.Is(err, errOurs):
			a.logger.LogAttrs(ctx, slog.LevelInfo, "evaluation goes on from what is stored", slog.Any("reason", err))
		case errors.Is(err, errNotLeader):
			a.logger.LogAttrs(ctx, slog.LevelDebug, "evaluation is left to others", slog.Any("reason", err))
		default:
			a.interrupted.Note(ctx, err)
			pulse.Sleep(ctx, time.Second)
		}
	}
}

// evaluate loads what is stored and steps from the watermark on, until it
// fails or somebody else decides.
func (a *Agent) evaluate(ctx context.Context) error {
	stored := time.Now()
	ev, err := a.load(ctx)
	if err != nil {
		return err
	}
	pending := a.removed(ev)
	behind := 0 // ticks of a catch-up that aren't stored yet
	for {
		tick, err := a.feed.Next(ctx)
		pulse.Of(ctx).Beat()
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			a.unread.Note(ctx, err)
			continue
		}
		a.unread.Note(ctx, nil)
		if behind == 0 && a.afterOutage(ctx, tick) {
			return errGap
		}
		a.stepView = nil
		a.mu.Lock()
		pending = evaluate.Merge(pending, ev.Step(a.feed.Engine(), a.step(tick)))
		a.mu.Unlock()
		if len(pending) > 0 {
			failpoint.At("read")
		}
		last := a.isLast(tick.N)
		if last {
			a.mu.Lock()
			pending = evaluate.Merge(pending, ev.Unsaved(tick.End))
			a.mu.Unlock()
		}
		// A head that stands still for a lease is somebody else's to replace.
		if behind++; !last && behind < maxCatchUp && time.Since(stored) < a.lease/2 && a.cfg.Clock.Now().Sub(tick.End) > catchUpLag {
			continue
		}
		if behind > 1 {
			for i := range pending {
				pending[i].Condense()
			}
		}
		if last {
			a.feed.Leave(ctx)
		}
		if err := a.commit(ctx, tick, pending, last); err != nil {
			return err
		}
		a.works(ctx)
		pending, behind, stored = a.removed(ev), 0, time.Now()
		switch {
		case last:
			return errFinished
		case a.pinned != a.cfg.Current.Load():
			return errReloaded
		case a.ours():
			return errOurs
		}
		a.compact(ctx, tick)
	}
}

// ours says whether an alert that was left to a newer version is ours again:
// what is in memory of it was never stored.
func (a *Agent) ours() bool {
	for key := range a.left {
		if !a.book.Kept(key) {
			return true
		}
	}
	return false
}

// works says that the ledger moves on: what failed before is over.
func (a *Agent) works(ctx context.Context) {
	a.unstored.Note(ctx, nil)
	a.interrupted.Note(ctx, nil)
}

// afterOutage waits, if nobody has evaluated for so long that replicas may
// have told what they saw themselves: they hand that in, and publish what they
// kept, before anything is caught up with. It says whether it did. That is once
// for an outage, however long catching up with it takes.
func (a *Agent) afterOutage(ctx context.Context, tick feed.Tick) bool {
	after := a.cfg.OutageAfter
	if !a.cfg.Traits.Shared || a.cfg.Clock.Now().Sub(tick.End) < after ||
		tick.N <= a.outage {
		return false
	}
	// Who looked at its own counts because nothing was evaluated must see that
	// this is over before it can hand in anything.
	if head, _, ok, err := a.mirror.Head(); ok && err == nil {
		if err := a.stamp(ctx, head); err != nil {
			a.logger.LogAttrs(ctx, slog.LevelDebug, "announce that evaluation goes on", slog.Any("error", err))
		}
	}
	pulse.Sleep(ctx, handInTicks*a.cfg.Traits.Tick)
	a.outage = a.cfg.Clock.NowTick() // when the wait is over: it may be longer than after
	return true
}

// removed ends the alerts whose monitor no live agent has any more. Who those
// are changes while a new version is rolled out.
func (a *Agent) removed(ev *evaluate.Evaluator) []evaluate.Change {
	configs := a.cfg.Members.Configs()
	if a.configs != nil && sameConfigs(a.configs, configs) {
		return nil
	}
	a.configs = configs
	a.mu.Lock()
	defer a.mu.Unlock()
	return ev.Removed(a.cfg.Clock.Now(), a.cfg.Members.Wanted())
}

func (a *Agent) step(t feed.Tick) evaluate.Tick {
	unknown := t.Skipped
	if t.Status == feed.Unknown {
		unknown++
	}
	asleep := time.Duration(0)
	if t.Asleep {
		asleep = a.cfg.Traits.Tick
	}
	return evaluate.Tick{N: t.N, End: t.End, Asleep: asleep, Unknown: time.Duration(unknown) * a.cfg.Traits.Tick, Late: t.Late, Again: t.Again}
}

// Finish evaluates what Final has published, and gives up the head, so that
// somebody else goes on at once.
func (a *Agent) Finish(ctx context.Context) error {
	a.askOnce.Do(func() { close(a.finishing) })
	select {
	case <-a.finished:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("evaluate what was counted last: %w", context.Cause(ctx))
	}
}

// isLast says whether a tick is that of our last bucket: known as soon as that
// can be read, so that nothing is waited for after it.
func (a *Agent) isLast(tick int64) bool {
	last, ok := a.cfg.FinalTick()
	return ok && tick >= last
}

// handles are those of the plan's queries, in their order.
func (a *Agent) handles() []window.Handle {
	handles := make([]window.Handle, len(a.pinned.Plan.Queries))
	for i := range handles {
		handles[i] = a.feed.Handle(i)
	}
	return handles
}

// Evaluates says whether this process decides at present.
func (a *Agent) Evaluates() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.evaluator != nil || a.waits
}

// setWaits says whether it is our turn while others write something down.
func (a *Agent) setWaits(waits bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.waits = waits
}

// Lag is how far the fleet's watermark is behind its time; 0 if nobody has
// evaluated yet.
func (a *Agent) Lag() time.Duration {
	head, _, ok, err := a.mirror.Head()
	if !ok || err != nil {
		return 0
	}
	return a.cfg.Clock.Now().Sub(a.cfg.Clock.End(head.Tick))
}

// Latest returns how an alert stands by what this process measured last, false
// if it doesn't evaluate.
func (a *Agent) Latest(key string) (notify.Snapshot, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.evaluator == nil {
		return notify.Snapshot{}, false
	}
	e := a.evaluator.Alert(key)
	if e == nil || !e.Read {
		return notify.Snapshot{}, false
	}
	return routing.Snapshot(e, a.cfg.Service, a.cfg.Environment), true
}

// sameConfigs says whether two sets of configurations have the same hashes.
func sameConfigs(a, b map[string]*ledger.ConfigRecord) bool {
	return maps.EqualFunc(a, b, func(*ledger.ConfigRecord, *ledger.ConfigRecord) bool { return true })
}

// Each calls f with all alerts as this process measured them last, if it
// evaluates. What f is called with must not be kept.
func (a *Agent) Each(f func(*evaluate.Alert)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.evaluator == nil {
		return
	}
	for _, e := range a.evaluator.Alerts() {
		f(e)
	}
}
