//go:build unix

package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-batteries/hawkeye/store/redisstore/redistest"
)

// asCommand makes the test binary the command itself.
const asCommand = "TEST_AS_HAWKEYE"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
	}
	os.Exit(m.Run())
}

// process is a running command.
type process struct {
	*exec.Cmd
	t    *testing.T
	name string
	done chan error

	mu  sync.Mutex // guards log
	log strings.Builder
}

// Write keeps what the process says.
func (p *process) Write(text []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.Write(text)
}

func (p *process) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// startCommand runs the command in dir, with nothing of our environment but
// what it needs, until it ends or the test does.
func startCommand(t *testing.T, dir string, args ...string) *process {
	t.Helper()
	p := &process{Cmd: exec.Command(os.Args[0], args...), t: t, name: strings.Join(args, " "), done: make(chan error, 1)}
	p.Dir, p.Stdout, p.Stderr = dir, p, p
	p.Env = []string{asCommand + "=1", "PATH=" + os.Getenv("PATH"), "TMPDIR=" + dir}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.done <- p.Wait() }()
	t.Cleanup(func() {
		_ = p.Process.Kill()
		if t.Failed() {
			t.Logf("hawkeye %s said:\n%s", p.name, p.said())
		}
	})
	return p
}

// await waits until the process has said a text.
func (p *process) await(text string) {
	p.t.Helper()
	eventually(p.t, "hawkeye "+p.name+" says "+text, func() bool { return strings.Contains(p.said(), text) })
}

// end sends a signal and returns the exit code.
func (p *process) end(signal os.Signal) int {
	p.t.Helper()
	if err := p.Process.Signal(signal); err != nil {
		p.t.Fatal(err)
	}
	select {
	case <-p.done:
		return p.ProcessState.ExitCode()
	case <-time.After(40 * time.Second):
		p.t.Fatalf("hawkeye %s didn't end", p.name)
		return 0
	}
}

func eventually(t *testing.T, what string, met func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !met(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("30 s have passed, and still not: %s", what)
		}
	}
}

// once runs a command to its end and returns all that it said.
func once(t *testing.T, dir string, stdin string, args ...string) (code int, said string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(stdin)
	cmd.Env = []string{asCommand + "=1", "TMPDIR=" + dir}
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

// shortDir is a folder whose path leaves room for a socket's.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "hk")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func writeFiles(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// mailServer takes mails by SMTP (RFC 5321), as much of it as a client needs.
type mailServer struct {
	addr  string
	mails chan string
}

func newMailServer(t *testing.T) *mailServer {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	s := &mailServer{addr: ln.Addr().String(), mails: make(chan string, 100)}
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go s.serve(conn)
		}
	}()
	return s
}

func (s *mailServer) serve(conn net.Conn) {
	defer conn.Close()
	fmt.Fprint(conn, "220 test\r\n")
	var mail strings.Builder
	data := false
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		line := lines.Text()
		switch {
		case data && line == ".":
			data = false
			s.mails <- mail.String()
			mail.Reset()
			fmt.Fprint(conn, "250 taken\r\n")
		case data:
			mail.WriteString(line + "\n")
		case strings.EqualFold(line, "DATA"):
			data = true
			fmt.Fprint(conn, "354 go on\r\n")
		case strings.EqualFold(line, "QUIT"):
			fmt.Fprint(conn, "221 bye\r\n")
			return
		default:
			fmt.Fprint(conn, "250 fine\r\n")
		}
	}
}

func (s *mailServer) mail(t *testing.T) string {
	t.Helper()
	select {
	case mail := <-s.mails:
		return mail
	case <-time.After(30 * time.Second):
		t.Fatal("no mail within 30 s")
		return ""
	}
}

// TestServerAndAgentProcesses is how hawkeye runs beside programs that don't
// import it: a server and an agent over one Redis, both configured by .env and
// monitors.yaml in their working directory; samples from the command and from
// Python, and a mail.
func TestServerAndAgentProcesses(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t, redistest.Config{})
	mails := newMailServer(t)
	dir := shortDir(t)
	writeFiles(t, dir, map[string]string{
		"monitors.yaml": oneMonitor,
		".env": "HAWKEYE_STORE=redis://" + redis.Addr() + "/0\nHAWKEYE_SMTP=smtp://" + mails.addr +
			"?tls=none\nHAWKEYE_FROM=hawkeye@example.com\nHAWKEYE_SOCKET=./metrics.sock\nHAWKEYE_SERVICE=orders\n",
	})
	server := startCommand(t, dir, "run", "--only", "server")
	agent := startCommand(t, dir, "run", "--only", "agent,notifier")
	server.await("msg=started")
	agent.await("msg=started")
	if code, said := once(t, dir, "", "send", "orders.failed:2|c", "orders.failed:1|c|#region:eu"); code != exitFine || said != "" {
		t.Errorf("send = %d, %s", code, said)
	}
	if code, said := once(t, dir, strings.Repeat("orders.failed:1|c\n", 3), "send"); code != exitFine || said != "" {
		t.Errorf("send of its input = %d, %s", code, said)
	}
	python := exec.CommandContext(t.Context(), "python3", "-c", "import socket\n"+
		"s = socket.socket(socket.AF_UNIX)\ns.connect('metrics.sock')\n"+
		"for i in range(4): s.sendall(b'orders.failed:1|c\\n')\ns.close()\n")
	python.Dir = dir
	if out, err := python.CombinedOutput(); err != nil {
		t.Skipf("needs python3: %v, %s", err, out)
	}
	mail := mails.mail(t)
	for _, want := range []string{"To: <oncall@example.com>", "From: <hawkeye@example.com>", "orders.failed"} {
		if !strings.Contains(mail, want) {
			t.Errorf("the mail lacks %q:\n%s", want, mail)
		}
	}
	if code, said := once(t, dir, "", "send", "orders.failed:1|c", "bad:x|c", "worse"); code != exitFound ||
		!strings.Contains(said, `line 2 ("bad:x|c"): the value is not a number; 1 more of lines 1 to 3 refused`) || !strings.Contains(said, "1 line accepted, 2 lines refused") {
		t.Errorf("send of bad lines = %d, %s", code, said)
	}
	for _, p := range []*process{server, agent} {
		if code := p.end(syscall.SIGTERM); code != exitFine {
			t.Errorf("hawkeye %s ended with %d after SIGTERM", p.name, code)
		}
	}
	if n := len(mails.mails); n != 0 {
		t.Errorf("%d more mails: %s", n, <-mails.mails)
	}
}

// TestOneProcess needs nothing but a configuration: it counts in memory, and
// the mail goes to the log. It is found without a path, reloads at SIGHUP, and
// keeps what it counts in a file.
func TestOneProcess(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	if err := os.Mkdir(filepath.Join(dir, "conf.d"), 0o700); err != nil {
		t.Fatal(err)
	}
	monitors := filepath.Join("conf.d", "orders.yaml")
	writeFiles(t, dir, map[string]string{monitors: oneMonitor})
	p := startCommand(t, dir, "run", "--config", "conf.d", "--store", "memory:state", "--log-format", "json")
	p.await(`"msg":"started"`)
	if code, said := once(t, dir, strings.Repeat("orders.failed:1|c\n", 10), "send", "-"); code != exitFine {
		t.Errorf("send = %d, %s", code, said)
	}
	p.await(`"msg":"mail"`)

	writeFiles(t, dir, map[string]string{monitors: "version: 2\nmonitor: []\n"})
	if err := p.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	p.await("the one before stays in force")
	writeFiles(t, dir, map[string]string{monitors: strings.Replace(oneMonitor, "threshold: 10", "threshold: 1000", 1)})
	if err := p.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	p.await("configuration reloaded")

	if second, said := once(t, dir, "", "run", "--config", "conf.d", "--socket", onlySocket(t, dir)); second != exitError || !strings.Contains(said, "socket in use") {
		t.Errorf("a second process on the same socket = %d, %s, want %d", second, said, exitError)
	}
	if code := p.end(os.Interrupt); code != exitFine {
		t.Errorf("ended with %d after SIGINT", code)
	}
	if _, err := os.Stat(filepath.Join(dir, "state")); err != nil {
		t.Errorf("nothing was kept: %v", err)
	}
	if code, said := once(t, dir, "", "send", "a:1|c"); code != exitError || !strings.Contains(said, "no metric server runs that we may talk to; looked for sockets in "+dir) {
		t.Errorf("send without a server = %d, %s", code, said)
	}
	if code, said := once(t, dir, "", "send", "--service", "none", "a:1|c"); code != exitError || !strings.Contains(said, "no metric server answers at "+dir) {
		t.Errorf("send to no server = %d, %s", code, said)
	}
}

// onlySocket is the one that the process in dir has made.
func onlySocket(t *testing.T, dir string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "hawkeye-*", "*.sock"))
	if err != nil || len(found) != 1 {
		t.Fatalf("found the sockets %v, %v, want one", found, err)
	}
	return found[0]
}

// TestSendChooses: with several servers the caller must say which.
func TestSendChooses(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	writeFiles(t, dir, map[string]string{"monitors.yaml": oneMonitor})
	for _, service := range []string{"one", "two"} {
		startCommand(t, dir, "run", "--service", service).await("msg=started")
	}
	if code, said := once(t, dir, "", "send", "a:1|c"); code != exitError || !strings.Contains(said, "several metric servers run; --socket says which") ||
		!strings.Contains(said, "one.sock") || !strings.Contains(said, "two.sock") {
		t.Errorf("send = %d, %s, want a list of both", code, said)
	}
	if code, said := once(t, dir, "", "send", "--service", "two", "a:1|c"); code != exitFine {
		t.Errorf("send --service two = %d, %s", code, said)
	}
}

// TestSecondSignal: whoever is tired of waiting for the drain can end it.
func TestSecondSignal(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	silent, err := net.Listen("tcp", "127.0.0.1:0") // a mail server that says nothing
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close() })
	writeFiles(t, dir, map[string]string{"monitors.yaml": oneMonitor})
	p := startCommand(t, dir, "run", "--service", "slow", "--from", "a@example.com", "--smtp", "smtp://"+silent.Addr().String()+"?tls=none")
	p.await("msg=started")
	if code, said := once(t, dir, "", "send", "orders.failed:10|c"); code != exitFine {
		t.Fatalf("send = %d, %s", code, said)
	}
	conn, err := silent.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the socket is gone", func() bool {
		found, _ := filepath.Glob(filepath.Join(dir, "hawkeye-*", "*.sock"))
		return len(found) == 0
	})
	if code := p.end(syscall.SIGTERM); code != -1 {
		t.Errorf("ended with %d after a second SIGTERM, want death by the signal", code)
	}
}
