package redisstore_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/go-batteries/hawkeye/store"
	"github.com/go-batteries/hawkeye/store/redisstore"
)

const (
	bucketKey = "hawkeye:b:1000ms:5"
	namesKey  = "hawkeye:{hawkeye:names}"
	untilKey  = namesKey + ":until"
	ledgerKey = "hawkeye:{hawkeye:ledger}"
)

func onMini(t *testing.T, opts ...redisstore.Option) (*redisstore.Store, *redis.Client) {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: miniredis.RunT(t).Addr()})
	t.Cleanup(func() { client.Close() })
	return redisstore.New(client, append([]redisstore.Option{redisstore.WithLogger(quiet)}, opts...)...), client
}

func TestForeignBucketKeyIsSkipped(t *testing.T) {
	t.Parallel()
	logger, logged := capture()
	s, client := onMini(t, redisstore.WithLogger(logger))
	client.Set(t.Context(), bucketKey, "theirs", 0)
	w := store.NewID()
	for range 2 {
		reply := mustPublish(t, s, store.Publication{
			Writer:  w,
			Buckets: []store.Bucket{{Tick: 5, Writer: w}, {Tick: 6, Writer: w}},
			Check:   []int64{5, 6},
		})
		if !slices.Equal(reply.Missing, []int64{5}) {
			t.Errorf("Publish() reply has Missing %v, want the foreign key's tick 5", reply.Missing)
		}
	}
	for _, known := range []int{0, 1} {
		answers, err := s.Read(t.Context(), []store.TickQuery{{Tick: 5, Known: known}, {Tick: 6, Known: known}})
		if err != nil || answers[0].Count != 0 || answers[1].Count != 1 {
			t.Errorf("Read() with Known %d = %+v, %v, want nothing in tick 5 and one bucket in tick 6", known, answers, err)
		}
	}
	if got := client.Get(t.Context(), bucketKey).Val(); got != "theirs" {
		t.Errorf("the foreign key holds %q, want it left alone", got)
	}
	if ttl := client.TTL(t.Context(), bucketKey).Val(); ttl != -1 {
		t.Errorf("the foreign key lives for %v, want it left alone", ttl)
	}
	if s.Stats().Foreign == 0 {
		t.Error("Stats().Foreign = 0")
	}
	if n := strings.Count(logged(), bucketKey); n != 1 {
		t.Errorf("%d warnings name the key, want 1:\n%s", n, logged())
	}
}

func TestForeignFieldInBucketIsSkipped(t *testing.T) {
	t.Parallel()
	s, client := onMini(t)
	w := store.NewID()
	mustPublish(t, s, store.Publication{Writer: w, Buckets: []store.Bucket{{Tick: 5, Writer: w}}})
	client.HSet(t.Context(), bucketKey, "no writer", "x", "", "y")
	for _, known := range []int{0, 1} {
		answers, err := s.Read(t.Context(), []store.TickQuery{{Tick: 5, Known: known}})
		if err != nil || answers[0].Count != 1 || len(answers[0].Buckets) != 1-known {
			t.Errorf("Read() with Known %d = %+v, %v, want the one bucket of a writer", known, answers, err)
		}
	}
}

func TestForeignNamesKeyIsAnError(t *testing.T) {
	t.Parallel()
	s, client := onMini(t)
	p := store.Publication{Names: []store.Name{{ID: 1, Text: "one"}}}
	client.Set(t.Context(), untilKey, "theirs", 0)
	if _, err := s.Publish(t.Context(), p); !errors.Is(err, redisstore.ErrForeign) || !strings.Contains(err.Error(), untilKey) {
		t.Errorf("Publish() of names beside another's key = %v, want %v with its name", err, redisstore.ErrForeign)
	}
	client.Set(t.Context(), namesKey, "theirs", 0)
	if _, err := s.Publish(t.Context(), p); !errors.Is(err, redisstore.ErrForeign) {
		t.Errorf("Publish() of names = %v, want %v", err, redisstore.ErrForeign)
	}
	if _, err := s.Names(t.Context(), []uint64{1}); !errors.Is(err, redisstore.ErrForeign) {
		t.Errorf("Names() = %v, want %v", err, redisstore.ErrForeign)
	}
	mustPublish(t, s, store.Publication{}) // samples without names still go through
}

func TestForeignLedgerKeyIsAnError(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		put  func(*testing.T, *redis.Client)
	}{
		{"a string", func(t *testing.T, c *redis.Client) { c.Set(t.Context(), ledgerKey, "x", 0) }},
		{"a list", func(t *testing.T, c *redis.Client) { c.RPush(t.Context(), ledgerKey, "x") }},
		{"another's hash", func(t *testing.T, c *redis.Client) { c.HSet(t.Context(), ledgerKey, "a", "b") }},
		{"a later version", func(t *testing.T, c *redis.Client) { c.HSet(t.Context(), ledgerKey, "v", "2", "epoch", "x") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, client := onMini(t)
			c.put(t, client)
			before := content(t, client, ledgerKey)
			reply := mustPublish(t, s, store.Publication{})
			if reply.Ledger != (store.Cursor{}) {
				t.Errorf("Publish() reply has Ledger %+v, want none", reply.Ledger)
			}
			epoch := store.NewID()
			_, commitErr := s.Commit(t.Context(), store.Commit{ID: store.NewID(), Epoch: epoch})
			_, snapshotErr := s.Changes(t.Context(), store.Cursor{})
			_, changesErr := s.Changes(t.Context(), store.Cursor{Epoch: epoch})
			restoreErr := s.Restore(t.Context(), store.Offer{Open: epoch})
			for call, err := range map[string]error{
				"Commit()": commitErr, "Changes() from nothing": snapshotErr, "Changes()": changesErr, "Restore()": restoreErr,
			} {
				if !errors.Is(err, redisstore.ErrForeign) || !strings.Contains(err.Error(), ledgerKey) {
					t.Errorf("%s = %v, want %v with the key", call, err, redisstore.ErrForeign)
				}
			}
			if after := content(t, client, ledgerKey); after != before {
				t.Errorf("the foreign key was changed from %s to %s", before, after)
			}
		})
	}
}

// content is what a key holds, whatever it is.
func content(t *testing.T, client *redis.Client, key string) string {
	t.Helper()
	var value any
	switch kind := client.Type(t.Context(), key).Val(); kind {
	case "string":
		value = client.Get(t.Context(), key).Val()
	case "list":
		value = client.LRange(t.Context(), key, 0, -1).Val()
	case "hash":
		value = client.HGetAll(t.Context(), key).Val()
	default:
		t.Fatalf("key %q is a %s", key, kind)
	}
	return fmt.Sprint(value, client.TTL(t.Context(), key).Val())
}

// TestDamagedRecordIsAbsent: to readers and to conditions alike.
func TestDamagedRecordIsAbsent(t *testing.T) {
	t.Parallel()
	for _, damaged := range []string{"", "x", strings.Repeat("0", 50), "0000000000000001 zz"} {
		s, client := onMini(t)
		epoch := store.NewID()
		if err := s.Restore(t.Context(), store.Offer{Open: epoch}); err != nil {
			t.Fatal(err)
		}
		put := func(require store.ID) (store.Cursor, error) {
			return s.Commit(t.Context(), store.Commit{
				ID: store.NewID(), Epoch: epoch,
				Require: []store.Condition{{Key: "k", Commit: require}},
				Put:     []store.Entry{{Key: "k", Value: []byte("v")}},
			})
		}
		at, err := put(store.ID{})
		if err != nil {
			t.Fatal(err)
		}
		client.HSet(t.Context(), ledgerKey, "r:k", damaged)
		if all, err := s.Changes(t.Context(), store.Cursor{}); err != nil || len(all.Records) != 0 {
			t.Errorf("Changes() with the record %q = %+v, %v, want none", damaged, all, err)
		}
		since, err := s.Changes(t.Context(), store.Cursor{Epoch: epoch})
		if err != nil || len(since.Records) != 1 || !since.Records[0].Deleted {
			t.Errorf("Changes() with the record %q = %+v, %v, want a deleted one", damaged, since, err)
		}
		if _, err := put(at.Commit); !errors.Is(err, store.ErrConflict) {
			t.Errorf("Commit() requiring the record %q = %v, want %v", damaged, err, store.ErrConflict)
		}
		if _, err := put(store.ID{}); err != nil {
			t.Errorf("Commit() requiring that the record %q is absent = %v", damaged, err)
		}
	}
}

// TestDamagedLog: a follower that the log can't help gets a snapshot.
func TestDamagedLog(t *testing.T) {
	t.Parallel()
	for _, damaged := range []string{"", "x", strings.Repeat("0", 32) + "9:k", strings.Repeat("0", 32) + "x"} {
		s, client := onMini(t)
		epoch := store.NewID()
		if err := s.Restore(t.Context(), store.Offer{Open: epoch}); err != nil {
			t.Fatal(err)
		}
		c := store.Commit{ID: store.NewID(), Epoch: epoch, Put: []store.Entry{{Key: "k", Value: []byte("v")}}}
		if _, err := s.Commit(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		client.HSet(t.Context(), ledgerKey, "l:0000000000000001", damaged)
		got, err := s.Changes(t.Context(), store.Cursor{Epoch: epoch})
		if err != nil || !got.Reset || got.Cursor.Rev != 1 || len(got.Records) != 1 {
			t.Errorf("Changes() with the log entry %q = %+v, %v, want a snapshot", damaged, got, err)
		}
	}
}

func FuzzParseSnapshot(f *testing.F) {
	id := strings.Repeat("0a", 16)
	f.Add("1", id, "0000000000000007", id, "0000000000000007 "+id+" value")
	f.Add("1", "", "0000000000000000", id, "")
	f.Add("2", id, "7", id, "0000000000000007 "+id)
	f.Add("", "", "", "", strings.Repeat(" ", 50))
	f.Fuzz(func(t *testing.T, v, epoch, rev, commit, record string) {
		c, broken, ok := redisstore.ParseSnapshot(map[string]string{
			"v": v, "epoch": epoch, "rev": rev, "commit": commit, "r:key": record, "l:x": record,
		})
		if !ok && len(c.Records) > 0 {
			t.Errorf("a damaged head has records %+v", c.Records)
		}
		if ok && len(c.Records)+len(broken) != 1 {
			t.Errorf("records %+v and broken %q, want one in all", c.Records, broken)
		}
		for _, r := range c.Records {
			if !strings.HasSuffix(record, string(r.Value)) || r.Key != "key" {
				t.Errorf("record %+v from %q", r, record)
			}
		}
	})
}
