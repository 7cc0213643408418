//go:build linux

package redisstore_test

import (
	"fmt"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"

	"github.com/go-batteries/hawkeye/store/redisstore/redistest"
)

// limitFiles bounds how long the files of a server may grow: what is more
// fails as on a full disk.
func limitFiles(t *testing.T, s *redistest.Server, bytes string) {
	t.Helper()
	out, err := exec.Command("prlimit", "--pid", fmt.Sprint(s.Pid()), "--fsize="+bytes+":").CombinedOutput()
	if err != nil {
		t.Fatalf("prlimit: %v\n%s", err, out)
	}
}

// TestDiskFullUnderAppendOnlyFile: the server refuses all writes, with
// MISCONF, while it can't append to its file. Reads still work, so this is no
// outage in which nothing can be known: ticks and alerts are kept, and go on
// by themselves when there is room.
func TestDiskFullUnderAppendOnlyFile(t *testing.T) {
	t.Parallel()
	signal.Ignore(syscall.SIGXFSZ) // inherited by the server, which would die of it
	server, r := serverAndReplica(t, redistest.Config{AOF: true})
	before := r.requests()
	limitFiles(t, server, "1000") // it is longer already
	r.away("MISCONF")
	r.answersNothing(before)
	limitFiles(t, server, "unlimited")
	r.recovers()
	r.ends()
}
