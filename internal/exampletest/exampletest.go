// Package exampletest runs an example as its reader would: it builds the
// program, starts it, talks to it over HTTP, reads its log, and ends it by
// SIGTERM.
package exampletest

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Patience is how long anything may take that is waited for: much longer than
// it takes, so that a busy machine is no failure.
const Patience = 30 * time.Second

// Program is a running example.
type Program struct {
	// URL is where it listens, and Socket its metric server's socket.
	URL, Socket string

	t      *testing.T
	cmd    *exec.Cmd
	log    *log
	exited chan struct{} // closed when it has ended
	err    error         // of Wait; set before exited is closed
}

// Start builds the program in the test's directory and runs it with
// -addr localhost:0, -socket in a temporary directory, and args, until it says
// that it listens. It is killed when the test ends, if it still runs then.
func Start(t *testing.T, args ...string) *Program {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("needs SIGTERM, which Windows doesn't have")
	}
	dir := SocketDir(t)
	p := &Program{t: t, Socket: filepath.Join(dir, "hawkeye.sock"), log: newLog(), exited: make(chan struct{})}
	args = append([]string{"-addr", "localhost:0", "-socket", p.Socket}, args...)
	p.cmd = exec.Command(Build(t), args...)
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("start the example: %v", err)
	}
	go func() { // ends with the program, which the clean-up ends
		p.err = p.cmd.Wait()
		close(p.exited)
	}()
	t.Cleanup(p.Kill)
	p.URL = p.WaitLog(regexp.MustCompile(`listening.* url=(\S+)`))
	return p
}

// Build builds the program in the test's directory, with the race detector if
// the test has it, and returns the path of the executable.
func Build(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "example")
	args := []string{"build", "-o", path}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "-race" && s.Value == "true" {
				args = append(args, "-race")
			}
		}
	}
	if out, err := exec.Command("go", append(args, ".")...).CombinedOutput(); err != nil {
		t.Fatalf("go %v: %v\n%s", args, err, out)
	}
	return path
}

// SocketDir returns a directory for a socket that ends with the test. Its name
// is short, because a socket's path may not be long.
func SocketDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "hawkeye")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// Get makes a request n times and returns the status and body of the last.
func (p *Program) Get(path string, n int) (status int, body string) {
	p.t.Helper()
	for range n {
		resp, err := http.Get(p.URL + path)
		if err != nil {
			p.t.Fatalf("GET %s: %v\n%s", path, err, p.log.text())
		}
		data, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			p.t.Fatalf("GET %s: %v", path, err)
		}
		status, body = resp.StatusCode, string(data)
	}
	return status, body
}

// Query asks the page /hawkeye/query for the value of a metric.
func (p *Program) Query(metric string, where ...string) float64 {
	p.t.Helper()
	q := url.Values{"metric": {metric}, "where": where}
	status, body := p.Get("/hawkeye/query?"+q.Encode(), 1)
	var answer struct{ Value float64 }
	if err := json.Unmarshal([]byte(body), &answer); err != nil || status != http.StatusOK {
		p.t.Fatalf("query %s: status %d, %v, %s", metric, status, err, body)
	}
	return answer.Value
}

// WaitLog waits for a line of the log and returns what its first group that
// isn't empty matched.
func (p *Program) WaitLog(line *regexp.Regexp) string {
	p.t.Helper()
	late := time.After(Patience)
	for {
		text, more := p.log.read()
		if m := line.FindStringSubmatch(text); m != nil {
			return strings.Join(m[1:], "")
		}
		select {
		case <-more:
		case <-p.exited:
			p.t.Fatalf("the example has ended (%v) without a log line like %v\n%s", p.err, line, p.log.text())
		case <-late:
			p.t.Fatalf("no log line like %v within %v\n%s", line, Patience, p.log.text())
		}
	}
}

// Lines returns the lines of the log so far that match.
func (p *Program) Lines(line *regexp.Regexp) []string {
	var found []string
	for l := range strings.Lines(p.log.text()) {
		if line.MatchString(l) {
			found = append(found, l)
		}
	}
	return found
}

// Stop ends the program by SIGTERM; it must end by itself, with exit code 0.
func (p *Program) Stop() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatalf("SIGTERM: %v", err)
	}
	select {
	case <-p.exited:
	case <-time.After(Patience):
		p.t.Fatalf("still running %v after SIGTERM\n%s", Patience, p.log.text())
	}
	if p.err != nil {
		p.t.Errorf("after SIGTERM: %v, want exit code 0\n%s", p.err, p.log.text())
	}
	if _, err := os.Lstat(p.Socket); err == nil {
		p.t.Errorf("the socket %s is left behind", p.Socket)
	}
}

// Kill ends the program by SIGKILL, of which it notices nothing.
func (p *Program) Kill() {
	p.cmd.Process.Kill()
	<-p.exited
}

// Run runs a command to its end and returns what it printed.
func Run(t *testing.T, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 4*Patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// Reaches reads a value until it is want; what was sent to a socket and not
// answered is on its way when its sender has ended. It returns the last one.
func Reaches(want float64, read func() float64) float64 {
	late := time.Now().Add(Patience)
	for {
		got := read()
		if got >= want || time.Now().After(late) {
			return got
		}
	}
}

// Need skips the test if a program isn't installed.
func Need(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Skipf("needs %s: %v", program, err)
	}
}

// log is what a program printed.
type log struct {
	mu   sync.Mutex // guards what follows
	data bytes.Buffer
	more chan struct{} // closed at the next Write
}

func newLog() *log { return &log{more: make(chan struct{})} }

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.more)
	l.more = make(chan struct{})
	return l.data.Write(p)
}

func (l *log) read() (string, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.data.String(), l.more
}

func (l *log) text() string {
	text, _ := l.read()
	return text
}
