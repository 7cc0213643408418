package hawkeye

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/go-batteries/hawkeye/internal/failpoint"
	"github.com/go-batteries/hawkeye/internal/ledger"
	"github.com/go-batteries/hawkeye/internal/notify"
	"github.com/go-batteries/hawkeye/internal/pulse"
	"github.com/go-batteries/hawkeye/internal/trouble"
	"github.com/go-batteries/hawkeye/store"
)

const (
	// maxSends is how many messages a receiver is sent at a time.
	maxSends = 4
	// defaultMaxAbandoned is how many Sends that ignore their ctx may be
	// outstanding for a receiver.
	defaultMaxAbandoned = 3
	// claimMargin is how much longer a claim stands than a Send may take.
	claimMargin = 30 * time.Second
	// neglectTicks is how long what is to be told is left to those with the
	// newer configuration.
	neglectTicks = 5
	// recollectTicks is how long nothing is claimed after a roll-back, but at
	// least leastRecollect: others may be slow to notice.
	recollectTicks = 3
	leastRecollect = time.Second
	// maxHold is for how long after a start everything is kept back at most.
	maxHold = 10 * time.Second
	// lateGrace is how long after its deadline a Send is waited for.
	lateGrace = time.Second
)

// notifier tells people. What is to be told stands in the outbox; a claim on
// it is committed before it is sent, the outcome after.
type notifier struct {
	h        *Hawkeye
	logger   *slog.Logger
	mirror   *ledger.Mirror
	book     *ledger.Book
	watch    <-chan struct{}
	reloaded chan struct{} // capacity 1
	began    began         // for run alone
	results  chan sendResult
	idle     chan chan int // drain asks to be told when nothing is left, or how much nobody is there to send

	turned int                  // as the mirror counts; for run alone
	hold   time.Time            // until when all may write down what they sent; for run alone
	claims map[string]seenClaim // claims of others, as first seen; for run alone
	busy   map[string]*sending  // by message id; for run alone
	hurry  bool                 // nobody comes after us; for run alone
	ending time.Time            // when drain began; for run alone

	attempts []notify.Attempt       // to be settled; for run alone
	unsure   map[string]*notify.Row // that may have been delivered, by id; for run alone
	pace     pace                   // for run alone

	failedAt  store.Cursor // where the ledger stood when a claim failed; for run alone
	unclaimed *trouble.Log // of claims
	unsettled *trouble.Log // of outcomes

	gone chan struct{} // closed when run won't be called again

	mu        sync.Mutex // guards abandoned, and the flags in sending
	abandoned map[string]int
}

// seenClaim is a claim since when it was seen unchanged, on our own clock.
type seenClaim struct {
	commit store.ID
	since  time.Time
}

func newNotifier(h *Hawkeye, book *ledger.Book) *notifier {
	return &notifier{
		h: h, logger: h.logger, mirror: h.mirror, book: book,
		watch:     h.mirror.Watch(ledger.ClassRow, ledger.ClassAlert, ledger.ClassThread, ledger.ClassSilence, ledger.ClassAck),
		reloaded:  make(chan struct{}, 1),
		results:   make(chan sendResult, 64),
		idle:      make(chan chan int, 1),
		claims:    make(map[string]seenClaim),
		busy:      make(map[string]*sending),
		unsure:    make(map[string]*notify.Row),
		gone:      make(chan struct{}),
		abandoned: make(map[string]int),

		unclaimed: trouble.New(h.logger, "claiming messages fails", "messages are claimed again"),
		unsettled: trouble.New(h.logger, "storing the outcome of a message fails, trying again", "outcomes of messages are stored again"),
	}
}

// notes are what the next bucket carries, where there are others to read it.
func (n *notifier) notes() [][]byte {
	if !n.h.store.Traits().Shared {
		return nil
	}
	return n.h.sent.Carry(n.h.roster.Self())
}

// run decides whenever the ledger changed, a Send ended, or time has come.
func (n *notifier) run(ctx context.Context) error {
	defer n.abandonAll()
	n.began = began{tick: n.h.clock().NowTick(), at: n.h.clock().Now()}
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
			n.hurry = !n.h.store.Traits().Shared // else the others tell it in time
			n.ending = n.h.clock().Now()
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
func (n *notifier) decide(ctx context.Context) time.Duration {
	for conflicts := 0; n.mirror.Open() && ctx.Err() == nil && n.h.mirror.Refused() == nil; {
		if err := n.recollect(ctx); err != nil {
			n.logger.LogAttrs(ctx, slog.LevelDebug, "write down what was sent", slog.Any("error", err))
			return 100 * time.Millisecond
		}
		now := n.h.clock().Now()
		if n.h.roster.Outranked() && !n.neglected(now) {
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
			n.logDead(ctx, plan.Rows)
		}
		if len(plan.Send) > 0 {
			failpoint.At("claim")
		}
		for _, m := range plan.Send {
			n.send(m, claimed)
		}
		n.forgetUnsure(view.Rows)
		if !plan.Empty() && n.h.store.Traits().Shared {
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
func (n *notifier) neglected(now time.Time) bool {
	for _, row := range n.book.Rows() {
		since := row.Created
		if row.NextAttempt.After(since) {
			since = row.NextAttempt
		}
		known := n.h.setup().Routes.Receivers[row.Receiver] != nil
		if known && row.Claim == nil && row.Held == "" && now.Sub(since) > neglectTicks*n.h.store.Traits().Tick {
			return true
		}
	}
	return false
}

// until is how long to wait for the next wake-up, a deadline of a Send, or
// the lapse of somebody's claim.
func (n *notifier) until(next, now time.Time) time.Duration {
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
func (n *notifier) commit(ctx context.Context, tx *ledger.Tx, plan *notify.Plan, now time.Time) error {
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

func (n *notifier) view() *notify.View {
	v := n.book.View()
	v.Config = n.h.setup().Routes
	v.Outranked = !n.h.roster.Decides()
	v.Self = n.h.publisher.Writer().String()
	v.Lapsed = n.lapsed
	v.Hurry = n.hurry
	v.Capacity = n.capacity
	v.Latest = n.h.agent.latest
	v.HoldUntil = n.hold
	if until := n.holdUntil(); until.After(v.HoldUntil) {
		v.HoldUntil = until
	}
	v.Sent = func(id string) bool { return n.book.Sent(id) || n.h.sent.Has(id) }
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
func (n *notifier) holdUntil() time.Time {
	if n.began.evaluated {
		return time.Time{}
	}
	head, _, ok, err := n.mirror.Head()
	now := n.h.clock().Now()
	n.began.evaluated = err == nil && ok && head.Tick >= n.began.tick || now.Sub(n.began.at) >= maxHold
	if n.began.evaluated {
		return time.Time{}
	}
	return now.Add(n.h.store.Traits().Tick / 4)
}

// observe notes since when claims of others stand unchanged.
func (n *notifier) observe(rows []*notify.Row) {
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
func (n *notifier) lapsed(row *notify.Row) bool {
	if row.Claim.Writer == n.h.publisher.Writer().String() {
		return n.busy[row.Claim.Message] == nil // ours, of before a panic
	}
	if !n.h.store.Traits().Shared {
		return true // of the process before this one
	}
	c, ok := n.claims[row.ID]
	return ok && time.Since(c.since) >= row.Claim.Length ||
		n.h.roster.Gone(row.Claim.Writer, n.h.clock().TickOf(row.Claim.At))
}

// drained says whether nothing is left that a little patience would send.
func (n *notifier) drained() bool {
	if len(n.busy) > 0 {
		return false
	}
	if n.h.mirror.Refused() != nil {
		return true
	}
	for _, row := range n.book.Rows() {
		if row.Held == "" && !n.leaves(row) {
			return false
		}
	}
	return true
}
