// Package checkpoint has a Store that belongs to this process alone write down
// what was decided, before anybody hears of it.
//
//	commit ─→ memory of the Store ─ Keeper.Run ─→ disk
//	                                     ↑ one write for all who wait
//	message, answer to a person ─ Keep ──┘ at most 2 s, then it goes out all the same
//
// Without it a process that is killed would, after the restart, tell once more
// under another id, or never tell the end of what was told.
package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/go-batteries/hawkeye/internal/guard"
	"github.com/go-batteries/hawkeye/internal/ledger"
	"github.com/go-batteries/hawkeye/internal/pulse"
	"github.com/go-batteries/hawkeye/internal/trouble"
	"github.com/go-batteries/hawkeye/store"
)

const (
	// keepWait is how long a message, or an answer to a person, waits at most
	// until what it is about is written down.
	keepWait = 2 * time.Second
	// keepPause is how long what nobody waits for is put off: soon somebody
	// may, and then it costs nothing.
	keepPause = 100 * time.Millisecond
	// keepAgain is how long after a failure it is tried again to write down
	// what was decided.
	keepAgain = time.Second
)

// errSlow says that the disk has taken longer than keepWait.
var errSlow = fmt.Errorf("the disk takes longer than %v", keepWait)

// Keeper has a Store that is this process's alone write down what was decided,
// before anybody hears of it. Without it a process that is killed would, after
// the restart, tell once more under another id, or never tell the end of what
// was told. All who wait at the same time cost the disk one write.
//
// A disk that fails or takes long holds up nobody: what is to be told goes out
// all the same, is counted, and Health says so.
type Keeper struct {
	syncer store.Syncer
	watch  <-chan struct{}
	poke   chan struct{} // capacity 1
	fails  *trouble.Log

	mu      sync.Mutex // guards what follows
	running bool
	asked   uint64        // how often somebody began to wait
	done    uint64        // of them, those that a write was begun for after they asked, and ended
	failed  error         // why the last write failed; nil if it didn't
	began   time.Time     // of the write under way; zero if there is none
	moved   chan struct{} // closed, and replaced, when a write ended
	unkept  uint64        // what went out all the same
	last    time.Time     // and when the last of it did
	reason  error         // and why
}

// New returns a keeper for what the Store keeps, by the mirror of its ledger.
func New(s store.Syncer, mirror *ledger.Mirror, logger *slog.Logger) *Keeper {
	return &Keeper{
		syncer: s,
		fails:  trouble.New(logger, "writing down what was decided fails", "writing down what was decided works again"),
		watch:  mirror.Watch(ledger.ClassRow, ledger.ClassAlert, ledger.ClassDead, ledger.ClassSilence, ledger.ClassAck),
		poke:   make(chan struct{}, 1),
		moved:  make(chan struct{}),
	}
}

// Run writes whenever there is something to write, or somebody waits.
func (k *Keeper) Run(ctx context.Context) error {
	k.setRunning(true)
	defer k.setRunning(false)
	var due <-chan time.Time
	alive := pulse.Of(ctx)
	for {
		alive.Rest()
		select {
		case <-k.watch:
			if due == nil {
				due = time.After(keepPause)
			}
			continue
		case <-k.poke:
		case <-due:
		case <-ctx.Done():
			return nil
		}
		due = nil
		alive.Work()
		err := k.write(ctx)
		if ctx.Err() != nil {
			return nil
		}
		k.fails.Note(ctx, err)
		if err != nil {
			due = time.After(keepAgain)
		}
	}
}

func (k *Keeper) setRunning(running bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.running = running
}

// write has the Store write, for all who have asked so far.
func (k *Keeper) write(ctx context.Context) (err error) {
	k.mu.Lock()
	asked := k.asked
	k.began = time.Now()
	k.mu.Unlock()
	defer func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.done, k.failed, k.began = asked, err, time.Time{}
		close(k.moved)
		k.moved = make(chan struct{})
	}()
	return guard.Step(func() error { return k.syncer.Sync(ctx) })
}

// Keep waits until all that was decided so far is written down, the disk has
// failed, or keepWait is over: after that it may be told. It returns an error
// only if ctx ends before.
func (k *Keeper) Keep(ctx context.Context) error {
	if k == nil {
		return nil
	}
	wait, cancel := context.WithTimeout(ctx, keepWait)
	defer cancel()
	err := k.await(wait)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, context.DeadlineExceeded):
		err = errSlow
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.unkept++
	k.last, k.reason = time.Now(), err
	return nil
}

// await asks for a write and waits for its end. A write that already takes
// long isn't waited for.
func (k *Keeper) await(ctx context.Context) error {
	k.mu.Lock()
	k.asked++
	turn := k.asked
	running := k.running
	k.mu.Unlock()
	if !running {
		return nil // Start and Shutdown write all there is
	}
	select {
	case k.poke <- struct{}{}:
	default:
	}
	for {
		k.mu.Lock()
		done, failed, moved := k.done >= turn, k.failed, k.moved
		slow := !k.began.IsZero() && time.Since(k.began) >= keepWait
		k.mu.Unlock()
		switch {
		case done:
			return failed
		case slow:
			return errSlow
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Problem returns why what was decided isn't written down, nil if it is.
func (k *Keeper) Problem() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.failed == nil && !k.began.IsZero() && time.Since(k.began) >= keepWait {
		return errSlow
	}
	return k.failed
}

// Stats returns how much went out before it was written down, when the last of
// it did, and why.
func (k *Keeper) Stats() (n uint64, last time.Time, reason error) {
	if k == nil {
		return 0, time.Time{}, nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.unkept, k.last, k.reason
}
