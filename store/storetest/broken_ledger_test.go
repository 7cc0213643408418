package storetest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/go-batteries/hawkeye/store"
)

func brokenLedgers() []broken {
	return []broken{
		{name: "is open from the start", fails: []string{"Ledger/EmptyWithoutAnEpoch", "Ledger/PublishTellsTheCursor"}, breakIt: opensItself},
		{name: "accepts a commit without an epoch", fails: []string{"Commit/OtherEpoch", "Ledger/OpenedEmpty"}, breakIt: onCommit(func(f *faulty, c *store.Commit) {
			if c.Epoch.IsZero() {
				_, at := f.stored()
				c.Epoch = at.Epoch
			}
		})},
		{name: "accepts a commit of any epoch", fails: []string{"Commit/OtherEpoch", "Faults/LostAndRestored", "Ledger/OpenedEmpty"}, breakIt: onCommit(func(f *faulty, c *store.Commit) {
			if _, at := f.stored(); !at.Epoch.IsZero() {
				c.Epoch = at.Epoch
			}
		})},
		{name: "takes the last offer", fails: []string{"Faults/LostAndRestored", "Ledger/HighestOfferWins"}, breakIt: takesLastOffer},
		{name: "takes the first offer", fails: []string{"Faults/LostAndRestored", "Ledger/HighestOfferWins", "Ledger/OfferAndOpenAtOnce"}, breakIt: takesFirstOffer},
		{name: "adds offers up", fails: []string{"Faults/LostAndRestored", "Ledger/HighestOfferWins"}, breakIt: addsOffersUp},
		{name: "forgets who wrote what it restores", fails: []string{"Ledger/RestoredRecordsAreAsTheyWere"}, breakIt: onRestore(func(_ *faulty, o *store.Offer) {
			o.Records = slices.Clone(o.Records)
			for i := range o.Records {
				o.Records[i].Commit, o.Records[i].Rev = o.Cursor.Commit, o.Cursor.Rev
			}
		})},
		{name: "opens with the epoch of the offer", fails: []string{"Ledger/OfferAndOpenAtOnce"}, breakIt: onRestore(func(_ *faulty, o *store.Offer) {
			if !o.Open.IsZero() && !o.Cursor.Epoch.IsZero() {
				o.Open = o.Cursor.Epoch
			}
		})},
		{name: "restores over an open ledger", fails: []string{"Races/OneOpens", "Ledger/OpenRefusesRestore"}, breakIt: restoresOverOpen},
		{name: "says nothing when it is open", fails: []string{"Races/OneOpens", "Ledger/OpenRefusesRestore"}, breakIt: saysNothingWhenOpen},
		{name: "tells no Ledger with a publication", fails: []string{"Ledger/PublishTellsTheCursor"}, breakIt: onPublish(nil, func(_ store.Publication, r *store.PublishReply) { r.Ledger = store.Cursor{} })},
		{name: "tells a Ledger before one is open", fails: []string{"Ledger/PublishTellsTheCursor"}, breakIt: tellsLedgerTooSoon},

		{name: "commits from a stale base", fails: []string{"Usage/ARenewedClaimIsNot", "Usage/AZombieDecidesNothing", "Commit/Conditions"}, breakIt: onCommit(func(_ *faulty, c *store.Commit) { c.Require = nil })},
		{name: "ignores the last of several conditions", fails: []string{"Changes/FollowersOfARandomHistory", "Commit/Conditions", "Commit/AllOrNothing"}, breakIt: onCommit(func(_ *faulty, c *store.Commit) {
			if n := len(c.Require); n > 1 {
				c.Require = c.Require[:n-1]
			}
		})},
		{name: "looks at one condition a key", fails: []string{"Changes/FollowersOfARandomHistory", "Commit/Conditions", "Commit/AllOrNothing"}, breakIt: onCommit(func(_ *faulty, c *store.Commit) {
			one := make(map[string]store.Condition)
			for _, r := range c.Require {
				one[r.Key] = r
			}
			c.Require = nil
			for _, r := range one {
				c.Require = append(c.Require, r)
			}
		})},
		{name: "ignores demands of absence", fails: []string{"Bulk/EmptyIsNotDeleted", "Commit/ARefusedOneIsNotRemembered", "Ledger/RestoredRecordsAreAsTheyWere"}, breakIt: onCommit(func(_ *faulty, c *store.Commit) {
			c.Require = slices.DeleteFunc(slices.Clone(c.Require), func(r store.Condition) bool { return r.Commit.IsZero() })
		})},
		{name: "compares values, not commits", fails: []string{"Usage/ARenewedClaimIsNot"}, breakIt: comparesValues},
		{name: "looks, and then commits", fails: []string{"Races/OneCommitARoundWins", "Races/NoUpdateIsLost"}, breakIt: looksThenCommits},
		{name: "applies half of a refused commit", fails: []string{"Races/OneCommitARoundWins", "Usage/AZombieDecidesNothing", "Commit/AllOrNothing"}, breakIt: appliesHalf},
		{name: "deletes for a refused commit", fails: []string{"Changes/FollowersOfARandomHistory", "Usage/AnUnchangedClaimIsTakenOver", "Commit/AllOrNothing"}, breakIt: deletesForRefused},
		{name: "applies a repeated commit again", fails: []string{"Races/ARepeatedCommitAppliesOnce", "Commit/RepeatedAtOnce", "Commit/RepeatedAfterOthers"}, breakIt: appliesAgain},
		{name: "refuses a repeated commit", fails: []string{"Races/ARepeatedCommitAppliesOnce", "Commit/RepeatedAtOnce", "Commit/RepeatedAfterOthers"}, breakIt: refusesRepeated(0)},
		{name: "knows ten commits", fails: []string{"Changes/FollowersOfARandomHistory", "Usage/ALostReplyDecidesOnce", "Commit/RepeatedAfterAThousand"}, breakIt: refusesRepeated(10)},
		{name: "remembers a refused commit as applied", fails: []string{"Usage/AZombieDecidesNothing", "Commit/ARefusedOneIsNotRemembered"}, breakIt: remembersRefused},
		{name: "answers a repeated commit with the present", fails: []string{"Usage/ALostReplyDecidesOnce", "Commit/RepeatedAfterOthers", "Commit/RepeatedAfterAThousand"}, breakIt: answersWithPresent},
		{name: "forgets to delete", fails: []string{"Changes/Deletions", "Commit/Delete"}, breakIt: onCommit(func(_ *faulty, c *store.Commit) { c.Delete = nil })},
		{name: "lets a claim live for ever", fails: []string{"Usage/AnUnchangedClaimIsTakenOver"}, breakIt: claimsLiveForEver},
		{name: "takes a commit without changes for none", fails: []string{"Changes/FollowersOfARandomHistory", "Commit/NextRevision"}, breakIt: ignoresEmptyCommits},

		{name: "sorts a commit in place", fails: []string{"Aliases/ArgumentsAreLeftAlone"}, breakIt: onCommit(func(_ *faulty, c *store.Commit) {
			slices.SortFunc(c.Put, func(a, b store.Entry) int { return strings.Compare(a.Key, b.Key) })
		})},
		{name: "ends keys at a nul byte", fails: []string{"Bulk/BinaryKeysAndValues"}, breakIt: onCommit(func(_ *faulty, c *store.Commit) {
			c.Put = slices.Clone(c.Put)
			for i := range c.Put {
				c.Put[i].Key, _, _ = strings.Cut(c.Put[i].Key, "\x00")
			}
		})},
		{name: "takes an empty value for none", fails: []string{"Bulk/EmptyIsNotDeleted", "Commit/Delete"}, breakIt: onCommit(func(_ *faulty, c *store.Commit) {
			for _, p := range c.Put {
				if len(p.Value) == 0 {
					c.Delete = append(slices.Clone(c.Delete), p.Key)
				}
			}
		})},
		{name: "cuts values off at half a mebibyte", fails: []string{"Bulk/LargeValues"}, breakIt: onCommit(func(_ *faulty, c *store.Commit) {
			c.Put = slices.Clone(c.Put)
			for i, p := range c.Put {
				c.Put[i].Value = p.Value[:min(len(p.Value), mebibyte/2)]
			}
		})},
		{name: "takes an unreachable ledger for a conflict", fails: []string{"Faults/UnreachableIsAnError"}, breakIt: unreachableIsConflict},
	}
}

func opensItself(f *faulty) store.Store {
	if err := f.Restore(context.Background(), store.Offer{Open: store.NewID()}); err != nil {
		f.t.Fatal(err)
	}
	return f
}

func takesLastOffer(f *faulty) store.Store {
	return onRestore(func(f *faulty, o *store.Offer) {
		if _, at := f.stored(); at.Epoch.IsZero() && o.Cursor.Rev > 0 {
			f.exchange(nil)
		}
	})(f)
}

func takesFirstOffer(f *faulty) store.Store {
	return onRestore(func(f *faulty, o *store.Offer) {
		if _, at := f.stored(); at.Rev > 0 {
			o.Cursor.Rev = 0
		}
	})(f)
}

func addsOffersUp(f *faulty) store.Store {
	return onRestore(func(f *faulty, o *store.Offer) {
		all, _ := f.stored()
		for _, r := range o.Records {
			delete(all, r.Key)
		}
		o.Records = slices.Clone(o.Records)
		for _, r := range all {
			o.Records = append(o.Records, r)
		}
	})(f)
}

func restoresOverOpen(f *faulty) store.Store {
	return onRestore(func(f *faulty, o *store.Offer) {
		if _, at := f.stored(); !at.Epoch.IsZero() && !o.Open.IsZero() {
			f.exchange(nil)
		}
	})(f)
}

func saysNothingWhenOpen(f *faulty) store.Store {
	return &altered{faulty: f, restore: func(ctx context.Context, o store.Offer) error {
		err := f.Restore(ctx, o)
		if errors.Is(err, store.ErrOpen) {
			return nil
		}
		return err
	}}
}

func tellsLedgerTooSoon(f *faulty) store.Store {
	return onPublish(nil, func(_ store.Publication, r *store.PublishReply) { _, r.Ledger = f.stored() })(f)
}

func comparesValues(f *faulty) store.Store {
	values := newMemo[store.ID, string]()
	return onCommit(func(f *faulty, c *store.Commit) {
		for _, p := range c.Put {
			values.put(c.ID, string(p.Value))
		}
		stored, _ := f.stored()
		c.Require = slices.Clone(c.Require)
		for i, r := range c.Require {
			if then, ok := values.get(r.Commit); ok && string(stored[r.Key].Value) == then {
				c.Require[i].Commit = stored[r.Key].Commit
			}
		}
	})(f)
}

// looksThenCommits is right as long as nobody else commits meanwhile.
func looksThenCommits(f *faulty) store.Store {
	known := newMemo[store.ID, bool]()
	return &altered{faulty: f, commit: func(ctx context.Context, c store.Commit) (store.Cursor, error) {
		if again, _ := known.get(c.ID); again {
			return f.Commit(ctx, c)
		}
		stored, _ := f.stored()
		for _, r := range c.Require {
			if stored[r.Key].Commit != r.Commit {
				return store.Cursor{}, store.ErrConflict
			}
		}
		time.Sleep(100 * time.Microsecond)
		c.Require = nil
		known.put(c.ID, true)
		return f.Commit(ctx, c)
	}}
}

// afterConflict does something to the ledger when a commit was refused.
func afterConflict(then func(*faulty, store.Commit)) func(*faulty) store.Store {
	return func(f *faulty) store.Store {
		return &altered{faulty: f, commit: func(ctx context.Context, c store.Commit) (store.Cursor, error) {
			at, err := f.Commit(ctx, c)
			if errors.Is(err, store.ErrConflict) {
				then(f, c)
			}
			return at, err
		}}
	}
}

func appliesHalf(f *faulty) store.Store {
	return afterConflict(func(f *faulty, c store.Commit) {
		if len(c.Put) > 1 {
			f.Commit(context.Background(), store.Commit{ID: store.NewID(), Epoch: c.Epoch, Put: c.Put[1:]})
		}
	})(f)
}

func deletesForRefused(f *faulty) store.Store {
	return afterConflict(func(f *faulty, c store.Commit) {
		if len(c.Delete) > 0 {
			f.Commit(context.Background(), store.Commit{ID: store.NewID(), Epoch: c.Epoch, Delete: c.Delete})
		}
	})(f)
}

func appliesAgain(f *faulty) store.Store {
	applied := newMemo[store.ID, bool]()
	return &altered{faulty: f, commit: func(ctx context.Context, c store.Commit) (store.Cursor, error) {
		if again, _ := applied.get(c.ID); again {
			fresh := c
			fresh.ID, fresh.Require = store.NewID(), nil
			at, err := f.Commit(ctx, fresh)
			at.Commit = c.ID
			return at, err
		}
		at, err := f.Commit(ctx, c)
		if err == nil {
			applied.put(c.ID, true)
		}
		return at, err
	}}
}

// refusesRepeated knows a commit's id for that many commits.
func refusesRepeated(known uint64) func(*faulty) store.Store {
	return func(f *faulty) store.Store {
		applied := newMemo[store.ID, uint64]()
		return &altered{faulty: f, commit: func(ctx context.Context, c store.Commit) (store.Cursor, error) {
			_, now := f.stored()
			if rev, again := applied.get(c.ID); again && now.Rev >= rev+known {
				return store.Cursor{}, store.ErrConflict
			}
			at, err := f.Commit(ctx, c)
			if err == nil {
				applied.put(c.ID, at.Rev)
			}
			return at, err
		}}
	}
}

func remembersRefused(f *faulty) store.Store {
	refused := newMemo[store.ID, bool]()
	return &altered{faulty: f, commit: func(ctx context.Context, c store.Commit) (store.Cursor, error) {
		if again, _ := refused.get(c.ID); again {
			_, at := f.stored()
			at.Commit = c.ID
			return at, nil
		}
		at, err := f.Commit(ctx, c)
		if errors.Is(err, store.ErrConflict) {
			refused.put(c.ID, true)
		}
		return at, err
	}}
}

func answersWithPresent(f *faulty) store.Store {
	return &altered{faulty: f, commit: func(ctx context.Context, c store.Commit) (store.Cursor, error) {
		if _, err := f.Commit(ctx, c); err != nil {
			return store.Cursor{}, err
		}
		_, at := f.stored()
		return at, nil
	}}
}

func claimsLiveForEver(f *faulty) store.Store {
	return &altered{faulty: f, commit: func(ctx context.Context, c store.Commit) (store.Cursor, error) {
		stored, _ := f.stored()
		for _, p := range c.Put {
			if strings.HasPrefix(string(stored[p.Key].Value), claim) && strings.HasPrefix(string(p.Value), claim) {
				return store.Cursor{}, store.ErrConflict
			}
		}
		return f.Commit(ctx, c)
	}}
}

func ignoresEmptyCommits(f *faulty) store.Store {
	return &altered{faulty: f, commit: func(ctx context.Context, c store.Commit) (store.Cursor, error) {
		if len(c.Put)+len(c.Delete) == 0 {
			_, at := f.stored()
			return at, nil
		}
		return f.Commit(ctx, c)
	}}
}

func unreachableIsConflict(f *faulty) store.Store {
	return &altered{faulty: f, commit: func(ctx context.Context, c store.Commit) (store.Cursor, error) {
		at, err := f.Commit(ctx, c)
		if errors.Is(err, errCut) {
			err = store.ErrConflict
		}
		return at, err
	}}
}
