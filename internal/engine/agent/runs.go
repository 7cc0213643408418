package agent

import (
	"math"
	"time"

	"github.com/go-batteries/hawkeye/internal/feed"
	"github.com/go-batteries/hawkeye/internal/ledger"
)

// ledgerRun is the reverse.
func ledgerRun(r feed.Run) ledger.Run { return ledger.Run{From: r.From, To: r.To, Final: r.Final} }

// beginRuns makes what the evaluation knows of writers: what the ledger says,
// which may have been rolled back, and what this process has read.
func (a *Agent) beginRuns(head ledger.Head) {
	if !a.cfg.Traits.Shared {
		return
	}
	a.cfg.Follower.FollowRuns()
	runs := a.cfg.Follower.RunsAt(head, math.MaxInt64)
	for id, r := range a.runs.All() {
		runs.Add(id, r)
	}
	a.runs = runs
	a.feed.SetRuns(runs)
}

// putRuns writes down the runs that have begun or ended.
func (a *Agent) putRuns(tx *ledger.Tx, tick int64) error {
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
func (a *Agent) runsStored(tick int64) {
	if a.runs == nil {
		return
	}
	a.runs.Stored(tick)
	keep := a.feed.Needs()
	a.runs.Expire(tick - keep)
	a.book.KeepWriters = time.Duration(keep) * a.cfg.Traits.Tick
}
