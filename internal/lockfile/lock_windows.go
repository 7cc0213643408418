package lockfile

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// File is a file that is open in a way that no other process can open it for
// writing.
type File struct{ file *os.File }

// sharingViolation is ERROR_SHARING_VIOLATION, which package syscall doesn't
// name.
const sharingViolation = syscall.Errno(32)

func tryAcquire(path string) (*File, error) {
	name, err := syscall.UTF16PtrFromString(path)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	h, err := syscall.CreateFile(name, syscall.GENERIC_READ|syscall.GENERIC_WRITE, syscall.FILE_SHARE_READ, nil,
		syscall.OPEN_ALWAYS, syscall.FILE_ATTRIBUTE_NORMAL, 0)
	if errors.Is(err, sharingViolation) {
		return nil, fmt.Errorf("%w: %q", ErrInUse, path)
	}
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	f := os.NewFile(uintptr(h), path)
	if err := writePID(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &File{f}, nil
}

// openToRead shares the file with its holder, who writes it.
func openToRead(path string) (*os.File, error) { return os.Open(path) }

// Present reports true: a file that is open this way can't be removed.
func (*File) Present() bool { return true }

// Release unlocks the file and removes it, unless the next process was faster.
func (l *File) Release() {
	l.file.Close()
	os.Remove(l.file.Name())
}
