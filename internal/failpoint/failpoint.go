// Package failpoint kills this process at a named step, or asks it there to
// end, for tests of what the others make of it. Where no step is armed, a
// passage costs one atomic load.
//
// The steps, in the order in which a breach becomes a mail: acquire (the
// evaluation was taken over), read (a tick was read that brings a decision),
// commit (a decision was stored), claim (a message was claimed), accepted (the
// receiver took it), settle (before its outcome is stored). The switch split
// makes every replica evaluate all the time, as if there were no lease.
package failpoint

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Env names the variable that arms steps from the start: "claim:3" kills at
// the third passage of claim, "claim:3,split" also switches split on.
//
// "term@claim:3" sends SIGTERM instead, and goes on. "claim:3=/tmp/token" does
// what it does only if that file doesn't exist yet, and creates it: of all
// processes that are armed with one file, the first to come to its step dies,
// and leaves a [Token] there. The others go on as if they weren't armed.
const Env = "HAWKEYE_FAILPOINT"

// points are what is armed: package-level state, because the steps are spread
// over packages, and a process can die only once.
type points struct {
	mu   sync.Mutex
	left map[string]point
	any  atomic.Bool
}

// point is what happens at a step.
type point struct {
	left  int // passages, including the one at which it happens
	term  bool
	token string // the file, empty without one
}

var (
	armed points
	once  sync.Once
)

// At kills the process if this is the passage that was armed.
func At(step string) {
	if !active() {
		return
	}
	armed.mu.Lock()
	p, ok := armed.left[step]
	due := ok && p.left == 1
	if ok && p.left > 0 {
		p.left--
		armed.left[step] = p
	}
	armed.mu.Unlock()
	if due && take(p.token, step) {
		p.end()
	}
}

// On says whether a switch is on.
func On(name string) bool {
	if !active() {
		return false
	}
	armed.mu.Lock()
	defer armed.mu.Unlock()
	_, on := armed.left[name]
	return on
}

// Arm arms steps as [Env] does, in the place of those that were armed.
func Arm(spec string) {
	once.Do(func() {})
	arm(spec)
}

func active() bool {
	once.Do(func() { arm(os.Getenv(Env)) })
	return armed.any.Load()
}

func arm(spec string) {
	left := make(map[string]point)
	for part := range strings.SplitSeq(spec, ",") {
		part, token, _ := strings.Cut(part, "=")
		part, term := strings.CutPrefix(part, "term@")
		if name, times, _ := strings.Cut(part, ":"); name != "" {
			n, _ := strconv.Atoi(times)
			left[name] = point{left: n, term: term, token: token}
		}
	}
	armed.mu.Lock()
	defer armed.mu.Unlock()
	armed.left = left
	armed.any.Store(len(left) > 0)
}

// Token says who came first to a step that several processes were armed for.
type Token struct {
	PID  int
	Step string
	At   time.Time
}

// ReadToken returns what stands in a token's file; false as long as nobody
// has taken it.
func ReadToken(path string) (Token, bool) {
	data, err := os.ReadFile(path)
	if err != nil {
		return Token{}, false
	}
	var t Token
	var nanos int64
	if _, err := fmt.Sscanf(string(data), "%d %s %d\n", &t.PID, &t.Step, &nanos); err != nil {
		return Token{}, false
	}
	t.At = time.Unix(0, nanos)
	return t, true
}

// take says whether it is for this process to end: it comes first, or there is
// no token.
func take(token, step string) bool {
	if token == "" {
		return true
	}
	f, err := os.OpenFile(token, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return false
	}
	defer f.Close()
	_, err = fmt.Fprintf(f, "%d %s %d\n", os.Getpid(), step, time.Now().UnixNano())
	return err == nil
}

// end ends the process as a power cut would, or asks it to.
func (p *point) end() {
	self, err := os.FindProcess(os.Getpid())
	if p.term && err == nil && self.Signal(syscall.SIGTERM) == nil {
		return
	}
	if err == nil && self.Kill() == nil {
		select {} // until the signal arrives
	}
	os.Exit(137)
}
