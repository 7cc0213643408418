package memstore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// begin reads the files, if no other process has them: New doesn't wait. What
// keeps this process from having them is for [Store.Open] to tell.
func (s *Store) begin() error {
	f := s.file
	f.writing <- struct{}{}
	defer f.give()
	lock, alone, err := lockState(f.path)
	switch {
	case err == nil:
		return s.enter(lock, alone)
	case errors.Is(err, ErrInUse):
		return nil
	default: // a folder that is read-only, say
		return s.load(false)
	}
}

// claim makes the files ours. It wants the token, and returns an error that
// wraps [ErrInUse] if another process has them.
func (s *Store) claim() error {
	f := s.file
	if f.lock != nil {
		return f.lock.renew()
	}
	lock, alone, err := lockState(f.path)
	if err != nil {
		return err
	}
	return s.enter(lock, alone)
}

// enter goes on from the files that are locked, which it reads unless they are
// as this Store left them.
func (s *Store) enter(lock *stateLock, alone bool) error {
	f := s.file
	var err error
	if f.left == "" || f.left != f.look() {
		err = s.load(alone)
	}
	var numbers []int
	if err == nil {
		numbers, err = f.journal.list()
	}
	if err != nil {
		lock.release()
		return err
	}
	f.lock = lock
	f.journal.start(numbers)
	return nil
}

// load makes the Store what the files say it was. alone says that nobody else
// uses them, so that what is broken in them may be put in order.
func (s *Store) load(alone bool) error {
	f, now := s.file, time.Now()
	saved, err := f.read(now)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.samples, s.ledger = newSamples(s.cfg.tick, s.cfg.retention), newLedger()
	s.mu.Unlock()
	if saved != nil {
		s.adopt(saved, now)
	}
	numbers, err := f.journal.list()
	if err != nil {
		return err
	}
	var bad []string
	applied := 0
	for _, n := range numbers {
		name := f.journal.name(n)
		data, err := os.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("read journal %q: %w", name, err)
		}
		s.mu.Lock()
		done := s.ledger.replay(data)
		s.mu.Unlock()
		applied += done.applied
		switch {
		case done.isTorn() && alone:
			f.logger.Warn("journal ends within an entry, which is cut off: its writer died, or the machine",
				"journal", name, "bytes", int64(len(data))-done.valid)
			if err := f.disk.truncate(name, done.valid); err != nil {
				f.logger.Warn("cut off the end of a journal", "journal", name, "error", err)
			}
		case done.err != nil && !done.isTorn() && alone:
			f.logger.Warn("journal can't be used to its end and is set aside", "journal", name, "reason", done.err, "used", done.applied)
			bad = append(bad, name)
		}
	}
	return s.putAside(bad, applied > 0)
}

// putAside renames journals that can't be used to their ends, once what could
// be used of them is in a state file.
func (s *Store) putAside(bad []string, used bool) error {
	if len(bad) == 0 {
		return nil
	}
	if used {
		st := s.snapshot(time.Now())
		if err := replaceFile(s.file.disk, s.file.path, encodeState(st)); err != nil {
			s.file.logger.Warn("leaving journals where they are, as the state file can't be written", "error", err)
			return nil // they are looked at again after the next start
		}
	}
	for _, name := range bad {
		if aside, err := setAside(s.file.disk, name, time.Now()); err != nil {
			s.file.logger.Warn("set a journal aside", "journal", name, "error", err)
		} else {
			s.file.logger.Warn("journal set aside", "journal", name, "renamed", aside)
		}
	}
	return nil
}

// read returns the state, or nil if there is none or it had to be set aside.
func (f *stateFile) read(now time.Time) (*state, error) {
	removeLeftovers(f.disk, f.path, now)
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
	aside, err := setAside(f.disk, f.path, now)
	if err != nil {
		return nil, fmt.Errorf("set aside state file %q (%v): %w", f.path, reason, err)
	}
	f.logger.Warn("state file set aside, starting empty", "reason", reason, "renamed", aside)
	return nil, nil
}
