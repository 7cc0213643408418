package memstore

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-batteries/hawkeye/store"
)

// holdEnv names a state file for TestHolder, which is then a process that
// uses it.
const holdEnv = "MEMSTORE_TEST_HOLD"

// TestHolder is the other process of the tests below, run again by them.
func TestHolder(t *testing.T) {
	path := os.Getenv(holdEnv)
	if path == "" {
		return // run as a test of its own it has nothing to do
	}
	s := mustNew(t, WithStateFile(path))
	if err := s.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	put(t, s, open(t, s).Epoch, "of the other process")
	fmt.Println("held")
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n') // until it is to give it back
	put(t, s, cursorOf(t, s).Epoch, "last of the other process")
	mustSync(t, s)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	fmt.Println("given back")
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n') // until it is killed
}

// holder starts a process that uses a state file.
func holder(t *testing.T, path string) (p *os.Process, giveBack func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestHolder$")
	cmd.Env = append(os.Environ(), holdEnv+"="+path)
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
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	said := bufio.NewScanner(out)
	await := func(line string) {
		t.Helper()
		if !said.Scan() || said.Text() != line {
			t.Fatalf("the other process says %q, want %q", said.Text(), line)
		}
	}
	await("held")
	return cmd.Process, func() {
		fmt.Fprintln(in)
		await("given back")
	}
}

func inTime(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// A state file belongs to one process at a time. The next one neither reads nor
// writes it, waits for it in Open, and names who has it.
func TestOpenWaitsForTheProcessBefore(t *testing.T) {
	t.Parallel()
	path := statePath(t)
	p, giveBack := holder(t, path)
	s := mustNew(t, WithStateFile(path), WithLogger(new(journal).logger()))
	if got := cursorOf(t, s); got != (store.Cursor{}) {
		t.Errorf("New() read a state file in use: %+v", got)
	}
	for what, err := range map[string]error{"Open": s.Open(inTime(t, 100*time.Millisecond)), "Sync": s.Sync(t.Context())} {
		if !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), fmt.Sprintf("process %d", p.Pid)) {
			t.Errorf("%s() of a state file in use = %v, want ErrInUse by process %d", what, err, p.Pid)
		}
	}
	opened := make(chan error, 1)
	go func() { opened <- s.Open(inTime(t, time.Minute)) }()
	select {
	case err := <-opened:
		t.Fatalf("Open() while it is in use = %v", err)
	case <-time.After(200 * time.Millisecond):
	}
	giveBack()
	if err := <-opened; err != nil {
		t.Fatalf("Open() when it is free = %v", err)
	}
	if c := changes(t, s, store.Cursor{}); len(c.Records) != 2 {
		t.Errorf("it goes on from %+v, want both records of the other process", c)
	}
	if s.Problem() != nil {
		t.Errorf("Problem() = %v", s.Problem())
	}
}

func TestOpenAfterTheProcessBeforeWasKilled(t *testing.T) {
	t.Parallel()
	path := statePath(t)
	p, _ := holder(t, path)
	s := mustNew(t, WithStateFile(path))
	opened := make(chan error, 1)
	go func() { opened <- s.Open(inTime(t, time.Minute)) }()
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := <-opened; err != nil {
		t.Fatalf("Open() = %v", err)
	}
	if c := changes(t, s, store.Cursor{}); len(c.Records) != 1 {
		t.Errorf("it goes on from %+v, want the record of the process that was killed", c)
	}
}

// The Stores of one process don't keep each other out, nor does one that was
// dropped keep out another process.
func TestLockIsTheProcess(t *testing.T) {
	t.Parallel()
	path := statePath(t)
	func() {
		dropped := mustNew(t, WithStateFile(path))
		first, second := mustNew(t, WithStateFile(path)), mustNew(t, WithStateFile(path))
		for _, s := range []*Store{first, second, first} {
			if err := s.Open(t.Context()); err != nil {
				t.Errorf("Open() in the same process = %v", err)
			}
		}
		for _, s := range []*Store{first, second} {
			if err := s.Close(); err != nil {
				t.Errorf("Close() = %v", err)
			}
		}
		if _, err := os.Lstat(path + lockMark); err != nil {
			t.Errorf("the lock of a Store that is open twice: %v", err)
		}
		if err := first.Close(); err != nil {
			t.Errorf("Close() = %v", err)
		}
		runtime.KeepAlive(dropped)
	}()
	deadline := time.Now().Add(20 * time.Second)
	for {
		runtime.GC()
		if _, err := os.Lstat(path + lockMark); errors.Is(err, os.ErrNotExist) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the lock of a Store that was dropped is never given back")
		}
		time.Sleep(10 * time.Millisecond)
	}
	holder(t, path)
}

// Open finds what can't be written, before anything depends on it; nothing is
// left locked then.
func TestOpenFindsWhatCantBeWritten(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		op   string
		want error
	}{
		"bind-mounted by itself": {"rename", syscall.EBUSY},
		"read-only":              {"create", syscall.EROFS},
		"full":                   {"write", syscall.ENOSPC},
		"broken":                 {"sync", syscall.EIO},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path, disk := statePath(t), newTestDisk()
			s := disk.on(mustNew(t, WithStateFile(path), WithLogger(new(journal).logger())))
			disk.failing(func(op, file string) error {
				if op == c.op {
					return &os.PathError{Op: op, Path: file, Err: c.want}
				}
				return nil
			})
			if err := s.Open(t.Context()); !errors.Is(err, c.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("Open() = %v, want %v and the path", err, c.want)
			}
			if s.Problem() == nil {
				t.Error("Problem() = nil")
			}
			if _, err := os.Lstat(path + lockMark); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("after Open() failed there is a lock: %v", err)
			}
			disk.failing(nil)
			if err := s.Open(t.Context()); err != nil || s.Problem() != nil {
				t.Errorf("Open() on a disk that works = %v, Problem() = %v", err, s.Problem())
			}
		})
	}
}

// A disk that is merely slow is no reason not to start.
func TestOpenDoesNotWaitForASlowDisk(t *testing.T) {
	t.Parallel()
	path, disk := statePath(t), newTestDisk()
	var log journal
	s := disk.on(mustNew(t, WithStateFile(path), WithLogger(log.logger())))
	disk.mu.Lock()
	if err := s.Open(inTime(t, 20*time.Millisecond)); err != nil {
		t.Errorf("Open() on a slow disk = %v, want nil", err)
	}
	if !strings.Contains(log.String(), "still being written") {
		t.Errorf("the log is %q, want a warning", log.String())
	}
	at := open(t, s)
	disk.mu.Unlock()
	mustSync(t, s)
	if got := cursorOf(t, mustNew(t, WithStateFile(path))); got != at {
		t.Errorf("the next process is at %+v, want %+v", got, at)
	}
}

// A folder that can't be written is no reason for New to fail: it reads what is
// there, and Open tells.
func TestNewReadsWhereItCantLock(t *testing.T) {
	t.Parallel()
	path := statePath(t)
	s := mustNew(t, WithStateFile(path))
	at := put(t, s, open(t, s).Epoch, "key")
	mustSync(t, s)
	ended(t, s)
	if err := os.Mkdir(path+lockMark, 0o700); err != nil { // can't be opened for writing, whoever asks
		t.Fatal(err)
	}
	s = mustNew(t, WithStateFile(path), WithLogger(new(journal).logger()))
	if got := cursorOf(t, s); got != at {
		t.Errorf("New() is at %+v, want %+v", got, at)
	}
	if err := s.Open(t.Context()); err == nil || errors.Is(err, ErrInUse) {
		t.Errorf("Open() = %v, want the error of locking", err)
	}
	if err := s.Sync(t.Context()); err == nil {
		t.Error("Sync() = nil, want the error of locking")
	}
}

// What one Store of a process wrote another one goes on from, if it has been
// closed since; what it wrote itself it need not read again.
func TestOpenAgain(t *testing.T) {
	t.Parallel()
	path := statePath(t)
	s := mustNew(t, WithStateFile(path), WithLogger(new(journal).logger()))
	for range 2 {
		if err := s.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
		if cursorOf(t, s).Epoch.IsZero() {
			open(t, s)
		}
		put(t, s, cursorOf(t, s).Epoch, "key")
		mustSync(t, s)
		ended(t, s)
	}
	at := cursorOf(t, s)
	other := mustNew(t, WithStateFile(path))
	if got := cursorOf(t, other); got != at {
		t.Errorf("another Store is at %+v, want %+v", got, at)
	}
	at = put(t, other, at.Epoch, "other")
	mustSync(t, other)
	ended(t, other)
	if err := s.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := cursorOf(t, s); got != at {
		t.Errorf("the first Store is at %+v, want what the other one wrote, %+v", got, at)
	}
}
