package memstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const (
	tempMark    = ".tmp-"
	leftoverAge = time.Minute
	// lockPoll is how often a lock that another process holds is asked for.
	lockPoll = 50 * time.Millisecond
	// slowAfter is how long the disk may take before that is a problem.
	slowAfter = 2 * time.Second
	// slowSave is the same for a state file, which may be large.
	slowSave = 30 * time.Second
	// healShare is how many times as long as a state file took that couldn't
	// be written is the pause before the next one for the sake of a commit, at
	// least minHealPause.
	healShare    = 20
	minHealPause = time.Second
)

// stateFile reads and writes a Store's state: as a whole now and then, and in
// between what happens to its ledger as a journal.
type stateFile struct {
	path    string
	disk    disk
	logger  *slog.Logger
	journal *journalWriter
	// writing holds a token while somebody uses the files: a lock that a ctx
	// can give up waiting for. Who has it may use lock and left.
	writing chan struct{}
	lock    *stateLock // nil if another process may have the files
	left    string     // what the files were when the lock was given back

	maintained atomic.Int32 // how many Maintain run

	mu     sync.Mutex // guards what follows
	opened int        // how many Open have no Close yet
	began  uint64     // how many times the state was collected to be written
	saved  uint64     // of them, the last one that was written
	kept   uint64     // Store.unsaved as of then
	since  time.Time  // of the write under way; zero if there is none
	failed error      // of the last write; nil if it succeeded
	healed time.Time  // before which a commit doesn't have a state file written
}

func newStateFile(path string, logger *slog.Logger) *stateFile {
	logger = logger.With("component", "memstore", "path", path)
	return &stateFile{
		path:    path,
		disk:    osDisk{},
		logger:  logger,
		journal: newJournal(osDisk{}, path),
		writing: make(chan struct{}, 1),
	}
}

// take takes the token.
func (f *stateFile) take(ctx context.Context) error {
	select {
	case f.writing <- struct{}{}:
		return nil
	default:
	}
	select {
	case f.writing <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (f *stateFile) give() { <-f.writing }

// Open implements [store.Opener]: it waits for the lock of the state file if
// another process has it, reads the file if that process has written it since,
// and writes it once, so that what can't be written is known. It returns an
// error that wraps [ErrInUse] and names the process if ctx ends first. A disk
// that is merely slow is not waited for beyond ctx.
func (s *Store) Open(ctx context.Context) error {
	if s.file == nil {
		return nil
	}
	if err := s.file.take(ctx); err != nil {
		return err
	}
	err := s.claim()
	for ; errors.Is(err, ErrInUse); err = s.claim() {
		if ctx.Err() != nil {
			break
		}
		pause(ctx, lockPoll)
	}
	if err != nil {
		s.file.give()
		return err
	}
	s.file.mu.Lock()
	s.file.opened++
	s.file.mu.Unlock()
	ended, err := s.writeWithin(ctx)
	switch {
	case !ended:
		s.file.logger.Warn("state file is still being written, going on without it for now", "error", err)
		return nil
	case err != nil:
		return errors.Join(err, s.Close())
	}
	return nil
}

// Close implements [store.Opener]: it gives the lock back, for another process
// to go on with the files. It writes nothing; that is for [Store.Sync].
func (s *Store) Close() error {
	f := s.file
	if f == nil {
		return nil
	}
	f.mu.Lock()
	f.opened--
	last := f.opened <= 0
	f.opened = max(f.opened, 0)
	f.mu.Unlock()
	if !last {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), slowAfter)
	defer cancel()
	if err := f.take(ctx); err != nil {
		return fmt.Errorf("give back state file %q: it is still being written: %w", f.path, err)
	}
	defer f.give()
	f.journal.stop(ctx)
	if f.lock != nil {
		f.left = f.look()
		f.lock.release()
		f.lock = nil
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
	s.file.maintained.Add(1)
	defer s.file.maintained.Add(-1)
	ticker := time.NewTicker(s.cfg.stateInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return s.save(context.WithoutCancel(ctx))
		case <-ticker.C:
			_ = s.save(ctx) // logged, and told by Problem
		}
	}
}

// Sync implements [store.Syncer]: when it returns nil, what was committed before
// is on the disk. Many at a time cost the disk no more than one. Samples are
// left to the rhythm of [Store.Maintain]; while that doesn't run they are
// written, too. Where the journal can't be written the state file is, as a
// whole. Without a state file there is nothing to do.
func (s *Store) Sync(ctx context.Context) error {
	if err := ctx.Err(); err != nil || s.file == nil {
		return err
	}
	if s.file.maintained.Load() == 0 && s.hasUnsaved() || !s.file.isOurs() {
		return s.save(ctx)
	}
	err := s.file.journal.sync(ctx)
	if err == nil || ctx.Err() != nil {
		return err
	}
	f := s.file
	f.mu.Lock()
	early := time.Now().Before(f.healed)
	f.mu.Unlock()
	err = fmt.Errorf("write journal of state file %q: %w", f.path, err)
	if early {
		return err
	}
	f.note(err)
	return s.save(ctx)
}

// hasUnsaved says whether there is what no journal holds and no state file
// either.
func (s *Store) hasUnsaved() bool {
	s.mu.Lock()
	unsaved := s.unsaved
	s.mu.Unlock()
	s.file.mu.Lock()
	defer s.file.mu.Unlock()
	return s.file.saved == 0 || unsaved != s.file.kept
}

// Problem implements [store.Reporter]: it returns why the state file or its
// journal can't be written, or that the disk takes long for it; nil if all is
// well.
func (s *Store) Problem() error {
	f := s.file
	if f == nil {
		return nil
	}
	now := time.Now()
	f.mu.Lock()
	failed, since := f.failed, f.since
	f.mu.Unlock()
	if took := now.Sub(since); failed == nil && !since.IsZero() && took > slowSave {
		failed = fmt.Errorf("write state file %q: the disk has been at it for %v", f.path, took.Round(time.Second))
	}
	if failed != nil {
		return failed
	}
	if err := f.journal.problem(now, slowAfter); err != nil {
		return fmt.Errorf("write journal of state file %q: %w", f.path, err)
	}
	return nil
}

// save writes the state as it is at the call or later, once no older one is
// being written, which is what it waits for. Those who wait together are
// served by one write.
func (s *Store) save(ctx context.Context) error {
	f := s.file
	f.mu.Lock()
	began := f.began
	f.mu.Unlock()
	if err := f.take(ctx); err != nil {
		return err
	}
	f.mu.Lock()
	done := f.saved > began
	f.mu.Unlock()
	if done {
		f.give()
		return nil
	}
	if err := s.claim(); err != nil {
		f.give()
		f.note(err)
		return err
	}
	_, err := s.writeWithin(ctx)
	return err
}

// writeWithin is write, but doesn't wait for a disk beyond ctx: then it hasn't
// ended. It gives the token back when it has.
func (s *Store) writeWithin(ctx context.Context) (ended bool, err error) {
	written := make(chan error, 1)
	go func() { // ends when the disk answers
		err := s.write()
		s.file.give()
		written <- err
	}()
	select {
	case err = <-written:
		return true, err
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

// write writes the state as it is, and has the journal begin anew. It wants
// the token, and the lock.
func (s *Store) write() error {
	f := s.file
	began := time.Now()
	f.mu.Lock()
	f.began++
	f.since = began
	number := f.began
	f.mu.Unlock()
	st := s.snapshot(began)
	err := replaceFile(f.disk, f.path, encodeState(st))
	if err != nil {
		err = fmt.Errorf("write state file %q: %w", f.path, err)
	} else {
		f.journal.saved(st.entries)
		f.journal.awaitRenewal()
	}
	f.mu.Lock()
	f.since = time.Time{}
	if err == nil {
		f.saved, f.kept = number, st.unsaved
	} else {
		f.healed = time.Now().Add(max(minHealPause, healShare*time.Since(began)))
	}
	f.mu.Unlock()
	f.note(err)
	return err
}

// note logs the first failure of a row and its end.
func (f *stateFile) note(err error) {
	f.mu.Lock()
	before := f.failed
	f.failed = err
	f.mu.Unlock()
	switch {
	case err != nil && before == nil:
		f.logger.Warn("state file is not written", "error", err)
	case err == nil && before != nil:
		f.logger.Info("state file is written again")
	}
}

// isOurs says whether this process may write the files.
func (f *stateFile) isOurs() bool {
	f.journal.mu.Lock()
	defer f.journal.mu.Unlock()
	return f.journal.active
}

// look describes the files, so that it is seen whether another process wrote
// them.
func (f *stateFile) look() string {
	numbers, _ := f.journal.list()
	info, err := os.Lstat(f.path)
	if err != nil {
		return fmt.Sprint(numbers, errors.Is(err, fs.ErrNotExist))
	}
	return fmt.Sprint(numbers, info.Size(), info.ModTime().UnixNano())
}

// pause waits for d or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
