package hawkeye

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

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

// elder says whether a writer that began before this process has published
// within the last ten ticks; of those that began in the same tick the lower id
// is the elder. Such a process may have a copy of the ledger.
func (h *Hawkeye) elder(ctx context.Context) (bool, error) {
	began, self, now := h.publisher.Began(), h.publisher.Writer(), h.clock().NowTick()
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
	answers, err := h.store.Read(ctx, q)
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
func (f *follower) handBack(ctx context.Context) error {
	lower := f.mirror.Lower()
	if lower.Records == nil {
		return nil
	}
	ours, ok := f.ours(lower)
	if !ok {
		f.mirror.Forget()
		return nil
	}
	tx := f.mirror.Begin()
	theirs, _, begun, err := f.mirror.Head()
	switch {
	case err != nil, begun && (theirs.Born <= ours.Born || theirs.Tick-theirs.Born > youngTicks):
		f.mirror.Forget()
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
	err = f.mirror.Commit(ctx, tx)
	if errors.Is(err, store.ErrConflict) {
		return nil // looked at again
	}
	if err != nil {
		return err
	}
	f.mirror.Forget()
	f.back.done.Store(true)
	f.h.logger.LogAttrs(ctx, slog.LevelWarn, "the ledger has got back what it was opened without",
		slog.Int("records", len(lower.Records)))
	return nil
}

// ours returns the head that this process knew, if that is one to go on from.
func (f *follower) ours(lower ledger.Lower) (head ledger.Head, ok bool) {
	r, ok := lower.Records[ledger.HeadKey]
	if !ok || json.Unmarshal(r.Value, &head) != nil || f.h.examine(&head) != nil {
		return head, false
	}
	traits := f.h.store.Traits()
	return head, f.h.clock().NowTick()-head.Tick < int64(traits.Retention/traits.Tick)
}

// putBack writes the records of a copy. Configurations that only the new ledger
// knows are newer than those of the copy.
func (f *follower) putBack(tx *ledger.Tx, records map[string]store.Record) error {
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
	for hash, c := range f.h.book.Configs() {
		key := ledger.ConfigKey(hash)
		if _, known := records[key]; known || f.mirror.IsNewer(key) {
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

// lowerProblem says that the ledger was opened anew with less than this process
// knew, for a while.
func (f *follower) lowerProblem(found *problems) {
	lower := f.mirror.Lower()
	switch {
	case lower.At.IsZero() || time.Since(lower.At) > healthMemory:
	case f.back.done.Load():
		found.add(problemLedgerLost, "", "the store lost the ledger, and it was opened without what this process knew of it (revision %d, not %d), which was put back", lower.Is, lower.Was)
	default:
		found.add(problemLedgerLost, "", "the store lost the ledger, and it was opened with less than this process knew of it (revision %d, not %d): what was decided in between may be decided again", lower.Is, lower.Was)
	}
}
