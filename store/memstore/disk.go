package memstore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// disk is what a state file does to a file system. Tests have one that fails.
type disk interface {
	createTemp(dir, pattern string) (file, error) // mode 0600
	create(path string) (file, error)             // one that isn't there yet, mode 0600
	rename(from, to string) error
	remove(path string) error
	truncate(path string, size int64) error
	syncDir(dir string) error
}

// file is one that is open for writing.
type file interface {
	Name() string
	Write(p []byte) (int, error)
	Stat() (fs.FileInfo, error)
	Sync() error
	Close() error
}

// osDisk is the real one.
type osDisk struct{}

func (osDisk) createTemp(dir, pattern string) (file, error) {
	f, err := os.CreateTemp(dir, pattern)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (osDisk) create(path string) (file, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (osDisk) rename(from, to string) error           { return os.Rename(from, to) }
func (osDisk) remove(path string) error               { return os.Remove(path) }
func (osDisk) truncate(path string, size int64) error { return os.Truncate(path, size) }

// syncDir makes what was created and renamed in a folder last. Where a system
// can't do that, a file that was replaced is the old or the new one all the
// same, and what the old one needs is kept for a while.
func (osDisk) syncDir(dir string) error {
	if runtime.GOOS == "windows" || runtime.GOOS == "plan9" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = errors.Join(d.Sync(), d.Close())
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	return err
}

// replaceFile replaces path with a file of data, so that a crash at any moment
// leaves the old or the new one, whole.
func replaceFile(d disk, path string, data []byte) error {
	tmp, err := d.createTemp(filepath.Dir(path), filepath.Base(path)+tempMark+"*")
	if err != nil {
		return err
	}
	_, err = tmp.Write(data)
	if err == nil {
		err = tmp.Sync()
	}
	if err = errors.Join(err, tmp.Close()); err == nil {
		err = d.rename(tmp.Name(), path)
	}
	if err != nil {
		return errors.Join(err, d.remove(tmp.Name()))
	}
	return d.syncDir(filepath.Dir(path))
}

// setAside renames a file that can't be used to a name that says so and that
// nothing has yet.
func setAside(d disk, path string, now time.Time) (string, error) {
	base := path + ".damaged-" + now.UTC().Format("20060102T150405Z")
	for n := 1; ; n++ {
		aside := base
		if n > 1 {
			aside = fmt.Sprintf("%s-%d", base, n)
		}
		if _, err := os.Lstat(aside); errors.Is(err, fs.ErrNotExist) {
			return aside, d.rename(path, aside)
		} else if err != nil {
			return "", err
		}
	}
}

// removeLeftovers deletes what writers left that died while they wrote. A
// younger one may be the work of a process that is just ending.
func removeLeftovers(d disk, path string, now time.Time) {
	dir, prefix := filepath.Dir(path), filepath.Base(path)+tempMark
	entries, err := os.ReadDir(dir)
	if err != nil {
		return // they do no harm
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), prefix) {
			continue
		}
		info, err := e.Info()
		if err == nil && info.Mode().IsRegular() && now.Sub(info.ModTime()) > leftoverAge {
			_ = d.remove(filepath.Join(dir, e.Name()))
		}
	}
}

// resolve returns the absolute path of a file that needn't be there, and finds
// what is wrong with it before anything is read.
func resolve(path string) (string, error) {
	if path == "" {
		return "", errors.New("the path is empty")
	}
	dir, err := filepath.Abs(filepath.Dir(path))
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err != nil {
		return "", err
	}
	if info, err := os.Stat(dir); err != nil {
		return "", err
	} else if !info.IsDir() {
		return "", fmt.Errorf("%s is not a directory", dir)
	}
	path = filepath.Join(dir, filepath.Base(path))
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return path, nil
	}
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() { // a link would be replaced, not what it leads to
		return "", errors.New("not a regular file")
	}
	return path, nil
}
