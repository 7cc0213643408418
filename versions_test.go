package hawkeye_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-batteries/hawkeye/internal/ledger"
	"github.com/go-batteries/hawkeye/store"
)

// A replica of a newer version has written the state of an alert in a format
// that these don't know: they leave it as it is and tell nothing of it, and
// everything else goes on.
func TestAlertOfANewerVersionIsLeftAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		replicas := f.startN(3, olderFile)
		key, future := ledger.AlertKey("errors"), `{"monitor":"errors","state":{"v":2,"phase":"exotic"},"snapshot":{}}`
		ch, err := f.store().Changes(t.Context(), store.Cursor{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.store().Commit(t.Context(), store.Commit{
			ID: store.NewID(), Epoch: ch.Cursor.Epoch, Put: []store.Entry{{Key: key, Value: []byte(future)}},
		}); err != nil {
			t.Fatal(err)
		}
		after(2 * tick)
		count(replicas[0].Hawkeye, "errors", 10)
		count(replicas[0].Hawkeye, "old", 10)
		after(4 * tick)
		want(t, "of what this version knows", f.box.lines(), oldFired)
		f.kill(f.evaluator())
		after(10 * tick)
		want(t, "after another one took over", f.box.lines())
		if ch, err = f.store().Changes(t.Context(), store.Cursor{}); err != nil {
			t.Fatal(err)
		}
		for _, r := range ch.Records {
			if r.Key == key && string(r.Value) != future {
				t.Errorf("the record is %s, want %s", r.Value, future)
			}
		}
		if n := f.logs.count("leaving ledger records of a newer version alone"); n < 1 || n > len(replicas) {
			t.Errorf("%d warnings, want at least one and at most one a replica", n)
		}
	})
}

// A bucket that can't be read counts for nothing, and Stats says so.
func TestBadBucketsAreShown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		f.startN(2, errorsFile)
		now, writer := time.Now().UnixNano()/int64(tick), store.NewID()
		if _, err := f.store().Publish(t.Context(), store.Publication{Writer: writer, Buckets: []store.Bucket{
			{Tick: now, Writer: writer, Data: []byte("of a newer version")},
			{Tick: now + 1, Writer: writer, Data: nil},
		}}); err != nil {
			t.Fatal(err)
		}
		after(5 * tick)
		if st := f.evaluator().Stats(); st.BadBuckets != 2 || st.PartialTicks < 2 {
			t.Errorf("Stats() has %d bad buckets and %d partial ticks, want 2 and at least as many", st.BadBuckets, st.PartialTicks)
		}
		want(t, "of buckets that can't be read", f.box.lines())
	})
}
