//go:build unix

package fleet

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-batteries/hawkeye/internal/ledger"
	"github.com/go-batteries/hawkeye/store/redisstore/redistest"
)

// long says whether the long form was asked for.
func long() bool { return os.Getenv("HAWKEYE_LONG") != "" }

// fleet is some children on one server.
type fleet struct {
	t      *testing.T
	addr   string
	dir    string
	config string

	mu    sync.Mutex // guards died
	died  map[int]time.Time
	alive []*child

	leaving []*child // that were asked to end, and may take their time

	mirror *ledger.Mirror // of nothingToTell
	book   *ledger.Book
}

// child is a replica, a process of its own.
type child struct {
	fleet *fleet
	cmd   *exec.Cmd
	in    io.WriteCloser
	out   *bufio.Reader
	gone  chan struct{}
}

func newFleet(t *testing.T, addr, config string) *fleet {
	t.Helper()
	f := &fleet{t: t, addr: addr, dir: t.TempDir(), died: make(map[int]time.Time)}
	f.config = filepath.Join(f.dir, "monitors.yaml")
	if err := os.WriteFile(f.config, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, c := range append(f.alive, f.leaving...) {
			c.kill()
		}
		if t.Failed() {
			t.Logf("logs:\n%s", f.logs())
		}
	})
	return f
}

// start runs a child and waits until it is ready.
func (f *fleet) start(env ...string) *child {
	f.t.Helper()
	log, err := os.OpenFile(filepath.Join(f.dir, "log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		f.t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), envRedis+"="+f.addr, envConfig+"="+f.config, envMails+"="+f.mailFile()), env...)
	cmd.Stderr = log
	in, err := cmd.StdinPipe()
	if err != nil {
		f.t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		f.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		f.t.Fatalf("start a replica: %v", err)
	}
	c := &child{fleet: f, cmd: cmd, in: in, out: bufio.NewReader(out), gone: make(chan struct{})}
	go func() {
		cmd.Wait()
		f.mu.Lock()
		f.died[cmd.Process.Pid] = time.Now()
		f.mu.Unlock()
		close(c.gone)
	}()
	if line, err := c.out.ReadString('\n'); line != "ready\n" {
		f.t.Fatalf("a replica says %q, %v; want ready\n%s", line, err, f.logs())
	}
	f.alive = append(f.alive, c)
	return c
}

func (f *fleet) startN(n int, env ...string) []*child {
	f.t.Helper()
	for range n {
		f.start(env...)
	}
	return f.alive
}

func (f *fleet) mailFile() string { return filepath.Join(f.dir, "mails") }

// logs returns the end of what the children logged.
func (f *fleet) logs() string {
	text, _ := os.ReadFile(filepath.Join(f.dir, "log"))
	lines := strings.Split(string(text), "\n")
	return strings.Join(lines[max(0, len(lines)-60):], "\n")
}

// logged says how many lines of the children's logs hold text.
func (f *fleet) logged(text string) int {
	data, _ := os.ReadFile(filepath.Join(f.dir, "log"))
	return strings.Count(string(data), text)
}

// ask sends a line and returns the answer; false if the child is gone.
func (c *child) ask(format string, args ...any) (string, bool) {
	if _, err := fmt.Fprintf(c.in, format+"\n", args...); err != nil {
		return "", false
	}
	line, err := c.out.ReadString('\n')
	return strings.TrimSuffix(line, "\n"), err == nil
}

func (c *child) isGone() bool {
	select {
	case <-c.gone:
		return true
	default:
		return false
	}
}

func (c *child) signal(s syscall.Signal) {
	if !c.isGone() {
		c.cmd.Process.Signal(s)
	}
}

// kill ends a child as a power cut would.
func (c *child) kill() {
	c.signal(syscall.SIGKILL)
	<-c.gone
}

// evaluator returns the child that decides, nil if there is none at present.
func (f *fleet) evaluator() *child {
	for _, c := range f.alive {
		if answer, _ := c.ask("evaluates"); answer == "true" {
			return c
		}
	}
	return nil
}

// awaitEvaluator waits for somebody to decide.
func (f *fleet) awaitEvaluator() *child {
	f.t.Helper()
	var found *child
	f.await("somebody evaluates", 20*time.Second, func() bool { found = f.evaluator(); return found != nil })
	return found
}

// bury takes out the children that are gone and returns how many.
func (f *fleet) bury() (n int) {
	var alive []*child
	for _, c := range f.alive {
		if c.isGone() {
			n++
		} else {
			alive = append(alive, c)
		}
	}
	f.alive = alive
	return n
}

// await polls until ok.
func (f *fleet) await(what string, most time.Duration, ok func() bool) {
	f.t.Helper()
	for end := time.Now().Add(most); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			f.t.Fatalf("not within %v: %s\n%s", most, what, f.logs())
		}
	}
}

// mail is one that a child delivered.
type mail struct {
	at      time.Time
	pid     int
	id      string
	repeat  bool // it says that it may be one
	subject string
}

// about says which monitor a mail is about, and what it tells of it.
func (m mail) about() (name string, fired, ended bool) {
	kind, rest, _ := strings.Cut(m.subject, "] ")
	name, _, _ = strings.Cut(rest, " ")
	return name, kind != "[ended", kind == "[ended" || kind == "[fired and ended"
}

func (f *fleet) mails() (mails []mail) {
	data, _ := os.ReadFile(f.mailFile())
	for line := range strings.Lines(string(data)) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(fields) != 5 {
			continue
		}
		nanos, _ := strconv.ParseInt(fields[0], 10, 64)
		pid, _ := strconv.Atoi(fields[1])
		mails = append(mails, mail{time.Unix(0, nanos), pid, fields[2], fields[3] == "true", fields[4]})
	}
	return mails
}

// monitors makes a configuration with n monitors m0, m1... that fire at 5.
func monitors(n int) string {
	var b strings.Builder
	b.WriteString("version: 2\nreceivers:\n  ops: {email: {to: [ops@example.com]}, group: {interval: 1s}}\nmonitors:\n")
	for i := range n {
		fmt.Fprintf(&b, "  - {name: m%d, metric: m%d, window: 3s, triggers: [{level: critical, threshold: 5, notify: [ops]}]}\n", i, i)
	}
	return b.String()
}

func startRedis(t *testing.T) *redistest.Server {
	t.Helper()
	return redistest.Start(t, redistest.Config{AOF: true})
}

// tally is what was found out, printed in the long form.
type tally struct {
	told, ended, repeats, unsaid int
	untold, twice, problems      []string
}

// judge compares the mails with the monitors that fired, each once. A repeat
// is one mail too many with the same id; it is allowed if the sender of the
// copy before it died right after that, and if it says that it may be one.
func (f *fleet) judge(names []string) tally {
	f.t.Helper()
	l := f.judgeQuietly(names)
	for _, problem := range l.problems {
		f.t.Error(problem)
	}
	return l
}

func (f *fleet) judgeQuietly(names []string) (l tally) {
	type told struct{ mails []mail }
	byID := make(map[string]*told)
	fired, ended := make(map[string]map[string]bool), make(map[string]map[string]bool)
	add := func(to map[string]map[string]bool, name, id string) {
		if to[name] == nil {
			to[name] = make(map[string]bool)
		}
		to[name][id] = true
	}
	for _, m := range f.mails() {
		if byID[m.id] == nil {
			byID[m.id] = &told{}
		}
		byID[m.id].mails = append(byID[m.id].mails, m)
		name, fires, ends := m.about()
		if fires {
			add(fired, name, m.id)
		}
		if ends {
			add(ended, name, m.id)
		}
	}
	for _, name := range names {
		switch len(fired[name]) {
		case 0:
			l.untold = append(l.untold, name)
		case 1:
			l.told++
		default:
			l.twice = append(l.twice, name)
		}
		if len(ended[name]) > 0 {
			l.ended++
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for id, t := range byID {
		for i, m := range t.mails[1:] {
			l.repeats++
			death, dead := f.died[t.mails[i].pid]
			if !dead || death.Sub(t.mails[i].at) > 2*time.Second || !m.repeat {
				l.unsaid++
				l.problems = append(l.problems, fmt.Sprintf("mail %s %q was delivered %d times although its sender lived on (dead %t, after %v, says so %t)",
					id, m.subject, len(t.mails), dead, death.Sub(t.mails[i].at), m.repeat))
			}
		}
	}
	return l
}

func (l tally) String() string {
	return fmt.Sprintf("told %d, untold %d %v, ends told %d, told as two incidents %d %v, repeats %d (unexplained %d)",
		l.told, len(l.untold), l.untold, l.ended, len(l.twice), l.twice, l.repeats, l.unsaid)
}
