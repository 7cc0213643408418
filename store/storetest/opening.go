package storetest

import (
	"fmt"

	"github.com/go-batteries/hawkeye/store"
)

var openingChecks = []check{
	{name: "Ledger/EmptyWithoutAnEpoch", run: emptyWithoutEpoch},
	{name: "Ledger/OpenedEmpty", run: openedEmpty},
	{name: "Ledger/HighestOfferWins", run: highestOfferWins},
	{name: "Ledger/OfferAndOpenAtOnce", run: offerAndOpenAtOnce},
	{name: "Ledger/RestoredRecordsAreAsTheyWere", run: restoredRecords},
	{name: "Ledger/OpenRefusesRestore", run: openRefusesRestore},
	{name: "Ledger/PublishTellsTheCursor", run: publishTellsCursor},
}

// offer makes one of n records that some other ledger might have held at
// rev.
func offer(rev uint64, label string, n int) store.Offer {
	o := store.Offer{Cursor: store.Cursor{Epoch: store.NewID(), Rev: rev, Commit: store.NewID()}}
	for i := range n {
		at := rev - min(rev-1, uint64(n-1-i))
		commit := store.NewID()
		if at == rev {
			commit = o.Cursor.Commit
		}
		o.Records = append(o.Records, store.Record{
			Key: fmt.Sprint("key ", i), Value: []byte(label), Rev: at, Commit: commit,
		})
	}
	return o
}

func emptyWithoutEpoch(e *env) {
	for _, s := range e.Stores {
		records, at := e.snapshot(s)
		if len(records) > 0 || at != (store.Cursor{}) {
			e.Errorf("Changes() of an empty Store = %v at %+v, want none at the zero Cursor", records, at)
		}
		if c := e.changes(s, store.Cursor{Epoch: store.NewID(), Rev: 5, Commit: store.NewID()}); !c.Reset || !c.Cursor.Epoch.IsZero() {
			e.Errorf("Changes() of an empty Store after a state of another = %+v, want a snapshot without an epoch", c)
		}
		e.refused(s, putting(store.ID{}, "key", "value"), store.ErrEpoch, "without an epoch, of a ledger without one")
		e.refused(s, putting(store.NewID(), "key", "value"), store.ErrEpoch, "of an epoch, in a ledger without one")
	}
	e.wantRecords(e.here)
	e.open()
	e.wantRecords(e.here)
}

func openedEmpty(e *env) {
	epoch := e.open()
	records, at := e.snapshot(e.there)
	if len(records) > 0 || at != (store.Cursor{Epoch: epoch}) {
		e.Errorf("Changes() of a ledger opened empty = %v at %+v, want none at rev 0 of its epoch", records, at)
	}
	e.refused(e.there, putting(store.ID{}, "key", "value"), store.ErrEpoch, "without an epoch")
	e.refused(e.there, putting(store.NewID(), "key", "value"), store.ErrEpoch, "of another epoch")
	conflict := putting(store.NewID(), "key", "value", store.Condition{Key: "key", Commit: store.NewID()})
	if _, err := e.there.Commit(e.ctx, conflict); err == nil {
		e.Error("Commit() with another epoch and a condition that does not hold is applied")
	}
	e.wantRecords(e.here)
	if first := e.put(epoch, "key", "value"); first.Rev != 1 {
		e.Errorf("the first commit has rev %d, want 1", first.Rev)
	}
	e.wantRecords(e.there, "key", "value")
}

func highestOfferWins(e *env) {
	e.restore(e.here, offer(10, "ten", 3))
	e.wantOffer(10, "ten", 3)
	e.restore(e.there, offer(9, "nine", 5))
	e.wantOffer(10, "ten", 3)
	e.restore(e.there, offer(10, "another ten", 4))
	e.wantOffer(10, "ten", 3)
	twelve := offer(12, "twelve", 2)
	e.restore(e.there, twelve)
	e.restore(e.there, twelve)
	e.wantOffer(12, "twelve", 2)

	last := offer(11, "eleven", 6)
	last.Open = store.NewID()
	e.restore(e.here, last)
	e.wantOffer(12, "twelve", 2)
	want := store.Cursor{Epoch: last.Open, Rev: 12, Commit: twelve.Cursor.Commit}
	if _, at := e.snapshot(e.there); at != want {
		e.Errorf("the ledger opened by a lower offer is at %+v, want %+v", at, want)
	}
	if next := e.put(last.Open, "new", "value"); next.Rev != 13 {
		e.Errorf("the first commit after rev 12 was restored has rev %d", next.Rev)
	}
}

// wantOffer expects the records of offer(rev, label, n).
func (e *env) wantOffer(rev uint64, label string, n int) {
	e.Helper()
	for _, s := range e.Stores {
		records, at := e.snapshot(s)
		if len(records) != n || at.Rev != rev {
			e.Errorf("Changes() = %d records at rev %d, want the %d of the offer %q at rev %d", len(records), at.Rev, n, label, rev)
		}
		for _, r := range records {
			if string(r.Value) != label {
				e.Errorf("record %q is of the offer %q, want %q", r.Key, r.Value, label)
			}
		}
	}
}

func offerAndOpenAtOnce(e *env) {
	e.restore(e.here, offer(3, "three", 1))
	o := offer(5, "five", 2)
	o.Open = store.NewID()
	e.restore(e.there, o)
	e.wantOffer(5, "five", 2)
	want := store.Cursor{Epoch: o.Open, Rev: 5, Commit: o.Cursor.Commit}
	if _, at := e.snapshot(e.here); at != want {
		e.Errorf("the ledger is at %+v, want %+v: the epoch is Open, not that of the offer", at, want)
	}
	if c := e.changes(e.here, want); c.Reset || len(c.Records) > 0 {
		e.Errorf("Changes() after the state that was restored = %+v, want none", c)
	}
	if c := e.changes(e.here, o.Cursor); !c.Reset {
		e.Error("Changes() after the state of the old epoch is no snapshot")
	}
}

func restoredRecords(e *env) {
	o := offer(20, "restored", 4)
	o.Open = store.NewID()
	e.restore(e.here, o)
	got, _ := e.snapshot(e.there)
	for _, want := range o.Records {
		if r := got[want.Key]; r.Rev != want.Rev || r.Commit != want.Commit || string(r.Value) != string(want.Value) {
			e.Errorf("restored record is %+v, want %+v", r, want)
		}
	}
	oldest := o.Records[0]
	e.refused(e.here, putting(o.Open, oldest.Key, "x", store.Condition{Key: oldest.Key}), store.ErrConflict, "demanding that a restored record is absent")
	e.refused(e.here, putting(o.Open, oldest.Key, "x", store.Condition{Key: oldest.Key, Commit: o.Cursor.Commit}), store.ErrConflict, "demanding another commit of a restored record")
	at := e.commit(e.there, putting(o.Open, oldest.Key, "new", store.Condition{Key: oldest.Key, Commit: oldest.Commit}))
	if at.Rev != 21 {
		e.Errorf("the commit after rev 20 has rev %d", at.Rev)
	}
	after := store.Cursor{Epoch: o.Open, Rev: 20, Commit: o.Cursor.Commit}
	if c := e.changes(e.here, after); c.Reset || len(c.Records) != 1 || c.Records[0].Key != oldest.Key {
		e.Errorf("Changes() after the state that was restored = %+v, want the one new record", c)
	}
}

func openRefusesRestore(e *env) {
	epoch := e.open()
	at := e.put(epoch, "key", "value")
	for _, s := range e.Stores {
		higher := offer(at.Rev+10, "intruder", 3)
		e.wantError("Restore() of an open ledger", s.Restore(e.ctx, higher), store.ErrOpen)
		higher.Open = store.NewID()
		e.wantError("Restore() of an open ledger with Open", s.Restore(e.ctx, higher), store.ErrOpen)
		e.wantError("Restore() of nothing with Open", s.Restore(e.ctx, store.Offer{Open: epoch}), store.ErrOpen)
	}
	e.wantRecords(e.there, "key", "value")
	if c := e.changes(e.there, at); c.Reset || c.Cursor != at {
		e.Errorf("Changes() after refused Restores = %+v, want nothing new at %+v", c, at)
	}
}

func publishTellsCursor(e *env) {
	ask := func(s store.Store) store.Cursor {
		e.Helper()
		return e.publish(s, store.Publication{Writer: store.NewID()}).Ledger
	}
	if at := ask(e.here); at != (store.Cursor{}) {
		e.Errorf("Publish() reply has the Ledger %+v without one, want the zero Cursor", at)
	}
	o := offer(4, "offered", 2)
	e.restore(e.here, o)
	if at := ask(e.here); at != (store.Cursor{}) {
		e.Errorf("Publish() reply has the Ledger %+v after an offer, want the zero Cursor", at)
	}
	epoch := e.open()
	if at, want := ask(e.there), (store.Cursor{Epoch: epoch, Rev: 4, Commit: o.Cursor.Commit}); at != want {
		e.Errorf("Publish() reply has the Ledger %+v, want the one that was opened, %+v", at, want)
	}
	for i := range 3 {
		want := e.put(epoch, "key", fmt.Sprint(i))
		if at := ask(e.handle(i)); at != want {
			e.Errorf("Publish() reply has the Ledger %+v, want %+v", at, want)
		}
	}
}
