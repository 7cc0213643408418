package feed

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/go-batteries/hawkeye/store"
)

const (
	// maxHeldBytes bounds the folds that are held. The oldest leave first.
	maxHeldBytes = 32 << 20
	// checkFolds is how many cells are looked for at each tick, in turn, and
	// checkNewest how many of the newest beside them: those are what a
	// failover loses first.
	checkFolds  = 4
	checkNewest = 2
	// checkLost is how many are looked for in turn once one was missing.
	checkLost = 64
	// countOnly is a TickQuery.Known that no tick comes up to.
	countOnly = 1 << 30
	// minKeep is for how long a fold is published again at least.
	minKeep = time.Minute
)

// encoded is a fold as it is stored.
type encoded struct {
	writer store.ID
	data   []byte
}

// cellKey names a cell of a coarse tier.
type cellKey struct {
	tier store.Tier
	cell int64
}

// end is when the cell is over, since the Unix epoch.
func (k cellKey) end() time.Duration { return time.Duration(k.cell+1) * k.tier.Width() }

// held is the folds that windows need, encoded, as this process wrote or read
// them: what the Store loses of them is published again. Fine ticks are their
// writers' to publish again; folds have nobody else.
type held struct {
	cells   map[cellKey][]encoded
	order   []cellKey // ascending by end
	bytes   int
	next    int   // where in order the next check goes on
	checked int64 // the tick at which that was
	hurry   int   // how many are still to be checked at once, because some were lost
}

// put takes a fold in, unless it is there.
func (h *held) put(k cellKey, e encoded) {
	if h.cells == nil {
		h.cells = make(map[cellKey][]encoded)
	}
	if h.has(k, e.writer) {
		return
	}
	if len(h.cells[k]) == 0 {
		i, _ := slices.BinarySearchFunc(h.order, k, func(a, b cellKey) int {
			return cmp.Or(cmp.Compare(a.end(), b.end()), cmp.Compare(a.tier, b.tier))
		})
		h.order = slices.Insert(h.order, i, k)
	}
	h.cells[k] = append(h.cells[k], e)
	h.bytes += len(e.data)
	for h.bytes > maxHeldBytes {
		h.drop(0)
	}
}

func (h *held) has(k cellKey, writer store.ID) bool {
	return slices.ContainsFunc(h.cells[k], func(e encoded) bool { return e.writer == writer })
}

func (h *held) drop(i int) {
	k := h.order[i]
	for _, e := range h.cells[k] {
		h.bytes -= len(e.data)
	}
	delete(h.cells, k)
	h.order = slices.Delete(h.order, i, i+1)
	if h.next > i {
		h.next--
	}
}

// expire lets go of what no window needs any more.
func (h *held) expire(now time.Duration, keep func(store.Tier) time.Duration) {
	for i := len(h.order) - 1; i >= 0; i-- {
		if k := h.order[i]; k.end()+keep(k.tier) < now {
			h.drop(i)
		}
	}
}

// check returns the questions of a tick, once: how many folds there are of
// some of the cells.
func (h *held) check(tick int64) (q []store.TickQuery) {
	n := len(h.order)
	if n == 0 || h.checked == tick {
		return nil
	}
	h.checked = tick
	ask := func(k cellKey) {
		q = append(q, store.TickQuery{Tier: k.tier, Tick: k.cell, Known: countOnly})
	}
	turn := min(checkFolds, n)
	if h.hurry > 0 {
		turn = min(checkLost, n)
		h.hurry -= turn
	}
	for range turn {
		h.next %= n
		ask(h.order[h.next])
		h.next++
	}
	for _, k := range h.order[max(n-checkNewest, 0):] {
		ask(k)
	}
	return q
}

// checkedFolds looks at the answer to a question of held.check. A count can't
// say which folds are there, but another evaluator's stand for ours as well.
func (f *Feed) checkedFolds(answer *store.TickBuckets) {
	k := cellKey{answer.Tier, answer.Tick}
	if answer.Count >= len(f.held.cells[k]) {
		return
	}
	for _, e := range f.held.cells[k] {
		if !f.folds.waits(k, e.writer) {
			f.again(k, e)
		}
	}
}

// again has a fold that the Store has lost published once more.
func (f *Feed) again(k cellKey, e encoded) {
	if f.held.hurry == 0 { // the first of many
		f.log.LogAttrs(context.Background(), slog.LevelWarn, "the store has lost coarse buckets, publishing them again")
	}
	f.held.hurry = len(f.held.order)
	now := time.Duration(f.cfg.Clock.Now().UnixNano())
	keep := max(k.end()+f.engine.Keep(k.tier)-now, minKeep)
	f.folds.push(queued{cellKey: k, encoded: e, keep: keep, again: true})
}

// holdFolds takes new folds in, to be published and held.
func (f *Feed) holdFolds() {
	for _, n := range f.engine.Folds() {
		if f.cfg.NoFolds {
			continue
		}
		q := encodeFold(&n)
		f.folds.push(q)
		if f.traits.Shared {
			f.held.put(q.cellKey, q.encoded)
		}
	}
	if len(f.held.order) > 0 {
		f.held.expire(time.Duration(f.cfg.Clock.Now().UnixNano()), f.engine.Keep)
	}
}
