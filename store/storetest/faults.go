package storetest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-batteries/hawkeye/store"
)

var faultChecks = []check{
	{name: "Faults/CtxIsHonoured", run: ctxIsHonoured},
	{name: "Faults/UnreachableIsAnError", run: unreachableIsAnError, needs: needsCut},
	{name: "Faults/LostAndPublishedAgain", run: lostAndPublishedAgain, needs: needsLose},
	{name: "Faults/LostAndRestored", run: lostAndRestored, needs: needsLose},
	{name: "Faults/RolledBack", run: rolledBack, needs: needsSave},
	{name: "Faults/RolledBackThenAdvanced", run: rolledBackThenAdvanced, needs: needsSave},
}

// everyCall makes each call of a Store whose ledger is open, or was, with
// arguments that a sound Store would have something to answer to. The calls
// that write write only what is in the Fixture already, or must not be.
func (e *env) everyCall(epoch store.ID, tick int64) map[string]func(context.Context, store.Store) error {
	return map[string]func(context.Context, store.Store) error{
		"Now": func(ctx context.Context, s store.Store) error { _, err := s.Now(ctx); return err },
		"Publish": func(ctx context.Context, s store.Store) error {
			_, err := s.Publish(ctx, store.Publication{Writer: store.ID{1}, Check: []int64{tick}})
			return err
		},
		"Read": func(ctx context.Context, s store.Store) error {
			_, err := s.Read(ctx, []store.TickQuery{{Tick: tick}})
			return err
		},
		"Names": func(ctx context.Context, s store.Store) error { _, err := s.Names(ctx, []uint64{1}); return err },
		"Changes": func(ctx context.Context, s store.Store) error {
			_, err := s.Changes(ctx, store.Cursor{})
			return err
		},
		"Commit": func(ctx context.Context, s store.Store) error {
			_, err := s.Commit(ctx, putting(epoch, "intruder", "value"))
			return err
		},
		"Restore": func(ctx context.Context, s store.Store) error { return s.Restore(ctx, offer(100, "intruder", 1)) },
	}
}

func ctxIsHonoured(e *env) {
	b := bucket(e.tick(1), "data")
	e.publish(e.here, store.Publication{Writer: b.Writer, Buckets: []store.Bucket{b}, Names: []store.Name{{ID: 1, Text: "one"}}})
	epoch := e.open()
	e.put(epoch, "key", "value")

	cancelled, cancel := context.WithCancel(e.ctx)
	cancel()
	late, cancel := context.WithDeadline(e.ctx, time.Now().Add(-time.Second))
	defer cancel()
	for name, call := range e.everyCall(epoch, b.Tick) {
		began := time.Now()
		e.wantError(name+"() with a cancelled ctx", call(cancelled, e.here), context.Canceled)
		e.wantError(name+"() after its deadline", call(late, e.here), context.DeadlineExceeded)
		if took := time.Since(began); took > 10*time.Second {
			e.Errorf("%s() took %v to see that its ctx was done", name, took)
		}
	}
	e.wantBucket(e.there, b)
	e.wantRecords(e.there, "key", "value")
}

func unreachableIsAnError(e *env) {
	b := bucket(e.tick(1), "data")
	e.publish(e.here, store.Publication{Writer: b.Writer, Buckets: []store.Bucket{b}, Names: []store.Name{{ID: 1, Text: "one"}}})
	epoch := e.open()
	at := e.put(epoch, "key", "value")

	mend := e.Cut()
	ctx, cancel := context.WithTimeout(e.ctx, 2*time.Second)
	defer cancel()
	for name, call := range e.everyCall(epoch, b.Tick) {
		err := call(ctx, e.here)
		if err == nil {
			e.Errorf("%s() of a Store that can't be reached = nil, want an error", name)
		}
		for _, decided := range []error{store.ErrConflict, store.ErrEpoch, store.ErrOpen} {
			if errors.Is(err, decided) {
				e.Errorf("%s() of a Store that can't be reached = %v, which only one that answers can know", name, err)
			}
		}
	}
	mend()
	e.wantBucket(e.there, b)
	e.wantRecords(e.there, "key", "value")
	if c := e.changes(e.there, at); c.Reset || len(c.Records) > 0 {
		e.Errorf("Changes() after the Store was unreachable = %+v, want none", c)
	}
}

func lostAndPublishedAgain(e *env) {
	p := store.Publication{Writer: store.NewID(), Keep: time.Hour, Names: []store.Name{{ID: 1, Text: "one"}}}
	base := e.tick(5)
	for n := range int64(4) {
		p.Buckets = append(p.Buckets, store.Bucket{Tick: base + n, Writer: p.Writer, Data: fmt.Append(nil, n)})
	}
	e.publish(e.here, p)
	e.Lose()
	for _, b := range p.Buckets {
		if got := e.buckets(e.there, b.Tier, b.Tick); len(got) > 0 {
			e.Fatalf("after everything was lost there is %q", got)
		}
	}
	e.wantNames(e.there, nil, 1)
	check := store.Publication{Writer: p.Writer, Check: []int64{base + 3, base, base + 2, base + 1}}
	if reply := e.publish(e.here, check); len(reply.Missing) != 4 || reply.Ledger != (store.Cursor{}) {
		e.Errorf("Publish() after everything was lost = %+v, want 4 Missing and no Ledger", reply)
	}
	part := p
	part.Buckets = p.Buckets[:2]
	e.publish(e.there, part)
	if reply := e.publish(e.here, check); len(reply.Missing) != 2 || reply.Missing[0] != base+2 {
		e.Errorf("Publish() after half was published again has Missing %v, want the other half", reply.Missing)
	}
	e.publish(e.here, p)
	for _, b := range p.Buckets {
		e.wantBucket(e.there, b)
	}
	e.wantNames(e.there, map[uint64]string{1: "one"}, 1)
}

// lostAndRestored has two followers hand in what they know, the better one
// last.
func lostAndRestored(e *env) {
	epoch := e.open()
	var behind, ahead follower
	e.put(epoch, "deleted", "1")
	e.put(epoch, "changed", "1")
	behind.poll(e, e.here)
	e.commit(e.here, store.Commit{ID: store.NewID(), Epoch: epoch, Delete: []string{"deleted"}})
	e.put(epoch, "changed", "2")
	ahead.poll(e, e.there)
	e.Lose()

	for i, s := range e.Stores {
		records, at := e.snapshot(s)
		if len(records) > 0 || !at.Epoch.IsZero() {
			e.Fatalf("after everything was lost handle %d has %v at %+v", i, records, at)
		}
		e.refused(s, putting(epoch, "key", "value"), store.ErrEpoch, "of the epoch that was lost")
	}
	e.restore(e.here, behind.offer())
	e.restore(e.there, ahead.offer())
	e.restore(e.here, behind.offer())
	e.refused(e.here, putting(epoch, "key", "value"), store.ErrEpoch, "of the old epoch, before one is open")
	opened := e.open()
	e.wantRecords(e.there, "changed", "2")
	if c := e.changes(e.there, ahead.at); !c.Reset {
		e.Error("Changes() after a state of the epoch that was lost is no snapshot")
	}
	e.refused(e.there, putting(epoch, "key", "value"), store.ErrEpoch, "of the old epoch, after another was opened")
	stale := store.Condition{Key: "changed", Commit: behind.records["changed"].Commit}
	e.refused(e.there, putting(opened, "changed", "x", stale), store.ErrConflict, "from what the worse copy holds")
	current := store.Condition{Key: "changed", Commit: ahead.records["changed"].Commit}
	if at := e.commit(e.there, putting(opened, "changed", "3", current)); at.Rev != ahead.at.Rev+1 {
		e.Errorf("the first commit after rev %d was restored has rev %d", ahead.at.Rev, at.Rev)
	}
}

func (f *follower) offer() store.Offer {
	o := store.Offer{Cursor: f.at}
	for _, r := range f.records {
		o.Records = append(o.Records, r)
	}
	return o
}

// rolledBackLedger commits, saves, commits more, and rolls back. It returns
// the state that was rolled back and the commits that were.
func (e *env) rolledBackLedger() (saved, gone store.Cursor, undone []store.Commit) {
	epoch := e.open()
	e.put(epoch, "a", "1")
	saved = e.put(epoch, "b", "1")
	rollBack := e.Save()
	first := putting(epoch, "a", "2", store.Condition{Key: "a", Commit: saved.Commit})
	first.Require = nil
	second := putting(epoch, "c", "1", store.Condition{Key: "c"})
	e.commit(e.here, first)
	gone = e.commit(e.there, second)
	rollBack()
	return saved, gone, []store.Commit{first, second}
}

func rolledBack(e *env) {
	saved, gone, undone := e.rolledBackLedger()
	e.wantRecords(e.there, "a", "1", "b", "1")
	if c := e.changes(e.there, gone); !c.Reset || c.Cursor != saved {
		e.Errorf("Changes() after a state that was rolled back = %+v, want a snapshot at %+v", c, saved)
	}
	if c := e.changes(e.there, saved); c.Reset || len(c.Records) > 0 || c.Cursor != saved {
		e.Errorf("Changes() after the state that was saved = %+v, want none", c)
	}
	e.refused(e.there, putting(saved.Epoch, "c", "2", store.Condition{Key: "c", Commit: gone.Commit}), store.ErrConflict, "from a state that was rolled back")
	for _, c := range undone {
		e.commit(e.there, c)
	}
	e.wantRecords(e.here, "a", "2", "b", "1", "c", "1")
}

func rolledBackThenAdvanced(e *env) {
	saved, gone, _ := e.rolledBackLedger()
	e.put(saved.Epoch, "d", "1")
	other := e.put(saved.Epoch, "e", "1")
	if other.Rev != gone.Rev {
		e.Fatalf("after the roll-back two commits lead to rev %d, before it to %d", other.Rev, gone.Rev)
	}
	f := follower{at: gone}
	if !f.poll(e, e.there) {
		e.Errorf("Changes() after another commit of the same rev is no snapshot")
	}
	f.compare(e, e.there)
	e.refused(e.there, putting(saved.Epoch, "c", "2", store.Condition{Key: "c", Commit: gone.Commit}), store.ErrConflict, "from a state that was rolled back")
	last := e.put(saved.Epoch, "f", "1")
	if c := e.changes(e.there, gone); !c.Reset || c.Cursor != last {
		e.Errorf("Changes() after a state that was rolled back, and is behind by now = %+v, want a snapshot", c)
	}
	if c := e.changes(e.there, saved); c.Reset || len(c.Records) != 3 {
		e.Errorf("Changes() after the state that was saved = %+v, want three records", c)
	}
}
