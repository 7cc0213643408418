package storetest

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/go-batteries/hawkeye/store"
)

func brokenChanges() []broken {
	return []broken{
		{name: "misses deletions", fails: []string{"Changes/Deletions", "Changes/TooLongAgo", "Usage/RowsOfAnIncidentAreSentInOrderOnce"}, breakIt: onChanges(func(_ store.Cursor, c *store.Changes) {
			c.Records = slices.DeleteFunc(c.Records, func(r store.Record) bool { return r.Deleted })
		})},
		{name: "has deletions in snapshots", fails: []string{"Changes/UnknownStatesGetASnapshot", "Commit/Delete", "Commit/ARefusedOneIsNotRemembered"}, breakIt: deletionsInSnapshots},
		{name: "tells the order of keys", fails: []string{"Changes/Order"}, breakIt: onChanges(func(_ store.Cursor, c *store.Changes) {
			slices.SortFunc(c.Records, func(a, b store.Record) int { return strings.Compare(a.Key, b.Key) })
		})},
		{name: "tells the latest first", fails: []string{"Changes/Order"}, breakIt: onChanges(func(_ store.Cursor, c *store.Changes) { slices.Reverse(c.Records) })},
		{name: "tells a key each time it changed", fails: []string{"Changes/Increments", "Changes/Order", "Faults/RolledBackThenAdvanced"}, breakIt: onChanges(func(after store.Cursor, c *store.Changes) {
			if n := len(c.Records); !c.Reset && n > 0 && c.Cursor.Rev > after.Rev+1 {
				c.Records = append(c.Records, c.Records[n-1])
			}
		})},
		{name: "tells one change too few", fails: []string{"Changes/Increments", "Changes/Order", "Faults/RolledBackThenAdvanced"}, breakIt: onChanges(func(after store.Cursor, c *store.Changes) {
			if !c.Reset && len(c.Records) > 1 {
				c.Records = c.Records[1:]
			}
		})},
		{name: "always sends a snapshot", fails: []string{"Changes/Increments", "Changes/NothingNew"}, breakIt: func(f *faulty) store.Store {
			return &altered{faulty: f, changes: func(ctx context.Context, _ store.Cursor) (store.Changes, error) {
				return f.Changes(ctx, store.Cursor{})
			}}
		}},
		{name: "has no Reset for another state of the epoch", fails: []string{"Changes/UnknownStatesGetASnapshot", "Faults/RolledBack", "Faults/RolledBackThenAdvanced"}, breakIt: noReset(func(after, at store.Cursor) bool { return after.Epoch == at.Epoch && !after.Epoch.IsZero() })},
		{name: "has no Reset for another epoch", fails: []string{"Changes/UnknownStatesGetASnapshot", "Ledger/EmptyWithoutAnEpoch", "Ledger/OfferAndOpenAtOnce"}, breakIt: noReset(func(after, at store.Cursor) bool { return after.Epoch != at.Epoch && !after.Epoch.IsZero() })},
		{name: "has no Reset for more than it remembers", fails: []string{"Changes/TooManyKeysAgo"}, breakIt: noReset(func(after, at store.Cursor) bool {
			return after.Epoch == at.Epoch && after.Rev > 0 && after.Rev+30 < at.Rev && at.Rev < 100
		})},
		{name: "reads cursor and records one after the other", fails: []string{"Races/ReadersSeeWholeCommits"}, breakIt: readsInTwoSteps},
		{name: "forgets records after a thousand commits", fails: []string{"Usage/SentIdsAreRemembered"}, breakIt: onChanges(func(_ store.Cursor, c *store.Changes) {
			at := c.Cursor.Rev
			c.Records = slices.DeleteFunc(c.Records, func(r store.Record) bool { return c.Reset && r.Rev+1000 < at && strings.HasPrefix(r.Key, "sent/") })
		})},
		{name: "forgets records after a while", fails: []string{"Usage/SentIdsAreRemembered"}, breakIt: forgetsAfterAWhile},
		{name: "sends 1,000 records at most", fails: []string{"Bulk/ManyRecords"}, breakIt: onChanges(func(_ store.Cursor, c *store.Changes) { c.Records = c.Records[:min(len(c.Records), 1000)] })},

		{name: "keeps the values that it was given", fails: []string{"Aliases/WhatWasCommitted", "Aliases/WhatWasFollowed"}, breakIt: keepsValues},
		{name: "keeps the values of an offer", fails: []string{"Aliases/WhatWasRestored"}, breakIt: keepsOffers},
		{name: "returns the values that it keeps", fails: []string{"Aliases/WhatWasFollowed"}, breakIt: returnsValues},
	}
}

func deletionsInSnapshots(f *faulty) store.Store {
	return &altered{faulty: f, changes: func(ctx context.Context, after store.Cursor) (store.Changes, error) {
		c, err := f.Changes(ctx, after)
		if since, _ := f.Changes(ctx, store.Cursor{Epoch: c.Cursor.Epoch}); c.Reset && !since.Reset {
			c.Records = since.Records
		}
		return c, err
	}}
}

func noReset(when func(after, at store.Cursor) bool) func(*faulty) store.Store {
	return onChanges(func(after store.Cursor, c *store.Changes) {
		if c.Reset && when(after, c.Cursor) {
			c.Reset = false
			c.Records = slices.DeleteFunc(c.Records, func(r store.Record) bool { return r.Rev <= after.Rev })
		}
	})
}

func readsInTwoSteps(f *faulty) store.Store {
	return &altered{faulty: f, changes: func(ctx context.Context, after store.Cursor) (store.Changes, error) {
		_, at := f.stored()
		time.Sleep(100 * time.Microsecond)
		c, err := f.Changes(ctx, after)
		c.Cursor = at
		return c, err
	}}
}

func forgetsAfterAWhile(f *faulty) store.Store {
	written := newMemo[store.ID, time.Time]()
	return &altered{faulty: f,
		commit: func(ctx context.Context, c store.Commit) (store.Cursor, error) {
			written.put(c.ID, time.Now())
			return f.Commit(ctx, c)
		},
		changes: func(ctx context.Context, after store.Cursor) (store.Changes, error) {
			c, err := f.Changes(ctx, after)
			c.Records = slices.DeleteFunc(c.Records, func(r store.Record) bool {
				at, ok := written.get(r.Commit)
				return ok && time.Since(at) > 10*time.Millisecond
			})
			return c, err
		},
	}
}

type valueKey struct {
	commit store.ID
	key    string
}

// revaluing answers with the values that get has for a record.
func revaluing(get func(valueKey) ([]byte, bool)) func(store.Cursor, *store.Changes) {
	return func(_ store.Cursor, c *store.Changes) {
		for i, r := range c.Records {
			if value, ok := get(valueKey{r.Commit, r.Key}); ok && !r.Deleted {
				c.Records[i].Value = value
			}
		}
	}
}

func keepsValues(f *faulty) store.Store {
	given := newMemo[valueKey, []byte]()
	broken := onChanges(revaluing(given.get))(f).(*altered)
	broken.commit = func(ctx context.Context, c store.Commit) (store.Cursor, error) {
		for _, p := range c.Put {
			given.put(valueKey{c.ID, p.Key}, p.Value)
		}
		return f.Commit(ctx, c)
	}
	return broken
}

func keepsOffers(f *faulty) store.Store {
	given := newMemo[valueKey, []byte]()
	broken := onChanges(revaluing(given.get))(f).(*altered)
	broken.restore = func(ctx context.Context, o store.Offer) error {
		for _, r := range o.Records {
			given.put(valueKey{r.Commit, r.Key}, r.Value)
		}
		return f.Restore(ctx, o)
	}
	return broken
}

func returnsValues(f *faulty) store.Store {
	kept := newMemo[valueKey, []byte]()
	return onChanges(func(_ store.Cursor, c *store.Changes) {
		for i, r := range c.Records {
			k := valueKey{r.Commit, r.Key}
			if value, ok := kept.get(k); ok && !r.Deleted {
				c.Records[i].Value = value
			} else {
				kept.put(k, r.Value)
			}
		}
	})(f)
}
