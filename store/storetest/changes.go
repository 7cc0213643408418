package storetest

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/go-batteries/hawkeye/store"
)

var changeChecks = []check{
	{name: "Changes/Increments", run: increments},
	{name: "Changes/Deletions", run: deletions},
	{name: "Changes/NothingNew", run: nothingNew},
	{name: "Changes/Order", run: order},
	{name: "Changes/UnknownStatesGetASnapshot", run: unknownStates},
	{name: "Changes/TooLongAgo", run: tooLongAgo},
	{name: "Changes/TooManyKeysAgo", run: tooManyKeysAgo},
	{name: "Changes/FollowersOfARandomHistory", run: randomHistory},
}

// promised is for how many commits a follower that is behind gets changes
// and no snapshot.
const promised = 100

func increments(e *env) {
	epoch := e.open()
	start := store.Cursor{Epoch: epoch}
	first := e.put(epoch, "a", "1")
	e.put(epoch, "b", "1")
	second := e.put(epoch, "a", "2")
	for _, row := range []struct {
		why   string
		after store.Cursor
		want  []string
	}{
		{"the opening", start, []string{"b=1", "a=2"}},
		{"the first commit", first, []string{"b=1", "a=2"}},
		{"the last commit", second, nil},
	} {
		c := e.changes(e.there, row.after)
		if c.Reset || c.Cursor != second || !slices.Equal(texts(c.Records), row.want) {
			e.Errorf("Changes() after %s = %q at %+v, reset %v; want %q at %+v", row.why, texts(c.Records), c.Cursor, c.Reset, row.want, second)
		}
	}
	for _, r := range e.changes(e.there, first).Records {
		if r.Key == "a" && (r.Commit != second.Commit || r.Rev != second.Rev) {
			e.Errorf("record a = %+v, want it by %+v", r, second)
		}
	}
}

func texts(records []store.Record) []string {
	var all []string
	for _, r := range records {
		if r.Deleted {
			all = append(all, "-"+r.Key)
		} else {
			all = append(all, r.Key+"="+string(r.Value))
		}
	}
	return all
}

func deletions(e *env) {
	epoch := e.open()
	e.put(epoch, "deleted", "1")
	e.put(epoch, "deleted and back", "1")
	seen := e.put(epoch, "stays", "1")
	e.commit(e.here, store.Commit{ID: store.NewID(), Epoch: epoch, Delete: []string{"deleted", "deleted and back"}})
	between := e.put(epoch, "deleted and back", "2")
	last := e.commit(e.there, store.Commit{ID: store.NewID(), Epoch: epoch, Put: []store.Entry{{Key: "empty"}}, Delete: []string{"stays"}})

	c := e.changes(e.there, seen)
	if want := []string{"-deleted", "deleted and back=2", "empty=", "-stays"}; c.Reset || !slices.Equal(texts(c.Records), want) {
		e.Errorf("Changes() = %q, reset %v; want %q", texts(c.Records), c.Reset, want)
	}
	c = e.changes(e.there, between)
	if want := []string{"empty=", "-stays"}; c.Reset || !slices.Equal(texts(c.Records), want) {
		e.Errorf("Changes() = %q, reset %v; want %q", texts(c.Records), c.Reset, want)
	}
	for _, r := range c.Records {
		if r.Rev != last.Rev || r.Commit != last.Commit {
			e.Errorf("record %q has rev %d by %v, want %+v", r.Key, r.Rev, r.Commit, last)
		}
	}
	e.wantRecords(e.here, "deleted and back", "2", "empty", "")
}

func nothingNew(e *env) {
	epoch := e.open()
	e.wantNothingNew(store.Cursor{Epoch: epoch})
	e.wantNothingNew(e.put(epoch, "key", "value"))
	e.wantNothingNew(e.commit(e.there, store.Commit{ID: store.NewID(), Epoch: epoch, Delete: []string{"key"}}))
}

func (e *env) wantNothingNew(at store.Cursor) {
	e.Helper()
	for _, s := range e.Stores {
		if c := e.changes(s, at); c.Reset || len(c.Records) > 0 || c.Cursor != at {
			e.Errorf("Changes() after the last commit = %+v, want none at %+v", c, at)
		}
	}
}

func order(e *env) {
	epoch := e.open()
	start := store.Cursor{Epoch: epoch}
	var want []string
	for i := range 12 {
		c := store.Commit{ID: store.NewID(), Epoch: epoch}
		// "2" sorts after "10": by bytes, as Go compares strings.
		for _, k := range []int{10, 2, 1, 33} {
			c.Put = append(c.Put, store.Entry{Key: fmt.Sprint(12-i, "/", k)})
		}
		for _, k := range []string{"/1", "/10", "/2", "/33"} {
			want = append(want, fmt.Sprint(12-i, k, "="))
		}
		e.commit(e.handle(i), c)
	}
	if got := e.changes(e.there, start); got.Reset || !slices.Equal(texts(got.Records), want) {
		e.Errorf("Changes() = %q, reset %v; want %q", texts(got.Records), got.Reset, want)
	}
	if got := e.changes(e.there, store.Cursor{}); !slices.Equal(texts(got.Records), want) {
		e.Errorf("a snapshot = %q, want %q", texts(got.Records), want)
	}
}

func unknownStates(e *env) {
	epoch := e.open()
	first := e.put(epoch, "a", "1")
	second := e.put(epoch, "a", "2")
	last := e.commit(e.here, store.Commit{ID: store.NewID(), Epoch: epoch, Put: []store.Entry{{Key: "b"}}, Delete: []string{"a"}})
	for _, row := range []struct {
		why   string
		after store.Cursor
	}{
		{"nothing", store.Cursor{}},
		{"another epoch", store.Cursor{Epoch: store.NewID(), Rev: last.Rev, Commit: last.Commit}},
		{"no epoch", store.Cursor{Rev: last.Rev, Commit: last.Commit}},
		{"an unknown commit at the last rev", store.Cursor{Epoch: epoch, Rev: last.Rev, Commit: store.NewID()}},
		{"an unknown commit at a known rev", store.Cursor{Epoch: epoch, Rev: first.Rev, Commit: store.NewID()}},
		{"no commit at a known rev", store.Cursor{Epoch: epoch, Rev: second.Rev}},
		{"a known commit at another rev", store.Cursor{Epoch: epoch, Rev: second.Rev, Commit: first.Commit}},
		{"a known commit at rev 0", store.Cursor{Epoch: epoch, Commit: last.Commit}},
		{"a rev to come", store.Cursor{Epoch: epoch, Rev: last.Rev + 1, Commit: store.NewID()}},
		{"the last commit at a rev to come", store.Cursor{Epoch: epoch, Rev: last.Rev + 1, Commit: last.Commit}},
		{"a rev far away", store.Cursor{Epoch: epoch, Rev: 1 << 52, Commit: store.NewID()}},
	} {
		c := e.changes(e.there, row.after)
		if !c.Reset || c.Cursor != last || !slices.Equal(texts(c.Records), []string{"b="}) {
			e.Errorf("Changes() after %s = %q at %+v, reset %v; want a snapshot at %+v", row.why, texts(c.Records), c.Cursor, c.Reset, last)
		}
	}
}

// tooLongAgo doesn't say how long a Store remembers: whatever it answers, the
// follower must end with what is stored.
func tooLongAgo(e *env) {
	const commits = 1500
	epoch := e.open()
	var late []*follower
	for i := range commits {
		if i%97 == 0 || i == commits-promised {
			f := &follower{}
			f.poll(e, e.there)
			late = append(late, f)
		}
		c := putting(epoch, fmt.Sprint("key ", i%50), fmt.Sprint(i))
		c.Delete = []string{fmt.Sprint("key ", i*7%50+1)}
		e.commit(e.here, c)
	}
	newest := late[len(late)-1]
	for _, f := range late {
		reset := f.poll(e, e.there)
		if reset && f == newest {
			e.Errorf("Changes() of a follower that is behind by %d commits is a snapshot", promised)
		}
		f.compare(e, e.there)
	}
}

// tooManyKeysAgo has a Store remember more keys than it should have to: it may
// answer with a snapshot, but forgets neither a change nor whose commit it was.
func tooManyKeysAgo(e *env) {
	const commits, keys = 60, 2500
	epoch := e.open()
	var late []*follower
	var first store.Commit
	var firstAt store.Cursor
	for i := range commits {
		if i%6 == 0 || i == commits-1 {
			f := &follower{}
			f.poll(e, e.there)
			late = append(late, f)
		}
		c := store.Commit{ID: store.NewID(), Epoch: epoch}
		for k := range keys {
			// Each commit deletes some that the one before it has put.
			key := fmt.Sprintf("row/%d/%060d", (i+k)%2, k)
			if (i+k)%5 == 0 {
				c.Delete = append(c.Delete, key)
			} else {
				c.Put = append(c.Put, store.Entry{Key: key, Value: fmt.Append(nil, i)})
			}
		}
		at := e.commit(e.here, c)
		if i == 0 {
			first, firstAt = c, at
		}
	}
	newest := late[len(late)-1]
	for _, f := range late {
		reset := f.poll(e, e.there)
		if reset && f == newest {
			e.Errorf("Changes() of a follower that is behind by one commit is a snapshot")
		}
		f.compare(e, e.there)
	}
	if at := e.commit(e.there, first); at != firstAt {
		e.Errorf("Commit() of what was applied %d commits ago = %+v, want %+v", commits-1, at, firstAt)
	}
}

// follower keeps a copy of the ledger by Changes alone.
type follower struct {
	at      store.Cursor
	records map[string]store.Record
}

func (f *follower) poll(e *env, s store.Store) (reset bool) {
	e.Helper()
	c := e.changes(s, f.at)
	if c.Reset {
		f.records = make(map[string]store.Record)
	}
	for _, r := range c.Records {
		if r.Deleted {
			delete(f.records, r.Key)
		} else {
			f.records[r.Key] = r
		}
	}
	f.at = c.Cursor
	return c.Reset
}

func (f *follower) compare(e *env, s store.Store) {
	e.Helper()
	stored, at := e.snapshot(s)
	if f.at != at {
		e.Errorf("a follower is at %+v, the ledger at %+v", f.at, at)
	}
	e.wantSame(f.records, stored)
}

func randomHistory(e *env) {
	random := rand.New(rand.NewPCG(1, 2))
	epoch := e.open()
	model := &follower{at: store.Cursor{Epoch: epoch}, records: make(map[string]store.Record)}
	followers := make([]follower, 5)
	var done []store.Commit
	for i := range 600 {
		c := randomCommit(random, epoch, model.records)
		if len(done) > 0 && random.IntN(10) == 0 {
			c = done[random.IntN(len(done))]
			e.commit(e.handle(i), c)
		} else if model.holds(c.Require) {
			model.apply(c)
			if at := e.commit(e.handle(i), c); at != model.at {
				e.Fatalf("commit %d is %+v, want %+v", i, at, model.at)
			}
			done = append(done, c)
		} else {
			e.refused(e.handle(i), c, store.ErrConflict, "whose condition does not hold")
		}
		if f := &followers[random.IntN(len(followers))]; random.IntN(4) == 0 {
			f.poll(e, e.handle(random.IntN(8)))
			e.wantSame(f.records, model.records)
		}
		if e.Failed() {
			e.Fatalf("stopped after %d commits", i)
		}
	}
	model.compare(e, e.there)
}

func randomCommit(random *rand.Rand, epoch store.ID, records map[string]store.Record) store.Commit {
	c := store.Commit{ID: store.NewID(), Epoch: epoch}
	for _, k := range random.Perm(12)[:random.IntN(5)] {
		key := fmt.Sprint("key ", k)
		if random.IntN(3) == 0 {
			c.Delete = append(c.Delete, key)
		} else {
			c.Put = append(c.Put, store.Entry{Key: key, Value: fmt.Append(nil, random.Uint32())})
		}
	}
	for range random.IntN(4) {
		key := fmt.Sprint("key ", random.IntN(12))
		want := store.Condition{Key: key, Commit: records[key].Commit}
		if random.IntN(10) == 0 {
			want.Commit = store.NewID()
		}
		c.Require = append(c.Require, want)
	}
	return c
}

func (f *follower) holds(require []store.Condition) bool {
	return !slices.ContainsFunc(require, func(c store.Condition) bool { return f.records[c.Key].Commit != c.Commit })
}

func (f *follower) apply(c store.Commit) {
	f.at.Rev++
	f.at.Commit = c.ID
	for _, p := range c.Put {
		f.records[p.Key] = store.Record{Key: p.Key, Value: p.Value, Rev: f.at.Rev, Commit: c.ID}
	}
	for _, key := range c.Delete {
		delete(f.records, key)
	}
}
