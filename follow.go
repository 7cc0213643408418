package hawkeye

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/go-batteries/hawkeye/internal/ledger"
	"github.com/go-batteries/hawkeye/internal/publish"
	"github.com/go-batteries/hawkeye/internal/pulse"
	"github.com/go-batteries/hawkeye/internal/trouble"
	"github.com/go-batteries/hawkeye/store"
)

// follower keeps the copy of the ledger up to date. Each flush brings word of
// where the ledger stands; only if it has moved is it read.
type follower struct {
	h      *Hawkeye
	mirror *ledger.Mirror
	poke   chan struct{} // capacity 1

	mu    sync.Mutex // guards at, late and first
	at    store.Cursor
	late  []publish.Late
	first int64           // see firstTick; 0 before the first flush
	told  map[string]bool // late records that were handed to the feed; for run alone

	head standing
	runs runMemory
	back handedBack

	fails *trouble.Log
}

func newFollower(h *Hawkeye) *follower {
	return &follower{
		h: h, mirror: h.mirror, poke: make(chan struct{}, 1), told: make(map[string]bool),
		fails: trouble.New(h.logger, "following the ledger fails", "following the ledger works again"),
	}
}

// flushed takes the outcome of a flush. It doesn't block.
func (f *follower) flushed(fl publish.Flushed) {
	if fl.Err != nil {
		return
	}
	f.h.agent.feed.Wake(fl.Tick)
	if fl.NamesLost {
		f.h.agent.feed.LoseNames()
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

// wroteLate takes buckets of ours that came long after their tick, so that
// the evaluator is told to look there again. It doesn't block.
func (f *follower) wroteLate(late []publish.Late) {
	f.mu.Lock()
	f.late = append(f.late, late...)
	f.mu.Unlock()
	f.wake()
}

// firstTick is the newest that was stored by our first flush: the hello, from
// before we counted. Nothing that this process counted lies before it.
func (f *follower) firstTick() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.first
}

func (f *follower) wake() {
	select {
	case f.poke <- struct{}{}:
	default:
	}
}

func (f *follower) run(ctx context.Context) error {
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
func (f *follower) due() <-chan time.Time {
	at := f.mirror.Due()
	if at.IsZero() {
		return nil
	}
	return time.After(max(time.Until(at), f.h.store.Traits().Tick/4)) // failed Syncs are tried again
}

func (f *follower) round(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	f.mu.Lock()
	at, late := f.at, f.late
	f.late = nil
	f.mu.Unlock()
	err := f.mirror.SyncTo(ctx, at)
	if err == nil && len(late) > 0 && f.h.refused() == nil {
		err = f.report(ctx, late)
	}
	if err != nil && len(late) > 0 {
		f.mu.Lock()
		f.late = append(late, f.late...)
		f.mu.Unlock()
	}
	f.runs.follow(f.h)
	if err == nil {
		err = f.handBack(ctx)
	}
	if err == nil {
		f.head.look(ctx, f.h)
	} else {
		f.head.unread(err)
	}
	if head, _, ok, herr := f.mirror.Head(); herr == nil && ok {
		f.h.clock().Told(head.Tick)
	}
	f.handLate()
	return err
}

// report adds late buckets to the ledger's list.
func (f *follower) report(ctx context.Context, late []publish.Late) error {
	tx := f.mirror.Begin()
	for _, l := range late {
		tx.Put(ledger.LateKey(l.Tick, l.Writer), []byte("{}"))
	}
	return f.mirror.Commit(ctx, tx)
}

// handLate tells the feed of late buckets, each once.
func (f *follower) handLate() {
	seen := make(map[string]bool, len(f.told))
	for r := range f.mirror.All(ledger.ClassLate) {
		seen[r.Key] = true
		if f.told[r.Key] {
			continue
		}
		var tick int64
		if _, err := fmt.Sscanf(r.Key, ledger.ClassLate+"/%d/", &tick); err == nil {
			f.h.agent.feed.Late(tick)
		}
	}
	f.told = seen
}
