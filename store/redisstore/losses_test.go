//go:build unix

package redisstore_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/go-batteries/hawkeye/store/redisstore"
	"github.com/go-batteries/hawkeye/store/redisstore/redistest"
)

// TestLossesUnderAFiringAlert: whatever becomes of the keys, what was counted
// is published again, and an alert that fires is not told of twice.
func TestLossesUnderAFiringAlert(t *testing.T) {
	t.Parallel()
	server, r := serverAndReplica(t, redistest.Config{})
	client := server.Client()
	do := func(args ...any) {
		t.Helper()
		if err := client.Do(t.Context(), args...).Err(); err != nil {
			t.Fatalf("%v: %v", args, err)
		}
	}
	// The ledger's head is the lease as well.
	r.store.restored.Store(0)
	for range 50 {
		do("DEL", ledgerKey)
		pause(t.Context(), 20*time.Millisecond)
	}
	until(t, "the ledger to be restored", func() bool { return r.store.restored.Load() > 0 })
	r.recovers()
	// Keys that never expire get a lifetime when it is renewed.
	do("PERSIST", ledgerKey)
	do("PERSIST", namesKey)
	do("PERSIST", untilKey)
	redisstore.RenewNow(r.store.Store)
	for _, key := range []string{ledgerKey, namesKey, untilKey} {
		until(t, key+" to have a lifetime", func() bool { return client.TTL(t.Context(), key).Val() > 0 })
	}
	r.recovers()
	// Keys of others in the place of the buckets of the next second.
	width := replicaTick.Milliseconds()
	now := time.Now().UnixMilli() / width
	var keys []string
	for i := range int64(10) {
		keys = append(keys, fmt.Sprintf("hawkeye:b:%dms:%d", width, now+i))
		do("SET", keys[i], "theirs")
	}
	until(t, "others' keys to be seen", func() bool { return r.store.Stats().Foreign > 0 })
	r.recovers()
	client.Del(t.Context(), keys...)
	until(t, "the buckets to be published again", func() bool { return r.Stats().Republished > 0 })
	r.recovers()
	// Everything is evicted.
	do("CONFIG", "SET", "maxmemory-policy", "allkeys-random", "maxmemory", "1")
	r.away("OOM")
	do("CONFIG", "SET", "maxmemory", "0")
	r.recovers()
	r.ends()
}
