//go:build unix

package redistest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// startTimeout is how long a server may take until it answers, or a set-up
// until it agrees with itself.
const startTimeout = 20 * time.Second

// Config says how to run a server. The zero Config is a redis-server that
// keeps nothing on disk.
type Config struct {
	// Binary is the program, "redis-server" if empty.
	Binary string
	// AOF makes the server write an append-only file each second, so that
	// Restart brings back what it knew.
	AOF bool
	// TLS, if not nil, makes the server speak nothing else.
	TLS *TLSFiles
	// Dir is where the server keeps its files, a temporary folder if empty.
	Dir string
	// Args are further settings as on the command line: "--maxmemory", "3mb".
	Args []string
}

// Binary returns the path of a server program, and skips the test if it isn't
// installed.
func Binary(t testing.TB, name string) string {
	t.Helper()
	if name == "" {
		name = "redis-server"
	}
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("needs %s on the PATH: %v", name, err)
	}
	return path
}

// Server is a child process. Its methods must not be called concurrently.
type Server struct {
	t      testing.TB
	config Config
	binary string
	port   int
	args   []string

	mu   sync.Mutex // guards the rest
	cmd  *exec.Cmd
	gone chan struct{} // closed when cmd has ended
}

// Start runs a server until the test ends.
func Start(t testing.TB, c Config) *Server {
	t.Helper()
	return start(t, c, nil)
}

// start runs a server whose further arguments depend on its port.
func start(t testing.TB, c Config, more func(port int, dir string) []string) *Server {
	t.Helper()
	if c.Dir == "" {
		c.Dir = t.TempDir()
	}
	s := &Server{t: t, config: c, binary: Binary(t, c.Binary)}
	t.Cleanup(s.Kill)
	var err error
	// A port that was free a moment ago may be taken by another test.
	for range 5 {
		s.port = freePort(t)
		if more == nil {
			s.args = s.settings()
		} else {
			s.args = more(s.port, c.Dir)
		}
		if err = s.run(); err == nil {
			return s
		}
	}
	t.Fatalf("start %s: %v\n%s", s.binary, err, s.Log())
	return nil
}

func (s *Server) settings() []string {
	c := s.config
	args := []string{"--bind", "127.0.0.1", "--dir", c.Dir, "--save", "", "--daemonize", "no",
		"--repl-diskless-sync-delay", "0"}
	port := strconv.Itoa(s.port)
	if c.TLS != nil {
		args = append(args, "--port", "0", "--tls-port", port, "--tls-auth-clients", "no",
			"--tls-cert-file", c.TLS.Cert, "--tls-key-file", c.TLS.Key, "--tls-ca-cert-file", c.TLS.Cert)
	} else {
		args = append(args, "--port", port)
	}
	if c.AOF {
		args = append(args, "--appendonly", "yes", "--appendfsync", "everysec")
	}
	return append(args, c.Args...)
}

// freePort finds a port that is free together with the one 10,000 above it,
// which a Cluster node uses to talk to the others.
func freePort(t testing.TB) int {
	t.Helper()
	for range 100 {
		port := 20_000 + rand.IntN(25_000)
		if portIsFree(port) && portIsFree(port+10_000) {
			return port
		}
	}
	t.Fatal("found no free port")
	return 0
}

func portIsFree(port int) bool {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return false
	}
	l.Close()
	return true
}

func (s *Server) run() error {
	log, err := os.OpenFile(s.logPath(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(s.binary, s.args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = dieWithParent()
	if err := cmd.Start(); err != nil {
		return err
	}
	gone := make(chan struct{})
	go func() {
		cmd.Wait()
		close(gone)
	}()
	s.mu.Lock()
	s.cmd, s.gone = cmd, gone
	s.mu.Unlock()
	if err := s.awaitAnswer(gone); err != nil {
		s.Kill()
		return err
	}
	return nil
}

// awaitAnswer polls until the server answers or is gone.
func (s *Server) awaitAnswer(gone <-chan struct{}) error {
	client := redis.NewClient(s.Options())
	defer client.Close()
	for end := time.Now().Add(startTimeout); ; {
		err := client.Ping(context.Background()).Err()
		var answer redis.Error
		if err == nil || errors.As(err, &answer) && !redis.IsLoadingError(err) {
			return nil // NOAUTH is an answer, too
		}
		select {
		case <-gone:
			return errors.New("the server ended at once")
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(end) {
			return fmt.Errorf("the server doesn't answer: %w", err)
		}
	}
}

// Addr is where the server listens.
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// Pid is the process's id.
func (s *Server) Pid() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cmd.Process.Pid
}

// Options are go-redis options for the server that give up soon, so that a
// test of a fault is short.
func (s *Server) Options() *redis.Options {
	o := &redis.Options{
		Addr:          s.Addr(),
		DialTimeout:   time.Second,
		ReadTimeout:   time.Second,
		WriteTimeout:  time.Second,
		DialerRetries: 1,
	}
	if s.config.TLS != nil {
		o.TLSConfig = &tls.Config{RootCAs: s.config.TLS.Roots, ServerName: "localhost", MinVersion: tls.VersionTLS12}
	}
	return o
}

// Client returns a client that is closed with the test.
func (s *Server) Client() *redis.Client {
	c := redis.NewClient(s.Options())
	s.t.Cleanup(func() { c.Close() })
	return c
}

// Kill ends the server as a power cut would, and waits for its end. A server
// that isn't running stays as it is.
func (s *Server) Kill() {
	s.signal(syscall.SIGKILL)
	s.mu.Lock()
	gone := s.gone
	s.mu.Unlock()
	if gone != nil {
		<-gone
	}
}

// Pause stops the server as a stalled machine would: connections stay open,
// and nothing answers.
func (s *Server) Pause() { s.signal(syscall.SIGSTOP) }

// Resume ends a Pause.
func (s *Server) Resume() { s.signal(syscall.SIGCONT) }

// Restart starts a server that was killed, on the same port. With AOF it
// knows what it knew, without it is empty.
func (s *Server) Restart() {
	s.t.Helper()
	if err := s.run(); err != nil {
		s.t.Fatalf("restart %s: %v\n%s", s.binary, err, s.Log())
	}
}

func (s *Server) signal(sig syscall.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd == nil {
		return
	}
	select {
	case <-s.gone: // its id may be another process's by now
	default:
		s.cmd.Process.Signal(sig)
	}
}

func (s *Server) logPath() string { return filepath.Join(s.config.Dir, "server.log") }

// Log returns the end of what the server wrote.
func (s *Server) Log() string {
	text, _ := os.ReadFile(s.logPath())
	lines := strings.Split(string(text), "\n")
	return strings.Join(lines[max(0, len(lines)-25):], "\n")
}

// eventually polls until ok returns nil.
func eventually(t testing.TB, what string, ok func() error) {
	t.Helper()
	end := time.Now().Add(startTimeout)
	for {
		err := ok()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s: %v", what, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}
