package ledger

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-batteries/hawkeye/internal/notify"
	"github.com/go-batteries/hawkeye/store"
)

// How much the ledger remembers. Between two sweeps there is more.
const (
	MaxHistory      = 10_000
	MaxAlertHistory = 100
	MaxDead         = 1_000
	KeepSent        = 24 * time.Hour
	KeepDead        = 7 * 24 * time.Hour
)

// maxSwept is how many records a commit of a sweep deletes at most: a script
// of a few milliseconds.
const maxSwept = 1_000

// Sweep is what was found to be old, still to be deleted.
type Sweep struct {
	mirror *Mirror
	old    []store.Condition
}

// TooMany says whether the ledger holds so much more of what has a number
// than it should that it isn't left to the next sweep. kept is what the last
// one left: it can't delete what a newer version wrote.
func (b *Book) TooMany(kept int) bool {
	return b.Limited() > max(kept, MaxHistory+MaxDead)+MaxHistory/10
}

// Limited returns how many records there are of the kinds that are limited in
// number.
func (b *Book) Limited() int { return b.mirror.Len(ClassHistory) + b.mirror.Len(ClassDead) }

// Old finds what is old: history beyond 100 entries an alert and 10,000 in
// all, sent ids after a day, dead letters after a week or 1,000, writers that
// were away for the retention, or for b.KeepWriters if that is longer, and what
// package notify needs no more. view returns what the ledger holds, with a
// configuration.
func (b *Book) Old(view func() *notify.View, now time.Time) *Sweep {
	s := &Sweep{mirror: b.mirror}
	// A record is deleted only as it is here, before anything is decided: what
	// changed since isn't old.
	found := make(map[string]store.ID)
	for _, class := range []string{
		ClassHistory, ClassSent, ClassDead, ClassAlert, ClassLate, ClassThread, ClassClock, ClassGroup, ClassConfig, ClassSilence, ClassAck,
		ClassWriter,
	} {
		for r := range b.mirror.All(class) {
			found[r.Key] = r.Commit
		}
	}
	drop := func(key string) {
		if commit, ok := found[key]; ok && !b.mirror.IsNewer(key) {
			s.old = append(s.old, store.Condition{Key: key, Commit: commit})
		}
	}
	b.oldHistory(drop)
	b.oldByAge(drop, now)
	v := view()
	old := notify.Sweep(v, now)
	for _, k := range old.Threads {
		drop(ThreadKey(k))
	}
	for _, k := range old.Clocks {
		drop(ClockKey(k))
	}
	for _, k := range old.Groups {
		drop(GroupKey(k))
	}
	b.oldConfigs(drop)
	b.oldWriters(drop, now)
	silences, acks := notify.SweepByHand(v, now)
	for _, id := range silences {
		drop(ClassSilence + "/" + id)
	}
	for _, incident := range acks {
		drop(ClassAck + "/" + incident)
	}
	return s
}

// Next returns the commit that deletes the next part, nil if there is none.
// What it names isn't named again: who can't store it sweeps anew later.
func (s *Sweep) Next() *Tx {
	if len(s.old) == 0 {
		return nil
	}
	n := min(maxSwept, len(s.old))
	tx := s.mirror.Begin()
	for _, c := range s.old[:n] {
		tx.RequireAt(c.Key, c.Commit)
		tx.Delete(c.Key)
	}
	s.old = s.old[n:]
	return tx
}

// oldByAge drops what is kept for a while.
func (b *Book) oldByAge(drop func(key string), now time.Time) {
	for r := range b.mirror.All(ClassSent) {
		if s, ok := read[SentRecord](b, r); ok && now.Sub(s.At) > KeepSent {
			drop(r.Key)
		}
	}
	dead := b.Dead()
	for i, row := range dead {
		if len(dead)-i > MaxDead || now.Sub(row.Settled) > KeepDead {
			drop(ClassDead + "/" + row.ID)
		}
	}
	for key, a := range b.Alerts() {
		if a.State.Idle() && a.State.Pulse == nil && (a.State.Last == nil || now.Sub(a.State.Last.Ended) > KeepSent) {
			drop(AlertKey(key))
		}
	}
	for r := range b.mirror.All(ClassLate) {
		var tick int64
		if _, err := fmt.Sscanf(r.Key, ClassLate+"/%d/", &tick); err != nil || b.isOld(tick, now) {
			drop(r.Key)
		}
	}
}

// isOld says whether a tick is beyond the store's memory.
func (b *Book) isOld(tick int64, now time.Time) bool {
	traits := b.mirror.traits
	return now.Sub(time.Unix(0, (tick+1)*int64(traits.Tick))) > traits.Retention
}

// oldHistory drops the entries that are too many.
func (b *Book) oldHistory(drop func(key string)) {
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
			drop(r.Key)
		}
	}
}
