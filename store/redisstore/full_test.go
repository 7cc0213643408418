//go:build unix

package redisstore_test

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/go-batteries/hawkeye/store"
	"github.com/go-batteries/hawkeye/store/redisstore"
	"github.com/go-batteries/hawkeye/store/redisstore/redistest"
)

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
