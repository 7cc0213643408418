package memstore

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// journalMark is what stands between a state file's name and the number
	// of a journal.
	journalMark = ".journal-"
	// maxJournal bounds a journal. It comes to that only where no state file
	// can be written for long.
	maxJournal = 64 << 20
	// maxQueued bounds what waits for a disk that is slow or broken.
	maxQueued = 16 << 20
	// writeWait is how long a commit waits to be handed to the system.
	writeWait = 100 * time.Millisecond
)

// journalWriter appends what changes the ledger to a file beside the state file.
// Entries come in the order of the commits, and nothing waits for the disk
// under the Store's lock: a goroutine that lives as long as there is something
// to do writes what has come together, and makes it last once for all who ask.
//
// A file that can't be written, or can't be made to last, isn't trusted any
// more. What comes then is queued for a new one, which begins once a state file
// holds all that was lost.
type journalWriter struct {
	disk disk
	path string // of the state file

	mu       sync.Mutex // guards what follows
	active   bool       // the state file is ours
	file     file       // nil if there is none; only the goroutine uses it
	numbers  []int      // of the files that are there, ascending
	queue    []queued   // entries that no file has yet
	bytes    int        // in queue
	added    uint64     // entries so far
	written  uint64     // of them, those that the system has
	lasting  uint64     // of them, those that a power cut leaves
	wanted   uint64     // of them, those that are to be lasting
	covered  uint64     // of them, those that the state file holds
	lost     uint64     // the last one that is neither in a trusted file nor in queue
	failed   error      // why file isn't trusted
	renew    bool       // a state file was written: a new file is to begin
	renewing bool       // that is being done
	busy     time.Time  // since when the disk has been at it; zero if it isn't
	running  bool       // the goroutine
	moved    chan struct{}
}

// queued is an entry with its number.
type queued struct {
	seq uint64
	*entry
}

func newJournal(d disk, path string) *journalWriter {
	return &journalWriter{disk: d, path: path, moved: make(chan struct{})}
}

// name is that of a file by its number.
func (j *journalWriter) name(n int) string { return j.path + journalMark + strconv.Itoa(n) }

// list returns the numbers of the files that are there, ascending.
func (j *journalWriter) list() ([]int, error) {
	entries, err := os.ReadDir(filepath.Dir(j.path))
	if err != nil {
		return nil, fmt.Errorf("list journals of state file %q: %w", j.path, err)
	}
	var numbers []int
	for _, e := range entries {
		digits, ok := strings.CutPrefix(e.Name(), filepath.Base(j.path)+journalMark)
		if n, err := strconv.Atoi(digits); ok && err == nil && n > 0 && strconv.Itoa(n) == digits {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}

// start begins to take entries, after the files that are there.
func (j *journalWriter) start(numbers []int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.active, j.failed, j.numbers = true, nil, numbers
	j.renew = j.file != nil // of before a stop
}

// stop takes no more entries, and waits until the file is closed.
func (j *journalWriter) stop(ctx context.Context) {
	j.mu.Lock()
	j.active, j.failed, j.queue, j.bytes, j.wanted = false, nil, nil, 0, 0
	j.lasting, j.written = j.added, j.added
	j.wake()
	j.run()
	j.mu.Unlock()
	_ = j.await(ctx, func() bool { return !j.running })
}

// add appends an entry and returns its number. It wants Store.mu held, so that
// the order is that of the commits. It doesn't block.
func (j *journalWriter) add(e *entry) uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.added++
	if !j.active {
		j.written, j.lasting = j.added, j.added
		return j.added
	}
	j.queue = append(j.queue, queued{j.added, e})
	j.bytes += e.bytes()
	if j.bytes > maxQueued {
		j.fail(fmt.Errorf("%d bytes wait to be written to the journal", j.bytes), j.added)
		j.queue, j.bytes = nil, 0
	}
	j.run()
	return j.added
}

// mark returns how many entries there are so far. With Store.mu held that is
// what a snapshot holds.
func (j *journalWriter) mark() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.added
}

// saved says that a state file holds the entries up to seq, for good.
func (j *journalWriter) saved(seq uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.covered, j.renew = max(j.covered, seq), true
	j.lasting, j.written = max(j.lasting, seq), max(j.written, seq)
	j.wake()
	j.run()
}

// awaitRenewal waits until what follows from saved is done, or can't be.
func (j *journalWriter) awaitRenewal() {
	for {
		j.mu.Lock()
		due := j.active && j.renew && (j.failed == nil || j.covered >= j.lost)
		pending, moved := due || j.renewing, j.moved
		j.mu.Unlock()
		if !pending {
			return
		}
		<-moved
	}
}

// awaitWrite waits, but not for long, until the system has an entry: then it
// outlives this process.
func (j *journalWriter) awaitWrite(ctx context.Context, seq uint64) {
	ctx, cancel := context.WithTimeout(ctx, writeWait)
	defer cancel()
	if j.problem(time.Now(), writeWait) == nil {
		_ = j.await(ctx, func() bool { return j.written >= seq })
	}
}

// sync returns when all entries so far are lasting, or the file isn't trusted.
func (j *journalWriter) sync(ctx context.Context) error {
	j.mu.Lock()
	seq := j.added
	j.wanted = max(j.wanted, seq)
	j.run()
	j.mu.Unlock()
	return j.await(ctx, func() bool { return j.lasting >= seq })
}

// await waits for what done finds under mu, but not if the file has failed.
func (j *journalWriter) await(ctx context.Context, done func() bool) error {
	for {
		j.mu.Lock()
		ok, failed, moved := done(), j.failed, j.moved
		j.mu.Unlock()
		if ok {
			return nil
		}
		if failed != nil {
			return failed
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// problem returns why what is committed isn't written, nil if it is.
func (j *journalWriter) problem(now time.Time, patience time.Duration) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.failed != nil {
		return j.failed
	}
	if took := now.Sub(j.busy); !j.busy.IsZero() && took > patience {
		return fmt.Errorf("the disk has kept the journal waiting for %v", took.Round(100*time.Millisecond))
	}
	return nil
}

// fail stops trusting the file, and says up to where entries are in none. It
// wants mu held.
func (j *journalWriter) fail(err error, lost uint64) {
	j.failed, j.lost = err, max(j.lost, lost)
	j.wake()
}

// wake tells those who wait to look again. It wants mu held.
func (j *journalWriter) wake() {
	close(j.moved)
	j.moved = make(chan struct{})
}

// run has the goroutine work. It wants mu held.
func (j *journalWriter) run() {
	if !j.running {
		j.running = true
		go j.work() // ends when there is nothing to do
	}
}
