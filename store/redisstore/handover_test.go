//go:build unix

package redisstore_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/go-batteries/hawkeye/internal/ledger"
	"github.com/go-batteries/hawkeye/store/redisstore"
	"github.com/go-batteries/hawkeye/store/redisstore/redistest"
)

// evicting is a hook that deletes keys behind a client's back.
type evicting struct {
	other *redis.Client

	mu    sync.Mutex // guards what follows
	key   string     // a part of it
	after int        // how many commands that name it
	seen  int
	times int // how often
}

func (e *evicting) evict(key string, after, times int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.key, e.after, e.seen, e.times = key, after, 0, times
}

// left is how often it is still to happen.
func (e *evicting) left() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.times
}

func (e *evicting) DialHook(next redis.DialHook) redis.DialHook { return next }

func (e *evicting) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (e *evicting) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		e.mu.Lock()
		defer e.mu.Unlock()
		for _, arg := range cmd.Args() {
			key, ok := arg.(string)
			if !ok || e.times == 0 || e.key == "" || !strings.Contains(key, e.key) || strings.Contains(key, "redis.call") {
				continue
			}
			if e.seen++; e.seen%e.after == 0 {
				e.times--
				e.other.Del(ctx, key)
			}
			break
		}
		return err
	}
}

// The ledger is evicted, and once more while it is handed over: the key that
// is staged, after some of its parts; the one that is offered; the one that was
// opened a moment ago. Two processes have a copy, a third one has none.
func TestLedgerIsEvictedAgain(t *testing.T) {
	t.Parallel()
	const records = 700 // some parts
	for _, c := range []struct {
		name         string
		key          string
		after, times int
	}{
		{"what is staged, after the first part", ":offer:", 1, 2},
		{"what is staged, after two parts", ":offer:", 2, 3},
		{"what is offered", "hawkeye:{hawkeye:ledger}", 4, 2},
		{"what is offered or open, often", "hawkeye:{hawkeye:ledger}", 7, 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t, redistest.Config{})
			hook := &evicting{other: server.Client()}
			var all []*ledger.Mirror
			for range 3 {
				client := server.Client()
				client.AddHook(hook)
				all = append(all, ledger.New(ledger.Config{
					Store:  redisstore.New(client, redisstore.WithTick(replicaTick), redisstore.WithLogger(quiet)),
					Logger: slog.New(slog.DiscardHandler),
					Elder:  func(context.Context) (bool, error) { return true, nil },
				}))
			}
			sync := func(which ...*ledger.Mirror) {
				for _, m := range which {
					_ = m.Sync(t.Context()) // a part that is lost is an error, and tried again
				}
			}
			// The first one opens the ledger, as if nobody else were there.
			first := ledger.New(ledger.Config{Store: redisstore.New(server.Client(), redisstore.WithTick(replicaTick)), Logger: slog.New(slog.DiscardHandler)})
			until(t, "the ledger to be opened", func() bool { sync(first); return first.Open() })
			tx := first.Begin()
			for i := range records {
				tx.Put(fmt.Sprintf("a/%d", i), []byte(strings.Repeat("x", 200)))
			}
			if err := first.Commit(t.Context(), tx); err != nil {
				t.Fatal(err)
			}
			sync(all[0], all[1])
			hook.evict(c.key, c.after, c.times)
			server.Client().Del(t.Context(), ledgerKey)
			until(t, "the ledger to be handed over", func() bool {
				sync(all...)
				pause(t.Context(), 20*time.Millisecond)
				return hook.left() == 0 && all[0].Open() && all[1].Open() && all[2].Open()
			})
			sync(all...)
			for i, m := range all {
				if n := m.Len("a"); n != records {
					t.Errorf("process %d has %d records, want %d", i, n, records)
				}
			}
		})
	}
}
