//go:build !windows && (!unix || aix || illumos || solaris)

package lockfile

import "os"

// File locks nothing: package syscall has no flock(2) here.
type File struct{}

func tryAcquire(string) (*File, error) { return &File{}, nil }

func openToRead(path string) (*os.File, error) { return os.Open(path) }

// Present reports true.
func (*File) Present() bool { return true }

// Release does nothing.
func (*File) Release() {}
