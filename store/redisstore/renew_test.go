package redisstore_test

import (
	"testing"
	"time"

	"github.com/go-batteries/hawkeye/store"
	"github.com/go-batteries/hawkeye/store/redisstore"
)

// TestLifetimesAreRenewed: what lives as long as somebody uses it does so even
// if nobody writes to it, and no longer.
func TestLifetimesAreRenewed(t *testing.T) {
	t.Parallel()
	s, client := onMini(t, redisstore.WithLedgerTTL(2*time.Hour))
	if err := s.Restore(t.Context(), store.Offer{Open: store.NewID()}); err != nil {
		t.Fatal(err)
	}
	mustPublish(t, s, store.Publication{Names: []store.Name{{ID: 1, Text: "one"}}})
	for _, key := range []string{namesKey, untilKey, ledgerKey} {
		client.Expire(t.Context(), key, time.Minute)
	}
	mustPublish(t, s, store.Publication{})
	for _, key := range []string{namesKey, untilKey, ledgerKey} {
		if ttl := client.TTL(t.Context(), key).Val(); ttl != time.Minute {
			t.Errorf("%s lives for %v right after a renewal, want it left alone", key, ttl)
		}
	}
	redisstore.RenewNow(s)
	mustPublish(t, s, store.Publication{})
	for _, key := range []string{namesKey, untilKey, ledgerKey} {
		if ttl := client.TTL(t.Context(), key).Val(); ttl != 2*time.Hour {
			t.Errorf("%s lives for %v when it was due, want 2h", key, ttl)
		}
	}
}
