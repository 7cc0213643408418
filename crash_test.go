//go:build unix

package hawkeye_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-batteries/hawkeye"
	"github.com/go-batteries/hawkeye/store/memstore"
)

// The processes of these tests are this test's binary, run again with a state
// file named here, which then runs TestLifeOfOtherTests alone.
const (
	lifeEnv   = "HAWKEYE_TEST_LIFE"
	seriesEnv = "HAWKEYE_TEST_SERIES" // how many more are counted all the time
	largeEnv  = "HAWKEYE_TEST_LARGE"  // if set, the state is kept for long, and written often
)

// crashFile fires for each value of n by itself.
const crashFile = `version: 2
receivers:
  ops: {email: {to: [ops@example.com]}, group: {by: [monitor, n], interval: 1s}}
defaults: {max_groups: 10000}
monitors:
  - name: errors
    metric: errors
    by: [n]
    window: 5s
    triggers:
      - {level: critical, threshold: 10, notify: [ops], repeat: never}
`

// TestLifeOfOtherTests is a process that watches crashFile. It says what it
// sends, and counts what its standard input names.
func TestLifeOfOtherTests(t *testing.T) {
	state := os.Getenv(lifeEnv)
	if state == "" {
		return // run as a test of its own it has nothing to do
	}
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer cancel()
	opts := []memstore.Option{memstore.WithStateFile(state)}
	if os.Getenv(largeEnv) != "" {
		opts = append(opts, memstore.WithRetention(time.Hour), memstore.WithStateInterval(2*time.Second))
	}
	s, err := memstore.New(opts...)
	if err != nil {
		t.Fatal(err)
	}
	h, err := hawkeye.New(hawkeye.WithService("shop", "test"), hawkeye.WithConfig("monitors.yaml", []byte(crashFile)),
		hawkeye.WithStore(s), hawkeye.WithoutSocket(), hawkeye.WithLogger(quiet()),
		hawkeye.WithMailer(hawkeye.MailerFunc(func(_ context.Context, cfg hawkeye.MailerConfig) error {
			fmt.Printf("mail %s %q\n", cfg.MessageID, cfg.Subject+"\n"+cfg.Body)
			return nil
		})))
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Start(ctx); err != nil {
		t.Fatal(err)
	}
	fmt.Println("started")
	go func() { // ends with the process
		for commands := bufio.NewScanner(os.Stdin); commands.Scan(); {
			h.Count("errors", 20, hawkeye.T("n", commands.Text()))
			fmt.Println("counted", commands.Text())
		}
	}()
	noise, _ := strconv.Atoi(os.Getenv(seriesEnv))
	for tick := time.NewTicker(200 * time.Millisecond); ; {
		for i := range noise {
			h.Count("noise", 1, hawkeye.T("i", strconv.Itoa(i)))
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			stop, cancel := inTime(5 * time.Second)
			defer cancel()
			if err := h.Shutdown(stop); err != nil {
				t.Error(err)
			}
			return
		}
	}
}

// sentMail is one that a process said it sent.
type sentMail struct {
	id, n, text string
	life        int
}

func (m *sentMail) ended() bool   { return strings.Contains(m.text, "[ended]") }
func (m *sentMail) repeats() bool { return strings.Contains(m.text, "may be a repeat") }

// lives are processes that use one state file, one after the other.
type lives struct {
	state  string
	series int
	large  bool

	cmd *exec.Cmd
	in  io.WriteCloser
	n   int // how many there were

	mu    sync.Mutex // guards what follows
	mails []sentMail
	said  chan string // other lines
	done  chan struct{}
}

func (l *lives) start(t *testing.T) {
	t.Helper()
	l.n++
	life := l.n
	cmd := exec.Command(os.Args[0], "-test.run=^TestLifeOfOtherTests$")
	cmd.Env = append(os.Environ(), lifeEnv+"="+l.state, seriesEnv+"="+strconv.Itoa(l.series))
	if l.large {
		cmd.Env = append(cmd.Env, largeEnv+"=1")
	}
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	said, done := make(chan string, 1000), make(chan struct{})
	l.cmd, l.in, l.said, l.done = cmd, in, said, done
	go func() { // ends with the child
		defer close(done)
		defer close(said)
		for s := bufio.NewScanner(out); s.Scan(); {
			id, text, isMail := strings.Cut(strings.TrimPrefix(s.Text(), "mail "), " ")
			if !isMail || !strings.HasPrefix(s.Text(), "mail ") {
				said <- s.Text()
				continue
			}
			text, _ = strconv.Unquote(text)
			_, n, _ := strings.Cut(text, "n=")
			n, _, _ = strings.Cut(n, "}")
			l.mu.Lock()
			l.mails = append(l.mails, sentMail{id, n, text, life})
			l.mu.Unlock()
		}
	}()
	l.await(t, "started")
}

func (l *lives) await(t *testing.T, line string) {
	t.Helper()
	patience := time.After(time.Minute)
	for {
		select {
		case got, ok := <-l.said:
			if !ok {
				t.Fatalf("the process ended, want %q", line)
			}
			if got == line {
				return
			}
		case <-patience:
			t.Fatalf("no %q within a minute", line)
		}
	}
}

// breach counts what fires, and returns when that was done.
func (l *lives) breach(t *testing.T, n string) time.Time {
	t.Helper()
	if _, err := fmt.Fprintln(l.in, n); err != nil {
		t.Fatal(err)
	}
	l.await(t, "counted "+n)
	return time.Now()
}

func (l *lives) end(t *testing.T, sig syscall.Signal) {
	t.Helper()
	_ = l.cmd.Process.Signal(sig)
	<-l.done
	if err := l.cmd.Wait(); sig == syscall.SIGTERM && err != nil {
		t.Errorf("the process ended by SIGTERM with %v, want exit code 0", err)
	}
}

// of returns the mails about n.
func (l *lives) of(n string) (about []sentMail) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range l.mails {
		if m.n == n {
			about = append(about, m)
		}
	}
	return about
}

// awaitMail waits for one about n, of a beginning or an end.
func (l *lives) awaitMail(n string, ended bool, patience time.Duration) bool {
	for deadline := time.Now().Add(patience); ; <-time.After(10 * time.Millisecond) {
		if slices.ContainsFunc(l.of(n), func(m sentMail) bool { return m.ended() == ended }) {
			return true
		}
		if time.Now().After(deadline) {
			return false
		}
	}
}

// Processes that live for less than a second and are killed, one after the
// other on one state file, each tell what they count.
func TestBriefLivesWithAStateFile(t *testing.T) {
	t.Parallel()
	l := &lives{state: filepath.Join(t.TempDir(), "state")}
	life, told := 800*time.Millisecond, 0
	for n := range 10 {
		l.start(t)
		began := time.Now()
		l.breach(t, strconv.Itoa(n))
		if left := life - time.Since(began); l.awaitMail(strconv.Itoa(n), false, left) {
			told++
		}
		<-time.After(time.Until(began.Add(life)))
		l.end(t, syscall.SIGKILL)
		if n%3 == 0 { // some begin at once, some later
			<-time.After(time.Second)
		}
	}
	if told < 10 {
		t.Errorf("%d of ten lives of %v told what they counted, want all", told, life)
	}
}

// A process that is killed at any moment, again and again, leaves nothing
// untold, no end out, and tells nothing under two ids. In the long form the disk
// is busy, and a state of 16 MB is written all the time.
func TestKilledAtRandomMoments(t *testing.T) {
	t.Parallel()
	kills, seed := 6, uint64(1)
	long := os.Getenv("HAWKEYE_LONG") != ""
	if long {
		kills, seed = 100, uint64(time.Now().UnixNano())
		busyDisk(t)
	}
	for _, series := range []int{0, 6000} {
		t.Run(fmt.Sprintf("%d series", series), func(t *testing.T) {
			t.Logf("seed %d", seed)
			l := &lives{state: filepath.Join(t.TempDir(), "state"), series: series}
			if long && series > 0 {
				l.large = true
				l.fill(t, 16<<20)
			}
			l.killAtRandom(t, kills, rand.New(rand.NewPCG(seed, uint64(series))))
		})
	}
}

// busyDisk has dd write to the disk until the test is over.
func busyDisk(t *testing.T) {
	file := filepath.Join(t.TempDir(), "busy")
	ctx, cancel := context.WithCancel(context.Background())
	written := make(chan int, 1)
	go func() {
		n := 0
		defer func() { written <- n }()
		for ctx.Err() == nil {
			if err := exec.CommandContext(ctx, "dd", "if=/dev/zero", "of="+file, "bs=1M", "count=128", "conv=fdatasync").Run(); err != nil && ctx.Err() == nil {
				t.Errorf("dd: %v", err)
				return
			}
			n++
		}
	}()
	t.Cleanup(func() {
		cancel()
		t.Logf("dd wrote 128 MB %d times meanwhile", <-written)
	})
}

// fill has a process count until its state is so large.
func (l *lives) fill(t *testing.T, size int64) {
	series := l.series
	l.series = 20_000
	l.start(t)
	l.series = series
	for deadline := time.Now().Add(5 * time.Minute); l.size() < size; <-time.After(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the state has %d bytes after 5 minutes, want %d", l.size(), size)
		}
	}
	l.end(t, syscall.SIGTERM)
	t.Logf("the state has %d bytes at first", l.size())
}

func (l *lives) size() int64 {
	info, err := os.Stat(l.state)
	if err != nil {
		return 0
	}
	return info.Size()
}

func (l *lives) killAtRandom(t *testing.T, kills int, r *rand.Rand) {
	counted := map[string]time.Time{}
	killed := map[string]time.Time{} // when the process that had counted it was
	for n := range kills {
		l.start(t)
		var now []string
		for i := range 3 {
			name := fmt.Sprintf("%d-%d", n, i)
			counted[name] = l.breach(t, name)
			now = append(now, name)
			if n%2 == 0 { // some right after a mail, some at any moment
				l.awaitMail(name, false, 5*time.Second)
			}
			<-time.After(time.Duration(r.Int64N(int64(900 * time.Millisecond))))
		}
		l.end(t, syscall.SIGKILL)
		for _, name := range now {
			killed[name] = time.Now()
		}
	}
	l.start(t)
	unheard := 0
	for name := range counted {
		unread := killed[name].Sub(counted[name]) < time.Second // it died with its process
		if !l.awaitMail(name, false, 100*time.Millisecond) && unread {
			unheard++
			continue
		}
		if !l.awaitMail(name, false, 5*time.Second) {
			t.Errorf("%s was counted %v before the kill, and never told", name, killed[name].Sub(counted[name]))
		}
		if !l.awaitMail(name, true, 30*time.Second) {
			t.Errorf("the end of %s was never told", name)
		}
		ids := map[string]bool{}
		firings := 0
		for _, m := range l.of(name) {
			if m.ended() {
				continue
			}
			firings++
			ids[m.id] = true
			if firings > 1 && !m.repeats() {
				t.Errorf("%s was told again without a word about it: %q", name, m.text)
			}
		}
		if len(ids) > 1 {
			t.Errorf("%s was told under %d ids", name, len(ids))
		}
	}
	l.end(t, syscall.SIGTERM)
	t.Logf("%d kills, %d breaches of which %d died unread, %d mails, the state has %d bytes", kills, len(counted), unheard, len(l.mails), l.size())
}
