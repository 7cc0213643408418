package hawkeye

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"time"

	"github.com/go-batteries/hawkeye/internal/failpoint"
	"github.com/go-batteries/hawkeye/internal/ledger"
	"github.com/go-batteries/hawkeye/internal/notify"
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
	// recollectTicks is how long nothing is claimed after a roll-back.
	recollectTicks = 3
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
	idle     chan chan struct{} // drain asks to be told when nothing is left

	turned int                  // as the mirror counts; for run alone
	hold   time.Time            // until when all may write down what they sent; for run alone
	claims map[string]seenClaim // claims of others, as first seen; for run alone
	busy   map[string]*sending  // by message id; for run alone
	hurry  bool                 // nobody comes after us; for run alone

	gone chan struct{} // closed when run won't be called again

	mu        sync.Mutex // guards abandoned, and the flags in sending
	abandoned map[string]int
}

// seenClaim is a claim since when it was seen unchanged, on our own clock.
type seenClaim struct {
	commit store.ID
	since  time.Time
}

// sending is a Send under way.
type sending struct {
	message  notify.Message
	deadline time.Time
	cancel   context.CancelFunc

	ended, abandoned bool // guarded by notifier.mu
}

// sendResult is how one ended. err may be nil.
type sendResult struct {
	id  string
	err error
}

func newNotifier(h *Hawkeye, book *ledger.Book) *notifier {
	return &notifier{
		h: h, logger: h.logger, mirror: h.mirror, book: book,
		watch:     h.mirror.Watch(ledger.ClassRow, ledger.ClassAlert, ledger.ClassThread, ledger.ClassSilence, ledger.ClassAck),
		reloaded:  make(chan struct{}, 1),
		results:   make(chan sendResult, 64),
		idle:      make(chan chan struct{}, 1),
		claims:    make(map[string]seenClaim),
		busy:      make(map[string]*sending),
		gone:      make(chan struct{}),
		abandoned: make(map[string]int),
	}
}

// notes are what the next bucket carries, where there are others to read it.
func (n *notifier) notes() [][]byte {
	if !n.h.store.Traits().Shared {
		return nil
	}
	return n.h.sent.carry(n.h.roster.self())
}

// run decides whenever the ledger changed, a Send ended, or time has come.
func (n *notifier) run(ctx context.Context) error {
	defer n.abandonAll()
	n.began = began{tick: n.h.clock().NowTick(), at: n.h.clock().Now()}
	var waiting []chan struct{}
	for {
		next := n.decide(ctx)
		if len(waiting) > 0 && n.drained() {
			for _, w := range waiting {
				close(w)
			}
			waiting = nil
		}
		timer := time.NewTimer(next)
		select {
		case <-n.watch:
		case <-n.reloaded:
		case r := <-n.results:
			n.settle(ctx, r)
		case w := <-n.idle:
			waiting = append(waiting, w)
			n.hurry = !n.h.store.Traits().Shared // else the others tell it in time
		case <-timer.C:
			n.giveUp(ctx)
		case <-ctx.Done():
			timer.Stop()
			return nil
		}
		timer.Stop()
	}
}

// decide claims and sends what is due. It returns when to look again at the
// latest.
func (n *notifier) decide(ctx context.Context) time.Duration {
	for n.mirror.Open() && ctx.Err() == nil {
		if err := n.recollect(ctx); err != nil {
			n.logger.LogAttrs(ctx, slog.LevelDebug, "write down what was sent", slog.Any("error", err))
			return 100 * time.Millisecond
		}
		now := n.h.clock().Now()
		if n.h.roster.outranked() && !n.neglected(now) {
			return time.Second
		}
		tx := n.mirror.Begin()
		plan := notify.Decide(n.view(), now)
		err := n.commit(ctx, tx, &plan, now)
		switch {
		case errors.Is(err, store.ErrConflict):
			continue // somebody else wrote: decide again
		case err != nil:
			n.logger.LogAttrs(ctx, slog.LevelWarn, "claim messages", slog.Any("error", err))
			return time.Second
		}
		if len(plan.Send) > 0 {
			failpoint.At("claim")
		}
		for _, m := range plan.Send {
			n.send(m)
		}
		if plan.Empty() {
			return n.until(plan.Next, now)
		}
	}
	return time.Second
}

// recollect writes down what was sent if the ledger was rolled back, or
// restored from a copy, and may have lost the notes. Nothing is claimed until
// everybody had the time to do so.
func (n *notifier) recollect(ctx context.Context) error {
	turned := n.mirror.Turned()
	if turned == n.turned {
		return nil
	}
	n.h.sent.doubt()
	lacking := n.h.sent.lacking(0, n.book.HasSent)
	if len(lacking) > 0 {
		tx := n.mirror.Begin()
		for _, s := range lacking {
			if err := tx.PutSent(s.ID, s.Ends, s.At); err != nil {
				return err
			}
		}
		ctx, cancel := context.WithTimeout(ctx, commitTimeout)
		defer cancel()
		if err := n.mirror.Commit(ctx, tx); err != nil {
			return err
		}
	}
	n.turned = turned
	if n.h.store.Traits().Shared {
		n.hold = n.h.clock().Now().Add(recollectTicks * n.h.store.Traits().Tick)
	}
	return nil
}

// neglected says whether something to tell waits for longer than it should:
// whoever knows better whom to tell doesn't get to it.
func (n *notifier) neglected(now time.Time) bool {
	for _, row := range n.book.Rows() {
		since := row.Created
		if row.NextAttempt.After(since) {
			since = row.NextAttempt
		}
		if row.Claim == nil && row.Held == "" && now.Sub(since) > neglectTicks*n.h.store.Traits().Tick {
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
		wait = min(wait, time.Until(s.deadline))
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
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	return n.mirror.Commit(ctx, tx)
}

func (n *notifier) view() *notify.View {
	v := n.book.View()
	v.Config = n.h.setup().routes
	v.Self = n.h.publisher.Writer().String()
	v.Lapsed = n.lapsed
	v.Hurry = n.hurry
	v.Capacity = n.capacity
	v.HoldUntil = n.hold
	if until := n.holdUntil(); until.After(v.HoldUntil) {
		v.HoldUntil = until
	}
	v.Sent = func(id string) bool { return n.book.Sent(id) || n.h.sent.has(id, n.book.SameKind) }
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
		n.h.roster.gone(row.Claim.Writer, n.h.clock().TickOf(row.Claim.At))
}

func (n *notifier) capacity(receiver string) int {
	n.mu.Lock()
	abandoned := n.abandoned[receiver]
	n.mu.Unlock()
	if abandoned >= firstOf(n.h.cfg.limits.MaxAbandonedSends, defaultMaxAbandoned) {
		return 0
	}
	free := maxSends
	for _, s := range n.busy {
		if s.message.Receiver == receiver {
			free--
		}
	}
	return max(free, 0)
}

// send hands a message to its receiver. The goroutine may outlive its
// deadline, if the receiver ignores it, and then even the notifier.
func (n *notifier) send(m notify.Message) {
	ctx, cancel := context.WithTimeout(context.Background(), n.h.cfg.sendTimeout) // ended by giveUp, or with the notifier
	s := &sending{message: m, deadline: time.Now().Add(n.h.cfg.sendTimeout + lateGrace), cancel: cancel}
	n.busy[m.ID] = s
	set := n.h.setup()
	go func() {
		defer cancel()
		err := n.guardedSend(ctx, set, &m)
		if err == nil {
			failpoint.At("accepted")
		}
		if n.returned(s) {
			return // nobody waits for it any more
		}
		select {
		case n.results <- sendResult{id: m.ID, err: err}:
		case <-n.gone:
		}
	}()
}

// returned takes note that a Send ended, and says whether it was abandoned.
func (n *notifier) returned(s *sending) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	s.ended = true
	if s.abandoned {
		n.abandoned[s.message.Receiver]--
	}
	return s.abandoned
}

// abandon says that nobody waits for a Send any more, unless it has ended: its
// outcome is on the way, however long the store keeps us from taking it.
func (n *notifier) abandon(s *sending) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if s.ended {
		return false
	}
	s.abandoned = true
	n.abandoned[s.message.Receiver]++
	return true
}

// guardedSend renders and sends, and turns a panic into an error.
func (n *notifier) guardedSend(ctx context.Context, set *setup, m *notify.Message) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the receiver panicked: %v", p)
			n.logger.LogAttrs(ctx, slog.LevelError, "a receiver panicked", slog.String("receiver", m.Receiver),
				slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
		}
	}()
	to := set.senders[m.Receiver]
	if to == nil {
		return Permanent(fmt.Errorf("there is no receiver called %q in this process's configuration", m.Receiver))
	}
	text := set.renderer.Render(m, n.h.clock().Now())
	if text.Problem != "" {
		n.logger.LogAttrs(ctx, slog.LevelError, "a template failed, the default text goes out",
			slog.String("receiver", m.Receiver), slog.String("error", text.Problem))
	}
	return to.send(ctx, m, text)
}

// settle writes down how a Send ended.
func (n *notifier) settle(ctx context.Context, r sendResult) {
	s := n.busy[r.id]
	if s == nil {
		return // it was given up
	}
	delete(n.busy, r.id)
	res := result(r.err)
	if res.Kind == notify.Delivered && len(res.Failed) == 0 {
		n.h.sent.delivered(&s.message, n.h.clock().Now())
	}
	n.write(ctx, &s.message, res)
}

// giveUp abandons the Sends that ignore their deadline.
func (n *notifier) giveUp(ctx context.Context) {
	for id, s := range n.busy {
		if time.Now().Before(s.deadline) || !n.abandon(s) {
			continue
		}
		s.cancel()
		delete(n.busy, id)
		n.logger.LogAttrs(ctx, slog.LevelError, "a receiver ignores its deadline, going on without it",
			slog.String("receiver", s.message.Receiver))
		n.write(ctx, &s.message, notify.Result{Kind: notify.Unknown, Error: "no answer within " + n.h.cfg.sendTimeout.String()})
	}
}

// write commits an outcome. If it can't be stored, the claim lapses and the
// message is sent once more, saying so.
func (n *notifier) write(ctx context.Context, m *notify.Message, res notify.Result) {
	if res.Error != "" {
		n.logger.LogAttrs(ctx, slog.LevelWarn, "a message was not delivered",
			slog.String("receiver", m.Receiver), slog.String("error", res.Error), slog.Bool("permanent", res.Kind == notify.Permanent))
	}
	failpoint.At("settle")
	random := rand.Float64()
	for ctx.Err() == nil {
		now := n.h.clock().Now()
		tx := n.mirror.Begin()
		plan := notify.Settle(n.view(), m, res, now, random)
		err := n.commit(ctx, tx, &plan, now)
		if err == nil {
			return
		}
		if !errors.Is(err, store.ErrConflict) {
			n.logger.LogAttrs(ctx, slog.LevelWarn, "store the outcome of a message, trying again", slog.Any("error", err))
			pause(ctx, 100*time.Millisecond)
		}
	}
}

// drained says whether nothing is left that a little patience would send.
// What another replica sends, or did before it died, is the others' business.
func (n *notifier) drained() bool {
	if len(n.busy) > 0 {
		return false
	}
	self, shared := n.h.publisher.Writer().String(), n.h.store.Traits().Shared
	for _, row := range n.book.Rows() {
		theirs := shared && row.Claim != nil && row.Claim.Writer != self
		if row.Held == "" && !theirs {
			return false
		}
	}
	return true
}

// drain waits until the outbox holds nothing but what isn't due.
func (n *notifier) drain(ctx context.Context) error {
	done := make(chan struct{})
	select {
	case n.idle <- done:
	case <-ctx.Done():
		return fmt.Errorf("send what is to be sent: %w", context.Cause(ctx))
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("send what is to be sent: %w", context.Cause(ctx))
	}
}

func (n *notifier) abandonAll() {
	for _, s := range n.busy {
		s.cancel()
	}
}

// result classifies what a MailingService returned.
func result(err error) notify.Result {
	var some *RecipientsError
	var permanent interface{ Permanent() bool }
	switch {
	case err == nil:
		return notify.Result{Kind: notify.Delivered}
	case errors.As(err, &some) && len(some.Failed) > 0:
		res := notify.Result{Kind: notify.Delivered, Error: err.Error()}
		for rcpt, rerr := range some.Failed {
			f := notify.RecipientFailure{Address: rcpt, Error: fmt.Sprint(rerr)}
			f.Permanent = errors.As(rerr, &permanent) && permanent.Permanent()
			res.Failed = append(res.Failed, f)
		}
		return res
	case errors.As(err, &permanent) && permanent.Permanent():
		return notify.Result{Kind: notify.Permanent, Error: err.Error()}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return notify.Result{Kind: notify.Unknown, Error: err.Error()}
	default:
		return notify.Result{Kind: notify.Temporary, Error: err.Error()}
	}
}

// stuck returns the receivers that get nothing more because too many Sends
// ignore their deadline, with how many messages wait for them.
func (n *notifier) stuck() map[string]int {
	most := firstOf(n.h.cfg.limits.MaxAbandonedSends, defaultMaxAbandoned)
	n.mu.Lock()
	stuck := make(map[string]int)
	for receiver, abandoned := range n.abandoned {
		if abandoned >= most {
			stuck[receiver] = 0
		}
	}
	n.mu.Unlock()
	for _, row := range n.book.Rows() {
		if _, ok := stuck[row.Receiver]; ok {
			stuck[row.Receiver]++
		}
	}
	return stuck
}
