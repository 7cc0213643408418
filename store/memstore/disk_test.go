package memstore

import (
	"errors"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// testDisk is a real one that can be made to fail, and that knows what a power
// cut would leave: of each file what was made to last and a random part of the
// rest, of each folder what was created, renamed and removed up to some moment
// after it was made to last.
type testDisk struct {
	osDisk
	mu     sync.Mutex // guards what follows
	fail   func(op, name string) error
	calls  map[string]int
	now    map[string]*testInode // by name
	lasts  map[string]*testInode // as of the last syncDir
	since  []func(map[string]*testInode)
	inodes map[file]*testInode
}

type testInode struct {
	data  []byte
	lasts int // bytes of data
}

func newTestDisk() *testDisk {
	return &testDisk{
		calls: map[string]int{}, now: map[string]*testInode{}, lasts: map[string]*testInode{}, inodes: map[file]*testInode{},
	}
}

// on makes s use the disk from now on. It wants a Store that has done nothing.
func (d *testDisk) on(s *Store) *Store {
	s.file.disk, s.file.journal.disk = d, d
	return s
}

// failing sets what fails.
func (d *testDisk) failing(fail func(op, name string) error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fail = fail
}

func (d *testDisk) count(op string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.calls[op]
}

// do does something unless it is to fail, and notes what it changes.
func (d *testDisk) do(op, name string, real func() error, note func()) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls[op]++
	if d.fail != nil {
		if err := d.fail(op, filepath.Base(name)); err != nil {
			return err
		}
	}
	if err := real(); err != nil {
		return err
	}
	note()
	return nil
}

// change changes the names, for now and in what may be left of it.
func (d *testDisk) change(f func(map[string]*testInode)) {
	f(d.now)
	d.since = append(d.since, f)
}

type testFile struct {
	*os.File
	disk *testDisk
}

func (d *testDisk) made(f file, err error) (file, error) {
	if err != nil {
		return nil, err
	}
	t, inode, name := &testFile{f.(*os.File), d}, &testInode{}, filepath.Base(f.Name())
	d.inodes[t] = inode
	d.change(func(names map[string]*testInode) { names[name] = inode })
	return t, nil
}

func (d *testDisk) createTemp(dir, pattern string) (f file, err error) {
	err = d.do("create", pattern, func() error { f, err = d.osDisk.createTemp(dir, pattern); return err }, func() { f, err = d.made(f, nil) })
	return f, err
}

func (d *testDisk) create(path string) (f file, err error) {
	err = d.do("create", path, func() error { f, err = d.osDisk.create(path); return err }, func() { f, err = d.made(f, nil) })
	return f, err
}

func (d *testDisk) rename(from, to string) error {
	return d.do("rename", to, func() error { return d.osDisk.rename(from, to) }, func() {
		from, to := filepath.Base(from), filepath.Base(to)
		d.change(func(names map[string]*testInode) {
			if names[from] != nil {
				names[to] = names[from]
				delete(names, from)
			}
		})
	})
}

func (d *testDisk) remove(path string) error {
	return d.do("remove", path, func() error { return d.osDisk.remove(path) }, func() {
		d.change(func(names map[string]*testInode) { delete(names, filepath.Base(path)) })
	})
}

func (d *testDisk) syncDir(dir string) error {
	return d.do("syncDir", dir, func() error { return nil }, func() {
		d.lasts, d.since = maps.Clone(d.now), nil
	})
}

func (f *testFile) Write(p []byte) (n int, err error) {
	err = f.disk.do("write", f.Name(), func() error { n, err = f.File.Write(p); return err }, func() {
		inode := f.disk.inodes[f]
		inode.data = append(inode.data, p...)
	})
	return n, err
}

func (f *testFile) Sync() error {
	return f.disk.do("sync", f.Name(), func() error { return nil }, func() {
		inode := f.disk.inodes[f]
		inode.lasts = len(inode.data)
	})
}

// cut returns a folder with what a power cut at this moment leaves.
func (d *testDisk) cut(t testing.TB, r *rand.Rand) string {
	t.Helper()
	dir := t.TempDir()
	d.mu.Lock()
	defer d.mu.Unlock()
	names := maps.Clone(d.lasts)
	for _, f := range d.since[:r.IntN(len(d.since)+1)] {
		f(names)
	}
	for name, inode := range names {
		left := append([]byte{}, inode.data[:inode.lasts+r.IntN(len(inode.data)-inode.lasts+1)]...)
		for i := inode.lasts; i < len(left); i++ { // blocks may come in any order, or never
			if r.IntN(400) == 0 {
				left[i] = 0
			}
		}
		if err := os.WriteFile(filepath.Join(dir, name), left, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

var errDisk = errors.New("the disk of the test fails")

// failsOn makes an operation fail on files whose name has a part.
func failsOn(ops ...string) func(op, name string) error {
	return func(op, name string) error {
		for _, o := range ops {
			if o == op {
				return &fs.PathError{Op: op, Path: name, Err: errDisk}
			}
		}
		return nil
	}
}
