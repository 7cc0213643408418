package memstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	tempMark    = ".tmp-"
	leftoverAge = time.Minute
)

// stateFile reads and writes a Store's state.
type stateFile struct {
	path   string
	logger *slog.Logger
	// writing holds a token while somebody writes: a lock that a ctx can
	// give up waiting for.
	writing chan struct{}
}

func newStateFile(path string, logger *slog.Logger) *stateFile {
	return &stateFile{
		path:    path,
		logger:  logger.With("component", "memstore", "path", path),
		writing: make(chan struct{}, 1),
	}
}

// checkStatePath finds what is wrong with a path before anything is read.
func checkStatePath(path string) error {
	if path == "" {
		return errors.New("the path is empty")
	}
	if info, err := os.Stat(filepath.Dir(path)); err != nil {
		return err
	} else if !info.IsDir() {
		return fmt.Errorf("%s is not a directory", filepath.Dir(path))
	}
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errors.New("not a regular file")
	}
	return nil
}

// Maintain implements [store.Maintainer]: it writes the state file every
// [WithStateInterval] and once more when ctx has ended. A write that fails is
// logged and tried again at the next interval; the last one's error is
// returned. Without a state file it waits for ctx.
func (s *Store) Maintain(ctx context.Context) error {
	if s.file == nil {
		<-ctx.Done()
		return nil
	}
	ticker := time.NewTicker(s.cfg.stateInterval)
	defer ticker.Stop()
	failed := false
	for {
		select {
		case <-ctx.Done():
			return s.save(context.WithoutCancel(ctx))
		case <-ticker.C:
			failed = s.file.report(s.save(ctx), failed)
		}
	}
}

// Sync implements [store.Syncer]: it writes the state file, if there is one,
// and returns when it is on the disk.
func (s *Store) Sync(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.file == nil {
		return nil
	}
	return s.save(ctx)
}

// save writes the state as it is once no older one is being written, which
// is what it waits for.
func (s *Store) save(ctx context.Context) error {
	select {
	case s.file.writing <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-s.file.writing }()
	data := encodeState(s.snapshot(time.Now()))
	if err := writeFile(s.file.path, data); err != nil {
		return fmt.Errorf("write state file %q: %w", s.file.path, err)
	}
	return nil
}

// report logs the first failure of a row and its end.
func (f *stateFile) report(err error, failed bool) (nowFailed bool) {
	switch {
	case err != nil && !failed:
		f.logger.Warn("state file is not written", "error", err)
	case err == nil && failed:
		f.logger.Info("state file is written again")
	}
	return err != nil
}

// read returns the state, or nil if there is none or it had to be set aside.
func (f *stateFile) read(now time.Time) (*state, error) {
	removeLeftovers(f.path, now)
	data, err := os.ReadFile(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read state file %q: %w", f.path, err)
	}
	st, reason := decodeState(data)
	if reason == nil {
		return st, nil
	}
	aside, err := setAside(f.path, now)
	if err != nil {
		return nil, fmt.Errorf("set aside state file %q (%v): %w", f.path, reason, err)
	}
	f.logger.Warn("state file set aside, starting empty", "reason", reason, "renamed", aside)
	return nil, nil
}

// setAside renames a file that can't be used to a name that says so and that
// nothing has yet.
func setAside(path string, now time.Time) (string, error) {
	base := path + ".damaged-" + now.UTC().Format("20060102T150405Z")
	for n := 1; ; n++ {
		aside := base
		if n > 1 {
			aside = fmt.Sprintf("%s-%d", base, n)
		}
		if _, err := os.Lstat(aside); errors.Is(err, fs.ErrNotExist) {
			return aside, os.Rename(path, aside)
		} else if err != nil {
			return "", err
		}
	}
}

// writeFile replaces path with a file of data, so that a crash at any moment
// leaves the old or the new one, whole.
func writeFile(path string, data []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+tempMark+"*") // mode 0600
	if err != nil {
		return err
	}
	_, err = tmp.Write(data)
	if err == nil {
		err = tmp.Sync()
	}
	if err = errors.Join(err, tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	syncDir(filepath.Dir(path))
	return nil
}

// syncDir makes a rename last. Not every system can do it, and without it
// the file is the old or the new one all the same.
func syncDir(dir string) {
	if d, err := os.Open(dir); err == nil {
		_ = d.Sync()
		_ = d.Close()
	}
}

// removeLeftovers deletes what writers left that died while they wrote. A
// younger one may be the work of a process that is just ending.
func removeLeftovers(path string, now time.Time) {
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
			_ = os.Remove(filepath.Join(dir, e.Name()))
		}
	}
}
