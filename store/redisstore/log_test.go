//go:build unix

package redisstore_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/go-batteries/hawkeye/store"
	"github.com/go-batteries/hawkeye/store/redisstore"
	"github.com/go-batteries/hawkeye/store/redisstore/redistest"
)

// logged returns how many bytes of keys the ledger's log holds and how many
// it says that it holds, and of how many commits it knows the id.
func logged(t *testing.T, client *redis.Client) (bytes, said, ids int) {
	t.Helper()
	fields, err := client.HGetAll(t.Context(), "hawkeye:{hawkeye:ledger}").Result()
	if err != nil {
		t.Fatal(err)
	}
	for field, value := range fields {
		if strings.HasPrefix(field, "l:") {
			ids++
			bytes += len(strings.TrimSuffix(value[32:], "!"))
		}
	}
	var from int
	if _, err := fmt.Sscan(fields["log"], &from, &said); err != nil {
		t.Fatalf("the field log is %q: %v", fields["log"], err)
	}
	return bytes, said, ids
}

// Commits of thousands of keys shorten what can be followed, and don't fill
// the server's memory; their ids stay known.
func TestLogIsBoundedInBytes(t *testing.T) {
	t.Parallel()
	client := redistest.Start(t, redistest.Config{}).Client()
	s := redisstore.New(client, redisstore.WithLogger(quiet))
	epoch := store.NewID()
	if err := s.Restore(t.Context(), store.Offer{Open: epoch}); err != nil {
		t.Fatal(err)
	}
	const limit, keys = 4 << 20, 2_000
	var commits []store.Commit
	var cursors []store.Cursor
	for i := range 60 {
		c := store.Commit{ID: store.NewID(), Epoch: epoch}
		for k := range keys {
			c.Put = append(c.Put, store.Entry{Key: fmt.Sprintf("o/%060d", k), Value: fmt.Append(nil, i)})
		}
		at, err := s.Commit(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		commits, cursors = append(commits, c), append(cursors, at)
	}
	bytes, said, ids := logged(t, client)
	if bytes > limit || bytes < limit-keys*70 {
		t.Errorf("the log has %d bytes of keys, want at most %d, and nearly that", bytes, limit)
	}
	if all := len(commits) + 1; said != bytes || ids != all { // and the state that was opened
		t.Errorf("the log says that it has %d bytes, and has %d of %d commits; want %d of %d", said, bytes, ids, bytes, all)
	}
	for behind, reset := range map[int]bool{1: false, 10: false, 40: true, 59: true} {
		last := len(cursors) - 1
		c, err := s.Changes(t.Context(), cursors[last-behind])
		if err != nil {
			t.Fatal(err)
		}
		if c.Reset != reset || len(c.Records) != keys || c.Cursor != cursors[last] {
			t.Errorf("Changes() %d commits behind: reset %v, %d records at %+v; want %v, %d at %+v",
				behind, c.Reset, len(c.Records), c.Cursor, reset, keys, cursors[last])
		}
	}
	if at, err := s.Commit(t.Context(), commits[0]); err != nil || at != cursors[0] {
		t.Errorf("the first commit, repeated = %+v, %v; want %+v", at, err, cursors[0])
	}
}

// What the log says of its size stays right as it loses its oldest commits,
// and their keys before that.
func TestLogKnowsItsSize(t *testing.T) {
	t.Parallel()
	client := redistest.Start(t, redistest.Config{}).Client()
	s := redisstore.New(client, redisstore.WithLogger(quiet))
	epoch := store.NewID()
	if err := s.Restore(t.Context(), store.Offer{Open: epoch}); err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 1_500 {
		c := store.Commit{ID: store.NewID(), Epoch: epoch}
		n := random.IntN(3)
		if i%300 == 200 { // five of them are more than the log holds
			n = 15_000
		}
		for k := range n {
			c.Put = append(c.Put, store.Entry{Key: fmt.Sprintf("o/%080d", k)})
		}
		if n == 1 {
			c.Delete = []string{fmt.Sprintf("o/%080d", 1), "never there"}
		}
		if _, err := s.Commit(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		if i%250 == 0 || i == 1_499 {
			if bytes, said, ids := logged(t, client); bytes != said || ids > 1_025 {
				t.Errorf("after %d commits the log says that it has %d bytes, and has %d; it knows %d commits", i+1, said, bytes, ids)
			}
		}
	}
}
