package hawkeye

import (
	"context"
	"math"
	"sync"
	"time"

	"github.com/go-batteries/hawkeye/internal/feed"
	"github.com/go-batteries/hawkeye/internal/ledger"
	"github.com/go-batteries/hawkeye/internal/window"
	"github.com/go-batteries/hawkeye/store"
)

// runMemory remembers who published when from ledgers that are no more: one
// that was rolled back, or was restored from an older copy, may lack it.
type runMemory struct {
	mu         sync.Mutex // guards what follows
	generation uint64     // of the class in latest
	turned     int        // as the mirror counts
	head       int64      // up to which the open runs of latest reach
	latest     map[store.ID]*ledger.WriterRecord
	former     *feed.Runs
}

// follow takes what the copy of the ledger says, and keeps what the one before
// said if it is another one by now.
func (m *runMemory) follow(h *Hawkeye) {
	turned, generation := h.mirror.Turned(), h.mirror.Generation(ledger.ClassWriter)
	head, _, ok, err := h.mirror.Head()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.former == nil {
		m.former = feed.NewRuns(math.MinInt64, math.MaxInt64)
	}
	if turned != m.turned {
		for id, w := range m.latest {
			for _, r := range w.Runs {
				m.former.Add(id, closedRun(r, m.head))
			}
		}
	}
	if turned != m.turned || generation != m.generation {
		m.latest = h.book.Writers()
	}
	m.turned, m.generation = turned, generation
	if ok && err == nil {
		m.head = head.Tick
		m.former.Expire(head.Tick - int64(h.store.Traits().Retention/h.store.Traits().Tick))
	}
}

// addTo adds what is remembered.
func (m *runMemory) addTo(runs *feed.Runs) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, r := range m.former.All() {
		runs.Add(id, r)
	}
}

// closedRun is a run of the ledger; an open one reaches to the tick head.
func closedRun(r ledger.Run, head int64) feed.Run {
	if r.To == 0 {
		return feed.Run{From: r.From, To: max(r.From, head)}
	}
	return feed.Run{From: r.From, To: r.To, Final: r.Final}
}

// storedRun is a run as the ledger has it.
func storedRun(r ledger.Run) feed.Run {
	return feed.Run{From: r.From, To: r.To, Final: r.Final, Open: r.To == 0}
}

// ledgerRun is the reverse.
func ledgerRun(r feed.Run) ledger.Run { return ledger.Run{From: r.From, To: r.To, Final: r.Final} }

// runsAt returns who published when, as far as the ledger and this process'
// memory know, up to the head; until is the last tick that it can be asked of.
func (h *Hawkeye) runsAt(head ledger.Head, until int64) *feed.Runs {
	runs := feed.NewRuns(head.Born, until)
	fleet, known := h.book.Fleet()
	if head.Runs || !known {
		fleet = &ledger.Fleet{}
	}
	for id, w := range h.book.Writers() {
		reach := head.Tick
		for _, r := range w.Runs {
			n := storedRun(r)
			if !head.Runs {
				reach = reachOf(fleet, id, head.Tick, r.From)
			}
			runs.AddStored(id, n, reach)
		}
	}
	for text, m := range fleet.Writers {
		if id, err := store.ParseID(text); err == nil && m.Left == 0 && fleet.Tick <= head.Tick {
			runs.Add(id, feed.Run{From: fleet.Tick, To: head.Tick})
		}
	}
	h.follower.runs.addTo(runs)
	return runs
}

// reachOf is how far an open run reaches that a version has left alone which
// doesn't know of runs. Of whom that version doesn't name it is known only that
// it began.
func reachOf(fleet *ledger.Fleet, id store.ID, head, from int64) int64 {
	switch m, ok := fleet.Writers[id.String()]; {
	case !ok:
		return from
	case m.Left != 0:
		return max(m.Left, from)
	default:
		return head
	}
}

// knownRuns returns who published when, for a reader that doesn't evaluate, and
// the last tick before anybody counted. While no ledger is open, or nobody has
// evaluated, nothing is known.
func (h *Hawkeye) knownRuns(ctx context.Context) (runs *feed.Runs, born int64) {
	if !h.store.Traits().Shared {
		head, _, ok, err := h.mirror.Head()
		switch {
		case err != nil:
			return nil, math.MinInt64
		case !ok:
			return nil, math.MaxInt64
		}
		return nil, head.Born
	}
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	bring := h.mirror.Look
	if h.running() {
		bring = h.follower.bring
	}
	err := bring(ctx)
	head, _, ok, herr := h.mirror.Head()
	if err != nil || !h.mirror.Open() || !ok || herr != nil && head.Width != h.store.Traits().Tick {
		return feed.NewRuns(math.MinInt64, math.MinInt64), math.MinInt64
	}
	h.follower.runs.follow(h)
	return h.runsAt(head, head.Tick+window.LiveTicks), head.Born
}

// bring brings the copy of the ledger up to the latest flush.
func (f *follower) bring(ctx context.Context) error {
	f.mu.Lock()
	at := f.at
	f.mu.Unlock()
	return f.mirror.SyncTo(ctx, at)
}

// beginRuns makes what the evaluation knows of writers: what the ledger says,
// which may have been rolled back, and what this process has read.
func (a *agent) beginRuns(head ledger.Head) {
	if !a.h.store.Traits().Shared {
		return
	}
	a.h.follower.runs.follow(a.h)
	runs := a.h.runsAt(head, math.MaxInt64)
	for id, r := range a.runs.All() {
		runs.Add(id, r)
	}
	a.runs = runs
	a.feed.SetRuns(runs)
}

// putRuns writes down the runs that have begun or ended.
func (a *agent) putRuns(tx *ledger.Tx, tick int64) error {
	if a.runs == nil {
		return nil
	}
	for id, runs := range a.runs.Unstored(tick) {
		stored := make([]ledger.Run, len(runs))
		for i, r := range runs {
			stored[i] = ledgerRun(r)
		}
		if err := tx.PutRuns(id, stored); err != nil {
			return err
		}
	}
	return nil
}

// runsStored takes note that the ledger has them as of a tick.
func (a *agent) runsStored(tick int64) {
	if a.runs == nil {
		return
	}
	a.runs.Stored(tick)
	keep := a.feed.Needs()
	a.runs.Expire(tick - keep)
	a.book.KeepWriters = time.Duration(keep) * a.h.store.Traits().Tick
}
