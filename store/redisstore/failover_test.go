//go:build unix

package redisstore_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/go-batteries/hawkeye/store"
	"github.com/go-batteries/hawkeye/store/redisstore"
	"github.com/go-batteries/hawkeye/store/redisstore/redistest"
)

func TestReadOnlyReplicaIsAnError(t *testing.T) {
	t.Parallel()
	master := redistest.Start(t, redistest.Config{})
	_, port, _ := strings.Cut(master.Addr(), ":")
	replica := redistest.Start(t, redistest.Config{Args: []string{"--replicaof", "127.0.0.1 " + port}})
	o := replica.Options()
	o.MaxRetries = -1
	client := redis.NewClient(o)
	t.Cleanup(func() { client.Close() })
	s := redisstore.New(client, redisstore.WithLogger(quiet))
	at := exercise(t, redisstore.New(master.Client()))
	until(t, "the replica", func() bool { return client.DBSize(t.Context()).Val() == 5 })
	w := store.NewID()
	if _, err := s.Publish(t.Context(), store.Publication{Writer: w, Buckets: []store.Bucket{{Writer: w}}}); !redis.IsReadOnlyError(err) {
		t.Errorf("Publish() to a replica = %v, want READONLY", err)
	}
	if _, err := s.Commit(t.Context(), store.Commit{ID: store.NewID(), Epoch: at.Epoch}); !redis.IsReadOnlyError(err) {
		t.Errorf("Commit() to a replica = %v, want READONLY", err)
	}
}

// TestRolledBackByFailover loses a commit and a bucket that were acknowledged:
// the replica that takes over never got them.
func TestRolledBackByFailover(t *testing.T) {
	t.Parallel()
	master := redistest.Start(t, redistest.Config{})
	proxy := redistest.NewProxy(t, master.Addr())
	replica := redistest.Start(t, redistest.Config{
		Args: []string{"--replicaof", strings.Replace(proxy.Addr(), ":", " ", 1)},
	})
	before := redisstore.New(master.Client(), redisstore.WithLogger(quiet))
	at := exercise(t, before)
	promoted := replica.Client()
	after := redisstore.New(promoted, redisstore.WithLogger(quiet))
	until(t, "the replica", func() bool {
		now, err := after.Changes(t.Context(), at)
		return err == nil && !now.Reset
	})

	proxy.Set(redistest.Stall)
	lost := store.Commit{ID: store.NewID(), Epoch: at.Epoch, Put: []store.Entry{{Key: "k", Value: []byte("lost")}}}
	lostAt, err := before.Commit(t.Context(), lost)
	if err != nil {
		t.Fatalf("Commit() = %v", err)
	}
	w := store.NewID()
	p := store.Publication{Writer: w, Buckets: []store.Bucket{{Tick: 5, Writer: w, Data: []byte("x")}}}
	mustPublish(t, before, p)
	master.Kill()
	proxy.Set(redistest.Refuse)
	if err := promoted.Do(t.Context(), "replicaof", "no", "one").Err(); err != nil {
		t.Fatalf("replicaof no one: %v", err)
	}

	now, err := after.Changes(t.Context(), lostAt)
	if err != nil || !now.Reset || now.Cursor != at {
		t.Errorf("Changes() after a lost commit = %+v, %v, want a snapshot at %+v", now, err, at)
	}
	next := store.Commit{ID: store.NewID(), Epoch: at.Epoch, Put: []store.Entry{{Key: "k", Value: []byte("next")}}}
	next.Require = []store.Condition{{Key: "k", Commit: lost.ID}}
	if _, err := after.Commit(t.Context(), next); !errors.Is(err, store.ErrConflict) {
		t.Errorf("Commit() based on a lost one = %v, want %v", err, store.ErrConflict)
	}
	next.Require = nil
	nextAt, err := after.Commit(t.Context(), next)
	if err != nil || nextAt.Rev != lostAt.Rev {
		t.Errorf("Commit() = %+v, %v, want the revision %d again", nextAt, err, lostAt.Rev)
	}
	if now, err := after.Changes(t.Context(), lostAt); err != nil || !now.Reset {
		t.Errorf("Changes() after a lost commit whose revision is another's = %+v, %v, want a snapshot", now, err)
	}
	if reply := mustPublish(t, after, store.Publication{Writer: w, Check: []int64{5}}); len(reply.Missing) != 1 {
		t.Errorf("Publish() reply has Missing %v, want the lost tick", reply.Missing)
	}
}

func TestSentinelFailover(t *testing.T) {
	t.Parallel()
	sentinel := redistest.StartSentinel(t, redistest.Config{}, time.Second)
	failover(t, sentinel.Master, func(int) *redisstore.Store {
		return redisstore.New(sentinel.Client(), redisstore.WithLogger(quiet))
	})
}

func TestClusterMasterLoss(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, redistest.Config{}, length(time.Second, 3*time.Second))
	failover(t, cluster.MasterOf("hawkeye:{hawkeye:ledger}"), func(int) *redisstore.Store {
		return redisstore.New(cluster.Client(), redisstore.WithLogger(quiet))
	})
}

// failover kills the ledger's master under load. What was acknowledged and
// lost is published again by who checks; here nothing else is asked than that
// all writers come back soon and that the ledger holds no commit twice.
func failover(t *testing.T, master *redistest.Server, newStore func(int) *redisstore.Store) {
	t.Helper()
	l := newLoad(t, 3, newStore)
	stop := make(chan struct{})
	all := l.run(stop)
	pause(t.Context(), time.Second)
	master.Kill()
	killed, before := time.Now(), l.committed.Load()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("last error: %v", l.lastErr.Load())
		}
	})
	until(t, "commits after the failover", func() bool { return l.committed.Load() > before+10 })
	gap := time.Since(killed)
	close(stop)
	all.Wait()
	republished := 0
	for i, w := range l.writers {
		p := store.Publication{Writer: w}
		for tick := range l.published[i] {
			p.Check = append(p.Check, tick)
		}
		for _, tick := range mustPublish(t, l.stores[i], p).Missing {
			p.Buckets = append(p.Buckets, store.Bucket{Tick: tick, Writer: w, Data: fmt.Append(nil, tick)})
			republished++
		}
		if missing := mustPublish(t, l.stores[i], p).Missing; len(missing) > 0 {
			t.Errorf("after they were published again %d ticks are missing", len(missing))
		}
	}
	now, err := l.stores[0].Changes(t.Context(), store.Cursor{})
	if err != nil || len(now.Records) != 1 {
		t.Fatalf("Changes() = %+v, %v, want one record", now, err)
	}
	counted, acknowledged := string(now.Records[0].Value), l.committed.Load()
	if counted != fmt.Sprint(now.Cursor.Rev) || now.Cursor.Rev > uint64(acknowledged) {
		t.Errorf("the ledger counted %s commits in %d revisions, and %d were acknowledged", counted, now.Cursor.Rev, acknowledged)
	}
	t.Logf("gap %v; %d buckets were lost and published again; %d of %d commits were rolled back; %d topology reloads",
		gap.Round(10*time.Millisecond), republished, uint64(acknowledged)-now.Cursor.Rev, acknowledged, l.stores[0].Stats().Reloads)
}
