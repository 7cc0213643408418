package memstore

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-batteries/hawkeye/store"
)

// journal is a logger that can be read.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

func (j *journal) logger() *slog.Logger { return slog.New(slog.NewTextHandler(j, nil)) }

func statePath(t testing.TB) string { return filepath.Join(t.TempDir(), "hawkeye.state") }

// files lists a directory, without the lock and the journals that belong to a
// state file in it.
func files(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if _, n, ok := strings.Cut(e.Name(), journalMark); ok && !strings.Contains(n, ".") || strings.HasSuffix(e.Name(), lockMark) {
			continue
		}
		names = append(names, e.Name())
	}
	return names
}

func mustSync(t testing.TB, s *Store) {
	t.Helper()
	if err := s.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestRestartGoesOn(t *testing.T) {
	t.Parallel()
	path := statePath(t)
	s := mustNew(t, WithStateFile(path))
	start := open(t, s)
	b := store.Bucket{Tick: openTick(s), Writer: store.ID{1}, Data: []byte("data")}
	if _, err := s.Publish(t.Context(), store.Publication{Buckets: []store.Bucket{b}, Names: []store.Name{{ID: 1, Text: "one"}}}); err != nil {
		t.Fatal(err)
	}
	c := store.Commit{ID: store.NewID(), Epoch: start.Epoch, Put: []store.Entry{{Key: "k", Value: []byte("v")}}}
	at := commit(t, s, c)
	mustSync(t, s)

	s = mustNew(t, WithStateFile(path))
	if err := s.Restore(t.Context(), store.Offer{Open: store.NewID()}); !errors.Is(err, store.ErrOpen) {
		t.Errorf("Restore() after a restart = %v, want ErrOpen: the epoch goes on", err)
	}
	if got := changes(t, s, start); got.Reset || got.Cursor != at || len(got.Records) != 1 {
		t.Errorf("Changes() after a restart = %+v, want one record at %+v", got, at)
	}
	if again := commit(t, s, c); again != at {
		t.Errorf("Commit() repeated after a restart = %+v, want %+v", again, at)
	}
	answers, err := s.Read(t.Context(), []store.TickQuery{{Tick: b.Tick}})
	if err != nil || len(answers[0].Buckets) != 1 || string(answers[0].Buckets[0].Data) != "data" {
		t.Errorf("Read() after a restart = %+v, %v", answers, err)
	}
	if names, err := s.Names(t.Context(), []uint64{1}); err != nil || names[1] != "one" {
		t.Errorf("Names() after a restart = %v, %v", names, err)
	}
}

func TestStateFileIsPrivateAndAlone(t *testing.T) {
	t.Parallel()
	path := statePath(t)
	s := mustNew(t, WithStateFile(path))
	epoch := open(t, s).Epoch
	for range 3 {
		put(t, s, epoch, "key")
		publish(t, s, 0, store.Bucket{Tick: openTick(s)})
		mustSync(t, s)
	}
	if got := files(t, filepath.Dir(path)); len(got) != 1 {
		t.Errorf("the directory holds %q beside lock and journals, want the state file alone", got)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) > 5 {
		t.Errorf("the directory holds %v, want three journals at most", entries)
	}
	for _, e := range entries {
		if info, err := e.Info(); err != nil || runtime.GOOS != "windows" && info.Mode() != 0o600 {
			t.Errorf("%s has mode %v, %v, want 0600", e.Name(), info.Mode(), err)
		}
	}
	if err := s.Close(); err != nil {
		t.Errorf("Close() = %v", err)
	}
	if _, err := os.Lstat(path + lockMark); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after Close() the lock file is there: %v", err)
	}
}

func TestBadStateFilesAreSetAside(t *testing.T) {
	t.Parallel()
	good := encodeState(exampleState())
	for name, data := range map[string][]byte{
		"empty":     {},
		"truncated": good[:len(good)/2],
		"flipped":   append(bytes.Clone(good[:40]), append([]byte{good[40] ^ 1}, good[41:]...)...),
		"newer":     append([]byte(magic), 2, 0, 0, 0, 0, 0),
		"foreign":   []byte("not ours at all, and somebody's treasure"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := statePath(t)
			dir := filepath.Dir(path)
			for round := 1; round <= 3; round++ {
				if err := os.WriteFile(path, data, 0o600); err != nil {
					t.Fatal(err)
				}
				var log journal
				s := mustNew(t, WithStateFile(path), WithLogger(log.logger()))
				if c := changes(t, s, store.Cursor{}); len(c.Records) > 0 || !c.Cursor.Epoch.IsZero() {
					t.Errorf("the Store starts with %+v, want nothing", c)
				}
				if !strings.Contains(log.String(), "level=WARN") || !strings.Contains(log.String(), "set aside") {
					t.Errorf("the log is %q, want a warning", log.String())
				}
				kept := files(t, dir)
				if len(kept) != round {
					t.Errorf("after %d bad files there are %q", round, kept)
				}
				for _, file := range kept {
					content, err := os.ReadFile(filepath.Join(dir, file))
					if err != nil || !bytes.Equal(content, data) || !strings.Contains(file, ".damaged-") {
						t.Errorf("%s holds %q, %v, want the bad file as it was", file, content, err)
					}
				}
			}
		})
	}
}

func TestUnreadableStateFileIsAnError(t *testing.T) {
	t.Parallel()
	path := statePath(t)
	if err := os.WriteFile(path, []byte("unreadable"), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := os.ReadFile(path); err == nil {
		// Permissions don't bind this user. A file that is gone between
		// look and read stays: no error, and no state.
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		st, err := newStateFile(path, slog.Default()).read(time.Now())
		if st != nil || err != nil {
			t.Errorf("read() of no file = %v, %v, want nothing", st, err)
		}
		return
	}
	if _, err := New(WithStateFile(path)); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("New() = %v, want the error of reading", err)
	}
}

func TestLeftoversAreRemoved(t *testing.T) {
	t.Parallel()
	path := statePath(t)
	dir := filepath.Dir(path)
	old, young, other := path+tempMark+"1", path+tempMark+"2", filepath.Join(dir, "other"+tempMark+"3")
	for _, file := range []string{old, young, other} {
		if err := os.WriteFile(file, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	long := time.Now().Add(-2 * leftoverAge)
	for _, file := range []string{old, other} {
		if err := os.Chtimes(file, long, long); err != nil {
			t.Fatal(err)
		}
	}
	mustNew(t, WithStateFile(path))
	if got := files(t, dir); len(got) != 2 {
		t.Errorf("the directory holds %q, want the young one and the other's", got)
	}
}

func TestAFailedWriteLeavesTheOldFile(t *testing.T) {
	t.Parallel()
	path := statePath(t)
	s := mustNew(t, WithStateFile(path))
	at := open(t, s)
	mustSync(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	publish(t, s, 0, store.Bucket{Tick: openTick(s)})
	if err := s.Sync(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Sync() with a cancelled ctx = %v", err)
	}
	// A directory in its place can't be replaced by a file.
	blocked := filepath.Join(t.TempDir(), "state")
	if err := os.MkdirAll(filepath.Join(blocked, "full"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := replaceFile(osDisk{}, blocked, []byte("data")); err == nil {
		t.Error("replaceFile() over a directory = nil, want an error")
	}
	if got := files(t, filepath.Dir(blocked)); len(got) != 1 {
		t.Errorf("after a failed write there are %q, want no temporary file", got)
	}
	old := mustNew(t, WithStateFile(path))
	if c := changes(t, old, store.Cursor{}); c.Cursor != at || len(old.samples.ticks) > 0 {
		t.Errorf("the old file holds %+v and %d ticks, want %+v and none", c.Cursor, len(old.samples.ticks), at)
	}
}

func TestSyncWaitsForAWriterNoLongerThanItsCtx(t *testing.T) {
	t.Parallel()
	s := mustNew(t, WithStateFile(statePath(t)))
	s.file.writing <- struct{}{}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := s.Sync(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Sync() while another writes = %v, want its ctx's error", err)
	}
}

// Samples are written in the rhythm of Maintain, what was committed at once.
func TestMaintainWritesAndEndsWithAWrite(t *testing.T) {
	t.Parallel()
	path := statePath(t)
	synctest.Test(t, func(t *testing.T) {
		s := mustNew(t, WithStateFile(path))
		at := open(t, s)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Maintain(ctx) }()
		tick := openTick(s)
		var counted int64
		count := func() {
			counted++
			publish(t, s, 0, store.Bucket{Tick: tick + counted})
			at = put(t, s, at.Epoch, "key")
		}
		want := func(when string, samples int64) {
			t.Helper()
			next := mustNew(t, WithStateFile(path))
			if got := changes(t, next, store.Cursor{}).Cursor; got != at || len(next.samples.ticks) != int(samples) {
				t.Errorf("%s %+v and %d ticks are saved, want %+v and %d", when, got, len(next.samples.ticks), at, samples)
			}
		}
		count()
		time.Sleep(DefaultStateInterval - time.Millisecond)
		synctest.Wait()
		want("before the interval", 0)
		time.Sleep(time.Millisecond)
		synctest.Wait()
		for range 3 {
			count()
			if err := s.Sync(t.Context()); err != nil {
				t.Errorf("Sync() = %v", err)
			}
			want("before the next interval", counted-1)
			time.Sleep(DefaultStateInterval)
			synctest.Wait()
			want("after an interval", counted)
		}
		count()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Maintain() = %v", err)
		}
		want("at the end", counted)
	})
}

func TestMaintainGoesOnAfterAFailedWrite(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "dir", "state")
	dir := filepath.Dir(path)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		var log journal
		s := mustNew(t, WithStateFile(path), WithLogger(log.logger()))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Maintain(ctx) }()
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10*DefaultStateInterval + time.Second)
		synctest.Wait()
		if n := strings.Count(log.String(), "level=WARN"); n != 1 {
			t.Errorf("ten failed writes warn %d times, want once:\n%s", n, log.String())
		}
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * DefaultStateInterval)
		synctest.Wait()
		if !strings.Contains(log.String(), "written again") || len(files(t, dir)) != 1 {
			t.Errorf("the state file is not written again:\n%s", log.String())
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		cancel()
		if err := <-done; !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Maintain() whose last write fails = %v, want its error", err)
		}
	})
}

func TestWithoutAStateFileThereIsNothingToDo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := mustNew(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		began := time.Now()
		if err := s.Maintain(ctx); err != nil || time.Since(began) != time.Hour {
			t.Errorf("Maintain() = %v after %v, want nil when ctx ends", err, time.Since(began))
		}
		if err := s.Sync(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Sync() with a ctx that is done = %v", err)
		}
		mustSync(t, s)
	})
}

func BenchmarkSync(b *testing.B) {
	s := mustNew(b, WithStateFile(statePath(b)))
	epoch := open(b, s).Epoch
	tick := openTick(s)
	for i := range int64(1500) {
		publish(b, s, 0, store.Bucket{Tick: tick - i, Data: make([]byte, 2000)})
		put(b, s, epoch, store.NewID().String())
	}
	b.ReportAllocs()
	for b.Loop() {
		mustSync(b, s)
	}
}

// ctxOfTests is for what a goroutine of a test does after that has ended.
var ctxOfTests = context.Background()
