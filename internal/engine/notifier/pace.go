package notifier

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/go-batteries/hawkeye/internal/pulse"
	"github.com/go-batteries/hawkeye/store"
)

const (
	// restFor is the shortest time between two looks of a notifier at a shared
	// ledger: what happened meanwhile is one commit.
	restFor = 50 * time.Millisecond
	// yieldTicks is how long after a commit of its own a notifier leaves the
	// ledger alone while evaluation is late, in ticks, but at most maxYield.
	yieldTicks = 2
	maxYield   = 2 * time.Second
	// lateTicks is how far the copy's head is behind if evaluation is late: a
	// tick is evaluated after its end, and known here by the end of the next.
	lateTicks = 3
	// movesTicks is how long a head counts as moving.
	movesTicks = 10
	// maxConflicts is how often a notifier decides anew without a rest.
	maxConflicts = 3
)

// pace is what a notifier goes by to leave the others room.
type pace struct {
	looked    time.Time // when it last decided
	committed time.Time // when it last began a commit
	head      store.ID  // as it was last seen
	moved     time.Time // and since when
}

// rest puts the next look off, where there are others, and takes what ends
// meanwhile. While evaluation is late it comes first: the decision of a storm
// replaces what many messages under way do, too, and a commit of theirs makes
// it void.
func (n *Notifier) rest(ctx context.Context, leaving bool) {
	defer n.collect()
	if !n.cfg.Traits.Shared {
		return
	}
	pulse.Sleep(ctx, restFor-time.Since(n.pace.looked))
	yield := min(yieldTicks*n.cfg.Traits.Tick, maxYield)
	yield = yield/2 + rand.N(yield/2+1)
	for !leaving && time.Since(n.pace.committed) < yield && ctx.Err() == nil && n.evaluationIsLate() {
		pulse.Sleep(ctx, restFor)
		n.collect()
	}
}

// collect takes what ended so far.
func (n *Notifier) collect() {
	for {
		select {
		case r := <-n.results:
			n.ended(r)
		default:
			return
		}
	}
}

// evaluationIsLate says whether somebody evaluates and can't keep up.
func (n *Notifier) evaluationIsLate() bool {
	head, commit, ok, err := n.mirror.Head()
	if commit != n.pace.head {
		n.pace.head, n.pace.moved = commit, time.Now()
	}
	clock, tick := n.cfg.Clock, n.cfg.Traits.Tick
	return ok && err == nil && clock.NowTick()-head.Tick > lateTicks && time.Since(n.pace.moved) < movesTicks*tick
}
