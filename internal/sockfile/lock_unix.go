//go:build unix && !aix && !illumos && !solaris

package sockfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// lockTries bounds how often acquire starts again because the lock file was
// removed by its last owner between being opened and being locked.
const lockTries = 100

// lockFile is a file that is locked by flock(2) as long as it is open, and
// names the process that holds it. The lock ends with the process, however
// that ends.
type lockFile struct {
	file *os.File
	info fs.FileInfo
}

// acquire locks the file at path, which it makes if it is missing.
func acquire(path string) (*lockFile, error) {
	for range lockTries {
		l, err := tryAcquire(path)
		if l != nil || err != nil {
			return l, err
		}
	}
	return nil, fmt.Errorf("%w: %q keeps changing", ErrInUse, path)
}

// foreignLock says what is wrong with a lock file of another user, who may have
// made it first in a directory that all share, and what to do.
const foreignLock = "belongs to another user: have it removed, or choose a path in a directory of your own"

// tryAcquire returns nil and no error if the file vanished in between.
func tryAcquire(path string) (_ *lockFile, err error) {
	const flags = os.O_RDWR | os.O_CREATE | syscall.O_NOFOLLOW | syscall.O_NONBLOCK
	f, err := os.OpenFile(path, flags, 0o600)
	if errors.Is(err, syscall.ELOOP) {
		return nil, fmt.Errorf("%w: the lock file %q is a symbolic link", ErrUnsafe, path)
	}
	if errors.Is(err, fs.ErrPermission) {
		// Also fs.protected_regular of Linux, in a sticky directory.
		if info, serr := os.Lstat(path); serr == nil && !ownedByUs(info) {
			return nil, fmt.Errorf("%w: the lock file %q %s", ErrUnsafe, path, foreignLock)
		}
	}
	if err != nil {
		return nil, err
	}
	l := &lockFile{file: f}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	if l.info, err = f.Stat(); err != nil {
		return nil, err
	}
	if !l.info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: the lock file %q is no regular file", ErrUnsafe, path)
	}
	if !ownedByUs(l.info) {
		return nil, fmt.Errorf("%w: the lock file %q %s", ErrUnsafe, path, foreignLock)
	}
	if err = flock(f); errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, inUse(path, f)
	} else if err != nil {
		return nil, err
	}
	if !l.present() {
		return nil, f.Close()
	}
	return l, l.writePID()
}

// flock asks without waiting, past interruptions.
func flock(f *os.File) error {
	for {
		if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != syscall.EINTR {
			return err
		}
	}
}

// inUse names the holder of the lock, if it has written itself down.
func inUse(path string, f *os.File) error {
	path = strings.TrimSuffix(path, ".lock")
	var text [32]byte
	n, _ := f.ReadAt(text[:], 0)
	if pid, err := strconv.Atoi(strings.TrimSpace(string(text[:n]))); err == nil {
		return fmt.Errorf("%w: %q, by process %d", ErrInUse, path, pid)
	}
	return fmt.Errorf("%w: %q", ErrInUse, path)
}

func (l *lockFile) writePID() error {
	if err := l.file.Truncate(0); err != nil {
		return err
	}
	_, err := l.file.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

// present reports whether the file that we locked is the one that the next
// process will find at its path.
func (l *lockFile) present() bool {
	now, err := os.Lstat(l.file.Name())
	return err == nil && os.SameFile(now, l.info)
}

// release removes the file, if it is still ours, and then unlocks it. Who
// opened it meanwhile finds it gone and starts again.
func (l *lockFile) release() {
	if l.present() {
		os.Remove(l.file.Name())
	}
	l.file.Close()
}
