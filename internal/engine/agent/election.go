package agent

import (
	"time"

	"github.com/go-batteries/hawkeye/internal/ledger"
	"github.com/go-batteries/hawkeye/store"
)

// stage is where an election stands for this process.
//
//	         the head is ours
//	waiting ─────────────────────────────────→ leader ─┐
//	 ↑  │                                              ├─→ load, evaluate
//	 │  └─ free, stale, or of an older configuration ─→ candidate ─┘   │
//	 └──────────── another one was faster, or the ledger moved on ─────┘
//	waiting ─ the process ends, and another one evaluates ─→ ending
type stage int

const (
	waiting   stage = iota // another replica evaluates, or is given the time to
	candidate              // nobody who has a right to it evaluates: take over
	leader                 // this process evaluated last, and goes on
	ending                 // this process ends, and has nothing left to evaluate
)

func (s stage) String() string {
	return [...]string{"waiting", "candidate", "leader", "ending"}[s]
}

// election is whose turn it is, as this process sees it. The lease of a head
// runs on its own clock, from when it first saw that head.
type election struct {
	stage stage
	seen  store.ID  // the commit of the head as it was last seen
	since time.Time // since when it stands
	left  store.ID  // a head whose writer is gone: nobody need wait for a lease of it
}

// observation is what an election goes by.
type observation struct {
	now    time.Time
	ending bool // the process ends

	open        bool      // the ledger is open
	refused     bool      // it isn't ours to work with
	unreadable  bool      // its head can't be read, or is another service's
	orphanable  bool      // it is another service's, which may be gone
	lastSuccess time.Time // when the Store was last reached

	head     ledger.Head
	known    bool     // there is one
	commit   store.ID // that wrote it
	vanished bool     // its writer publishes no more

	self   store.ID // this process
	own    string   // our configuration in force
	active string   // the configuration that decides
	older  bool     // the head's configuration is known, and can be compared with ours
}

// terms are what doesn't change in an election.
type terms struct {
	lease, tick time.Duration
	shared      bool // others may evaluate
}

// next returns where the election stands after an observation, and how long to
// wait for the next one at most. It is pure.
func (t terms) next(e election, o observation) (election, time.Duration) {
	e.stage = waiting
	if !o.open {
		return e, t.tick
	}
	if o.commit != e.seen {
		if e.seen.IsZero() && o.vanished {
			e.left = o.commit
		}
		e.seen, e.since = o.commit, o.now
	}
	wait := t.lease
	switch {
	case !o.unreadable:
		wait = t.takeoverDelay(e, o) - o.now.Sub(e.since)
	case o.orphanable:
		if o.now.Sub(o.lastSuccess) > t.lease {
			e.since = o.now // nor could the others have moved it
		}
		wait = orphanLeases*t.lease - o.now.Sub(e.since)
	}
	switch {
	case wait <= 0 && !o.unreadable && o.known && o.head.Writer == o.self:
		e.stage = leader
	case wait <= 0:
		e.stage = candidate
	case o.ending: // another replica evaluates, also what we counted last
		e.stage = ending
	case o.refused:
		return e, t.tick
	}
	return e, max(wait, 0)
}

// takeoverDelay is how long a head must stand unchanged before we go on from
// it. Whoever has an older configuration isn't waited for; but a place that is
// free is left to those with a newer one for a moment.
func (t terms) takeoverDelay(e election, o observation) time.Duration {
	writer := o.head.Writer
	if o.commit == e.left {
		writer = store.ID{}
	}
	switch ours := o.active == o.own; {
	case !t.shared:
		return 0
	case writer == o.self && ours:
		return 0
	case !o.known || writer.IsZero():
		if !ours {
			return min(3*t.tick, t.lease)
		}
		return 0
	case ours && o.head.Config != o.own && o.older:
		return 0
	default:
		return t.lease
	}
}
