//go:build unix

package redisstore_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/go-batteries/hawkeye/store/redisstore/redistest"
)

// busy keeps the server in a script that doesn't end by itself, so that it
// answers everything else with BUSY.
func busy(t *testing.T, s *redistest.Server) (end func()) {
	t.Helper()
	admin := s.Client()
	if err := admin.ConfigSet(t.Context(), "lua-time-limit", "50").Err(); err != nil {
		t.Fatal(err)
	}
	o := s.Options()
	o.ReadTimeout, o.MaxRetries = -1, -1 // it waits, and asks once
	client := redis.NewClient(o)
	done := make(chan error, 1)
	go func() { done <- client.Eval(context.WithoutCancel(t.Context()), "while true do end", nil).Err() }()
	t.Cleanup(func() { client.Close() })
	until(t, "the server to be busy", func() bool {
		err := admin.Ping(t.Context()).Err()
		return err != nil && strings.HasPrefix(err.Error(), "BUSY")
	})
	return func() {
		if err := admin.ScriptKill(t.Context()).Err(); err != nil {
			t.Errorf("script kill: %v", err)
		}
		if err := <-done; err == nil || !strings.Contains(err.Error(), "killed") {
			t.Errorf("the script ended with %v, want it killed", err)
		}
	}
}

// TestSlowServer: while a server answers nothing, ticks close on time, one
// flush waits for it, and nobody who counts does.
func TestSlowServer(t *testing.T) {
	t.Parallel()
	server, r := serverAndReplica(t, redistest.Config{})
	before := r.requests()
	stop := func(*testing.T, *redistest.Server) (end func()) { server.Pause(); return server.Resume }
	for _, c := range []struct {
		begin func(*testing.T, *redistest.Server) (end func())
		err   string // of a flush
	}{
		{stop, "deadline exceeded"},
		{busy, "BUSY"},
	} {
		began := time.Now()
		end := c.begin(t, server)
		r.away(c.err)
		r.answersNothing(before)
		if got, most := r.Stats().Backlog, int(time.Since(began)/replicaTick)+10; got > most {
			t.Errorf("Stats().Backlog = %d, want at most the %d ticks since the fault began", got, most)
		}
		end()
		r.recovers()
	}
	// 300 ms of each second, as on a machine that swaps.
	for range 3 {
		server.Pause()
		r.comparable(r.requests(), before)
		pause(t.Context(), 300*time.Millisecond)
		server.Resume()
		pause(t.Context(), 700*time.Millisecond)
	}
	r.recovers()
	r.ends()
}
