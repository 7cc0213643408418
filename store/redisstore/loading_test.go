//go:build unix

package redisstore_test

import (
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/go-batteries/hawkeye/store/redisstore/redistest"
)

// TestLoadingServer: a server that reads its file after a restart answers
// LOADING until it has done so.
func TestLoadingServer(t *testing.T) {
	t.Parallel()
	const filler, delay = 16_000, 150 * time.Microsecond // 2.4 s at least
	server, r := serverAndReplica(t, redistest.Config{AOF: true, Args: []string{
		"--appendfsync", "always", "--key-load-delay", fmt.Sprint(delay.Microseconds()),
	}})
	pipe := server.Client().Pipeline()
	for i := range filler {
		pipe.Set(t.Context(), fmt.Sprint("filler", i), "x", 0)
	}
	if _, err := pipe.Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	server.Kill()
	server.Restart() // returns when everything is loaded
	r.store.failed(t, "LOADING")
	r.recovers()
	r.ends()
}

// TestDemotedServer: a server that is made a replica under a running
// publisher, and a master again.
func TestDemotedServer(t *testing.T) {
	t.Parallel()
	server, r := serverAndReplica(t, redistest.Config{})
	client := server.Client()
	do := func(args ...any) {
		t.Helper()
		if err := client.Do(t.Context(), args...).Err(); err != nil {
			t.Fatalf("%v: %v", args, err)
		}
	}
	// Its master is where nobody listens.
	do("CONFIG", "SET", "replica-serve-stale-data", "no", "replica-read-only", "no")
	do("REPLICAOF", "127.0.0.1", "1")
	r.away("MASTERDOWN")
	do("REPLICAOF", "NO", "ONE")
	r.recovers()
	do("CONFIG", "SET", "replica-serve-stale-data", "yes", "replica-read-only", "yes")
	do("REPLICAOF", "127.0.0.1", "1")
	r.away("READONLY")
	do("REPLICAOF", "NO", "ONE")
	r.recovers()
	// Its master is another, whose data it takes: none.
	host, port, err := net.SplitHostPort(redistest.Start(t, redistest.Config{}).Addr())
	if err != nil {
		t.Fatal(err)
	}
	do("REPLICAOF", host, port)
	until(t, "the empty master's data", func() bool { return client.DBSize(t.Context()).Val() == 0 })
	r.away("READONLY")
	do("REPLICAOF", "NO", "ONE")
	r.recovers()
	r.ends()
	if r.Stats().Republished == 0 {
		t.Error("Stats().Republished = 0, want what the other's data replaced")
	}
}
