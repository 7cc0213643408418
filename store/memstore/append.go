package memstore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// keepJournals is how many files before a new one are kept: a new one begins
// after a state file, and until the next state file the one before that may
// be what a crash leaves, where a rename can't be made to last.
const keepJournals = 2

var (
	errFull    = errors.New("the journal is full, because no state file could be written for long")
	errRemoved = errors.New("the journal was removed, or something else put in its place")
)

// step is something to do with the disk. It returns an error if the file isn't
// to be trusted any more, and up to where entries are lost by that.
type step func() (lost uint64, err error)

// work does what there is to do, and ends. There is one goroutine of it at a
// time.
func (j *journalWriter) work() {
	for do := j.next(); do != nil; do = j.next() {
		lost, err := do()
		j.mu.Lock()
		j.renewing = false
		if err != nil {
			j.fail(err, lost)
		}
		j.wake()
		j.mu.Unlock()
	}
}

// next returns the next step, nil if there is none and the goroutine is to
// end.
func (j *journalWriter) next() (do step) {
	j.mu.Lock()
	defer j.mu.Unlock()
	switch mended := j.renew && j.covered >= j.lost; {
	case !j.active:
		if j.file != nil {
			do = j.end
		}
	case j.failed != nil && mended:
		j.queue = slices.DeleteFunc(j.queue, func(q queued) bool { return q.seq <= j.covered })
		j.bytes = 0
		for _, q := range j.queue {
			j.bytes += q.bytes()
		}
		j.failed, j.renew, j.renewing = nil, false, true
		do = func() (uint64, error) { return 0, j.begin() }
	case j.failed != nil:
	case j.renew:
		j.renew, j.renewing = false, true
		do = j.replace
	case j.file == nil && len(j.queue) > 0:
		do = func() (uint64, error) { return 0, j.begin() }
	case j.file != nil && (len(j.queue) > 0 || j.wanted > j.lasting):
		batch, last := j.queue, j.wanted > j.lasting
		j.queue, j.bytes = nil, 0
		do = func() (uint64, error) { return j.extend(batch, last) }
	}
	j.running, j.busy = do != nil, time.Time{}
	if j.running {
		j.busy = time.Now()
	} else {
		j.wake()
	}
	return do
}

// end closes the file.
func (j *journalWriter) end() (uint64, error) {
	if j.file != nil {
		_ = j.file.Close() // what had to last was made to before
	}
	j.mu.Lock()
	j.file = nil
	j.mu.Unlock()
	return 0, nil
}

// replace goes on in a new file after a state file was written, once what only
// the old one has was made to last.
func (j *journalWriter) replace() (lost uint64, err error) {
	j.mu.Lock()
	written, alone := j.written, j.file != nil && j.written > j.covered
	j.mu.Unlock()
	if alone {
		if err := j.file.Sync(); err != nil {
			return written, err
		}
		j.lasts(written)
	}
	return 0, j.begin()
}

// begin makes a new file, in the place of the one that there may be.
func (j *journalWriter) begin() error {
	_, _ = j.end()
	f, n, err := j.create()
	if err != nil {
		return err
	}
	j.compact()
	j.mu.Lock()
	j.file, j.numbers = f, append(j.numbers, n)
	j.mu.Unlock()
	return nil
}

// compact removes, after a state file was written, the oldest files: what they
// hold was in the state file before it.
func (j *journalWriter) compact() {
	j.mu.Lock()
	var old []int
	if cut := len(j.numbers) - keepJournals; cut > 0 && j.renewing {
		old, j.numbers = j.numbers[:cut], slices.Clone(j.numbers[cut:])
	}
	j.mu.Unlock()
	for _, n := range old {
		_ = j.disk.remove(j.name(n)) // if it stays, what it holds is skipped
	}
}

// create makes a file with the next number that is free.
func (j *journalWriter) create() (f file, n int, err error) {
	j.mu.Lock()
	if len(j.numbers) > 0 {
		n = j.numbers[len(j.numbers)-1]
	}
	j.mu.Unlock()
	err = fs.ErrExist
	for tries := 0; errors.Is(err, fs.ErrExist) && tries < 100; tries++ { // of another Store of this process
		n++
		f, err = j.disk.create(j.name(n))
	}
	if err != nil {
		return nil, 0, err
	}
	_, err = f.Write([]byte(journalHeader))
	if err == nil {
		err = j.disk.syncDir(filepath.Dir(j.path))
	}
	if err != nil {
		return nil, 0, errors.Join(err, f.Close(), j.disk.remove(f.Name()))
	}
	return f, n, nil
}

// extend writes entries, and makes the file last.
func (j *journalWriter) extend(batch []queued, last bool) (lost uint64, err error) {
	j.mu.Lock()
	upTo := j.written
	j.mu.Unlock()
	if n := len(batch); n > 0 {
		upTo = max(upTo, batch[n-1].seq)
		var data []byte
		for _, q := range batch {
			data = appendEntry(data, q.entry)
		}
		if _, err := j.file.Write(data); err != nil {
			return upTo, err
		}
		j.mu.Lock()
		j.written = max(j.written, upTo)
		j.wake()
		j.mu.Unlock()
	}
	info, err := j.inPlace()
	if err != nil {
		return upTo, err
	}
	if last {
		if err := j.file.Sync(); err != nil {
			return upTo, err
		}
		j.lasts(upTo)
	}
	if info.Size() > maxJournal {
		return 0, errFull
	}
	return 0, nil
}

// inPlace returns an error if a later process wouldn't find the file.
func (j *journalWriter) inPlace() (fs.FileInfo, error) {
	ours, err := j.file.Stat()
	if err != nil {
		return nil, err
	}
	there, err := os.Lstat(j.file.Name())
	if err != nil || !os.SameFile(ours, there) {
		return nil, errors.Join(fmt.Errorf("%w: %s", errRemoved, j.file.Name()), err)
	}
	return ours, nil
}

// lasts says that the entries up to seq outlive a power cut.
func (j *journalWriter) lasts(seq uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lasting = max(j.lasting, seq)
}
