package ledger

import (
	"fmt"
	"time"

	"github.com/go-batteries/hawkeye/internal/notify"
)

// PutPlan writes a plan of package notify into tx. Every row, thread, clock,
// group and ack that it changes must still be what the copy holds.
func (tx *Tx) PutPlan(p *notify.Plan, now time.Time) error {
	for _, r := range p.Rows {
		if err := tx.putRow(r); err != nil {
			return err
		}
	}
	for _, t := range p.Threads {
		key := ThreadKey(t.Key())
		tx.Require(key)
		if err := tx.PutJSON(key, t); err != nil {
			return err
		}
	}
	for _, c := range p.Clocks {
		key := ClockKey(c.Alert)
		tx.Require(key)
		if err := tx.PutJSON(key, c); err != nil {
			return err
		}
	}
	for _, g := range p.Groups {
		key := GroupKey(g.Key())
		tx.Require(key)
		if err := tx.PutJSON(key, g); err != nil {
			return err
		}
	}
	for _, a := range p.Acks {
		key := AckKey(a.Incident)
		tx.Require(key)
		if err := tx.PutJSON(key, a); err != nil {
			return err
		}
	}
	for _, id := range p.Sent {
		if err := tx.PutSent(id, now); err != nil {
			return err
		}
	}
	return tx.putHistory(p.History)
}

func (tx *Tx) putRow(r *notify.Row) error {
	key := RowKey(r.ID)
	tx.Require(key)
	if r.Live() {
		return tx.PutJSON(key, r)
	}
	tx.Delete(key)
	if r.Outcome == notify.Dead {
		return tx.PutJSON(ClassDead+"/"+r.ID, r)
	}
	return nil
}

// putHistory appends entries. Keys begin with the time, so that their order
// is that of the entries.
func (tx *Tx) putHistory(entries []notify.Entry) error {
	for i := range entries {
		e := &entries[i]
		key := fmt.Sprintf("%s/%020d/%s/%03d", ClassHistory, e.At.UnixNano(), tx.commit.ID.String()[:8], i)
		if err := tx.PutJSON(key, e); err != nil {
			return err
		}
	}
	return nil
}
