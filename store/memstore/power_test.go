package memstore

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-batteries/hawkeye/store"
)

var seeds = 5 // of the tests with power cuts

func init() {
	if n, err := strconv.Atoi(os.Getenv("HAWKEYE_SEEDS")); err == nil {
		seeds = n
	}
}

// past is each state that a ledger has been in, by revision.
type past struct {
	mu     sync.Mutex
	states map[uint64]map[string]string
	marks  map[uint64]store.ID
}

func (p *past) add(at store.Cursor, put map[string]string, deleted string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	state := maps.Clone(p.states[at.Rev-1])
	if state == nil {
		state = map[string]string{}
	}
	maps.Copy(state, put)
	delete(state, deleted)
	p.states[at.Rev], p.marks[at.Rev] = state, at.Commit
}

// check says what is wrong with a Store that was read after a crash: it must be
// in a state that there was, not before one that was written down.
func (p *past) check(s *Store, epoch store.ID, least uint64) error {
	c, err := s.Changes(ctxOfTests, store.Cursor{})
	if err != nil {
		return err
	}
	if c.Cursor.Epoch.IsZero() && least == 0 {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	want, mark := p.states[c.Cursor.Rev], p.marks[c.Cursor.Rev]
	switch {
	case c.Cursor.Epoch != epoch:
		return fmt.Errorf("the epoch is %v, want %v", c.Cursor.Epoch, epoch)
	case c.Cursor.Rev < least:
		return fmt.Errorf("it is at revision %d, and %d was written down", c.Cursor.Rev, least)
	case c.Cursor.Rev > 0 && c.Cursor.Commit != mark:
		return fmt.Errorf("revision %d was made by %v, want %v", c.Cursor.Rev, c.Cursor.Commit, mark)
	}
	got := map[string]string{}
	for _, r := range c.Records {
		got[r.Key] = string(r.Value)
	}
	if !maps.Equal(got, want) {
		return fmt.Errorf("revision %d is %v, want %v", c.Cursor.Rev, got, want)
	}
	return nil
}

// Whatever Sync said was written down is there after a power cut at any
// moment, and nothing that never was: with and without a disk that fails now
// and then, with state files written meanwhile and without.
func TestPowerCuts(t *testing.T) {
	t.Parallel()
	for seed := range uint64(seeds) {
		for _, mode := range []string{"sound", "failing", "maintained"} {
			t.Run(fmt.Sprint(mode, "/", seed), func(t *testing.T) {
				t.Parallel()
				cutPower(t, seed, mode)
			})
		}
	}
}

func cutPower(t *testing.T, seed uint64, mode string) {
	r := rand.New(rand.NewPCG(seed, 1))
	disk, path := newTestDisk(), statePath(t)
	s := disk.on(mustNew(t, WithStateFile(path), WithLogger(new(journal).logger())))
	p := &past{states: map[uint64]map[string]string{}, marks: map[uint64]store.ID{}}
	var lasting atomic.Uint64
	epoch := open(t, s).Epoch
	s.file.maintained.Store(1) // as if Maintain ran: Sync is for the journal
	if mode == "failing" {
		fails := rand.New(rand.NewPCG(seed, 2))
		disk.failing(func(op, name string) error { // it wants disk.mu held
			if fails.IntN(20) == 0 {
				return failsOn(op)(op, name)
			}
			return nil
		})
	}
	var work sync.WaitGroup
	defer work.Wait()
	done := make(chan struct{})
	defer close(done)
	work.Go(func() { // who writes things down
		for {
			select {
			case <-done:
				return
			default:
			}
			rev := changes(t, s, store.Cursor{}).Cursor.Rev
			if s.Sync(ctxOfTests) == nil {
				lasting.Store(max(lasting.Load(), rev))
			}
			if s.file.mu.Lock(); mode == "failing" {
				s.file.healed = time.Time{} // don't wait for the pause after a failure
			}
			s.file.mu.Unlock()
		}
	})
	if mode != "sound" {
		work.Go(func() {
			for {
				select {
				case <-done:
					return
				case <-time.After(3 * time.Millisecond):
					_ = s.save(ctxOfTests)
				}
			}
		})
	}
	for n := range 120 {
		put, deleted := map[string]string{}, ""
		for range r.IntN(4) {
			put[fmt.Sprint("k", r.IntN(9))] = fmt.Sprint("v", n)
		}
		if r.IntN(3) == 0 {
			deleted = fmt.Sprint("k", r.IntN(9))
		}
		c := store.Commit{ID: store.NewID(), Epoch: epoch, Delete: []string{deleted}}
		for k, v := range put {
			c.Put = append(c.Put, store.Entry{Key: k, Value: []byte(v)})
		}
		at := commit(t, s, c)
		p.add(at, put, deleted)
		if r.IntN(4) == 0 {
			least := lasting.Load()
			dir := disk.cut(t, r)
			after, err := New(WithStateFile(filepath.Join(dir, filepath.Base(path))), WithLogger(new(journal).logger()))
			if err == nil {
				err = p.check(after, epoch, least)
			}
			if err != nil {
				names, _ := os.ReadDir(dir)
				t.Fatalf("after a power cut at revision %d: %v (%v)", at.Rev, err, names)
			}
		}
	}
	disk.failing(nil)
	deadline := time.Now().Add(20 * time.Second)
	for err := s.Sync(ctxOfTests); err != nil; err = s.Sync(ctxOfTests) {
		if time.Now().After(deadline) {
			t.Fatalf("Sync() on a disk that works again = %v", err)
		}
		time.Sleep(time.Millisecond)
	}
	if err := errors.Join(s.save(ctxOfTests), s.Sync(ctxOfTests), s.Problem()); err != nil {
		t.Errorf("on a disk that works again: %v", err)
	}
}
