package follower

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"

	"github.com/go-batteries/hawkeye/internal/ledger"
	"github.com/go-batteries/hawkeye/internal/window"
	"github.com/go-batteries/hawkeye/store"
)

// youngTicks is how old a ledger may be that was begun without what others
// knew, for them to put it back: what has been told by it since is little.
const youngTicks = 30

// handedBack says whether this process put back what the ledger was opened
// without.
type handedBack struct{ done atomic.Bool }

// Elder says whether a writer that began before this process has published
// within the last ten ticks; of those that began in the same tick the lower id
// is the elder. Such a process may have a copy of the ledger.
func (f *Follower) Elder(ctx context.Context) (bool, error) {
	began, self, now := f.cfg.Began(), f.cfg.Writer(), f.cfg.Clock.NowTick()
	if began == 0 {
		return false, nil
	}
	ticks := make(map[int64]bool)
	for n := int64(0); n <= window.LiveTicks; n++ {
		ticks[began-n], ticks[now-n] = true, true
	}
	var q []store.TickQuery
	for n := range ticks {
		q = append(q, store.TickQuery{Tick: n})
	}
	answers, err := f.cfg.Store.Read(ctx, q)
	if err != nil {
		return false, err
	}
	before, recent := make(map[store.ID]bool), make(map[store.ID]bool)
	for _, a := range answers {
		for _, b := range a.Buckets {
			switch {
			case b.Writer == self:
				continue
			case a.Tick < began || a.Tick == began && lessID(b.Writer, self):
				before[b.Writer] = true
			}
			if a.Tick >= now-window.LiveTicks {
				recent[b.Writer] = true
			}
		}
	}
	for id := range before {
		if recent[id] {
			return true, nil
		}
	}
	return false, nil
}

func lessID(a, b store.ID) bool { return strings.Compare(string(a[:]), string(b[:])) < 0 }

// handBack puts back what this process knew of a ledger that was lost, if it
// was opened anew without that, by a process that had nothing, and a short time
// ago: while the store was away, say, and this one waited to try again. Who
// evaluates then goes on from there.
func (f *Follower) handBack(ctx context.Context) error {
	lower := f.cfg.Mirror.Lower()
	if lower.Records == nil {
		return nil
	}
	ours, ok := f.ours(lower)
	if !ok {
		f.cfg.Mirror.Forget()
		return nil
	}
	tx := f.cfg.Mirror.Begin()
	theirs, _, begun, err := f.cfg.Mirror.Head()
	switch {
	case err != nil, begun && (theirs.Born <= ours.Born || theirs.Tick-theirs.Born > youngTicks):
		f.cfg.Mirror.Forget()
		return nil
	}
	tx.Require(ledger.HeadKey)
	ours.Writer = store.ID{}
	if err := tx.PutJSON(ledger.HeadKey, ours); err != nil {
		return err
	}
	if err := f.putBack(tx, lower.Records); err != nil {
		return err
	}
	err = f.cfg.Mirror.Commit(ctx, tx)
	if errors.Is(err, store.ErrConflict) {
		return nil // looked at again
	}
	if err != nil {
		return err
	}
	f.cfg.Mirror.Forget()
	f.back.done.Store(true)
	f.cfg.Logger.LogAttrs(ctx, slog.LevelWarn, "the ledger has got back what it was opened without",
		slog.Int("records", len(lower.Records)))
	return nil
}

// ours returns the head that this process knew, if that is one to go on from.
func (f *Follower) ours(lower ledger.Lower) (head ledger.Head, ok bool) {
	r, ok := lower.Records[ledger.HeadKey]
	if !ok || json.Unmarshal(r.Value, &head) != nil || f.cfg.Owner.Check(&head) != nil {
		return head, false
	}
	traits := f.cfg.Traits
	return head, f.cfg.Clock.NowTick()-head.Tick < int64(traits.Retention/traits.Tick)
}

// putBack writes the records of a copy. Configurations that only the new ledger
// knows are newer than those of the copy.
func (f *Follower) putBack(tx *ledger.Tx, records map[string]store.Record) error {
	latest := uint64(0)
	for key, r := range records {
		switch ledger.Class(key) {
		case ledger.HeadKey, ledger.ClassLate:
			continue
		case ledger.ClassConfig:
			var c ledger.ConfigRecord
			if json.Unmarshal(r.Value, &c) == nil {
				latest = max(latest, c.First)
			}
		}
		tx.Put(key, r.Value)
	}
	for hash, c := range f.cfg.Book.Configs() {
		key := ledger.ConfigKey(hash)
		if _, known := records[key]; known || f.cfg.Mirror.IsNewer(key) {
			continue
		}
		later := *c
		later.First += latest
		if err := tx.PutJSON(key, later); err != nil {
			return err
		}
	}
	return nil
}

// HandedBack says whether this process put back what the ledger was opened
// without.
func (f *Follower) HandedBack() bool { return f.back.done.Load() }
