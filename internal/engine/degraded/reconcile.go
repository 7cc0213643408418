package degraded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/go-batteries/hawkeye/internal/ledger"
	"github.com/go-batteries/hawkeye/internal/notify"
	"github.com/go-batteries/hawkeye/internal/pulse"
	"github.com/go-batteries/hawkeye/store"
)

// end hands in what was told, so that evaluation goes on with it.
func (o *outage) end(ctx context.Context) {
	told := o.told()
	o.logger.LogAttrs(ctx, slog.LevelWarn, "the store is back", slog.Duration("away", time.Since(o.began)+o.cfg.After),
		slog.Int("told", len(told)))
	if len(told) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, handInTries)
	defer cancel()
	for ctx.Err() == nil {
		err := o.handIn(ctx, told)
		if err == nil {
			return
		}
		if !errors.Is(err, store.ErrConflict) {
			o.logger.LogAttrs(ctx, slog.LevelDebug, "hand in what was told while the store was away", slog.Any("error", err))
			pulse.Sleep(ctx, 100*time.Millisecond)
		}
	}
}

// told returns the keys of the alerts that somebody was told of, or may have
// been.
func (o *outage) told() (keys []string) {
	for key := range o.alerts {
		for _, t := range o.threads {
			if t.Alert == key && t.Told {
				keys = append(keys, key)
				break
			}
		}
	}
	for _, m := range o.busy {
		for _, row := range m.Rows {
			if o.alerts[row.Alert] != nil { // and not what hawkeye says about itself
				keys = append(keys, row.Alert)
			}
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// handIn commits what was told: the alerts fire, with the incidents that were
// told, and those who were told are known. The head is replaced, so that
// whoever evaluates begins anew from there.
func (o *outage) handIn(ctx context.Context, told []string) error {
	attempt, cancel := context.WithTimeout(ctx, ledger.CommitTimeout)
	defer cancel()
	if err := o.cfg.Mirror.Sync(attempt); err != nil {
		return err
	}
	if o.cfg.Mirror.Refused() != nil {
		return nil // another service's by now
	}
	tx := o.cfg.Mirror.Begin()
	head, ok := o.cfg.Mirror.Get(ledger.HeadKey)
	if !ok {
		return fmt.Errorf("no head yet: %w", ledger.ErrNotOpen)
	}
	tx.Touch(head)
	plan := notify.Plan{History: o.history}
	receivers := make(map[string]bool)
	for _, key := range told {
		if err := o.handInAlert(tx, &plan, key, receivers); err != nil {
			return err
		}
	}
	for receiver := range receivers {
		o.over(&plan, receiver)
	}
	now := o.cfg.Clock.Now()
	if err := tx.PutPlan(&plan, now); err != nil {
		return err
	}
	return o.cfg.Mirror.Commit(attempt, tx)
}

// handInAlert adds what was told of one alert, unless it is known to fire with
// another incident by now.
func (o *outage) handInAlert(tx *ledger.Tx, plan *notify.Plan, key string, receivers map[string]bool) error {
	if o.cfg.Book.Kept(key) {
		return nil // a newer version's to judge
	}
	a := o.alerts[key]
	stored, ok := o.cfg.Book.Alert(key)
	fires := ok && stored.State.Phase.Told()
	if !fires {
		tx.Require(ledger.AlertKey(key))
		if err := tx.PutJSON(ledger.AlertKey(key), a.record); err != nil {
			return err
		}
	}
	if c := o.clocks[key]; c != nil && !fires {
		plan.Clocks = append(plan.Clocks, c)
	}
	known := o.cfg.Book.View().Threads
	for k, t := range o.threads {
		if k.Alert != key {
			continue
		}
		if under := o.underway(key, k.Receiver); under != nil {
			plan.Rows = append(plan.Rows, under)
		} else if !t.Told {
			continue
		}
		receivers[k.Receiver] = true
		if before := known[k]; !fires || before == nil || before.Incident == t.Incident || !before.Told {
			plan.Threads = append(plan.Threads, t)
		}
	}
	for i := range o.sent {
		if r := &o.sent[i]; r.Alert == key && !o.cfg.Book.Sent(r.ID) {
			if err := tx.PutSent(r.ID, o.cfg.Clock.Now()); err != nil {
				return err
			}
		}
	}
	return nil
}

// underway returns the row of a message that was still being sent when the
// Store came back: it is told again, and says that it may be a repeat.
func (o *outage) underway(key, receiver string) *notify.Row {
	for _, m := range o.busy {
		for _, row := range m.Rows {
			if row.Alert != key || row.Receiver != receiver {
				continue
			}
			r := *row
			r.Claim, r.Uncertain, r.Batch = nil, true, m.ID
			return &r
		}
	}
	return nil
}

// over queues the message that the Store is back, once for all replicas.
func (o *outage) over(plan *notify.Plan, receiver string) {
	id := o.incident
	row := &notify.Row{
		V: notify.RecordVersion, ID: notify.RowID(id, ":"+string(notify.BlindOver), 1, receiver), Incident: id,
		Receiver: receiver, Seq: 1, Kind: notify.BlindOver, Created: o.cfg.Clock.Now(),
		Snapshot: notify.Snapshot{Service: o.cfg.Service, Environment: o.cfg.Environment},
	}
	if _, _, ok := o.cfg.Book.Row(row.ID); !ok && !o.cfg.Book.Sent(row.ID) {
		plan.Rows = append(plan.Rows, row)
	}
}
