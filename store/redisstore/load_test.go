//go:build unix

package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-batteries/hawkeye/store"
	"github.com/go-batteries/hawkeye/store/redisstore"
)

// long says that the long forms of the fault tests are wanted.
var long = os.Getenv("HAWKEYE_LONG") != ""

// length is how long a fault goes on.
func length(short, whole time.Duration) time.Duration {
	if long {
		return whole
	}
	return short
}

// load is a number of writers that publish a bucket a round and count one in
// the ledger, and try again until they succeed, as replicas do.
type load struct {
	t         *testing.T
	stores    []*redisstore.Store
	epoch     store.ID
	published []map[int64]bool // by writer
	writers   []store.ID
	committed atomic.Int64
	refused   atomic.Int64 // commits that met another's
	failed    atomic.Int64 // calls that ended without an answer
	lastErr   atomic.Value
	gap       atomic.Int64 // the longest time between two successes of one writer
}

func newLoad(t *testing.T, n int, newStore func(i int) *redisstore.Store) *load {
	t.Helper()
	l := &load{t: t, epoch: store.NewID()}
	for i := range n {
		l.stores = append(l.stores, newStore(i))
		l.writers = append(l.writers, store.NewID())
		l.published = append(l.published, map[int64]bool{})
	}
	if err := l.stores[0].Restore(t.Context(), store.Offer{Open: l.epoch}); err != nil {
		t.Fatalf("Restore() = %v", err)
	}
	return l
}

// run makes load until stop is closed and each writer's last call succeeded.
func (l *load) run(stop <-chan struct{}) *sync.WaitGroup {
	var all sync.WaitGroup
	for i := range l.stores {
		all.Go(func() {
			last := time.Now()
			for tick := int64(1); ; tick++ {
				l.untilDone(func(ctx context.Context) error { return l.publish(ctx, i, tick) })
				l.count(i)
				l.gap.Store(max(l.gap.Load(), int64(time.Since(last))))
				last = time.Now()
				select {
				case <-stop:
					return
				default:
				}
			}
		})
	}
	return &all
}

// untilDone repeats a call until it has an answer.
func (l *load) untilDone(call func(context.Context) error) {
	for l.t.Context().Err() == nil {
		ctx, cancel := context.WithTimeout(l.t.Context(), 500*time.Millisecond)
		err := call(ctx)
		cancel()
		if err == nil {
			return
		}
		l.failed.Add(1)
		l.lastErr.Store(err.Error())
		pause(l.t.Context(), time.Duration(10+rand.IntN(40))*time.Millisecond)
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

func (l *load) publish(ctx context.Context, i int, tick int64) error {
	w := l.writers[i]
	p := store.Publication{Writer: w, Buckets: []store.Bucket{{Tick: tick, Writer: w, Data: fmt.Append(nil, tick)}}}
	_, err := l.stores[i].Publish(ctx, p)
	if err == nil {
		l.published[i][tick] = true
	}
	return err
}

// count adds one to the counter in the ledger, once.
func (l *load) count(i int) {
	s := l.stores[i]
	for l.t.Context().Err() == nil {
		var now store.Changes
		l.untilDone(func(ctx context.Context) (err error) { now, err = s.Changes(ctx, store.Cursor{}); return })
		c := store.Commit{ID: store.NewID(), Epoch: l.epoch, Require: []store.Condition{{Key: "n"}}}
		n := 0
		for _, r := range now.Records {
			if r.Key == "n" {
				c.Require[0].Commit = r.Commit
				fmt.Sscan(string(r.Value), &n)
			}
		}
		c.Put = []store.Entry{{Key: "n", Value: fmt.Append(nil, n+1)}}
		conflict := false
		l.untilDone(func(ctx context.Context) error {
			_, err := s.Commit(ctx, c)
			if conflict = errors.Is(err, store.ErrConflict); conflict {
				return nil
			}
			return err
		})
		if !conflict {
			l.committed.Add(1)
			return
		}
		l.refused.Add(1)
	}
}

// check compares what is stored with what was acknowledged.
func (l *load) check() {
	t := l.t
	t.Helper()
	buckets := 0
	for i, w := range l.writers {
		for tick := range l.published[i] {
			answer, err := l.stores[i].Read(t.Context(), []store.TickQuery{{Tick: tick}})
			if err != nil {
				t.Fatalf("Read() = %v", err)
			}
			found := 0
			for _, b := range answer[0].Buckets {
				if b.Writer == w && string(b.Data) == fmt.Sprint(tick) {
					found++
				}
			}
			if found != 1 {
				t.Errorf("tick %d of writer %d is there %d times, want once", tick, i, found)
			}
			buckets++
		}
	}
	now, err := l.stores[0].Changes(t.Context(), store.Cursor{})
	if err != nil || len(now.Records) != 1 {
		t.Fatalf("Changes() = %+v, %v, want one record", now, err)
	}
	want := fmt.Sprint(l.committed.Load())
	if got := string(now.Records[0].Value); got != want || fmt.Sprint(now.Cursor.Rev) != want {
		t.Errorf("the ledger counted %s commits in %d revisions, and %s were acknowledged", got, now.Cursor.Rev, want)
	}
	t.Logf("%d buckets and %s commits, all once; %d conflicts, %d calls without an answer, longest gap %v",
		buckets, want, l.refused.Load(), l.failed.Load(), time.Duration(l.gap.Load()).Round(time.Millisecond))
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
		pause(t.Context(), 20*time.Millisecond)
	}
}
