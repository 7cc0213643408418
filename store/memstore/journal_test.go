package memstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-batteries/hawkeye/store"
)

// journaled returns a state file's path with a journal of n commits after an
// opening, no state file, and the cursor after each: [0] is the opening.
func journaled(t testing.TB, n int) (path string, at []store.Cursor) {
	t.Helper()
	path = statePath(t)
	s := mustNew(t, WithStateFile(path))
	s.file.maintained.Store(1) // Sync is for the journal alone
	at = []store.Cursor{open(t, s)}
	for i := range n {
		at = append(at, commit(t, s, store.Commit{
			ID: store.NewID(), Epoch: at[0].Epoch, Delete: []string{fmt.Sprint("key", i-2)},
			Put: []store.Entry{{Key: fmt.Sprint("key", i), Value: bytes.Repeat([]byte{byte(i)}, 5*i)}, {Key: "last", Value: []byte(fmt.Sprint(i))}},
		}))
	}
	ended(t, s)
	return path, at
}

// ended leaves the files of a Store as its process would that is killed.
func ended(t testing.TB, s *Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func journals(t testing.TB, path string) []string {
	t.Helper()
	found, err := filepath.Glob(path + journalMark + "*")
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// relocated is a state file's path in a folder of its own, with a first journal.
func relocated(t testing.TB, data []byte) string {
	t.Helper()
	path := statePath(t)
	if err := os.WriteFile(path+journalMark+"1", data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func readJournal(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path + journalMark + "1")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// ends returns the length of a journal after each of its entries.
func ends(t testing.TB, data []byte) (ends []int) {
	t.Helper()
	for rest := data[len(journalHeader):]; len(rest) > 0; {
		_, after, err := nextEntry(rest)
		if err != nil {
			t.Fatal(err)
		}
		rest = after
		ends = append(ends, len(data)-len(rest))
	}
	return ends
}

func cursorOf(t testing.TB, s *Store) store.Cursor {
	t.Helper()
	return changes(t, s, store.Cursor{}).Cursor
}

func TestJournalGoesOnWithoutAStateFile(t *testing.T) {
	t.Parallel()
	path, at := journaled(t, 5)
	var log journal
	s := mustNew(t, WithStateFile(path), WithLogger(log.logger()))
	got := changes(t, s, store.Cursor{})
	if got.Cursor != at[5] || len(got.Records) != 3 {
		t.Errorf("Changes() = %+v, want key3, key4 and last at %+v", got, at[5])
	}
	if follow := changes(t, s, at[3]); follow.Reset || len(follow.Records) != 5 {
		t.Errorf("Changes() after revision 3 = %+v, want two puts, a replaced one and two deletions, and no snapshot", follow)
	}
	if log.String() != "" {
		t.Errorf("the log is %q, want nothing", log.String())
	}
}

// A journal may end anywhere: its writer died. What is whole counts, the rest
// is cut off and told of once.
func TestTornJournal(t *testing.T) {
	t.Parallel()
	path, at := journaled(t, 4)
	data := readJournal(t, path)
	bounds := ends(t, data)
	for cut := range len(data) {
		whole := 0
		for _, end := range bounds {
			if end <= cut {
				whole++
			}
		}
		var want store.Cursor
		if whole > 0 {
			want = at[whole-1]
		}
		boundary := cut == len(journalHeader) || whole > 0 && bounds[whole-1] == cut
		path := relocated(t, data[:cut])
		for life := range 2 {
			var log journal
			s := mustNew(t, WithStateFile(path), WithLogger(log.logger()))
			if got := cursorOf(t, s); got != want {
				t.Fatalf("cut after %d of %d bytes, life %d: at %+v, want %+v", cut, len(data), life, got, want)
			}
			if warned := strings.Contains(log.String(), "cut off"); warned != (life == 0 && !boundary && cut > 0) {
				t.Errorf("cut after %d of %d bytes, life %d: the log is %q", cut, len(data), life, log.String())
			}
			ended(t, s)
		}
		if t.Failed() {
			break
		}
	}
}

// No flipped bit makes a ledger of what never was.
func TestFlippedBits(t *testing.T) {
	t.Parallel()
	path, at := journaled(t, 4)
	data := readJournal(t, path)
	bounds := ends(t, data)
	for bit := range 8 * len(data) {
		flipped := bytes.Clone(data)
		flipped[bit/8] ^= 1 << (bit % 8)
		l := newLedger()
		done := l.replay(flipped)
		whole := 0
		for _, end := range bounds {
			if end <= bit/8 {
				whole++
			}
		}
		var want mark
		if whole > 0 {
			want = mark{at[whole-1].Rev, at[whole-1].Commit}
		}
		if l.head != want || done.applied != whole || done.err == nil {
			t.Fatalf("bit %d flipped: at %+v after %d entries, %v; want %+v after %d and an error", bit, l.head, done.applied, done.err, want, whole)
		}
	}
}

// What can't be used is kept under another name, and what could be used of it
// is in the state file by then.
func TestJournalsAreSetAside(t *testing.T) {
	t.Parallel()
	source, at := journaled(t, 4)
	good := readJournal(t, source)
	bounds := ends(t, good)
	flip := func(i int) []byte {
		data := bytes.Clone(good)
		data[i] ^= 1
		return data
	}
	foreign := func() []byte { // of another process, which went on from the second commit
		s := mustNew(t, WithStateFile(relocated(t, good[:bounds[2]])))
		from := cursorOf(t, s)
		e := entry{kind: kindCommit, epoch: from.Epoch, after: mark{from.Rev, from.Commit}, id: store.NewID()}
		other := appendEntry(bytes.Clone(good[:bounds[2]]), &e)
		return append(other, good[bounds[2]:]...)
	}
	for name, c := range map[string]struct {
		data   []byte
		want   store.Cursor
		reason string
	}{
		"damaged in its middle": {flip(bounds[1] + 20), at[1], "checksum"},
		"without its beginning": {append(bytes.Clone(good[:len(journalHeader)]), good[bounds[0]:]...), store.Cursor{}, "missing"},
		"with a gap":            {append(bytes.Clone(good[:bounds[1]]), good[bounds[2]:]...), at[1], "missing"},
		"of another process":    {foreign(), store.Cursor{}, "another state"},
		"of a later version":    {append([]byte(journalMagic+"\x02"), good[len(journalHeader):]...), store.Cursor{}, "newer version"},
		"of something else":     {[]byte("not ours, and somebody's treasure"), store.Cursor{}, "not a journal"},
		"with another kind":     {appendEntry(bytes.Clone(good[:bounds[1]]), &entry{kind: 9, epoch: at[0].Epoch, after: mark{1, at[1].Commit}}), at[1], "unknown kind"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := relocated(t, c.data)
			var log journal
			s := mustNew(t, WithStateFile(path), WithLogger(log.logger()))
			got := cursorOf(t, s)
			if name != "of another process" && got != c.want || got.Rev > 3 {
				t.Errorf("at %+v, want %+v", got, c.want)
			}
			if !strings.Contains(log.String(), c.reason) || !strings.Contains(log.String(), "set aside") {
				t.Errorf("the log is %q, want a warning with %q", log.String(), c.reason)
			}
			left := journals(t, path)
			if len(left) != 1 || !strings.Contains(left[0], ".damaged-") {
				t.Fatalf("there are %q, want the bad one under another name", left)
			}
			if kept, err := os.ReadFile(left[0]); err != nil || !bytes.Equal(kept, c.data) {
				t.Errorf("%s isn't what it was: %v", left[0], err)
			}
			if again := cursorOf(t, mustNew(t, WithStateFile(path), WithLogger(log.logger()))); again != got {
				t.Errorf("the next process is at %+v, want %+v", again, got)
			}
		})
	}
}

// A program from before journals goes on from the state file alone and writes
// it. The journal that is beside it is of another past.
func TestOlderProgramInBetween(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		commits int // of the older program
		aside   bool
	}{
		"which decides nothing":      {0, false},
		"which decides as much":      {3, true},
		"which decides less":         {1, true},
		"which decides more":         {9, true},
		"which decides for a minute": {2 * keepCommits, false}, // nobody knows by then; what is older is skipped
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := statePath(t)
			s := mustNew(t, WithStateFile(path))
			at := open(t, s)
			mustSync(t, s)
			for range 3 {
				at = put(t, s, at.Epoch, "new")
			}
			ended(t, s)

			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			st, err := decodeState(data)
			if err != nil {
				t.Fatal(err)
			}
			older := mustNew(t)
			older.adopt(st, time.Now())
			want := at
			for range c.commits {
				want = put(t, older, at.Epoch, "old")
			}
			if err := replaceFile(osDisk{}, path, encodeState(older.snapshot(time.Now()))); err != nil {
				t.Fatal(err)
			}

			var log journal
			s = mustNew(t, WithStateFile(path), WithLogger(log.logger()))
			if got := cursorOf(t, s); got != want {
				t.Errorf("at %+v, want %+v", got, want)
			}
			if aside := strings.Contains(log.String(), "set aside"); aside != c.aside {
				t.Errorf("set aside: %t, want %t; the log is %q", aside, c.aside, log.String())
			}
		})
	}
}

// A file that couldn't be made to last, or written, isn't written any further:
// the next Sync writes a state file and begins another.
func TestFailedFileIsNotTrusted(t *testing.T) {
	t.Parallel()
	for _, op := range []string{"sync", "write"} {
		t.Run(op, func(t *testing.T) {
			t.Parallel()
			path, disk := statePath(t), newTestDisk()
			s := disk.on(mustNew(t, WithStateFile(path), WithLogger(new(journal).logger())))
			at := open(t, s)
			mustSync(t, s)
			s.file.maintained.Store(1)
			at = put(t, s, at.Epoch, "before")
			before := journals(t, path)
			bad := filepath.Base(before[len(before)-1])
			failed := 0
			disk.failing(func(op2, name string) error {
				if op2 == op && name == bad {
					failed++
					return failsOn(op)(op, name)
				}
				return nil
			})
			at = put(t, s, at.Epoch, "lost")
			if err := s.Sync(t.Context()); err != nil {
				t.Errorf("Sync() = %v, want nil: a state file was written instead", err)
			}
			size := fileSize(t, path+journalMark+bad[strings.LastIndex(bad, "-")+1:])
			at = put(t, s, at.Epoch, "after")
			if err := s.Sync(t.Context()); err != nil {
				t.Errorf("Sync() after that = %v", err)
			}
			if failed != 1 {
				t.Errorf("the file that failed was used %d times, want once", failed)
			}
			if now := fileSize(t, path+journalMark+bad[strings.LastIndex(bad, "-")+1:]); now != size {
				t.Errorf("it has %d bytes, %d after it failed", now, size)
			}
			if err := s.Problem(); err != nil {
				t.Errorf("Problem() = %v, want nil", err)
			}
			if got := cursorOf(t, mustNew(t, WithStateFile(path))); got != at {
				t.Errorf("the next process is at %+v, want %+v", got, at)
			}
		})
	}
}

func fileSize(t testing.TB, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return -1
	}
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// While nothing can be written Problem says so, Sync fails at once, the disk
// isn't worn out, and what is committed is kept; when it can be, all of it is.
func TestDiskThatFailsForLong(t *testing.T) {
	t.Parallel()
	path, disk := statePath(t), newTestDisk()
	synctest.Test(t, func(t *testing.T) {
		s := disk.on(mustNew(t, WithStateFile(path), WithLogger(new(journal).logger())))
		at := open(t, s)
		mustSync(t, s)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Maintain(ctx) }()
		disk.failing(failsOn("write", "sync", "create", "rename"))
		calls := disk.count("create")
		for range 600 {
			at = put(t, s, at.Epoch, "key")
			began := time.Now()
			if err := s.Sync(t.Context()); !errors.Is(err, errDisk) {
				t.Fatalf("Sync() = %v, want the disk's error", err)
			}
			if took := time.Since(began); took > 0 {
				t.Fatalf("Sync() took %v", took)
			}
			if err := s.Problem(); !errors.Is(err, errDisk) {
				t.Fatalf("Problem() = %v, want the disk's error", err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if n := disk.count("create") - calls; n > 80 {
			t.Errorf("in a minute a state file was tried to be written %d times", n)
		}
		disk.failing(nil)
		time.Sleep(DefaultStateInterval + time.Second)
		if err := s.Problem(); err != nil {
			t.Errorf("Problem() on a disk that works again = %v", err)
		}
		if err := s.Sync(t.Context()); err != nil {
			t.Errorf("Sync() on a disk that works again = %v", err)
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Maintain() = %v", err)
		}
		if got := cursorOf(t, mustNew(t, WithStateFile(path))); got != at {
			t.Errorf("the next process is at %+v, want %+v", got, at)
		}
	})
}

// What waits for a disk that doesn't answer is bounded.
func TestQueueIsBounded(t *testing.T) {
	t.Parallel()
	path, disk := statePath(t), newTestDisk()
	s := disk.on(mustNew(t, WithStateFile(path), WithLogger(new(journal).logger())))
	at := open(t, s)
	mustSync(t, s)
	s.file.maintained.Store(1)
	var once sync.Once
	disk.mu.Lock() // nothing gets through
	release := func() { once.Do(disk.mu.Unlock) }
	defer release()
	value := make([]byte, 1<<20)
	for range 40 {
		at = commit(t, s, store.Commit{ID: store.NewID(), Epoch: at.Epoch, Put: []store.Entry{{Key: "k", Value: value}}})
	}
	s.file.journal.mu.Lock()
	queued := s.file.journal.bytes
	s.file.journal.mu.Unlock()
	if queued > maxQueued+2<<20 {
		t.Errorf("%d bytes are queued", queued)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := s.Sync(ctx); err == nil {
		t.Error("Sync() = nil while nothing is written")
	}
	release()
	if err := s.save(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Sync(t.Context()); err != nil {
		t.Errorf("Sync() after a state file was written = %v", err)
	}
	if got := cursorOf(t, mustNew(t, WithStateFile(path))); got != at {
		t.Errorf("the next process is at %+v, want %+v", got, at)
	}
}

// Many who wait at the same time cost the disk little more than one.
func TestGroupCommit(t *testing.T) {
	t.Parallel()
	path, disk := statePath(t), newTestDisk()
	s := disk.on(mustNew(t, WithStateFile(path)))
	at := open(t, s)
	mustSync(t, s)
	s.file.maintained.Store(1)
	disk.failing(func(op, _ string) error {
		if op == "sync" {
			time.Sleep(5 * time.Millisecond) // a slow one
		}
		return nil
	})
	before := disk.count("sync")
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			for range 10 {
				put(t, s, at.Epoch, "key")
				if err := s.Sync(ctxOfTests); err != nil {
					t.Errorf("Sync() = %v", err)
				}
			}
		})
	}
	all.Wait()
	if n := disk.count("sync") - before; n < 10 || n > 60 {
		t.Errorf("500 Syncs of 50 at a time cost %d of the disk, want about 10", n)
	}
	// Commits alone cost none.
	before = disk.count("sync")
	for range 100 {
		put(t, s, at.Epoch, "key")
	}
	if n := disk.count("sync") - before; n != 0 {
		t.Errorf("100 commits that nobody waits for cost %d Syncs of the disk, want none", n)
	}
}

// A commit doesn't wait for a disk that hangs.
func TestHangingDiskHoldsUpNobody(t *testing.T) {
	t.Parallel()
	path, disk := statePath(t), newTestDisk()
	s := disk.on(mustNew(t, WithStateFile(path)))
	at := open(t, s)
	mustSync(t, s)
	s.file.maintained.Store(1)
	disk.mu.Lock()
	began := time.Now()
	for range 1000 {
		at = put(t, s, at.Epoch, "key")
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("1,000 commits took %v", took)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := s.Sync(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Sync() = %v, want its ctx's error", err)
	}
	if err := s.file.journal.problem(time.Now().Add(slowAfter+time.Second), slowAfter); err == nil {
		t.Error("problem() of a disk that hangs = nil")
	}
	disk.mu.Unlock()
	if err := s.Sync(t.Context()); err != nil {
		t.Errorf("Sync() when it answers = %v", err)
	}
}

// A journal that somebody removed, or with its folder, is noticed.
func TestRemovedJournal(t *testing.T) {
	t.Parallel()
	path := statePath(t)
	s := mustNew(t, WithStateFile(path), WithLogger(new(journal).logger()))
	at := open(t, s)
	mustSync(t, s)
	s.file.maintained.Store(1)
	put(t, s, at.Epoch, "key")
	for _, name := range journals(t, path) {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	at = put(t, s, at.Epoch, "key")
	if err := s.Sync(t.Context()); err != nil {
		t.Errorf("Sync() = %v, want nil: a state file was written instead", err)
	}
	if got := cursorOf(t, mustNew(t, WithStateFile(path))); got != at {
		t.Errorf("the next process is at %+v, want %+v", got, at)
	}
	if err := os.RemoveAll(filepath.Dir(path)); err != nil {
		t.Fatal(err)
	}
	put(t, s, at.Epoch, "key")
	if err := s.Sync(t.Context()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Sync() without the folder = %v, want an error", err)
	}
	if s.Problem() == nil {
		t.Error("Problem() without the folder = nil")
	}
}
