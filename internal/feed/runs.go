package feed

import (
	"bytes"
	"cmp"
	"iter"
	"maps"
	"slices"

	"github.com/go-batteries/hawkeye/internal/window"
	"github.com/go-batteries/hawkeye/store"
)

// Runs says which writers published when, whatever the Store has lost since:
// by what the ledger says of it, and by what is read. A tick in which a writer
// published, or would have, is complete only with that writer's bucket. A Runs
// is for one goroutine.
type Runs struct {
	// Born is the last tick of which nobody is missed. Of ticks after Until it
	// isn't known who published in them, so that none is complete.
	Born, Until int64

	writers map[store.ID][]run
}

// Run is ticks from From up to and with To, between two of which at most ten
// have no bucket.
type Run struct {
	From, To int64
	Final    bool // To has the writer's last bucket
	Open     bool // it wasn't over when it was written down
}

// run is a Run, and how it stands in the ledger: zero if it doesn't.
type run struct {
	Run
	stored Run
}

// NewRuns returns an empty Runs, of a ledger that knows of the ticks after
// born, up to and with until.
func NewRuns(born, until int64) *Runs {
	return &Runs{Born: born, Until: until, writers: make(map[store.ID][]run)}
}

// knows says whether it is known who published in a tick.
func (r *Runs) knows(tick int64) bool { return r == nil || tick <= r.Until }

const (
	// longestBreak is how far apart two buckets of a run may be.
	longestBreak = window.LiveTicks + 1
	// maxRuns bounds the runs of a writer, of a machine that is suspended again
	// and again say. Beyond it the oldest become one, with the break between.
	maxRuns = 32
)

// Add takes a run from memory, or from what is read.
func (r *Runs) Add(id store.ID, n Run) {
	runs := r.writers[id]
	i := slices.IndexFunc(runs, func(old run) bool { return old.From <= n.To+longestBreak && n.From <= old.To+longestBreak })
	if i < 0 {
		at, _ := slices.BinarySearchFunc(runs, n.From, func(old run, from int64) int { return cmp.Compare(old.From, from) })
		r.writers[id] = bounded(slices.Insert(runs, at, run{Run: n}))
		return
	}
	old := &runs[i]
	old.From = min(old.From, n.From)
	switch {
	case n.To > old.To:
		old.To, old.Final = n.To, n.Final
	case n.To == old.To:
		old.Final = old.Final || n.Final
	}
}

func bounded(runs []run) []run {
	if len(runs) <= maxRuns {
		return runs
	}
	runs[1].From = runs[0].From
	return slices.Delete(runs, 0, 1)
}

// AddStored takes a run of a writer as the ledger has it. An open one reaches
// to the tick head, whatever is left of it in the Store.
func (r *Runs) AddStored(id store.ID, n Run, head int64) {
	known := n
	if known.Open = false; n.Open {
		known.To = max(head, n.From)
	}
	r.writers[id] = append(r.writers[id], run{known, n})
	slices.SortFunc(r.writers[id], func(a, b run) int { return cmp.Compare(a.From, b.From) })
}

// saw takes note of a bucket.
func (r *Runs) saw(tick int64, id store.ID, final bool) {
	if r != nil {
		r.Add(id, Run{From: tick, To: tick, Final: final})
	}
}

// over returns the writers with a run over a tick: from its first bucket to
// its final one or, of a writer that didn't say goodbye, for the ten ticks
// after its last one, in which it may have counted.
func (r *Runs) over(tick int64) iter.Seq[store.ID] {
	return func(yield func(store.ID) bool) {
		if r == nil || tick <= r.Born {
			return
		}
		for id, runs := range r.writers {
			if slices.ContainsFunc(runs, func(n run) bool { return n.covers(tick) }) && !yield(id) {
				return
			}
		}
	}
}

// allIn says whether all writers with a run over a tick are among some.
func (r *Runs) allIn(tick int64, some []store.ID) bool {
	if !r.knows(tick) {
		return false
	}
	in := make(map[store.ID]struct{}, len(some))
	for _, id := range some {
		in[id] = struct{}{}
	}
	for id := range r.over(tick) {
		if _, ok := in[id]; !ok {
			return false
		}
	}
	return true
}

func (n *run) covers(tick int64) bool {
	to := n.To
	if !n.Final {
		to += window.LiveTicks
	}
	return n.From <= tick && tick <= to
}

// at returns the run as it stands at a tick that was evaluated.
func (n *run) at(tick int64) Run {
	now := n.Run
	if !now.Final && tick-now.To < longestBreak {
		now.To, now.Open = 0, true
	}
	return now
}

// All returns the runs of all writers, to be kept in memory.
func (r *Runs) All() iter.Seq2[store.ID, Run] {
	return func(yield func(store.ID, Run) bool) {
		if r == nil {
			return
		}
		for id, runs := range r.writers {
			for _, n := range runs {
				if !yield(id, n.Run) {
					return
				}
			}
		}
	}
}

// Unstored returns the writers, in the order of their ids, whose runs at a
// tick aren't what the ledger has, with all of their runs.
func (r *Runs) Unstored(tick int64) iter.Seq2[store.ID, []Run] {
	var ids []store.ID
	for id, runs := range r.writers {
		if slices.ContainsFunc(runs, func(n run) bool { return n.at(tick) != n.stored }) {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b store.ID) int { return bytes.Compare(a[:], b[:]) })
	return func(yield func(store.ID, []Run) bool) {
		for _, id := range ids {
			now := make([]Run, len(r.writers[id]))
			for i, n := range r.writers[id] {
				now[i] = n.at(tick)
			}
			if !yield(id, now) {
				return
			}
		}
	}
}

// Stored takes note that the ledger has the runs as they stand at a tick.
func (r *Runs) Stored(tick int64) {
	for _, runs := range r.writers {
		for i := range runs {
			runs[i].stored = runs[i].at(tick)
		}
	}
}

// Expire forgets the runs that ended before a tick.
func (r *Runs) Expire(tick int64) {
	maps.DeleteFunc(r.writers, func(id store.ID, runs []run) bool {
		if runs[0].To >= tick { // most writers have one run
			return false
		}
		runs = slices.DeleteFunc(runs, func(n run) bool { return n.To < tick })
		r.writers[id] = runs
		return len(runs) == 0
	})
}
