package follower

import (
	"context"
	"math"
	"sync"

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

// FollowRuns takes what the copy of the ledger says, and keeps what the one before
// said if it is another one by now.
func (f *Follower) FollowRuns() {
	m := &f.runs
	turned, generation := f.cfg.Mirror.Turned(), f.cfg.Mirror.Generation(ledger.ClassWriter)
	head, _, ok, err := f.cfg.Mirror.Head()
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
		m.latest = f.cfg.Book.Writers()
	}
	m.turned, m.generation = turned, generation
	if ok && err == nil {
		m.head = head.Tick
		m.former.Expire(head.Tick - int64(f.cfg.Traits.Retention/f.cfg.Traits.Tick))
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

// RunsAt returns who published when, as far as the ledger and this process'
// memory know, up to the head; until is the last tick that it can be asked of.
func (f *Follower) RunsAt(head ledger.Head, until int64) *feed.Runs {
	runs := feed.NewRuns(head.Born, until)
	fleet, known := f.cfg.Book.Fleet()
	if head.Runs || !known {
		fleet = &ledger.Fleet{}
	}
	for id, w := range f.cfg.Book.Writers() {
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
	f.runs.addTo(runs)
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

// KnownRuns returns who published when, for a reader that doesn't evaluate, and
// the last tick before anybody counted. While no ledger is open, or nobody has
// evaluated, nothing is known.
func (f *Follower) KnownRuns(ctx context.Context, running bool) (runs *feed.Runs, born int64) {
	if !f.cfg.Traits.Shared {
		head, _, ok, err := f.cfg.Mirror.Head()
		switch {
		case err != nil:
			return nil, math.MinInt64
		case !ok:
			return nil, math.MaxInt64
		}
		return nil, head.Born
	}
	ctx, cancel := context.WithTimeout(ctx, ledger.CommitTimeout)
	defer cancel()
	bring := f.cfg.Mirror.Look
	if running {
		bring = f.bring
	}
	err := bring(ctx)
	head, _, ok, herr := f.cfg.Mirror.Head()
	if err != nil || !f.cfg.Mirror.Open() || !ok || herr != nil && head.Width != f.cfg.Traits.Tick {
		return feed.NewRuns(math.MinInt64, math.MinInt64), math.MinInt64
	}
	f.FollowRuns()
	return f.RunsAt(head, head.Tick+window.LiveTicks), head.Born
}

// bring brings the copy of the ledger up to the latest flush.
func (f *Follower) bring(ctx context.Context) error {
	f.mu.Lock()
	at := f.at
	f.mu.Unlock()
	return f.cfg.Mirror.SyncTo(ctx, at)
}
