package interop

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-batteries/hawkeye"
)

// increments is how many each client sends.
const increments = 100_000

// limit is how long a client may take, and how long its samples may be on
// their way after it has ended: much more than they need.
const limit = 3 * time.Minute

// roleVariable makes the test binary a client: its value is one of goClients.
const roleVariable = "HAWKEYE_INTEROP_CLIENT"

func TestMain(m *testing.M) {
	role, path := os.Getenv(roleVariable), os.Args[len(os.Args)-1]
	if role == "" {
		code := m.Run()
		if installed != "" {
			os.RemoveAll(filepath.Dir(installed))
		}
		os.Exit(code)
	}
	if err := goClients[role](path); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// server is a running hawkeye with both of its sockets.
type server struct {
	t                *testing.T
	h                *hawkeye.Hawkeye
	stream, datagram string
}

func startServer(t *testing.T) *server {
	t.Helper()
	dir, err := os.MkdirTemp("", "hawkeye") // t.TempDir() is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &server{t: t, stream: filepath.Join(dir, "s.sock"), datagram: filepath.Join(dir, "d.sock")}
	s.h, err = hawkeye.New(
		hawkeye.WithSocket(s.stream),
		hawkeye.WithDatagramSocket(s.datagram),
		hawkeye.WithLogger(slog.New(slog.DiscardHandler)),
	)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.h.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.h.Shutdown(context.Background()); err != nil { // t.Context() is over by now
			t.Error(err)
		}
	})
	return s
}

// run runs a client to its end.
func (s *server) run(env []string, name string, args ...string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), env...)
	began := time.Now()
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	s.t.Logf("%s: %v", filepath.Base(name), time.Since(began).Round(time.Millisecond))
}

// runGo runs this binary as one of goClients.
func (s *server) runGo(role, path string) {
	s.t.Helper()
	self, err := os.Executable()
	if err != nil {
		s.t.Fatal(err)
	}
	s.run([]string{roleVariable + "=" + role}, self, path)
}

// want waits until a metric has the value, because what isn't answered may be
// on its way when its sender has ended. It fails if the metric has another
// value in the end, or if anything was refused.
func (s *server) want(metric string, want float64) {
	s.t.Helper()
	var got hawkeye.Result
	for late := time.Now().Add(limit); ; {
		var err error
		if got, err = s.h.Query(s.t.Context(), metric, 10*time.Minute); err != nil {
			s.t.Fatal(err)
		}
		if got.Value >= want || time.Now().After(late) {
			break
		}
	}
	if got.Value != want || !got.Complete {
		s.t.Errorf("Query(%s) = %v, complete %v, want %v, true; %+v", metric, got.Value, got.Complete, want, s.h.Stats())
	}
	if stats := s.h.Stats(); len(stats.Refused) > 0 || stats.FailedCalls > 0 {
		s.t.Errorf("Stats: refused %v, %d calls failed; want none", stats.Refused, stats.FailedCalls)
	}
}

// need skips the test if a program isn't installed.
func need(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Skipf("needs %s: %v", program, err)
	}
}
