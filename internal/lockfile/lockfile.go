// Package lockfile locks files, so that of the processes that share something
// one at a time has it.
//
// The lock is the system's own and ends with the process, however that ends. A
// lock file names the process that holds it, for those who find it taken. It
// is removed when it is given back; whoever opened it meanwhile finds it gone
// and starts again.
package lockfile

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// The errors that callers tell apart. Each comes wrapped with the path.
var (
	// ErrInUse says that another process holds the lock, or that this one
	// does by another [File]. Holder says which.
	ErrInUse = errors.New("lock file is in use")
	// ErrUnsafe says that what lies at the path is no regular file of ours.
	ErrUnsafe = errors.New("lock file is not safe")
)

// tries bounds how often Acquire starts again because the lock file was
// removed by its last owner between being opened and being locked.
const tries = 100

// Acquire locks the file at path, which it makes if it is missing. It doesn't
// wait. On a system without locks it locks nothing.
func Acquire(path string) (*File, error) {
	for range tries {
		f, err := tryAcquire(path)
		if f != nil || err != nil {
			return f, err
		}
	}
	return nil, fmt.Errorf("%w: %q keeps changing", ErrInUse, path)
}

// Holder returns the process that has written itself down in a lock file.
func Holder(path string) (pid int, ok bool) {
	f, err := openToRead(path)
	if err != nil {
		return 0, false
	}
	defer f.Close()
	var text [32]byte
	n, _ := f.ReadAt(text[:], 0)
	pid, err = strconv.Atoi(strings.TrimSpace(string(text[:n])))
	return pid, err == nil
}

// writePID names this process in a lock file of its own.
func writePID(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}
