package ledger

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-batteries/hawkeye/internal/notify"
	"github.com/go-batteries/hawkeye/store"
)

// How much the ledger remembers.
const (
	MaxHistory      = 10_000
	MaxAlertHistory = 100
	MaxDead         = 1_000
	KeepSent        = 24 * time.Hour
	KeepDead        = 7 * 24 * time.Hour
)

// PutPlan writes a plan of package notify into tx. Every row, thread and
// group that it changes must still be what the copy holds.
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
	for _, g := range p.Groups {
		key := GroupKey(g.Key())
		tx.Require(key)
		if err := tx.PutJSON(key, g); err != nil {
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

// Sweep adds to tx the deletion of what is old: sent ids after a day, dead
// letters after a week or 1,000, history beyond 100 entries an alert and
// 10,000 in all, and what package notify needs no more, by v, which has a
// configuration.
func (b *Book) Sweep(tx *Tx, v *notify.View, now time.Time) {
	for r := range b.mirror.All(ClassSent) {
		if s, ok := read[SentRecord](b, r); ok && now.Sub(s.At) > KeepSent {
			tx.Delete(r.Key)
		}
	}
	dead := b.Dead()
	for i, row := range dead {
		if len(dead)-i > MaxDead || now.Sub(row.Settled) > KeepDead {
			tx.Delete(ClassDead + "/" + row.ID)
		}
	}
	for key, a := range b.Alerts() {
		if a.State.Idle() && (a.State.Last == nil || now.Sub(a.State.Last.Ended) > KeepSent) {
			tx.Require(AlertKey(key))
			tx.Delete(AlertKey(key))
		}
	}
	for r := range b.mirror.All(ClassLate) {
		var tick int64
		if _, err := fmt.Sscanf(r.Key, ClassLate+"/%d/", &tick); err != nil || b.isOld(tick, now) {
			tx.Delete(r.Key)
		}
	}
	threads, groups := notify.Sweep(v, now)
	for _, k := range threads {
		tx.Require(ThreadKey(k))
		tx.Delete(ThreadKey(k))
	}
	for _, k := range groups {
		tx.Require(GroupKey(k))
		tx.Delete(GroupKey(k))
	}
	b.sweepConfigs(tx)
	silences, acks := notify.SweepByHand(v, now)
	for _, id := range silences {
		tx.Delete(ClassSilence + "/" + id)
	}
	for _, incident := range acks {
		tx.Delete(ClassAck + "/" + incident)
	}
	b.sweepHistory(tx)
}

// isOld says whether a tick is beyond the store's memory.
func (b *Book) isOld(tick int64, now time.Time) bool {
	traits := b.mirror.traits
	return now.Sub(time.Unix(0, (tick+1)*int64(traits.Tick))) > traits.Retention
}

func (b *Book) sweepHistory(tx *Tx) {
	records := slices.Collect(b.mirror.All(ClassHistory))
	slices.SortFunc(records, func(x, y store.Record) int { return strings.Compare(y.Key, x.Key) }) // newest first
	perAlert := make(map[string]int)
	for i, r := range records {
		e, ok := read[notify.Entry](b, r)
		if !ok {
			continue
		}
		perAlert[e.Alert]++
		if i >= MaxHistory || perAlert[e.Alert] > MaxAlertHistory {
			tx.Delete(r.Key)
		}
	}
}
