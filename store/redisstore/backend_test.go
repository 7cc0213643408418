package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/go-batteries/hawkeye/store"
	"github.com/go-batteries/hawkeye/store/redisstore"
	"github.com/go-batteries/hawkeye/store/storetest"
)

// backend is a kind of server that the contract is checked on. dial makes a
// client whose connections go through d.
type backend struct {
	dial func(d dialer) redis.UniversalClient
	// noDump says that DUMP and RESTORE aren't there.
	noDump bool
}

type dialer func(ctx context.Context, network, addr string) (net.Conn, error)

var prefixes atomic.Int64

// factory gives each check two clients and a prefix of its own on a server
// that all share.
func (b backend) factory(t testing.TB) storetest.Fixture {
	t.Helper()
	prefix := fmt.Sprintf("check%d", prefixes.Add(1))
	direct := b.dial((&net.Dialer{}).DialContext)
	t.Cleanup(func() { direct.Close() })
	cut := &wire{conns: map[net.Conn]struct{}{}}
	var stores []store.Store
	for range 2 {
		client := b.dial(cut.dial)
		t.Cleanup(func() { client.Close() })
		stores = append(stores, redisstore.New(client, redisstore.WithPrefix(prefix), redisstore.WithLogger(quiet)))
	}
	f := storetest.Fixture{
		Stores: stores,
		Lose:   func() { remove(t, direct, prefix) },
		Cut:    cut.cut,
	}
	if !b.noDump {
		f.Save = func() func() { return save(t, direct, prefix) }
	}
	return f
}

// keysOf lists the keys of a prefix, on all masters.
func keysOf(t testing.TB, client redis.UniversalClient, prefix string) []string {
	t.Helper()
	var mu sync.Mutex
	var all []string
	list := func(ctx context.Context, c *redis.Client) error {
		iter := c.Scan(ctx, 0, prefix+":*", 1000).Iterator()
		for iter.Next(ctx) {
			mu.Lock()
			all = append(all, iter.Val())
			mu.Unlock()
		}
		return iter.Err()
	}
	var err error
	switch c := client.(type) {
	case *redis.Client:
		err = list(context.Background(), c)
	case *redis.ClusterClient:
		err = c.ForEachMaster(context.Background(), list)
	}
	if err != nil {
		t.Errorf("list keys: %v", err)
	}
	return all
}

func remove(t testing.TB, client redis.UniversalClient, prefix string) {
	t.Helper()
	for _, key := range keysOf(t, client, prefix) {
		if err := client.Del(context.Background(), key).Err(); err != nil {
			t.Errorf("del %q: %v", key, err)
		}
	}
}

// save remembers a prefix's keys with their lifetimes.
func save(t testing.TB, client redis.UniversalClient, prefix string) (rollBack func()) {
	t.Helper()
	ctx := context.Background()
	type saved struct {
		data string
		ttl  time.Duration
	}
	all := map[string]saved{}
	for _, key := range keysOf(t, client, prefix) {
		data, err := client.Dump(ctx, key).Result()
		if err != nil {
			t.Errorf("dump %q: %v", key, err)
		}
		all[key] = saved{data, client.PTTL(ctx, key).Val()}
	}
	return func() {
		remove(t, client, prefix)
		for key, was := range all {
			if err := client.Restore(ctx, key, was.ttl, was.data).Err(); err != nil {
				t.Errorf("restore %q: %v", key, err)
			}
		}
	}
}

// wire makes connections that can be cut all at once.
type wire struct {
	mu    sync.Mutex // guards the rest
	conns map[net.Conn]struct{}
	down  bool
}

var errCut = errors.New("connection is cut")

func (w *wire) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, network, addr)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err == nil && w.down {
		c.Close()
		err = errCut
	}
	if err != nil {
		return nil, err
	}
	w.conns[c] = struct{}{}
	return c, nil
}

func (w *wire) cut() (mend func()) {
	w.set(true)
	return func() { w.set(false) }
}

func (w *wire) set(down bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = down
	if down {
		for c := range w.conns {
			c.Close()
		}
		clear(w.conns)
	}
}

// roundTrips counts what a client sends: a command or a pipeline is one.
type roundTrips struct {
	n     atomic.Int64
	mu    sync.Mutex // guards names
	names []string
}

func (r *roundTrips) DialHook(next redis.DialHook) redis.DialHook { return next }

func (r *roundTrips) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		r.note(cmd)
		return next(ctx, cmd)
	}
}

func (r *roundTrips) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		r.note(cmds...)
		return next(ctx, cmds)
	}
}

func (r *roundTrips) note(cmds ...redis.Cmder) {
	r.n.Add(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, cmd := range cmds {
		r.names = append(r.names, strings.ToLower(cmd.Name()))
	}
}

func mustPublish(t testing.TB, s *redisstore.Store, p store.Publication) store.PublishReply {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	reply, err := s.Publish(ctx, p)
	if err != nil {
		t.Fatalf("Publish() = %v", err)
	}
	return reply
}
