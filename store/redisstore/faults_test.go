//go:build unix

package redisstore_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/go-batteries/hawkeye/store"
	"github.com/go-batteries/hawkeye/store/redisstore"
	"github.com/go-batteries/hawkeye/store/redisstore/redistest"
)

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

// TestCtxIsHonoured: the client alone would wait for its own timeouts, unless
// it was told to mind deadlines.
func TestCtxIsHonoured(t *testing.T) {
	t.Parallel()
	for name, punctual := range map[string]bool{"by leaving the call behind": false, "by the client": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t, redistest.Config{})
			o := server.Options()
			o.ReadTimeout, o.ContextTimeoutEnabled = 5*time.Second, punctual
			o.MaxRetries = -1 // the next attempt would see that ctx has ended
			client := redis.NewClient(o)
			t.Cleanup(func() { client.Close() })
			s := redisstore.New(client, redisstore.WithLogger(quiet))
			at := exercise(t, s)
			server.Pause()
			var all sync.WaitGroup
			began := time.Now()
			for i := range 30 { // more than calls are let through at once
				all.Go(func() {
					ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
					defer cancel()
					if i >= 20 {
						ctx = withoutDeadline{ctx}
					}
					_, err := s.Now(ctx) // a pipeline
					if i%2 == 0 {        // a script
						_, err = s.Commit(ctx, store.Commit{ID: store.NewID(), Epoch: at.Epoch})
					}
					if !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("call %d on a stalled server = %v, want %v", i, err, context.DeadlineExceeded)
					}
				})
			}
			all.Wait()
			if took := time.Since(began); took > 2*time.Second {
				t.Errorf("calls with a deadline of 100ms took %v", took)
			}
			if got := s.Stats().Abandoned; got > 16 || got == 0 && !punctual {
				t.Errorf("Stats().Abandoned = %d, want 1 to 16, or none", got)
			}
			server.Resume()
			if _, err := s.Now(t.Context()); err != nil {
				t.Errorf("Now() after the stall = %v", err)
			}
		})
	}
}

// withoutDeadline is a context that ends and doesn't say when.
type withoutDeadline struct{ context.Context }

func (withoutDeadline) Deadline() (time.Time, bool) { return time.Time{}, false }
