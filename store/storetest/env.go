package storetest

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/go-batteries/hawkeye/store"
)

// checkTimeout ends a check whose Store hangs. It is far above what the
// slowest sound one takes.
const checkTimeout = time.Minute

// patience is how long a clock may take to go on by some milliseconds.
const patience = time.Second

func newEnv(t testing.TB, f Fixture) *env {
	ctx, cancel := context.WithTimeout(t.Context(), checkTimeout)
	t.Cleanup(cancel)
	return &env{TB: t, Fixture: f, ctx: ctx, here: f.Stores[0], there: f.Stores[len(f.Stores)-1]}
}

// handle returns the Store that the i-th of several processes uses.
func (e *env) handle(i int) store.Store { return e.Stores[i%len(e.Stores)] }

// tick returns a recent fine tick, ago ticks before the one that is open.
func (e *env) tick(ago int64) int64 {
	e.Helper()
	return e.now(e.here).UnixNano()/int64(e.here.Traits().Tick) - ago
}

func (e *env) now(s store.Store) time.Time {
	e.Helper()
	now, err := s.Now(e.ctx)
	if err != nil {
		e.Fatalf("Now() = %v", err)
	}
	return now
}

// wait returns when the Store's clock has gone on by d, a few milliseconds.
func (e *env) wait(d time.Duration) {
	e.Helper()
	began := time.Now()
	for end := e.now(e.here).Add(d); e.now(e.here).Before(end); {
		if time.Since(began) > patience {
			e.Fatalf("Now() does not advance by %v in %v", d, patience)
		}
		time.Sleep(time.Millisecond)
	}
}

func (e *env) publish(s store.Store, p store.Publication) store.PublishReply {
	e.Helper()
	reply, err := s.Publish(e.ctx, p)
	if err != nil {
		e.Fatalf("Publish() = %v", err)
	}
	if !slices.IsSorted(reply.Missing) {
		e.Errorf("Publish() reply has Missing %v, want ascending order", reply.Missing)
	}
	if r := reply.Refused; !slices.IsSorted(r) || len(r) > 0 && (r[0] < 0 || r[len(r)-1] >= len(p.Buckets)) {
		e.Errorf("Publish() reply has Refused %v, want indexes of %d buckets in ascending order", r, len(p.Buckets))
	}
	return reply
}

func (e *env) publishOne(s store.Store, b store.Bucket) {
	e.Helper()
	e.publish(s, store.Publication{Writer: b.Writer, Buckets: []store.Bucket{b}})
}

// read asks, and checks of the answers what the contract says of all of
// them.
func (e *env) read(s store.Store, q ...store.TickQuery) []store.TickBuckets {
	e.Helper()
	answers, err := s.Read(e.ctx, q)
	if err != nil {
		e.Fatalf("Read(%v) = %v", q, err)
	}
	if len(answers) != len(q) {
		e.Fatalf("Read() of %d ticks has %d answers", len(q), len(answers))
	}
	for i, a := range answers {
		e.checkAnswer(q[i], a)
	}
	return answers
}

func (e *env) checkAnswer(q store.TickQuery, a store.TickBuckets) {
	e.Helper()
	if a.Tier != q.Tier || a.Tick != q.Tick {
		e.Errorf("Read(%v) answers for tier %d tick %d", q, a.Tier, a.Tick)
	}
	if a.Count <= q.Known {
		if a.Buckets != nil {
			e.Errorf("Read(%v) has Count %d and %d buckets, want nil ones", q, a.Count, len(a.Buckets))
		}
		return
	}
	if len(a.Buckets) != a.Count {
		e.Errorf("Read(%v) has Count %d and %d buckets", q, a.Count, len(a.Buckets))
	}
	seen := make(map[store.ID]bool)
	for _, b := range a.Buckets {
		if b.Tier != q.Tier || b.Tick != q.Tick {
			e.Errorf("Read(%v) has a bucket of tier %d tick %d", q, b.Tier, b.Tick)
		}
		if seen[b.Writer] {
			e.Errorf("Read(%v) has two buckets of writer %v", q, b.Writer)
		}
		seen[b.Writer] = true
	}
}

// buckets returns the data of one tick's buckets by writer.
func (e *env) buckets(s store.Store, tier store.Tier, tick int64) map[store.ID]string {
	e.Helper()
	byWriter := make(map[store.ID]string)
	for _, b := range e.read(s, store.TickQuery{Tier: tier, Tick: tick})[0].Buckets {
		byWriter[b.Writer] = string(b.Data)
	}
	return byWriter
}

func (e *env) wantBucket(s store.Store, b store.Bucket) {
	e.Helper()
	got, ok := e.buckets(s, b.Tier, b.Tick)[b.Writer]
	if !ok {
		e.Errorf("Read() of tier %d tick %d has no bucket of the writer", b.Tier, b.Tick)
	} else if got != string(b.Data) {
		e.Errorf("Read() of tier %d tick %d has the bucket %s, want %s", b.Tier, b.Tick, brief(got), brief(string(b.Data)))
	}
}

// open gives an empty Store an epoch.
func (e *env) open() store.ID {
	e.Helper()
	epoch := store.NewID()
	e.restore(e.here, store.Offer{Open: epoch})
	return epoch
}

func (e *env) restore(s store.Store, o store.Offer) {
	e.Helper()
	if err := s.Restore(e.ctx, o); err != nil {
		e.Fatalf("Restore() = %v", err)
	}
}

func (e *env) commit(s store.Store, c store.Commit) store.Cursor {
	e.Helper()
	at, err := s.Commit(e.ctx, c)
	if err != nil {
		e.Fatalf("Commit() = %v", err)
	}
	if at.Epoch != c.Epoch || at.Commit != c.ID {
		e.Errorf("Commit() = %+v, want the epoch and the id of the commit %v", at, c.ID)
	}
	return at
}

// put commits one record without a condition.
func (e *env) put(epoch store.ID, key, value string) store.Cursor {
	e.Helper()
	return e.commit(e.here, putting(epoch, key, value))
}

// refused commits what must be refused with want.
func (e *env) refused(s store.Store, c store.Commit, want error, why string) {
	e.Helper()
	_, err := s.Commit(e.ctx, c)
	e.wantError("Commit() "+why, err, want)
}

// changes asks, and checks of the answer what the contract says of all of
// them.
func (e *env) changes(s store.Store, after store.Cursor) store.Changes {
	e.Helper()
	c, err := s.Changes(e.ctx, after)
	if err != nil {
		e.Fatalf("Changes(%+v) = %v", after, err)
	}
	if !slices.IsSortedFunc(c.Records, inOrder) {
		e.Errorf("Changes(%+v) has records out of the order of Rev, then Key", after)
	}
	seen := make(map[string]bool)
	for _, r := range c.Records {
		e.checkRecord(after, &c, r)
		if seen[r.Key] {
			e.Errorf("Changes(%+v) has the key %q twice", after, brief(r.Key))
		}
		seen[r.Key] = true
	}
	return c
}

func (e *env) checkRecord(after store.Cursor, c *store.Changes, r store.Record) {
	e.Helper()
	switch {
	case r.Rev > c.Cursor.Rev:
		e.Errorf("Changes(%+v) has a record of rev %d, after its own cursor %d", after, r.Rev, c.Cursor.Rev)
	case c.Reset && r.Deleted:
		e.Errorf("Changes(%+v) is a snapshot with the deleted record %q", after, brief(r.Key))
	case !c.Reset && r.Rev <= after.Rev:
		e.Errorf("Changes(%+v) has a record of rev %d, which is not after it", after, r.Rev)
	case r.Deleted && r.Value != nil:
		e.Errorf("Changes(%+v) has a value in the deleted record %q", after, brief(r.Key))
	}
}

// snapshot returns all records and where they stand.
func (e *env) snapshot(s store.Store) (map[string]store.Record, store.Cursor) {
	e.Helper()
	c := e.changes(s, store.Cursor{})
	if !c.Reset {
		e.Errorf("Changes() from the zero Cursor is no snapshot")
	}
	return byKey(c.Records), c.Cursor
}

func (e *env) wantError(call string, got, want error) {
	e.Helper()
	if !errors.Is(got, want) {
		e.Errorf("%s = %v, want %v", call, got, want)
	}
}

// wantRecords compares all that is stored with key, value, key, value...
func (e *env) wantRecords(s store.Store, keyValues ...string) {
	e.Helper()
	got, _ := e.snapshot(s)
	for i := 0; i < len(keyValues); i += 2 {
		key, want := keyValues[i], keyValues[i+1]
		if r, ok := got[key]; !ok {
			e.Errorf("record %q is not stored, want %q", brief(key), brief(want))
		} else if string(r.Value) != want {
			e.Errorf("record %q is %q, want %q", brief(key), brief(string(r.Value)), brief(want))
		}
		delete(got, key)
	}
	for key := range got {
		e.Errorf("record %q is stored, want none", brief(key))
	}
}

// together runs f(0) ... f(n-1) at the same time and waits for them. They
// may call Errorf, and must not call Fatalf.
func together(n int, f func(i int)) {
	var all sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		all.Go(func() {
			<-start
			f(i)
		})
	}
	close(start)
	all.Wait()
}

func inOrder(a, b store.Record) int {
	return cmp.Or(cmp.Compare(a.Rev, b.Rev), cmp.Compare(a.Key, b.Key))
}

func byKey(records []store.Record) map[string]store.Record {
	all := make(map[string]store.Record, len(records))
	for _, r := range records {
		all[r.Key] = r
	}
	return all
}

func putting(epoch store.ID, key, value string, require ...store.Condition) store.Commit {
	return store.Commit{
		ID:      store.NewID(),
		Epoch:   epoch,
		Require: require,
		Put:     []store.Entry{{Key: key, Value: []byte(value)}},
	}
}

func brief(s string) string {
	if len(s) > 40 {
		return s[:40] + "..."
	}
	return s
}
