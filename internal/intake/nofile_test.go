//go:build unix

package intake

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

const (
	noFilesEnv = "HAWKEYE_TEST_SOCKET" // the child's socket
	noFiles    = 64                    // file descriptors that the child may have
	tooMany    = 100                   // connections
)

// report is what the child says of itself.
type report struct {
	Stats   Stats
	Total   float64       // counted since the last report
	CPU     time.Duration // of user and system since the start
	Elapsed time.Duration
}

// TestServerOfOtherTests is the child of TestNoFileDescriptors: a server in a
// process that may have few file descriptors, which reports when it is asked.
func TestServerOfOtherTests(t *testing.T) {
	path := os.Getenv(noFilesEnv)
	if path == "" {
		return // run as a test of its own it has nothing to do
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: noFiles, Max: noFiles}); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	f := newFixture(t, func(c *Config) { c.Socket = path })
	f.run(t)
	for asked := bufio.NewScanner(os.Stdin); asked.Scan(); {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			t.Fatal(err)
		}
		r := report{Stats: f.Stats(), Total: f.total(), Elapsed: time.Since(began)}
		r.CPU = time.Duration(u.Utime.Nano() + u.Stime.Nano())
		if err := json.NewEncoder(os.Stdout).Encode(r); err != nil {
			t.Fatal(err)
		}
	}
}

// child is a process that runs TestServerOfOtherTests.
type child struct {
	path  string
	in    io.Writer
	out   *bufio.Reader
	total float64 // of all reports
}

func startChild(t *testing.T) *child {
	t.Helper()
	c := &child{path: filepath.Join(t.TempDir(), "s")}
	cmd := exec.Command(os.Args[0], "-test.run=^TestServerOfOtherTests$")
	cmd.Env = append(os.Environ(), noFilesEnv+"="+c.path)
	cmd.Stderr = t.Output()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c.in, c.out = in, bufio.NewReader(out)
	t.Cleanup(func() {
		in.Close() // it stops serving, and ends
		rest, _ := io.ReadAll(c.out)
		if err := cmd.Wait(); err != nil {
			t.Errorf("the server's process ended with %v\n%s", err, rest)
		}
	})
	return c
}

func (c *child) report(t *testing.T) (r report) {
	t.Helper()
	if _, err := fmt.Fprintln(c.in); err != nil {
		t.Fatalf("ask the server's process: %v", err)
	}
	line, err := c.out.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &r)
	}
	if err != nil {
		t.Fatalf("report of the server's process: %v in %q", err, line)
	}
	c.total += r.Total
	return r
}

// until asks for reports until one is ok.
func (c *child) until(t *testing.T, what string, ok func(report) bool) report {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); ; {
		r := c.report(t)
		if ok(r) {
			return r
		}
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s: %+v, total %v", what, r, c.total)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// TestNoFileDescriptors: a process that has no file descriptor left tries to
// accept again, once a second, and serves who waits as soon as it can.
func TestNoFileDescriptors(t *testing.T) {
	t.Parallel()
	c := startChild(t)
	c.report(t) // so it listens
	conns := make([]net.Conn, tooMany)
	for i := range conns {
		var err error
		if conns[i], err = net.Dial("unix", c.path); err != nil {
			t.Fatalf("Dial() = %v, want the connection to wait until it is accepted", err)
		}
		defer conns[i].Close()
		if _, err := io.WriteString(conns[i], "hits:1|c\n"); err != nil {
			t.Fatalf("Write() = %v", err)
		}
	}
	first := c.until(t, "an accept to fail", func(r report) bool { return r.Stats.AcceptErrors > 0 })
	if n := first.Stats.Accepted; n == 0 || n >= noFiles {
		t.Errorf("%d connections are served with %d file descriptors, want some, but fewer than that", n, noFiles)
	}
	// The pauses are doubled from 5 ms on: eight in the first 1.3 s, and then
	// one a second.
	later := c.until(t, "further attempts", func(r report) bool {
		return r.Stats.AcceptErrors >= 9 && r.Elapsed > first.Elapsed+maxAcceptPause
	})
	if most := 9 + uint64(later.Elapsed/maxAcceptPause); later.Stats.AcceptErrors > most {
		t.Errorf("%d accepts failed within %v, want at most %d", later.Stats.AcceptErrors, later.Elapsed, most)
	}
	elapsed := later.Elapsed - first.Elapsed
	if cpu := later.CPU - first.CPU; cpu > elapsed/2 {
		t.Errorf("%v of CPU time were used within %v of waiting", cpu, elapsed)
	}
	t.Logf("%d of %d connections accepted, %d accepts failed and %v of CPU time within %v",
		later.Stats.Accepted, tooMany, later.Stats.AcceptErrors, later.CPU-first.CPU, elapsed)
	// Those that are served aren't hurt.
	if _, err := io.WriteString(conns[0], "hits:1|c\n"); err != nil {
		t.Errorf("Write() = %v", err)
	}
	for _, nc := range conns[:tooMany/2] {
		nc.Close()
	}
	c.until(t, "all to be served", func(r report) bool { return r.Stats.Accepted == tooMany && c.total == tooMany+1 })
}
