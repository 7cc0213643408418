//go:build unix

package redisstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/go-batteries/hawkeye/store"
	"github.com/go-batteries/hawkeye/store/redisstore"
	"github.com/go-batteries/hawkeye/store/redisstore/redistest"
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

func TestExactThroughFaultyNetwork(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		fault redistest.Fault
	}{
		{"replies vanish", redistest.DropReplies},
		{"reset instead of reply", redistest.ResetReplies},
		{"stalls", redistest.Stall},
		{"refused", redistest.Refuse},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t, redistest.Config{})
			proxy := redistest.NewProxy(t, server.Addr())
			l := newLoad(t, 4, func(int) *redisstore.Store {
				o := server.Options()
				o.Addr, o.ReadTimeout = proxy.Addr(), 200*time.Millisecond
				client := redis.NewClient(o)
				t.Cleanup(func() { client.Close() })
				return redisstore.New(client, redisstore.WithLogger(quiet))
			})
			stop := make(chan struct{})
			all := l.run(stop)
			for end := time.Now().Add(length(3*time.Second, time.Minute)); time.Now().Before(end); {
				proxy.Set(c.fault)
				pause(t.Context(), 150*time.Millisecond)
				proxy.Set(redistest.Pass)
				pause(t.Context(), 450*time.Millisecond)
			}
			close(stop)
			all.Wait()
			l.check()
			if c.fault != redistest.Stall && proxy.Cuts() == 0 {
				t.Error("the proxy cut nothing")
			}
		})
	}
}

// onServer makes load on one server while fault does its worst to it.
func onServer(t *testing.T, c redistest.Config, fault func(s *redistest.Server, end time.Time)) {
	t.Helper()
	server := redistest.Start(t, c)
	l := newLoad(t, 4, func(int) *redisstore.Store {
		return redisstore.New(server.Client(), redisstore.WithLogger(quiet))
	})
	stop := make(chan struct{})
	all := l.run(stop)
	fault(server, time.Now().Add(length(3*time.Second, time.Minute)))
	close(stop)
	all.Wait()
	l.check()
}

func TestExactThroughPauses(t *testing.T) {
	t.Parallel()
	onServer(t, redistest.Config{}, func(s *redistest.Server, end time.Time) {
		for time.Now().Before(end) {
			s.Pause()
			pause(t.Context(), 300*time.Millisecond)
			s.Resume()
			pause(t.Context(), 700*time.Millisecond)
		}
	})
}

// TestExactThroughKills: with appendfsync always nothing that was acknowledged
// is lost. (With everysec the server answers before it writes when the disk is
// slow. What is lost then is published again by who checks.)
func TestExactThroughKills(t *testing.T) {
	t.Parallel()
	onServer(t, redistest.Config{AOF: true, Args: []string{"--appendfsync", "always"}}, func(s *redistest.Server, end time.Time) {
		for time.Now().Before(end) {
			s.Kill()
			s.Restart()
			pause(t.Context(), 700*time.Millisecond)
		}
	})
}

func TestScriptFlushInALoop(t *testing.T) {
	t.Parallel()
	onServer(t, redistest.Config{}, func(s *redistest.Server, end time.Time) {
		for client := s.Client(); time.Now().Before(end); {
			if err := client.ScriptFlush(t.Context()).Err(); err != nil {
				t.Errorf("script flush: %v", err)
			}
		}
	})
}

func TestEmptyRestartLosesTheEpoch(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Config{})
	s := redisstore.New(server.Client(), redisstore.WithLogger(quiet))
	at := exercise(t, s)
	known, err := s.Changes(t.Context(), store.Cursor{})
	if err != nil {
		t.Fatal(err)
	}
	server.Kill()
	server.Restart()
	lost, err := s.Changes(t.Context(), at)
	if err != nil || !lost.Reset || !lost.Cursor.Epoch.IsZero() || len(lost.Records) > 0 {
		t.Errorf("Changes() after an empty restart = %+v, %v, want an empty snapshot without epoch", lost, err)
	}
	_, err = s.Commit(t.Context(), store.Commit{ID: store.NewID(), Epoch: at.Epoch})
	if !errors.Is(err, store.ErrEpoch) {
		t.Errorf("Commit() after an empty restart = %v, want %v", err, store.ErrEpoch)
	}
	offer := store.Offer{Cursor: known.Cursor, Records: known.Records, Open: store.NewID()}
	if err := s.Restore(t.Context(), offer); err != nil {
		t.Errorf("Restore() = %v", err)
	}
	if now, err := s.Changes(t.Context(), store.Cursor{}); err != nil || len(now.Records) != len(known.Records) {
		t.Errorf("Changes() after Restore() = %+v, %v, want the records of before", now, err)
	}
}

// TestCtxIsHonoured: the client alone would wait for its own timeouts.
func TestCtxIsHonoured(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Config{})
	o := server.Options()
	o.ReadTimeout = 5 * time.Second
	client := redis.NewClient(o)
	t.Cleanup(func() { client.Close() })
	s := redisstore.New(client, redisstore.WithLogger(quiet))
	at := exercise(t, s)
	server.Pause()
	var all sync.WaitGroup
	began := time.Now()
	for range 30 { // more than calls are let through at once
		all.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			if _, err := s.Commit(ctx, store.Commit{ID: store.NewID(), Epoch: at.Epoch}); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Commit() on a stalled server = %v, want %v", err, context.DeadlineExceeded)
			}
		})
	}
	all.Wait()
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("calls with a deadline of 100ms took %v", took)
	}
	if got := s.Stats().Abandoned; got == 0 || got > 16 {
		t.Errorf("Stats().Abandoned = %d, want 1 to 16", got)
	}
	server.Resume()
	if _, err := s.Now(t.Context()); err != nil {
		t.Errorf("Now() after the stall = %v", err)
	}
}

func TestFullMemory(t *testing.T) {
	t.Parallel()
	t.Run("allow-oom", func(t *testing.T) {
		t.Parallel()
		fullMemory(t, func(s *redisstore.Store) *redisstore.Store { return s })
	})
	t.Run("before Redis 7", func(t *testing.T) {
		t.Parallel()
		fullMemory(t, redisstore.AsBeforeRedis7)
	})
}

func fullMemory(t *testing.T, prepare func(*redisstore.Store) *redisstore.Store) {
	client := redistest.Start(t, redistest.Config{
		Args: []string{"--maxmemory", "3mb", "--maxmemory-policy", "noeviction"},
	}).Client()
	s := prepare(redisstore.New(client, redisstore.WithLogger(quiet)))
	at := exercise(t, s)
	data := bytes.Repeat([]byte{1}, 50_000)
	var err error
	for i := 0; err == nil && i < 1000; i++ {
		w := store.NewID()
		_, err = s.Publish(t.Context(), store.Publication{Writer: w, Buckets: []store.Bucket{{Tick: 1, Writer: w, Data: data}}})
	}
	if err == nil || !strings.Contains(err.Error(), "OOM") {
		t.Fatalf("Publish() on a full server = %v, want OOM", err)
	}
	for i := range 50 {
		c := store.Commit{ID: store.NewID(), Epoch: at.Epoch, Put: []store.Entry{{Key: fmt.Sprint(i), Value: data[:1000]}}}
		if _, err := s.Commit(t.Context(), c); err != nil {
			t.Fatalf("Commit() on a full server = %v", err)
		}
	}
	known, err := s.Changes(t.Context(), at)
	if err != nil || len(known.Records) != 50 {
		t.Errorf("Changes() on a full server = %d records, %v, want 50", len(known.Records), err)
	}
	// The ledger alone is lost, and comes back.
	for _, key := range keysOf(t, client, "hawkeye:{hawkeye") {
		client.Del(t.Context(), key)
	}
	if err := s.Restore(t.Context(), store.Offer{Cursor: known.Cursor, Records: known.Records, Open: store.NewID()}); err != nil {
		t.Errorf("Restore() on a full server = %v", err)
	}
}

// TestDiskFull: a server that can't save refuses writes, with MISCONF, and
// goes on as if nothing had been when it can.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "hawkeye-gone")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	server := redistest.Start(t, redistest.Config{Dir: dir, Args: []string{"--save", "3600", "1000000"}})
	client := server.Client()
	s := redisstore.New(client, redisstore.WithLogger(quiet))
	at := exercise(t, s)
	os.RemoveAll(dir) // the server has nowhere left to write to
	until(t, "a failed save", func() bool {
		client.BgSave(t.Context())
		return strings.Contains(client.Info(t.Context(), "persistence").Val(), "rdb_last_bgsave_status:err")
	})
	w := store.NewID()
	p := store.Publication{Writer: w, Buckets: []store.Bucket{{Tick: 5, Writer: w}}}
	if _, err := s.Publish(t.Context(), p); err == nil || !strings.Contains(err.Error(), "MISCONF") {
		t.Errorf("Publish() = %v, want MISCONF", err)
	}
	c := store.Commit{ID: store.NewID(), Epoch: at.Epoch, Put: []store.Entry{{Key: "k"}}, Delete: []string{"new"}}
	if _, err := s.Commit(t.Context(), c); err == nil || !strings.Contains(err.Error(), "MISCONF") {
		t.Errorf("Commit() = %v, want MISCONF", err)
	}
	if now, err := s.Changes(t.Context(), at); err != nil || now.Cursor != at {
		t.Errorf("Changes() after a refused commit = %+v, %v, want nothing new", now, err)
	}
	client.ConfigSet(t.Context(), "stop-writes-on-bgsave-error", "no")
	mustPublish(t, s, p)
	if got, err := s.Commit(t.Context(), c); err != nil || got.Rev != at.Rev+1 {
		t.Errorf("Commit() after the disk has room = %+v, %v, want rev %d", got, err, at.Rev+1)
	}
}

// TestEvictionIsSeen: a server that evicts as it likes loses nothing silently.
func TestEvictionIsSeen(t *testing.T) {
	t.Parallel()
	client := redistest.Start(t, redistest.Config{
		Args: []string{"--maxmemory", "3mb", "--maxmemory-policy", "allkeys-random"},
	}).Client()
	s := redisstore.New(client, redisstore.WithLogger(quiet))
	at := exercise(t, s)
	w := store.NewID()
	for tick := range int64(200) {
		mustPublish(t, s, store.Publication{Writer: w, Buckets: []store.Bucket{
			{Tick: tick, Writer: w, Data: bytes.Repeat([]byte{1}, 20_000)},
		}})
	}
	// The answers count as used memory, too: no more of it from here.
	if err := client.ConfigSet(t.Context(), "maxmemory", "0").Err(); err != nil {
		t.Fatal(err)
	}
	p := store.Publication{Writer: w}
	var q []store.TickQuery
	for tick := range int64(200) {
		p.Check = append(p.Check, tick)
		q = append(q, store.TickQuery{Tick: tick})
	}
	missing := mustPublish(t, s, p).Missing
	answers, err := s.Read(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	var gone []int64
	for _, a := range answers {
		if a.Count == 0 {
			gone = append(gone, a.Tick)
		}
	}
	if len(missing) == 0 || !slices.Equal(missing, gone) {
		t.Errorf("Publish() reply has Missing %v, and %v can't be read", missing, gone)
	}
	// The ledger is there as a whole, or not at all.
	now, err := s.Changes(t.Context(), store.Cursor{})
	if whole := now.Cursor == at && len(now.Records) == 1; err != nil || !whole && now.Cursor != (store.Cursor{}) {
		t.Errorf("Changes() after evictions = %+v, %v, want all or nothing of %+v", now, err, at)
	}
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
	until(t, "the replica", func() bool { return client.DBSize(t.Context()).Val() == 4 })
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
