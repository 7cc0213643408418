//go:build unix

package fleet

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"
)

// life is that of a replica of the wild run.
type life struct {
	*child
	began   time.Time
	working sync.Mutex // held while it is asked to count work
	asking  sync.Mutex // held while it is asked anything

	// Guarded by wild.mu.
	ready  bool
	killed time.Time // by signal 9, or at a step that was armed
	asked  time.Time // to end
	ended  time.Time
	failed bool // it ended otherwise than it was told to
	armed  bool
	stops  []span
	copied bool // it has a copy of the ledger
	work   map[int64]*wildWork
}

// span is a time in which a process was stopped; to is zero while it is.
type span struct{ from, to time.Time }

func (l *life) pid() int { return l.cmd.Process.Pid }

// ask is [child.ask], one question at a time.
func (l *life) ask(format string, args ...any) (string, bool) {
	l.asking.Lock()
	defer l.asking.Unlock()
	return l.child.ask(format, args...)
}

// begin runs a replica, which is ready some time later.
func (w *wild) begin() *life {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), envRedis+"="+w.addr, envConfig+"="+w.config, envMails+"="+w.mailFile(), envTrace+"="+w.tracePath())
	cmd.SysProcAttr = dieWithParent()
	log, err := os.CreateTemp(w.dir, "log-")
	if err != nil {
		w.t.Errorf("start a replica: %v", err)
		return nil
	}
	defer log.Close()
	cmd.Stderr = log
	in, err := cmd.StdinPipe()
	if err != nil {
		w.t.Errorf("start a replica: %v", err)
		return nil
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		w.t.Errorf("start a replica: %v", err)
		return nil
	}
	if err := cmd.Start(); err != nil {
		w.t.Errorf("start a replica: %v", err)
		return nil
	}
	os.Rename(log.Name(), filepath.Join(w.dir, fmt.Sprintf("log-%d", cmd.Process.Pid)))
	l := &life{
		child: &child{fleet: w.fleet, cmd: cmd, in: in, out: bufio.NewReader(out), gone: make(chan struct{})},
		began: time.Now(), work: make(map[int64]*wildWork),
	}
	l.asking.Lock() // until it is ready
	w.mu.Lock()
	w.lives = append(w.lives, l)
	w.mu.Unlock()
	go w.follow(l)
	return l
}

// follow waits until a replica is ready, and for its end.
func (w *wild) follow(l *life) {
	line, err := l.out.ReadString('\n')
	l.asking.Unlock()
	w.mu.Lock()
	l.ready = line == "ready\n"
	w.mu.Unlock()
	if err == nil && !l.ready {
		w.t.Errorf("a replica says %q, want ready", line)
	}
	l.cmd.Wait()
	state := l.cmd.ProcessState
	w.mu.Lock()
	l.ended = time.Now()
	switch status := state.Sys().(syscall.WaitStatus); {
	case status.Signaled():
		if l.killed.IsZero() { // at a step
			l.killed = l.ended
			l.failed = !l.armed
		}
	default:
		l.failed = l.asked.IsZero() || state.ExitCode() != 0
	}
	w.mu.Unlock()
	close(l.gone)
}

// startAll runs the first replicas and waits until they evaluate.
func (w *wild) startAll(n int) {
	for range n {
		w.begin()
	}
	w.await("all replicas have the ledger", time.Minute, func() bool { return w.copies() == n })
}

// copies counts those that have a copy of the ledger, and could bring it back.
func (w *wild) copies() (n int) {
	for _, l := range w.able() {
		if w.hasCopy(l) {
			n++
		}
	}
	return n
}

// hasCopy says whether a replica has a copy of the ledger.
func (w *wild) hasCopy(l *life) bool {
	w.mu.Lock()
	copied := l.copied
	w.mu.Unlock()
	if !copied {
		data, _ := os.ReadFile(fmt.Sprintf("%s-%d", w.tracePath(), l.pid()))
		copied = bytes.Contains(data, []byte(" copied "))
		w.mu.Lock()
		l.copied = copied
		w.mu.Unlock()
	}
	return copied
}

// able are the replicas that are ready and that nothing was done to.
func (w *wild) able() (able []*life) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, l := range w.lives {
		if l.ready && !l.going() && !l.stopped() {
			able = append(able, l)
		}
	}
	return able
}

// there are the replicas that aren't gone or about to go.
func (w *wild) there() (there []*life) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, l := range w.lives {
		if !l.going() {
			there = append(there, l)
		}
	}
	return there
}

// going wants wild.mu held.
func (l *life) going() bool {
	return !l.killed.IsZero() || !l.asked.IsZero() || !l.ended.IsZero() || l.armed
}

// stopped wants wild.mu held.
func (l *life) stopped() bool {
	return slices.ContainsFunc(l.stops, func(s span) bool { return s.to.IsZero() })
}

// kill ends a replica as a power cut would.
func (w *wild) kill(l *life) {
	w.mu.Lock()
	if l.killed.IsZero() && l.ended.IsZero() {
		l.killed = time.Now()
	}
	w.mu.Unlock()
	l.child.kill()
}

// stop stops a replica.
func (w *wild) stop(l *life) {
	w.mu.Lock()
	l.stops = append(l.stops, span{from: time.Now()})
	w.mu.Unlock()
	l.signal(syscall.SIGSTOP)
}

// goOn continues it.
func (w *wild) goOn(l *life) {
	l.signal(syscall.SIGCONT)
	w.mu.Lock()
	l.stops[len(l.stops)-1].to = time.Now()
	w.mu.Unlock()
}

// end asks a replica to end, and waits until it has.
func (w *wild) end(l *life) {
	w.mu.Lock()
	l.asked = time.Now()
	w.mu.Unlock()
	l.signal(syscall.SIGTERM)
	select {
	case <-l.gone:
	case <-time.After(30 * time.Second):
		w.t.Errorf("process %d doesn't end 30 s after it was asked to", l.pid())
		w.kill(l)
	}
}

// killAll ends all replicas, whatever they do.
func (w *wild) killAll() {
	w.mu.Lock()
	lives := slices.Clone(w.lives)
	w.mu.Unlock()
	for _, l := range lives {
		l.child.kill()
	}
}
