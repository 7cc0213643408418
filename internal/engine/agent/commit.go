package agent

import (
	"context"
	"errors"
	"time"

	"github.com/go-batteries/hawkeye/internal/evaluate"
	"github.com/go-batteries/hawkeye/internal/failpoint"
	"github.com/go-batteries/hawkeye/internal/feed"
	"github.com/go-batteries/hawkeye/internal/ledger"
	"github.com/go-batteries/hawkeye/internal/notify"
	"github.com/go-batteries/hawkeye/internal/notify/routing"
	"github.com/go-batteries/hawkeye/internal/pulse"
	"github.com/go-batteries/hawkeye/store"
)

// commit stores a decision: states, what is to be told, and the watermark, all
// or nothing. If only the notifier wrote meanwhile, what is to be told is
// worked out again; if the head is another one, the decision is void.
func (a *Agent) commit(ctx context.Context, tick feed.Tick, changes []evaluate.Change, release bool) error {
	for {
		tx, err := a.tx(tick, changes, release)
		if err != nil {
			return err
		}
		attempt, cancel := context.WithTimeout(ctx, ledger.CommitTimeout)
		err = a.mirror.Commit(attempt, tx)
		cancel()
		if err == nil {
			if len(changes) > 0 {
				failpoint.At("commit")
			}
			a.head = tx.ID()
			a.runsStored(tick.N)
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !errors.Is(err, store.ErrConflict) {
			a.unstored.Note(ctx, err)
			pulse.Sleep(ctx, 100*time.Millisecond)
			if err := a.follow(ctx); err != nil {
				continue
			}
		}
		_, commit, _, err := a.mirror.Head()
		switch {
		case err != nil:
			return errFenced // await says why
		case commit == tx.ID(): // its reply was lost
			a.head = commit
			a.runsStored(tick.N)
			return nil
		case commit != a.head:
			return errFenced
		}
	}
}

// follow brings the copy of the ledger up to date, or gives up.
func (a *Agent) follow(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*ledger.CommitTimeout)
	defer cancel()
	return a.mirror.Sync(ctx)
}

// tx writes down a decision.
func (a *Agent) tx(tick feed.Tick, changes []evaluate.Change, release bool) (*ledger.Tx, error) {
	tx := a.mirror.Begin()
	tx.RequireAt(ledger.HeadKey, a.head)
	now := a.cfg.Clock.Now()
	var plan notify.Plan
	var view *notify.View
	for i := range changes {
		c := &changes[i]
		if a.book.Kept(c.Alert.Key) {
			a.left[c.Alert.Key] = true
			continue // a newer version's to judge
		}
		if view == nil {
			view = a.view()
		}
		record := ledger.AlertRecord{State: c.Alert.State}
		if c.Alert.Rule != nil {
			record.Monitor = c.Alert.Rule.Alert.Key
			record.Snapshot = routing.Snapshot(c.Alert, a.cfg.Service, a.cfg.Environment)
		} else if before, ok := a.book.Alert(c.Alert.Key); ok { // its monitor was removed
			record.Monitor, record.Snapshot = before.Monitor, before.Snapshot
		}
		if err := tx.PutJSON(ledger.AlertKey(c.Alert.Key), record); err != nil {
			return nil, err
		}
		na := notify.NewAlert(c.Alert.Key, record.Monitor, &record.State)
		na.Snapshot = record.Snapshot
		plan.Add(notify.OnEvents(view, &na, c.Events, now))
	}
	if err := tx.PutPlan(&plan, now); err != nil {
		return nil, err
	}
	if err := a.putFleet(tx, tick.N, now); err != nil {
		return nil, err
	}
	if err := a.putRuns(tx, tick.N); err != nil {
		return nil, err
	}
	head := ledger.Head{
		Tick: tick.N, Writer: a.cfg.Writer(), Born: a.born, Config: a.pinned.Set.Hash,
		Width: a.cfg.Traits.Tick, Service: a.cfg.Owner.Service,
		Runs: a.runs != nil, Open: a.feed.Open(),
	}
	if release {
		head.Writer = store.ID{}
	}
	return tx, tx.PutJSON(ledger.HeadKey, head)
}

// putFleet writes down who is live, if that changed, and what was sent of
// which the ledger has lost the note.
func (a *Agent) putFleet(tx *ledger.Tx, tick int64, now time.Time) error {
	if !a.cfg.Traits.Shared {
		return nil
	}
	fleet := a.cfg.Members.Fleet(tick, a.feed.Stats().Writers)
	if before, ok := a.book.Fleet(); !ok || !before.Equal(fleet) {
		if err := tx.PutJSON(ledger.FleetKey, fleet); err != nil {
			return err
		}
	}
	for _, n := range a.cfg.Sent.Missing(settleGrace, a.book.Sent) {
		if err := tx.PutSent(n.ID, n.At); err != nil {
			return err
		}
	}
	return nil
}
