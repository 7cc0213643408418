//go:build unix

package redisstore_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/go-batteries/hawkeye/store"
	"github.com/go-batteries/hawkeye/store/redisstore"
	"github.com/go-batteries/hawkeye/store/redisstore/redistest"
)

func field(id uint64) string { return fmt.Sprintf("%016x", id) }

// lapse makes as if the names had not been published for a long time.
func lapse(t *testing.T, client redis.UniversalClient, ids ...uint64) {
	t.Helper()
	past := float64(time.Now().Add(-time.Second).UnixMilli())
	for _, id := range ids {
		if err := client.ZAdd(t.Context(), untilKey, redis.Z{Score: past, Member: field(id)}).Err(); err != nil {
			t.Fatal(err)
		}
	}
}

func wantNames(t *testing.T, s *redisstore.Store, want ...uint64) {
	t.Helper()
	got, err := s.Names(t.Context(), []uint64{1, 2, 3})
	if ids := slices.Sorted(maps.Keys(got)); err != nil || !slices.Equal(ids, want) {
		t.Errorf("Names() = %v, %v, want those of %d", got, err, want)
	}
}

// TestNamesThatNobodyNeedsVanish: also by the rights of a user that the docs
// describe.
func TestNamesThatNobodyNeedsVanish(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Config{})
	client := server.Client()
	s := redisstore.New(aclUser(t, server.Options(), aclRule(t, "single")), redisstore.WithLogger(quiet))
	one, two, three := store.Name{ID: 1, Text: "one"}, store.Name{ID: 2, Text: "two"}, store.Name{ID: 3, Text: "three"}
	mustPublish(t, s, store.Publication{Names: []store.Name{one, two, three}})
	wantNames(t, s, 1, 2, 3)

	lapse(t, client, 1, 2)
	mustPublish(t, s, store.Publication{Names: []store.Name{two}})
	wantNames(t, s, 2, 3) // two is used again
	// Its id is free.
	if clashes := mustPublish(t, s, store.Publication{Names: []store.Name{{ID: 1, Text: "another"}}}).Clashes; len(clashes) > 0 {
		t.Errorf("Publish() of a forgotten id has the clashes %v", clashes)
	}
	// Without new names it is done with the renewal.
	lapse(t, client, 1, 3)
	mustPublish(t, s, store.Publication{})
	wantNames(t, s, 1, 2, 3)
	redisstore.RenewNow(s)
	mustPublish(t, s, store.Publication{})
	wantNames(t, s, 2)
	if n, width := client.HLen(t.Context(), namesKey).Val(), client.HGet(t.Context(), namesKey, "tick").Val(); n != 3 || width != "1000" {
		t.Errorf("%d fields are left, tick is %q; want one name, tick 1000 and the set", n, width)
	}
	if n := client.ZCard(t.Context(), untilKey).Val(); n != 1 {
		t.Errorf("%d ids are left in %s, want 1", n, untilKey)
	}
}

// TestChurnOfNamesIsBounded: as many come, as many may go.
func TestChurnOfNamesIsBounded(t *testing.T) {
	t.Parallel()
	s, client := onMini(t)
	var before []uint64
	for round := range uint64(5) {
		var names []store.Name
		for i := range uint64(1200) {
			names = append(names, store.Name{ID: 10_000*round + i, Text: fmt.Sprint(round, i)})
		}
		lapse(t, client, before...)
		mustPublish(t, s, store.Publication{Names: names})
		before = before[:0]
		for _, n := range names {
			before = append(before, n.ID)
		}
	}
	if n := client.HLen(t.Context(), namesKey).Val(); n != 1202 {
		t.Errorf("%d fields after five rounds of 1,200 names, want those of the last one, tick and set", n)
	}
}

// TestNamesLiveAsLongAsBuckets: a day at least, and an hour longer than what
// they were published with, whoever publishes them for less.
func TestNamesLiveAsLongAsBuckets(t *testing.T) {
	t.Parallel()
	s, client := onMini(t)
	one := []store.Name{{ID: 1, Text: "one"}}
	until := func() time.Duration {
		return time.Until(time.UnixMilli(int64(client.ZScore(t.Context(), untilKey, field(1)).Val())))
	}
	const day, minute = 24 * time.Hour, time.Minute
	for _, c := range []struct {
		keep, least time.Duration
		same        bool
	}{
		{keep: 0, least: day},
		{keep: time.Hour, least: day, same: true},
		{keep: 30 * day, least: 30*day + time.Hour},
		{keep: 0, least: 30*day + time.Hour, same: true},
		{keep: 30 * day, least: 30*day + time.Hour, same: true}, // not written each time
	} {
		before := client.ZScore(t.Context(), untilKey, field(1)).Val()
		mustPublish(t, s, store.Publication{Names: one, Keep: c.keep})
		if got := until(); got < c.least-minute || got > c.least*9/8+minute {
			t.Errorf("published to be kept for %v, a name is needed for %v, want %v or little more", c.keep, got, c.least)
		}
		if after := client.ZScore(t.Context(), untilKey, field(1)).Val(); c.same != (before == after) {
			t.Errorf("published to be kept for %v, until went from %v to %v", c.keep, before, after)
		}
	}
}

// TestClashesInLaterParts: names go out in parts.
func TestClashesInLaterParts(t *testing.T) {
	t.Parallel()
	s, _ := onMini(t)
	var names, want []store.Name
	for i := range uint64(1100) {
		names = append(names, store.Name{ID: i, Text: fmt.Sprint("series ", i)})
	}
	mustPublish(t, s, store.Publication{Names: names})
	for _, i := range []int{0, 499, 500, 1099} {
		names[i].Text = "another"
		want = append(want, names[i])
	}
	if got := mustPublish(t, s, store.Publication{Names: names}).Clashes; !slices.Equal(got, want) {
		t.Errorf("Publish() has the clashes %v, want %v", got, want)
	}
}
