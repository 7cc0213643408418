package notifier

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/go-batteries/hawkeye/internal/engine/ruleset"
	"github.com/go-batteries/hawkeye/internal/failpoint"
	"github.com/go-batteries/hawkeye/internal/guard"
	"github.com/go-batteries/hawkeye/internal/notify"
	"github.com/go-batteries/hawkeye/internal/pulse"
	"github.com/go-batteries/hawkeye/store"
)

// sending is a Send under way.
type sending struct {
	message notify.Message
	cancel  context.CancelFunc

	// Guarded by notifier.mu.
	deadline         time.Time // zero while its claim is being written down
	ended, abandoned bool
}

// sendResult is how one ended.
type sendResult struct {
	id string
	notify.Result
	unclaimed bool // it was left to who claimed it since
}

// capacity is how many more messages a receiver may be sent now. Any Send
// that is under way may come to be abandoned, so both together are bounded.
func (n *Notifier) capacity(receiver string) int {
	n.mu.Lock()
	abandoned := n.abandoned[receiver]
	n.mu.Unlock()
	free := min(maxSends, cmp.Or(n.cfg.MaxAbandoned, defaultMaxAbandoned)-abandoned)
	for _, s := range n.busy {
		if s.message.Receiver == receiver {
			free--
		}
	}
	return max(free, 0)
}

// send hands a message to its receiver, once its claim is written down: that
// was begun at claimed. The goroutine may outlive its deadline, if the receiver
// ignores it, and then even the notifier.
func (n *Notifier) send(m notify.Message, claimed time.Time) {
	if n.underway(&m) {
		return // the store has lost the claim, and what is under way goes on
	}
	ctx, cancel := context.WithCancel(context.Background()) // ended by giveUp, or with the notifier
	s := &sending{message: m, cancel: cancel}
	n.busy[m.ID] = s
	set := n.cfg.Current.Load()
	if n.cfg.Keeper == nil {
		n.begin(s)
	}
	go func() {
		defer cancel()
		err := n.cfg.Keeper.Keep(ctx)
		if err == nil {
			err = n.lookAgain(ctx, &m, claimed)
		}
		res := n.cfg.Classify(err)
		if err == nil {
			n.begin(s)
			attempt, cancel := context.WithTimeout(ctx, n.cfg.SendTimeout)
			res = n.Deliver(attempt, set, &m)
			cancel()
		}
		if res.Kind == notify.Delivered && len(res.Failed) == 0 {
			failpoint.At("accepted")
		}
		if n.returned(s) {
			return // nobody waits for it any more
		}
		select {
		case n.results <- sendResult{m.ID, res, errors.Is(err, errUnclaimed)}:
		case <-n.gone:
		}
	}()
}

// begin sets the deadline of a Send.
func (n *Notifier) begin(s *sending) {
	n.mu.Lock()
	defer n.mu.Unlock()
	s.deadline = time.Now().Add(n.cfg.SendTimeout + lateGrace)
}

// left is how long it is until the deadline of a Send; for one that hasn't
// begun, until it is to be looked at again.
func (n *Notifier) left(s *sending) time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	if s.deadline.IsZero() {
		return lateGrace
	}
	return time.Until(s.deadline)
}

// returned takes note that a Send ended, and says whether it was abandoned.
func (n *Notifier) returned(s *sending) bool {
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
func (n *Notifier) abandon(s *sending) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if s.ended {
		return false
	}
	s.abandoned = true
	n.abandoned[s.message.Receiver]++
	return true
}

// Deliver renders and sends. The outcome is read here and now: what a
// receiver returns is its own code again, which may do anything when it is
// asked for its text.
func (n *Notifier) Deliver(ctx context.Context, set *ruleset.Ruleset, m *notify.Message) notify.Result {
	var err error
	bad := guard.Apart(func() error {
		err = n.hand(ctx, set, m)
		return nil
	})
	if bad == nil {
		if err != nil && guard.IsNil(err) {
			n.logger.LogAttrs(ctx, slog.LevelWarn, "a receiver returned a nil pointer as its error, which is taken for none",
				slog.String("receiver", m.Receiver), slog.String("type", fmt.Sprintf("%T", err)))
		}
		return n.cfg.Classify(err)
	}
	n.logger.LogAttrs(ctx, slog.LevelError, "a receiver failed in a way that it mustn't", slog.String("receiver", m.Receiver),
		slog.String("error", bad.Error()), slog.String("stack", guard.Stack(bad)))
	if errors.Is(bad, guard.ErrExited) {
		return n.cfg.Classify(fmt.Errorf("the receiver: %w", bad))
	}
	return n.cfg.Classify(fmt.Errorf("the receiver panicked: %w", bad))
}

// hand gives a message to its receiver.
func (n *Notifier) hand(ctx context.Context, set *ruleset.Ruleset, m *notify.Message) error {
	to := set.Senders[m.Receiver]
	if to == nil {
		// It was removed since the message was claimed, which is then handed over.
		return fmt.Errorf("there is no receiver called %q in this process's configuration", m.Receiver)
	}
	text := set.Renderer.Render(m, n.cfg.Clock.Now())
	if text.Problem != "" {
		n.logger.LogAttrs(ctx, slog.LevelError, "a template failed, the default text goes out",
			slog.String("receiver", m.Receiver), slog.String("error", text.Problem))
	}
	return to.Send(ctx, m, text)
}

// ended takes note of how a Send ended; settle writes it down.
func (n *Notifier) ended(r sendResult) {
	s := n.busy[r.id]
	if s == nil {
		return // it was given up
	}
	if r.unclaimed {
		delete(n.busy, r.id)
		n.logger.LogAttrs(context.Background(), slog.LevelInfo, "a message is left to who claimed it since",
			slog.String("receiver", s.message.Receiver))
		return
	}
	if r.Kind == notify.Delivered && len(r.Failed) == 0 {
		n.cfg.Sent.Delivered(&s.message, n.cfg.Clock.Now())
	}
	n.attempted(s, r.Result)
}

// giveUp abandons the Sends that ignore their deadline.
func (n *Notifier) giveUp(ctx context.Context) {
	for _, s := range n.busy {
		if n.left(s) > 0 || !n.abandon(s) {
			continue
		}
		s.cancel()
		n.logger.LogAttrs(ctx, slog.LevelError, "a receiver ignores its deadline, going on without it",
			slog.String("receiver", s.message.Receiver))
		n.attempted(s, notify.Result{Kind: notify.Unknown, Error: "no answer within " + n.cfg.SendTimeout.String()})
	}
}

// attempted puts an outcome to those that settle writes down.
func (n *Notifier) attempted(s *sending, res notify.Result) {
	delete(n.busy, s.message.ID)
	n.attempts = append(n.attempts, notify.Attempt{Message: &s.message, Result: res, Random: rand.Float64()})
	if res.Error != "" {
		n.LogFailed(&s.message, &res)
	}
}

// settle commits the outcomes of all Sends that ended, in one. If they can't
// be stored, the claims lapse and the messages are sent once more, saying so.
func (n *Notifier) settle(ctx context.Context) {
	attempts := n.attempts
	n.attempts = nil
	if len(attempts) == 0 {
		return
	}
	failpoint.At("settle")
	for ctx.Err() == nil {
		now := n.cfg.Clock.Now()
		tx := n.mirror.Begin()
		plan := notify.SettleAll(n.view(), attempts, now)
		err := n.commit(ctx, tx, &plan, now)
		if err == nil {
			n.unsettled.Note(ctx, nil)
			n.remember(plan.Rows)
			n.LogDead(ctx, plan.Rows)
			return
		}
		if !errors.Is(err, store.ErrConflict) {
			n.unsettled.Note(ctx, err)
			pulse.Sleep(ctx, 100*time.Millisecond)
		}
	}
}

func (n *Notifier) abandonAll() {
	for _, s := range n.busy {
		s.cancel()
	}
}

// Stuck returns the receivers that get nothing more because too many Sends
// ignore their deadline, with how many messages wait for them.
func (n *Notifier) Stuck() map[string]int {
	most := cmp.Or(n.cfg.MaxAbandoned, defaultMaxAbandoned)
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
