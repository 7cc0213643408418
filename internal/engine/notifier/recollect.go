package notifier

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-batteries/hawkeye/internal/engine/sentlog"
	"github.com/go-batteries/hawkeye/internal/ledger"
	"github.com/go-batteries/hawkeye/internal/notify"
	"github.com/go-batteries/hawkeye/internal/window"
)

const (
	// freshClaim is how old a claim may be when its message is handed over,
	// without another look at it: a process may be stopped at any moment.
	freshClaim = 2 * time.Second
	// maxUnsure is how many rows are remembered that may have been delivered.
	maxUnsure = 1_000
)

// errUnclaimed says that a message is somebody else's by now.
var errUnclaimed = errors.New("the claim was taken over")

// recollect writes down what was sent, and what is being sent or may have been
// delivered, if the ledger was rolled back, or restored from a copy, and may
// have lost that. Nothing is claimed until everybody had the time to do so.
func (n *Notifier) recollect(ctx context.Context) error {
	turned := n.mirror.Turned()
	if turned == n.resets {
		return nil
	}
	n.cfg.Sent.Invalidate()
	tx := n.mirror.Begin()
	for _, s := range n.cfg.Sent.Missing(0, n.book.Sent) {
		if err := tx.PutSent(s.ID, s.At); err != nil {
			return err
		}
	}
	if err := n.putBack(tx); err != nil {
		return err
	}
	if !tx.Empty() {
		ctx, cancel := context.WithTimeout(ctx, ledger.CommitTimeout)
		defer cancel()
		if err := n.mirror.Commit(ctx, tx); err != nil {
			return err
		}
	}
	n.resets = turned
	if n.cfg.Traits.Shared {
		n.hold = n.cfg.Clock.Now().Add(sentlog.RecollectFor(n.cfg.Traits.Tick))
	}
	return nil
}

// putBack writes down the rows that this process is sending, as it claimed
// them, and those that it doesn't know to be delivered or not, unless the
// ledger knows more of them.
func (n *Notifier) putBack(tx *ledger.Tx) error {
	put := func(row *notify.Row) error {
		key := ledger.RowKey(row.ID)
		tx.Require(key)
		return tx.PutJSON(key, row)
	}
	for _, s := range n.busy {
		for _, row := range s.message.Rows {
			stored, _, ok := n.book.Row(row.ID)
			if ok && stored.Claim != nil || n.book.Sent(row.ID) || n.book.Kept(row.Alert) {
				continue
			}
			if err := put(row); err != nil {
				return err
			}
		}
	}
	for id, row := range n.unsure {
		stored, _, ok := n.book.Row(id)
		if ok && (stored.Claim != nil || stored.Attempts >= row.Attempts) ||
			n.sends(id) || n.book.Sent(id) || n.cfg.Sent.Has(id) || n.book.Kept(row.Alert) {
			continue
		}
		if err := put(row); err != nil {
			return err
		}
	}
	return nil
}

// sends says whether this process is sending a row.
func (n *Notifier) sends(id string) bool {
	for _, s := range n.busy {
		for _, row := range s.message.Rows {
			if row.ID == id {
				return true
			}
		}
	}
	return false
}

// underway says whether a row of a message is being sent by this process
// already.
func (n *Notifier) underway(m *notify.Message) bool {
	for _, row := range m.Rows {
		if n.sends(row.ID) {
			return true
		}
	}
	return false
}

// remember takes the rows of attempts as they were settled, and keeps those
// that may have been delivered, or were in part.
func (n *Notifier) remember(rows []*notify.Row) {
	for _, row := range rows {
		if row.Live() && row.Claim == nil && (row.Uncertain || len(row.Recipients) > 0) && len(n.unsure) < maxUnsure {
			n.unsure[row.ID] = row
		} else {
			delete(n.unsure, row.ID)
		}
	}
}

// forgetUnsure lets go of rows that are no more, as far as the ledger tells
// which hasn't lost any.
func (n *Notifier) forgetUnsure(rows []*notify.Row) {
	if len(n.unsure) == 0 || n.mirror.Turned() != n.resets {
		return
	}
	live := make(map[string]bool, len(rows))
	for _, row := range rows {
		live[row.ID] = true
	}
	for id := range n.unsure {
		if !live[id] {
			delete(n.unsure, id)
		}
	}
}

// lookAgain returns an error if a claim isn't ours any more, or can't be
// looked at. That is done for one that is older than it takes to be handed
// over: this process may have been stopped since.
func (n *Notifier) lookAgain(ctx context.Context, m *notify.Message, claimed time.Time) error {
	now := time.Now()
	age := max(now.Sub(claimed), now.Round(0).Sub(claimed.Round(0))) // the monotonic clock may stand still meanwhile
	if age < freshClaim || !n.cfg.Traits.Shared {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, ledger.CommitTimeout)
	defer cancel()
	if err := n.mirror.Sync(ctx); err != nil {
		if age < window.LiveTicks*n.cfg.Traits.Tick/2 {
			return nil // nobody takes this process for gone yet
		}
		return fmt.Errorf("look at the claim again, after %v: %w", age.Round(time.Millisecond), err)
	}
	lost := !n.mirror.Open() || n.mirror.TurnedAt().After(claimed) // and is put back by recollect
	for _, row := range m.Rows {
		stored, _, ok := n.book.Row(row.ID)
		claimed := ok && stored.Claim != nil
		if claimed && (stored.Claim.Writer != row.Claim.Writer || stored.Claim.Message != m.ID) || !claimed && !lost {
			return errUnclaimed
		}
	}
	return nil
}
