// Package notifier tells people what the outbox holds.
//
//	ledger's outbox ─ notify.Decide ─→ claim ─ commit ─→ Send ─→ outcome ─ notify.Settle ─→ commit
//	                     what is due?            │       Deliver    │        delivered, again, dead
//	                                             └─ lost: another replica was faster
//
// A claim is committed before a message is sent, so of all replicas one sends
// it, and the outcome after. A claim that its writer doesn't end lapses, and then
// the message is sent once more and says so. Run decides, claims and settles in
// one goroutine; each Send has its own, which is given up when it ignores its
// deadline (delivery.go). Where others write to the ledger, too, it rests between
// two looks, and longer while evaluation is late (pace.go). After a roll-back it
// first writes down what it is sending (recollect.go), and at the end of the
// process it sends what is due (drain.go).
//
// Whom to tell what is decided by the configuration in force; a Send is made by
// the one that was in force when it was claimed.
package notifier

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/go-batteries/hawkeye/internal/engine/checkpoint"
	"github.com/go-batteries/hawkeye/internal/engine/membership"
	"github.com/go-batteries/hawkeye/internal/engine/ruleset"
	"github.com/go-batteries/hawkeye/internal/engine/sentlog"
	"github.com/go-batteries/hawkeye/internal/failpoint"
	"github.com/go-batteries/hawkeye/internal/ledger"
	"github.com/go-batteries/hawkeye/internal/notify"
	"github.com/go-batteries/hawkeye/internal/pulse"
	"github.com/go-batteries/hawkeye/internal/samples/clock"
	"github.com/go-batteries/hawkeye/internal/trouble"
	"github.com/go-batteries/hawkeye/store"
)

const (
	// maxSends is how many messages a receiver is sent at a time.
	maxSends = 4
	// defaultMaxAbandoned is how many Sends that ignore their ctx may be
	// outstanding for a receiver.
	defaultMaxAbandoned = 3
	// ClaimMargin is how much longer a claim stands than a Send may take.
	ClaimMargin = 30 * time.Second
	// neglectTicks is how long what is to be told is left to those with the
	// newer configuration.
	neglectTicks = 5
	// maxHold is for how long after a start everything is kept back at most.
	maxHold = 10 * time.Second
	// lateGrace is how long after its deadline a Send is waited for.
	lateGrace = time.Second
)

// Config is what a Notifier needs. Nothing in it changes.
type Config struct {
	Mirror  *ledger.Mirror
	Book    *ledger.Book
	Traits  store.Traits
	Clock   *clock.Clock
	Current *ruleset.Current
	Sent    *sentlog.Log
	Members *membership.Roster
	Keeper  *checkpoint.Keeper // nil if the Store is shared, or needs none
	Logger  *slog.Logger

	Writer       func() store.ID // under which this process publishes; it may be drawn anew
	SendTimeout  time.Duration
	MaxAbandoned int // Sends that ignore their ctx, for a receiver; 0 means the default

	// Latest is how an alert stands by what this process measured last, if it
	// evaluates.
	Latest func(key string) (notify.Snapshot, bool)
	// Classify says what the error of a Sender means.
	Classify func(error) notify.Result
}

// Notifier tells people. What is to be told stands in the outbox; a claim on
// it is committed before it is sent, the outcome after. What isn't said to be
// for others belongs to the goroutine of Run.
type Notifier struct {
	cfg      Config
	logger   *slog.Logger
	mirror   *ledger.Mirror
	book     *ledger.Book
	watch    <-chan struct{}
	reloaded chan struct{} // capacity 1
	began    began
	results  chan sendResult
	idle     chan chan int // Drain asks to be told when nothing is left, or how much nobody is there to send

	resets int                  // as the mirror counts
	hold   time.Time            // until when all may write down what they sent
	claims map[string]seenClaim // claims of others, as first seen
	busy   map[string]*sending  // by message id
	hurry  bool                 // nobody comes after us
	ending time.Time            // when Drain began

	attempts []notify.Attempt       // to be settled
	unsure   map[string]*notify.Row // that may have been delivered, by id
	pace     pace

	failedAt  store.Cursor // where the ledger stood when a claim failed
	unclaimed *trouble.Log // of claims
	unsettled *trouble.Log // of outcomes

	gone chan struct{} // closed when Run won't be called again

	mu        sync.Mutex // guards abandoned, and the flags in sending
	abandoned map[string]int
}

// New returns a notifier that works when Run does.
func New(cfg Config) *Notifier {
	return &Notifier{
		cfg: cfg, logger: cfg.Logger, mirror: cfg.Mirror, book: cfg.Book,
		watch:     cfg.Mirror.Watch(ledger.ClassRow, ledger.ClassAlert, ledger.ClassThread, ledger.ClassSilence, ledger.ClassAck),
		reloaded:  make(chan struct{}, 1),
		results:   make(chan sendResult, 64),
		idle:      make(chan chan int, 1),
		claims:    make(map[string]seenClaim),
		busy:      make(map[string]*sending),
		unsure:    make(map[string]*notify.Row),
		gone:      make(chan struct{}),
		abandoned: make(map[string]int),

		unclaimed: trouble.New(cfg.Logger, "claiming messages fails", "messages are claimed again"),
		unsettled: trouble.New(cfg.Logger, "storing the outcome of a message fails, trying again", "outcomes of messages are stored again"),
	}
}

// Close says that Run won't be called again.
func (n *Notifier) Close() { close(n.gone) }

// Reload makes the notifier decide by the new configuration.
func (n *Notifier) Reload() {
	select {
	case n.reloaded <- struct{}{}:
	default:
	}
}

// seenClaim is a claim since when it was seen unchanged, on our own clock.
type seenClaim struct {
	commit store.ID
	since  time.Time
}

// Notes are what the next bucket carries, where there are others to read it.
func (n *Notifier) Notes() [][]byte {
	if !n.cfg.Traits.Shared {
		return nil
	}
	return n.cfg.Sent.Carry(n.cfg.Members.Self())
}

// Run decides whenever the ledger changed, a Send ended, or time has come.
func (n *Notifier) Run(ctx context.Context) error {
	defer n.abandonAll()
	n.began = began{tick: n.cfg.Clock.NowTick(), at: n.cfg.Clock.Now()}
	var waiting []chan int
	alive := pulse.Of(ctx)
	for {
		alive.Work()
		n.settle(ctx)
		next := n.decide(ctx)
		n.pace.looked = time.Now()
		if len(waiting) > 0 && n.drained() {
			for _, w := range waiting {
				w <- n.later()
			}
			waiting = nil
		}
		timer := time.NewTimer(next)
		alive.Rest()
		select {
		case <-n.watch:
		case <-n.reloaded:
		case r := <-n.results:
			n.ended(r)
		case w := <-n.idle:
			waiting = append(waiting, w)
			n.hurry = !n.cfg.Traits.Shared // else the others tell it in time
			n.ending = n.cfg.Clock.Now()
		case <-timer.C:
			n.giveUp(ctx)
		case <-ctx.Done():
		}
		alive.Work()
		timer.Stop()
		n.rest(ctx, len(waiting) > 0)
		if ctx.Err() != nil {
			return nil
		}
	}
}

// decide claims and sends what is due. It returns when to look again at the
// latest.
func (n *Notifier) decide(ctx context.Context) time.Duration {
	for conflicts := 0; n.mirror.Open() && ctx.Err() == nil && n.mirror.Refused() == nil; {
		if err := n.recollect(ctx); err != nil {
			n.logger.LogAttrs(ctx, slog.LevelDebug, "write down what was sent", slog.Any("error", err))
			return 100 * time.Millisecond
		}
		now := n.cfg.Clock.Now()
		if n.cfg.Members.Outranked() && !n.neglected(now) {
			return time.Second
		}
		claimed := time.Now()
		tx := n.mirror.Begin()
		view := n.view()
		plan := notify.Decide(view, now)
		err := n.commit(ctx, tx, &plan, now)
		switch {
		case errors.Is(err, store.ErrConflict): // somebody else was faster: decide again
			if conflicts++; conflicts >= maxConflicts {
				return restFor
			}
			continue
		case err != nil:
			n.failedAt = n.mirror.Cursor()
			n.unclaimed.Note(ctx, err)
			return time.Second
		case !plan.Empty() || n.failedAt != n.mirror.Cursor(): // by us, or by somebody else
			n.unclaimed.Note(ctx, nil)
			n.LogDead(ctx, plan.Rows)
		}
		if len(plan.Send) > 0 {
			failpoint.At("claim")
		}
		for _, m := range plan.Send {
			n.send(m, claimed)
		}
		n.forgetUnsure(view.Rows)
		if !plan.Empty() && n.cfg.Traits.Shared {
			return restFor // it won't look before that
		}
		if plan.Empty() {
			wait := n.until(plan.Next, now)
			if view.Outranked { // which no record says that is watched
				wait = min(wait, time.Second)
			}
			return wait
		}
	}
	return time.Second
}

// neglected says whether something to tell waits for longer than it should:
// whoever knows better whom to tell doesn't get to it. For a receiver that we
// don't have we can't do so either.
func (n *Notifier) neglected(now time.Time) bool {
	for _, row := range n.book.Rows() {
		since := row.Created
		if row.NextAttempt.After(since) {
			since = row.NextAttempt
		}
		known := n.cfg.Current.Load().Routes.Receivers[row.Receiver] != nil
		if known && row.Claim == nil && row.Held == "" && now.Sub(since) > neglectTicks*n.cfg.Traits.Tick {
			return true
		}
	}
	return false
}

// until is how long to wait for the next wake-up, a deadline of a Send, or
// the lapse of somebody's claim.
func (n *Notifier) until(next, now time.Time) time.Duration {
	wait := time.Minute
	if !next.IsZero() {
		wait = min(wait, next.Sub(now))
	}
	for _, s := range n.busy {
		wait = min(wait, n.left(s))
	}
	if len(n.claims) > 0 {
		wait = min(wait, time.Second)
	}
	return max(wait, time.Millisecond)
}

// commit stores a plan that was made from what the copy held when tx was
// begun.
func (n *Notifier) commit(ctx context.Context, tx *ledger.Tx, plan *notify.Plan, now time.Time) error {
	if plan.Empty() {
		return nil
	}
	if err := tx.PutPlan(plan, now); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, ledger.CommitTimeout)
	defer cancel()
	n.pace.committed = time.Now()
	return n.mirror.Commit(ctx, tx)
}

func (n *Notifier) view() *notify.View {
	v := n.book.View()
	v.Config = n.cfg.Current.Load().Routes
	v.Outranked = !n.cfg.Members.Decides()
	v.Self = n.cfg.Writer().String()
	v.Lapsed = n.lapsed
	v.Hurry = n.hurry
	v.Capacity = n.capacity
	v.Latest = n.cfg.Latest
	v.HoldUntil = n.hold
	if until := n.holdUntil(); until.After(v.HoldUntil) {
		v.HoldUntil = until
	}
	v.Sent = func(id string) bool { return n.book.Sent(id) || n.cfg.Sent.Has(id) }
	n.observe(v.Rows)
	return v
}

// began is when the notifier was started.
type began struct {
	tick      int64
	at        time.Time
	evaluated bool // all was evaluated since
}

// holdUntil is until when everything is kept back: after a start, until all
// was evaluated once, so that what is inhibited isn't told before what inhibits
// it is known. It is not waited for for longer than maxHold.
func (n *Notifier) holdUntil() time.Time {
	if n.began.evaluated {
		return time.Time{}
	}
	head, _, ok, err := n.mirror.Head()
	now := n.cfg.Clock.Now()
	n.began.evaluated = err == nil && ok && head.Tick >= n.began.tick || now.Sub(n.began.at) >= maxHold
	if n.began.evaluated {
		return time.Time{}
	}
	return now.Add(n.cfg.Traits.Tick / 4)
}

// observe notes since when claims of others stand unchanged.
func (n *Notifier) observe(rows []*notify.Row) {
	seen := make(map[string]seenClaim)
	for _, row := range rows {
		if row.Claim == nil {
			continue
		}
		_, commit, _ := n.book.Row(row.ID)
		c, ok := n.claims[row.ID]
		if !ok || c.commit != commit {
			c = seenClaim{commit: commit, since: time.Now()}
		}
		seen[row.ID] = c
	}
	n.claims = seen
}

// lapsed says whether a claim may be taken over.
func (n *Notifier) lapsed(row *notify.Row) bool {
	if row.Claim.Writer == n.cfg.Writer().String() {
		return n.busy[row.Claim.Message] == nil // ours, of before a panic
	}
	if !n.cfg.Traits.Shared {
		return true // of the process before this one
	}
	c, ok := n.claims[row.ID]
	return ok && time.Since(c.since) >= row.Claim.Length ||
		n.cfg.Members.Gone(row.Claim.Writer, n.cfg.Clock.TickOf(row.Claim.At))
}

// drained says whether nothing is left that a little patience would send.
func (n *Notifier) drained() bool {
	if len(n.busy) > 0 {
		return false
	}
	if n.mirror.Refused() != nil {
		return true
	}
	for _, row := range n.book.Rows() {
		if row.Held == "" && !n.leaves(row) {
			return false
		}
	}
	return true
}
