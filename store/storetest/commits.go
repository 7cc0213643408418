package storetest

import (
	"fmt"

	"github.com/go-batteries/hawkeye/store"
)

var commitChecks = []check{
	{name: "Commit/NextRevision", run: nextRevision},
	{name: "Commit/Conditions", run: conditions},
	{name: "Commit/AllOrNothing", run: allOrNothing},
	{name: "Commit/OtherEpoch", run: otherEpoch},
	{name: "Commit/Delete", run: deletes},
	{name: "Commit/RepeatedAtOnce", run: repeatedAtOnce},
	{name: "Commit/RepeatedAfterOthers", run: repeatedAfterOthers},
	{name: "Commit/RepeatedAfterAThousand", run: repeatedAfterAThousand},
	{name: "Commit/ARefusedOneIsNotRemembered", run: refusedIsNotRemembered},
}

func nextRevision(e *env) {
	epoch := e.open()
	for i := range uint64(10) {
		c := putting(epoch, fmt.Sprint("key ", i), "value")
		if i == 5 {
			c.Put = nil // changes nothing, and is a commit like any other
		}
		if at := e.commit(e.handle(int(i)), c); at.Rev != i+1 {
			e.Errorf("commit %d has rev %d", i+1, at.Rev)
		}
		if _, at := e.snapshot(e.handle(int(i + 1))); at != (store.Cursor{Epoch: epoch, Rev: i + 1, Commit: c.ID}) {
			e.Errorf("after commit %d the ledger is at %+v", i+1, at)
		}
	}
	records, _ := e.snapshot(e.there)
	for i := range uint64(10) {
		if r, ok := records[fmt.Sprint("key ", i)]; ok != (i != 5) || ok && r.Rev != i+1 {
			e.Errorf("record of commit %d is %+v", i+1, r)
		}
	}
}

// ledgerForConditions has "kept" (by kept), "changed" (by second, before by
// first) and "gone" (by first, deleted by second).
type ledgerForConditions struct{ epoch, kept, first, second store.ID }

func (e *env) ledgerForConditions() ledgerForConditions {
	l := ledgerForConditions{epoch: e.open()}
	l.kept = e.put(l.epoch, "kept", "1").Commit
	first := putting(l.epoch, "changed", "1")
	first.Put = append(first.Put, store.Entry{Key: "gone", Value: []byte("1")})
	l.first = e.commit(e.here, first).Commit
	second := putting(l.epoch, "changed", "2")
	second.Delete = []string{"gone"}
	l.second = e.commit(e.there, second).Commit
	return l
}

func conditions(e *env) {
	l := e.ledgerForConditions()
	stranger := store.NewID()
	type list = []store.Condition
	for _, row := range []struct {
		why     string
		require list
		holds   bool
	}{
		{"none", nil, true},
		{"a record that is", list{{Key: "kept", Commit: l.kept}}, true},
		{"the latest commit", list{{Key: "changed", Commit: l.second}}, true},
		{"absence of one that never was", list{{Key: "never"}}, true},
		{"absence of a deleted one", list{{Key: "gone"}}, true},
		{"all of these", list{{Key: "kept", Commit: l.kept}, {Key: "never"}, {Key: "changed", Commit: l.second}, {Key: "gone"}}, true},
		{"the same twice", list{{Key: "kept", Commit: l.kept}, {Key: "kept", Commit: l.kept}}, true},

		{"a commit that never was", list{{Key: "kept", Commit: stranger}}, false},
		{"an older commit", list{{Key: "changed", Commit: l.first}}, false},
		{"another record's commit", list{{Key: "kept", Commit: l.second}}, false},
		{"absence of one that is", list{{Key: "kept"}}, false},
		{"presence of one that never was", list{{Key: "never", Commit: l.kept}}, false},
		{"presence of a deleted one", list{{Key: "gone", Commit: l.first}}, false},
		{"the deletion's commit", list{{Key: "gone", Commit: l.second}}, false},
		{"a prefix of a key", list{{Key: "kep", Commit: l.kept}}, false},
		{"the first of three fails", list{{Key: "kept"}, {Key: "never"}, {Key: "gone"}}, false},
		{"the second of three fails", list{{Key: "never"}, {Key: "kept", Commit: stranger}, {Key: "gone"}}, false},
		{"the last of three fails", list{{Key: "never"}, {Key: "gone"}, {Key: "changed", Commit: l.first}}, false},
		{"one key, two demands, the first fails", list{{Key: "kept", Commit: stranger}, {Key: "kept", Commit: l.kept}}, false},
		{"one key, two demands, the last fails", list{{Key: "kept", Commit: l.kept}, {Key: "kept", Commit: stranger}}, false},
	} {
		c := putting(l.epoch, "result of "+row.why, row.why, row.require...)
		if !row.holds {
			e.refused(e.there, c, store.ErrConflict, "requiring "+row.why)
		} else if _, err := e.there.Commit(e.ctx, c); err != nil {
			e.Errorf("Commit() requiring %s = %v", row.why, err)
		}
		records, _ := e.snapshot(e.here)
		if _, ok := records[c.Put[0].Key]; ok != row.holds {
			e.Errorf("after Commit() requiring %s its record is stored: %v, want %v", row.why, ok, row.holds)
		}
	}
}

func allOrNothing(e *env) {
	l := e.ledgerForConditions()
	before, at := e.snapshot(e.here)
	for _, failing := range []store.Condition{{Key: "kept"}, {Key: "changed", Commit: l.first}, {Key: "never", Commit: l.first}} {
		for place := range 3 {
			c := putting(l.epoch, "new", "x", store.Condition{Key: "kept", Commit: l.kept}, store.Condition{Key: "changed", Commit: l.second}, store.Condition{Key: "gone"})
			c.Require[place] = failing
			c.Put = append(c.Put, store.Entry{Key: "changed", Value: []byte("x")}, store.Entry{Key: "gone", Value: []byte("x")})
			c.Delete = []string{"kept", "never"}
			e.refused(e.there, c, store.ErrConflict, fmt.Sprintf("whose condition %d fails", place))
		}
	}
	after, now := e.snapshot(e.here)
	if now != at {
		e.Errorf("after refused commits the ledger is at %+v, want %+v as before", now, at)
	}
	e.wantSame(after, before)
	if c := e.changes(e.here, at); c.Reset || len(c.Records) > 0 {
		e.Errorf("Changes() after refused commits = %+v, want none", c)
	}
}

// wantSame compares records in full.
func (e *env) wantSame(got, want map[string]store.Record) {
	e.Helper()
	for key, w := range want {
		g, ok := got[key]
		if !ok {
			e.Errorf("record %q is not there", brief(key))
		} else if g.Rev != w.Rev || g.Commit != w.Commit || string(g.Value) != string(w.Value) {
			e.Errorf("record %q is %q of rev %d by %v, want %q of rev %d by %v", brief(key),
				brief(string(g.Value)), g.Rev, g.Commit, brief(string(w.Value)), w.Rev, w.Commit)
		}
	}
	for key := range got {
		if _, ok := want[key]; !ok {
			e.Errorf("record %q is there, want none", brief(key))
		}
	}
}

func otherEpoch(e *env) {
	epoch := e.open()
	at := e.put(epoch, "key", "value")
	for _, other := range []store.ID{{}, store.NewID(), at.Commit} {
		c := putting(other, "key", "x", store.Condition{Key: "key", Commit: at.Commit})
		c.Delete = []string{"other"}
		e.refused(e.there, c, store.ErrEpoch, "of another epoch, whose condition holds")
		c.ID, c.Require = store.NewID(), nil
		e.refused(e.there, c, store.ErrEpoch, "of another epoch, without a condition")
	}
	e.wantRecords(e.here, "key", "value")
	if c := e.changes(e.here, at); c.Cursor != at {
		e.Errorf("after commits of other epochs the ledger is at %+v, want %+v", c.Cursor, at)
	}
}

func deletes(e *env) {
	epoch := e.open()
	del := func(keys ...string) store.Commit {
		return store.Commit{ID: store.NewID(), Epoch: epoch, Delete: keys}
	}
	e.put(epoch, "a", "1")
	e.put(epoch, "b", "")
	e.commit(e.there, del("never", "a", "never either"))
	e.wantRecords(e.here, "b", "")
	e.commit(e.here, del("a", "a"))
	again := e.commit(e.there, putting(epoch, "a", "2", store.Condition{Key: "a"}))
	e.wantRecords(e.here, "a", "2", "b", "")
	c := del("a", "b")
	c.Require = []store.Condition{{Key: "a", Commit: again.Commit}}
	e.commit(e.here, c)
	e.wantRecords(e.there)
}

func repeatedAtOnce(e *env) {
	epoch := e.open()
	c := putting(epoch, "key", "value", store.Condition{Key: "key"})
	first := e.commit(e.here, c)
	for i := range 3 {
		if again := e.commit(e.handle(i), c); again != first {
			e.Errorf("Commit() repeated = %+v, want %+v as the first time", again, first)
		}
	}
	e.wantRecords(e.there, "key", "value")
	if records, at := e.snapshot(e.there); at != first || records["key"].Rev != first.Rev {
		e.Errorf("a repeated commit changed the ledger: %+v at %+v", records, at)
	}
}

func repeatedAfterOthers(e *env) {
	epoch := e.open()
	base := e.put(epoch, "key", "base")
	c := putting(epoch, "key", "mine", store.Condition{Key: "key", Commit: base.Commit})
	c.Delete = []string{"other"}
	first := e.commit(e.here, c)
	e.put(epoch, "key", "theirs")
	last := e.put(epoch, "other", "theirs")
	for i := range e.Stores {
		if again := e.commit(e.handle(i), c); again != first {
			e.Errorf("Commit() repeated after others = %+v, want %+v as the first time", again, first)
		}
	}
	e.wantRecords(e.there, "key", "theirs", "other", "theirs")
	if got := e.changes(e.there, last); got.Reset || len(got.Records) > 0 || got.Cursor != last {
		e.Errorf("a repeated commit changed the ledger: %+v, want nothing after %+v", got, last)
	}
}

func repeatedAfterAThousand(e *env) {
	epoch := e.open()
	e.put(epoch, "before", "value")
	c := putting(epoch, "key", "mine", store.Condition{Key: "key"})
	first := e.commit(e.here, c)
	for i := range 1000 {
		e.put(epoch, []string{"key", "another"}[i%2], "theirs")
	}
	if again := e.commit(e.there, c); again != first {
		e.Errorf("Commit() repeated after 1,000 others = %+v, want %+v as the first time", again, first)
	}
	e.wantRecords(e.here, "before", "value", "key", "theirs", "another", "theirs")
}

func refusedIsNotRemembered(e *env) {
	epoch := e.open()
	c := putting(epoch, "key", "value", store.Condition{Key: "gate"})
	gate := e.put(epoch, "gate", "closed")
	for range 2 {
		e.refused(e.there, c, store.ErrConflict, "whose condition does not hold")
	}
	e.commit(e.here, store.Commit{ID: store.NewID(), Epoch: epoch, Delete: []string{"gate"}})
	if at := e.commit(e.there, c); at.Rev != gate.Rev+2 {
		e.Errorf("Commit() that was refused before = %+v, want the next revision, %d", at, gate.Rev+2)
	}
	e.wantRecords(e.here, "key", "value")
}
