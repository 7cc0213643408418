package ledger

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"time"

	"github.com/go-batteries/hawkeye/store"
)

// How long a ledger that was lost, or never was, stays closed.
const (
	// offerTicks is for how many ticks and a half copies are offered. Whoever
	// has one syncs once a tick.
	offerTicks = 2
	// A process without a copy waits for those who may have one, and may be
	// waiting themselves for a Store that was away: for strangerWait and
	// strangerTicks at least, and, if one that began before it published
	// meanwhile, for the time after which that isn't live any more.
	strangerWait  = 5 * time.Second
	strangerTicks = 3
	elderTicks    = 10
	// An elder that never opens the ledger must not keep it closed for ever.
	mostWait  = time.Minute
	mostTicks = 60
)

// loss is what this process knows of a ledger that has no epoch.
type loss struct {
	since time.Time // when it was first seen so; zero while it is open
	quiet time.Time // since when no elder was seen, as far as was looked
	elder bool      // one was seen
}

// Due returns when Sync has something to do for a ledger that isn't open:
// whoever syncs then opens it. It is zero while it is open.
func (m *Mirror) Due() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.loss.since.IsZero() {
		return time.Time{}
	}
	return m.due()
}

// due wants mu held.
func (m *Mirror) due() time.Time {
	tick, l := m.traits.Tick, &m.loss
	switch {
	case !m.traits.Shared:
		return l.since
	case m.cursor.Rev > 0 || m.elder == nil:
		return l.since.Add(offerTicks*tick + tick/2)
	case !l.elder:
		return l.since.Add(max(strangerWait, strangerTicks*tick))
	}
	due, most := l.quiet.Add(max(strangerWait, elderTicks*tick)), l.since.Add(max(mostWait, mostTicks*tick))
	if due.After(most) {
		return most
	}
	return due
}

// reseed brings a copy with records to a Store that has no ledger, whenever
// what lies there is older or gone, and opens the ledger when it is due: with
// the copy, so that it can't be an empty one by then. A process without records
// opens what the others have brought. In a Store that nobody else uses there is
// nobody to wait for.
func (m *Mirror) reseed(ctx context.Context, there store.Cursor) (opened bool, err error) {
	m.mu.Lock()
	first := m.loss.since.IsZero()
	if first {
		m.loss = loss{since: time.Now(), quiet: time.Now()}
	}
	m.open = false
	due, has := !time.Now().Before(m.due()), m.cursor.Rev > 0
	offer := store.Offer{Cursor: m.cursor}
	for _, records := range m.classes {
		for _, r := range records {
			offer.Records = append(offer.Records, r)
		}
	}
	m.mu.Unlock()

	if first && has {
		m.logger.LogAttrs(ctx, slog.LevelWarn, "the store has lost the ledger, offering this copy",
			slog.Uint64("revision", offer.Cursor.Rev), slog.Int("records", len(offer.Records)))
	}
	if due && !has {
		later, err := m.later(ctx)
		if later || err != nil {
			return false, err
		}
	}
	switch {
	case due:
		offer.Open = store.NewID()
	case !has || there.Rev >= offer.Cursor.Rev:
		return false, nil
	}
	err = m.store.Restore(ctx, offer)
	if errors.Is(err, store.ErrOpen) {
		return true, nil
	}
	return due && err == nil, err
}

// later says whether a process without a copy has to wait on, because one that
// may have a copy is there.
func (m *Mirror) later(ctx context.Context) (bool, error) {
	if m.elder == nil || !m.traits.Shared {
		return false, nil
	}
	elder, err := m.elder(ctx)
	if err != nil || !elder {
		return false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if time.Since(m.loss.since) >= max(mostWait, mostTicks*m.traits.Tick) {
		return false, nil
	}
	m.loss.elder, m.loss.quiet = true, time.Now()
	return true, nil
}

// Lower says that the ledger was opened anew with less than this process' copy
// had: with an older copy, or with none.
type Lower struct {
	At time.Time // when that was seen; zero if it never was
	// Was is the revision of the copy, Is that of the ledger.
	Was, Is uint64
	// Records are those of the copy.
	Records map[string]store.Record
}

// Lower returns what this process knew last of a ledger that was opened anew
// with less.
func (m *Mirror) Lower() Lower {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.lower
}

// Forget lets go of the records of Lower.
func (m *Mirror) Forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lower.Records = nil
}

// compare takes note of a new epoch that knows less than the copy that it
// replaces. It wants mu held.
func (m *Mirror) compare(now store.Cursor) {
	if now.Epoch == m.cursor.Epoch || now.Rev >= m.cursor.Rev {
		return
	}
	m.lower = Lower{At: time.Now(), Was: m.cursor.Rev, Is: now.Rev, Records: make(map[string]store.Record)}
	for _, records := range m.classes {
		maps.Copy(m.lower.Records, records)
	}
}

// follow takes changes, and tells if they are of a ledger that knows less.
func (m *Mirror) follow(ctx context.Context, ch store.Changes) {
	before := m.Lower().At
	m.apply(ch)
	if now := m.Lower(); now.At != before {
		m.logger.LogAttrs(ctx, slog.LevelWarn, "the ledger was opened anew with less than this copy has",
			slog.Uint64("revision", now.Is), slog.Uint64("ours", now.Was))
	}
}
