//go:build unix

package redisstore_test

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/go-batteries/hawkeye/store"
	"github.com/go-batteries/hawkeye/store/redisstore"
	"github.com/go-batteries/hawkeye/store/redisstore/redistest"
	"github.com/go-batteries/hawkeye/store/storetest"
)

// exercise does with s whatever a process does with a Store, and returns the
// cursor of the ledger that it opened.
func exercise(t *testing.T, s *redisstore.Store) store.Cursor {
	t.Helper()
	ctx, w := t.Context(), store.NewID()
	must := func(what string, err error) {
		if err != nil {
			t.Helper()
			t.Fatalf("%s = %v", what, err)
		}
	}
	now, err := s.Now(ctx)
	must("Now()", err)
	tick := now.Unix() - 1
	p := store.Publication{
		Writer:  w,
		Buckets: []store.Bucket{{Tick: tick, Writer: w, Data: []byte("x")}, {Tier: store.Tier1h, Tick: 1, Writer: w}},
		Names:   []store.Name{{ID: 1, Text: "one"}},
		Check:   []int64{tick, tick - 1},
	}
	if reply := mustPublish(t, s, p); !slices.Equal(reply.Missing, []int64{tick - 1}) {
		t.Errorf("Publish() reply has Missing %v, want %d", reply.Missing, tick-1)
	}
	_, err = s.Read(ctx, []store.TickQuery{{Tick: tick}, {Tick: tick, Known: 1}, {Tick: tick - 1}})
	must("Read()", err)
	_, err = s.Names(ctx, []uint64{1, 2})
	must("Names()", err)
	epoch := store.NewID()
	must("Restore()", s.Restore(ctx, store.Offer{
		Cursor:  store.Cursor{Rev: 7, Commit: store.NewID()},
		Records: []store.Record{{Key: "old", Value: []byte("v"), Rev: 7, Commit: store.NewID()}},
	}))
	must("Restore()", s.Restore(ctx, store.Offer{Open: epoch}))
	at, err := s.Commit(ctx, store.Commit{
		ID: store.NewID(), Epoch: epoch, Delete: []string{"old"},
		Require: []store.Condition{{Key: "new"}}, Put: []store.Entry{{Key: "new", Value: []byte("v")}},
	})
	must("Commit()", err)
	_, err = s.Changes(ctx, store.Cursor{})
	must("Changes()", err)
	_, err = s.Changes(ctx, at)
	must("Changes()", err)
	return at
}

func TestTLS(t *testing.T) {
	t.Parallel()
	files := redistest.NewTLS(t)
	client := redistest.Start(t, redistest.Config{TLS: files}).Client()
	exercise(t, redisstore.New(client))
}

// aclRule returns the rule that docs/redis.md gives.
func aclRule(t *testing.T, name string) []any {
	t.Helper()
	text, err := os.ReadFile("../../docs/redis.md")
	if err != nil {
		t.Fatal(err)
	}
	match := regexp.MustCompile(`<!-- tested: ` + name + ` -->\n +(.+)\n`).FindSubmatch(text)
	if match == nil {
		t.Fatalf("docs/redis.md has no rule marked %q", name)
	}
	var args []any
	for _, word := range strings.Fields(string(match[1])) {
		args = append(args, word)
	}
	return args
}

func aclUser(t *testing.T, o *redis.Options, rules ...[]any) redis.UniversalClient {
	t.Helper()
	admin := redis.NewClient(o)
	defer admin.Close()
	for _, rule := range rules {
		if err := admin.Do(t.Context(), rule...).Err(); err != nil {
			t.Fatalf("acl setuser: %v", err)
		}
	}
	user := *o
	user.Username, user.Password = "hawkeye", "secret"
	c := redis.NewClient(&user)
	t.Cleanup(func() { c.Close() })
	return c
}

func TestACLOfDocsSuffices(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Config{})
	aclUser(t, server.Options(), aclRule(t, "single"), []any{"ACL", "SETUSER", "hawkeye", "~check*"})
	storetest.Run(t, func(t testing.TB) storetest.Fixture {
		o := server.Options()
		o.Username, o.Password = "hawkeye", "secret"
		client := redis.NewClient(o)
		t.Cleanup(func() { client.Close() })
		prefix := fmt.Sprintf("check%d", prefixes.Add(1))
		return storetest.Fixture{Stores: []store.Store{
			redisstore.New(client, redisstore.WithPrefix(prefix), redisstore.WithLogger(quiet)),
		}}
	})
}

func TestACLOfDocsSufficesInCluster(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, redistest.Config{}, time.Second)
	for _, node := range cluster.Nodes() {
		aclUser(t, node.Options(), aclRule(t, "single"), aclRule(t, "cluster"))
	}
	o := cluster.Options()
	o.Username, o.Password = "hawkeye", "secret"
	client := redis.NewClusterClient(o)
	t.Cleanup(func() { client.Close() })
	exercise(t, redisstore.New(client))
}

func TestACLOfDocsGrantsNothingUnused(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Config{})
	rule := aclRule(t, "single")
	aclUser(t, server.Options(), rule)
	lapse(t, server.Client(), 9)
	exercise(t, redisstore.New(server.Client()))
	used := commandsUsed(t, server)
	for _, word := range rule {
		name, isRight := strings.CutPrefix(word.(string), "+")
		if isRight && !used[name] {
			t.Errorf("docs/redis.md grants %s, which nothing uses", name)
		}
	}
}

func TestTimeDenied(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Config{})
	rule := append(aclRule(t, "single"), "-time")
	logger, logged := capture()
	s := redisstore.New(aclUser(t, server.Options(), rule), redisstore.WithLogger(logger))
	exercise(t, s)
	now, err := s.Now(t.Context())
	if err != nil || time.Since(now).Abs() > time.Second {
		t.Errorf("Now() = %v, %v, want this machine's time", now, err)
	}
	if n := strings.Count(logged(), "denies TIME"); n != 1 {
		t.Errorf("%d warnings that TIME is denied, want 1", n)
	}
}

// commandsUsed are those that the server ran, also within scripts.
func commandsUsed(t *testing.T, server *redistest.Server) map[string]bool {
	t.Helper()
	info, err := server.Client().Info(t.Context(), "commandstats").Result()
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	for _, match := range regexp.MustCompile(`cmdstat_([^:]+):`).FindAllStringSubmatch(info, -1) {
		used[match[1]] = true
	}
	return used
}

func TestNoKeysNoScan(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Config{})
	logger, logged := capture()
	s := redisstore.New(server.Client(), redisstore.WithLogger(logger))
	exercise(t, s)
	maintain(t, s, func() bool { return strings.Contains(logged(), "redis server") })
	used := commandsUsed(t, server)
	for _, name := range []string{"keys", "scan", "hscan", "randomkey", "flushall", "flushdb", "config|get", "config|set"} {
		if used[name] {
			t.Errorf("the store uses %s; all that it uses: %v", name, slices.Sorted(maps.Keys(used)))
		}
	}
	if !used["hsetnx"] {
		t.Errorf("commands used = %v, want hsetnx among them", slices.Sorted(maps.Keys(used)))
	}
}

func TestEveryKeyHasALifetime(t *testing.T) {
	t.Parallel()
	client := redistest.Start(t, redistest.Config{}).Client()
	s := redisstore.New(client, redisstore.WithRetention(time.Minute), redisstore.WithLedgerTTL(time.Hour))
	exercise(t, s)
	keys := keysOf(t, client, redisstore.DefaultPrefix)
	if len(keys) != 5 {
		t.Errorf("keys = %q, want two buckets, names and until when, and ledger", keys)
	}
	if size := client.DBSize(t.Context()).Val(); size != int64(len(keys)) {
		t.Errorf("there are %d keys, %d of them under the prefix", size, len(keys))
	}
	for _, key := range keys {
		if ttl := client.PTTL(t.Context(), key).Val(); ttl <= 0 || ttl > time.Hour {
			t.Errorf("key %q lives for %v", key, ttl)
		}
	}
}

func TestReaderSetsMissingLifetime(t *testing.T) {
	t.Parallel()
	client := redistest.Start(t, redistest.Config{}).Client()
	s := redisstore.New(client)
	fill(t, s, 1, 1)
	key := keysOf(t, client, redisstore.DefaultPrefix)[0]
	client.Persist(t.Context(), key)
	if _, err := s.Read(t.Context(), []store.TickQuery{{Tick: 0}}); err != nil {
		t.Fatal(err)
	}
	if ttl := client.PTTL(t.Context(), key).Val(); ttl < redisstore.DefaultRetention {
		t.Errorf("after Read the key lives for %v, want %v at least", ttl, redisstore.DefaultRetention)
	}
}

func TestRoundTrips(t *testing.T) {
	t.Parallel()
	client := redistest.Start(t, redistest.Config{}).Client()
	s := redisstore.New(client, redisstore.WithLogger(quiet))
	at := exercise(t, s)
	fill(t, s, 3, 20)
	trips := &roundTrips{}
	client.AddHook(trips)

	known := func(n int) (q []store.TickQuery) {
		for tick := range int64(20) {
			q = append(q, store.TickQuery{Tick: tick, Known: n})
		}
		return q
	}
	read := func(q []store.TickQuery) func() error {
		return func() error { _, err := s.Read(t.Context(), q); return err }
	}
	w := store.NewID()
	p := store.Publication{Writer: w, Names: []store.Name{{ID: 9, Text: "nine"}}}
	for tick := range int64(300) {
		p.Buckets = append(p.Buckets, store.Bucket{Tick: tick, Writer: w})
		p.Check = append(p.Check, tick)
	}
	for _, c := range []struct {
		what string
		want int64
		do   func() error
	}{
		{"Publish() of 300 ticks with names and checks", 1, func() error { _, err := s.Publish(t.Context(), p); return err }},
		{"Read() of what is new", 1, read(known(0))},
		{"Read() of what is known", 1, read(known(4))},
		{"Read() of known ticks that grew", 2, read(known(3))},
		{"Commit()", 1, func() error {
			_, err := s.Commit(t.Context(), store.Commit{ID: store.NewID(), Epoch: at.Epoch})
			return err
		}},
		{"Changes() within the log", 1, func() error { _, err := s.Changes(t.Context(), at); return err }},
		{"Changes() from nothing", 1, func() error { _, err := s.Changes(t.Context(), store.Cursor{}); return err }},
	} {
		before := trips.n.Load()
		if err := c.do(); err != nil {
			t.Errorf("%s = %v", c.what, err)
		}
		if got := trips.n.Load() - before; got != c.want {
			t.Errorf("%s took %d round trips, want %d", c.what, got, c.want)
		}
	}
}
