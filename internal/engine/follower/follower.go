// Package follower keeps this process's copy of the ledger up to date, and knows
// how the ledger stands.
//
//	flush ─ Flushed: where the ledger stands ─→ Run ─ SyncTo ─→ ledger.Mirror
//	                                             ├─→ the feed: late buckets
//	                                             ├─→ the clock: the head's tick
//	                                             └─→ Standing, Sign, KnownRuns
//
// Each flush brings word of where the ledger stands; only if it has moved is it
// read. A ledger that was lost, and was opened anew without what this process
// knew of it, gets that back (handback.go). Who published when is remembered
// from ledgers that are no more (runs.go). For how long the head has stood still
// is measured by our own clock (standing.go).
package follower

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/go-batteries/hawkeye/internal/engine/ruleset"
	"github.com/go-batteries/hawkeye/internal/ledger"
	"github.com/go-batteries/hawkeye/internal/publish"
	"github.com/go-batteries/hawkeye/internal/pulse"
	"github.com/go-batteries/hawkeye/internal/samples/clock"
	"github.com/go-batteries/hawkeye/internal/trouble"
	"github.com/go-batteries/hawkeye/store"
)

// Config is what a Follower needs. Nothing in it changes.
type Config struct {
	Store   store.Store
	Traits  store.Traits
	Mirror  *ledger.Mirror
	Book    *ledger.Book
	Owner   *ledger.Owner
	Clock   *clock.Clock
	Current *ruleset.Current
	Logger  *slog.Logger

	Writer func() store.ID // under which this process publishes; it may be drawn anew
	Began  func() int64    // its first tick, 0 before that is known

	// Of the feed: a tick of ours is stored, the set of names was lost, and a
	// bucket came late.
	Wake      func(tick int64)
	LoseNames func()
	Late      func(tick int64)
}

// Follower keeps the copy of the ledger up to date. Run belongs to one
// goroutine; all other methods are safe for concurrent use.
type Follower struct {
	cfg  Config
	poke chan struct{} // capacity 1

	mu    sync.Mutex // guards at, late and first
	at    store.Cursor
	late  []publish.Late
	first int64           // see FirstTick; 0 before the first flush
	told  map[string]bool // late records that were handed to the feed; for Run alone

	head standing
	runs runMemory
	back handedBack

	fails *trouble.Log
}

// New returns a follower of the ledger that the mirror copies.
func New(cfg Config) *Follower {
	return &Follower{
		cfg: cfg, poke: make(chan struct{}, 1), told: make(map[string]bool),
		fails: trouble.New(cfg.Logger, "following the ledger fails", "following the ledger works again"),
	}
}

// Flushed takes the outcome of a flush. It doesn't block.
func (f *Follower) Flushed(fl publish.Flushed) {
	if fl.Err != nil {
		return
	}
	f.cfg.Wake(fl.Tick)
	if fl.NamesLost {
		f.cfg.LoseNames()
	}
	f.mu.Lock()
	if f.first == 0 {
		f.first = fl.Tick
	}
	f.at = fl.Reply.Ledger
	f.mu.Unlock()
	f.head.flushed(fl.Reply.Ledger)
	f.wake()
}

// WroteLate takes buckets of ours that came long after their tick, so that
// the evaluator is told to look there again. It doesn't block.
func (f *Follower) WroteLate(late []publish.Late) {
	f.mu.Lock()
	f.late = append(f.late, late...)
	f.mu.Unlock()
	f.wake()
}

// FirstTick is the newest that was stored by our first flush: the hello, from
// before we counted. Nothing that this process counted lies before it.
func (f *Follower) FirstTick() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.first
}

func (f *Follower) wake() {
	select {
	case f.poke <- struct{}{}:
	default:
	}
}

func (f *Follower) Run(ctx context.Context) error {
	f.head.begin()
	alive := pulse.Of(ctx)
	for {
		alive.Rest()
		select {
		case <-f.poke:
		case <-f.due():
		case <-ctx.Done():
			return nil
		}
		alive.Work()
		err := f.round(ctx)
		if ctx.Err() != nil {
			return nil
		}
		f.fails.Note(ctx, err)
	}
}

// due returns a channel that tells when a ledger that isn't open is to be
// opened, nil if it is open.
func (f *Follower) due() <-chan time.Time {
	at := f.cfg.Mirror.Due()
	if at.IsZero() {
		return nil
	}
	return time.After(max(time.Until(at), f.cfg.Traits.Tick/4)) // failed Syncs are tried again
}

func (f *Follower) round(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, ledger.CommitTimeout)
	defer cancel()
	f.mu.Lock()
	at, late := f.at, f.late
	f.late = nil
	f.mu.Unlock()
	err := f.cfg.Mirror.SyncTo(ctx, at)
	if err == nil && len(late) > 0 && f.cfg.Mirror.Refused() == nil {
		err = f.report(ctx, late)
	}
	if err != nil && len(late) > 0 {
		f.mu.Lock()
		f.late = append(late, f.late...)
		f.mu.Unlock()
	}
	f.FollowRuns()
	if err == nil {
		err = f.handBack(ctx)
	}
	if err == nil {
		f.look(ctx)
	} else {
		f.head.unread(err)
	}
	if head, _, ok, herr := f.cfg.Mirror.Head(); herr == nil && ok {
		f.cfg.Clock.Told(head.Tick)
	}
	f.handLate()
	return err
}

// report adds late buckets to the ledger's list.
func (f *Follower) report(ctx context.Context, late []publish.Late) error {
	tx := f.cfg.Mirror.Begin()
	for _, l := range late {
		tx.Put(ledger.LateKey(l.Tick, l.Writer), []byte("{}"))
	}
	return f.cfg.Mirror.Commit(ctx, tx)
}

// handLate tells the feed of late buckets, each once.
func (f *Follower) handLate() {
	seen := make(map[string]bool, len(f.told))
	for r := range f.cfg.Mirror.All(ledger.ClassLate) {
		seen[r.Key] = true
		if f.told[r.Key] {
			continue
		}
		var tick int64
		if _, err := fmt.Sscanf(r.Key, ledger.ClassLate+"/%d/", &tick); err == nil {
			f.cfg.Late(tick)
		}
	}
	f.told = seen
}
