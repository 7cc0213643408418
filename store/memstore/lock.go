package memstore

import (
	"errors"
	"fmt"
	"runtime"
	"sync"

	"github.com/go-batteries/hawkeye/internal/lockfile"
)

// lockMark is what the name of a lock file ends in. The lock is beside the
// state file, because that is replaced by each write.
const lockMark = ".lock"

// ErrInUse is wrapped by the error of a Store whose state file is in use by
// another process.
var ErrInUse = errors.New("memstore: state file is in use")

// locks are those that this process holds, by the path of the state file:
// package-level state, because a file is locked for the process, whichever of
// its Stores asked first.
var locks struct {
	mu   sync.Mutex // guards what follows
	held map[string]*processLock
}

// processLock is the lock of a state file, with how many Stores use it.
type processLock struct {
	file  *lockfile.File
	users int
}

// stateLock is one Store's share in a lock. One that is dropped without
// [Store.Close] is given back by the garbage collector.
type stateLock struct {
	path    string
	dropped runtime.Cleanup
}

// lockState locks a state file for this process, without waiting. alone says
// that no other Store of this process has it.
func lockState(path string) (l *stateLock, alone bool, err error) {
	locks.mu.Lock()
	defer locks.mu.Unlock()
	held := locks.held[path]
	if alone = held == nil; alone {
		file, err := lockPath(path)
		if err != nil {
			return nil, false, err
		}
		if locks.held == nil {
			locks.held = make(map[string]*processLock)
		}
		held = &processLock{file: file}
		locks.held[path] = held
	}
	held.users++
	l = &stateLock{path: path}
	l.dropped = runtime.AddCleanup(l, unlockState, path)
	return l, alone, nil
}

func lockPath(path string) (*lockfile.File, error) {
	file, err := lockfile.Acquire(path + lockMark)
	if errors.Is(err, lockfile.ErrInUse) {
		if pid, ok := lockfile.Holder(path + lockMark); ok {
			return nil, fmt.Errorf("%w: %q, by process %d", ErrInUse, path, pid)
		}
		return nil, fmt.Errorf("%w: %q", ErrInUse, path)
	}
	if err != nil {
		return nil, fmt.Errorf("lock state file %q: %w", path, err)
	}
	return file, nil
}

// renew makes sure that the lock is the one that another process would ask
// for: somebody may have removed its file, or the whole folder.
func (l *stateLock) renew() error {
	locks.mu.Lock()
	defer locks.mu.Unlock()
	held := locks.held[l.path]
	if held.file.Present() {
		return nil
	}
	file, err := lockPath(l.path)
	if err != nil {
		return err
	}
	held.file.Release()
	held.file = file
	return nil
}

// release gives the share back.
func (l *stateLock) release() {
	l.dropped.Stop()
	unlockState(l.path)
}

// unlockState gives a lock back, once no Store of this process uses it.
func unlockState(path string) {
	locks.mu.Lock()
	defer locks.mu.Unlock()
	held := locks.held[path]
	if held == nil {
		return
	}
	if held.users--; held.users == 0 {
		delete(locks.held, path)
		held.file.Release()
	}
}
