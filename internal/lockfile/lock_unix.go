//go:build unix && !aix && !illumos && !solaris

package lockfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// File is a file that is locked by flock(2) as long as it is open.
type File struct {
	file *os.File
	info fs.FileInfo
}

// openFlags open what may be anybody's file: a link isn't followed, and a
// named pipe not waited for.
const openFlags = syscall.O_NOFOLLOW | syscall.O_NONBLOCK

// foreignLock says what is wrong with a lock file of another user, who may have
// made it first in a directory that all share, and what to do.
const foreignLock = "belongs to another user: have it removed, or choose a path in a directory of your own"

// tryAcquire returns nil and no error if the file vanished in between.
func tryAcquire(path string) (_ *File, err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|openFlags, 0o600)
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
	l := &File{file: f}
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
		return nil, fmt.Errorf("%w: %q", ErrInUse, path)
	} else if err != nil {
		return nil, err
	}
	if !l.Present() {
		return nil, f.Close()
	}
	return l, writePID(f)
}

func openToRead(path string) (*os.File, error) { return os.OpenFile(path, os.O_RDONLY|openFlags, 0) }

// flock asks without waiting, past interruptions.
func flock(f *os.File) error {
	for {
		if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != syscall.EINTR {
			return err
		}
	}
}

func ownedByUs(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Geteuid()
}

// Present reports whether the file that we locked is the one that the next
// process will find at its path.
func (l *File) Present() bool {
	now, err := os.Lstat(l.file.Name())
	return err == nil && os.SameFile(now, l.info)
}

// Release removes the file, if it is still ours, and then unlocks it.
func (l *File) Release() {
	if l.Present() {
		os.Remove(l.file.Name())
	}
	l.file.Close()
}
