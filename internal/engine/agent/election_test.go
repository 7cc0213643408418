package agent

import (
	"testing"
	"time"

	"github.com/go-batteries/hawkeye/internal/ledger"
	"github.com/go-batteries/hawkeye/store"
)

const testLease = 4 * time.Second

var (
	self, other    = store.ID{1}, store.ID{2}
	first, second  = store.ID{11}, store.ID{12} // commits
	fleet          = terms{lease: testLease, tick: time.Second, shared: true}
	alone          = terms{lease: testLease, tick: time.Second}
	electionBegins = time.Unix(1_000, 0)
)

// seen is an observation of a head after a time, in a fleet of one
// configuration whose Store answers.
func seen(after time.Duration, commit, writer store.ID, change ...func(*observation)) observation {
	now := electionBegins.Add(after)
	o := observation{
		now: now, open: true, lastSuccess: now, head: ledger.Head{Writer: writer, Config: "ours"}, known: !commit.IsZero(), commit: commit,
		self: self, own: "ours", active: "ours", older: true,
	}
	for _, c := range change {
		c(&o)
	}
	return o
}

func closed(o *observation)   { o.open = false }
func ends(o *observation)     { o.ending = true }
func vanished(o *observation) { o.vanished = true }
func outvoted(o *observation) { o.active, o.head.Config = "theirs", "theirs" }
func oldHead(o *observation)  { o.head.Config = "theirs" }
func newFleet(o *observation) { o.head.Config, o.older = "theirs", false }
func damaged(o *observation)  { o.unreadable = true }
func foreign(o *observation)  { o.unreadable, o.orphanable, o.refused = true, true, true }
func barred(o *observation)   { o.unreadable, o.refused = true, true }
func away(o *observation)     { o.lastSuccess = o.now.Add(-testLease - 1) }

func TestElection(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		terms terms
		seen  []observation
		stage stage
		wait  time.Duration
	}{
		{"a ledger that isn't open", fleet, []observation{seen(0, store.ID{}, store.ID{}, closed)}, waiting, time.Second},
		{"one that isn't, at the end", fleet, []observation{seen(0, store.ID{}, store.ID{}, closed, ends)}, waiting, time.Second},
		{"an empty ledger", fleet, []observation{seen(0, store.ID{}, store.ID{})}, candidate, 0},
		{"an empty ledger, under another configuration", fleet, []observation{seen(0, store.ID{}, store.ID{}, outvoted)}, waiting, 3 * time.Second},
		{"and nobody came", fleet, []observation{seen(0, store.ID{}, store.ID{}, outvoted), seen(3*time.Second, store.ID{}, store.ID{}, outvoted)}, candidate, 0},
		{"a head that was given up", fleet, []observation{seen(0, first, store.ID{})}, candidate, 0},
		{"a head of ours", fleet, []observation{seen(0, first, self)}, leader, 0},
		{"a head of ours that another configuration is to replace", fleet, []observation{seen(0, first, self, outvoted)}, waiting, testLease},
		{"a head of another replica", fleet, []observation{seen(0, first, other)}, waiting, testLease},
		{"its lease runs", fleet, []observation{seen(0, first, other), seen(time.Second, first, other)}, waiting, testLease - time.Second},
		{"its lease is over", fleet, []observation{seen(0, first, other), seen(testLease, first, other)}, candidate, 0},
		{"it is renewed", fleet, []observation{seen(0, first, other), seen(testLease-1, second, other)}, waiting, testLease},
		{"its writer is gone", fleet, []observation{seen(0, first, other, vanished)}, candidate, 0},
		{"its writer is gone, and another one came", fleet, []observation{seen(0, first, other, vanished), seen(1, second, other)}, waiting, testLease},
		{"its writer is gone, later on", fleet, []observation{seen(0, first, other), seen(1, second, other, vanished)}, waiting, testLease},
		{"its writer is gone, but a newer configuration may come", fleet, []observation{seen(0, first, other, vanished, outvoted)}, waiting, 3 * time.Second},
		{"a head of an older configuration", fleet, []observation{seen(0, first, other, oldHead)}, candidate, 0},
		{"one that can't be compared", fleet, []observation{seen(0, first, other, newFleet)}, waiting, testLease},
		{"at the end, another replica evaluates", fleet, []observation{seen(0, first, other, ends)}, ending, testLease},
		{"at the end, we do", fleet, []observation{seen(0, first, self, ends)}, leader, 0},
		{"at the end, nobody does", fleet, []observation{seen(0, first, store.ID{}, ends)}, candidate, 0},
		{"a head that can't be read", fleet, []observation{seen(0, first, other, damaged), seen(100*testLease, first, other, damaged)}, waiting, testLease},
		{"at the end, one that can't be read", fleet, []observation{seen(0, first, other, damaged, ends)}, ending, testLease},
		{"another service's ledger", fleet, []observation{seen(0, first, other, foreign)}, waiting, time.Second},
		{"one that stands still", fleet, []observation{seen(0, first, other, foreign), seen(5*testLease, first, other, foreign)}, candidate, 0},
		{"one that couldn't move, the store being away", fleet, []observation{seen(0, first, other, foreign), seen(5*testLease, first, other, foreign, away)}, waiting, time.Second},
		{"one that moves", fleet, []observation{seen(0, first, other, foreign), seen(5*testLease, second, other, foreign)}, waiting, time.Second},
		{"a ledger that isn't ours for good", fleet, []observation{seen(0, first, other, barred), seen(100*testLease, first, other, barred)}, waiting, time.Second},
		{"alone, a head of the process before", alone, []observation{seen(0, first, other)}, candidate, 0},
		{"alone, a head of ours", alone, []observation{seen(0, first, self)}, leader, 0},
		{"alone, under a new configuration", alone, []observation{seen(0, first, self, outvoted)}, leader, 0},
	} {
		e, wait := election{since: electionBegins}, time.Duration(0)
		for _, o := range c.seen {
			e, wait = c.terms.next(e, o)
		}
		if e.stage != c.stage || wait != c.wait {
			t.Errorf("%s: %v, waiting %v; want %v, waiting %v", c.name, e.stage, wait, c.stage, c.wait)
		}
	}
}
