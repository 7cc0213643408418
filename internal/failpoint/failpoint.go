// Package failpoint kills this process at a named step, for tests of what the
// others make of it. Where no step is armed, a passage costs one atomic load.
//
// The steps, in the order in which a breach becomes a mail: acquire (the
// evaluation was taken over), read (a tick was read), commit (a decision was
// stored), claim (a message was claimed), accepted (the receiver took it),
// settle (before its outcome is stored). The switch split makes every replica
// evaluate all the time, as if there were no lease.
package failpoint

import (
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// Env names the variable that arms steps from the start: "claim:3" kills at
// the third passage of claim, "claim:3,split" also switches split on.
const Env = "HAWKEYE_FAILPOINT"

// points are what is armed: package-level state, because the steps are spread
// over packages, and a process can die only once.
type points struct {
	mu   sync.Mutex
	left map[string]int
	any  atomic.Bool
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
	left, ok := armed.left[step]
	if ok && left > 0 {
		armed.left[step] = left - 1
	}
	armed.mu.Unlock()
	if ok && left == 1 {
		kill()
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
	left := make(map[string]int)
	for part := range strings.SplitSeq(spec, ",") {
		if name, times, _ := strings.Cut(part, ":"); name != "" {
			n, _ := strconv.Atoi(times)
			left[name] = n
		}
	}
	armed.mu.Lock()
	defer armed.mu.Unlock()
	armed.left = left
	armed.any.Store(len(left) > 0)
}

// kill ends the process as a power cut would.
func kill() {
	if p, err := os.FindProcess(os.Getpid()); err == nil && p.Kill() == nil {
		select {} // until the signal arrives
	}
	os.Exit(137)
}
