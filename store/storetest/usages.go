package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-batteries/hawkeye/store"
)

// The checks of this file use a ledger as hawkeye does, with records of
// their own making: what is told, by whom, in which order, and never twice
// rests on these.
var usageChecks = []check{
	{name: "Usage/RowsOfAnIncidentAreSentInOrderOnce", run: rowsInOrderOnce},
	{name: "Usage/SentIdsAreRemembered", run: sentIDsAreRemembered},
	{name: "Usage/AnUnchangedClaimIsTakenOver", run: claimIsTakenOver},
	{name: "Usage/ARenewedClaimIsNot", run: renewedClaimIsNot},
	{name: "Usage/AZombieDecidesNothing", run: zombieDecidesNothing},
	{name: "Usage/ALostReplyDecidesOnce", run: lostReplyDecidesOnce},
}

// post is what a fleet of senders shares in this check: the mails that left.
type post struct {
	mu   sync.Mutex
	sent []string
}

func (p *post) send(message string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent = append(p.sent, message)
}

const (
	rowPrefix  = "outbox/"
	sentPrefix = "sent/"
	claim      = "claimed by "
)

// rowsInOrderOnce has several senders work off the rows of three incidents.
// A sender claims an incident's first row, if nobody has; sends it; and
// settles it: the row goes, its id stays.
func rowsInOrderOnce(e *env) {
	const senders, incidents, rows = 4, 3, 6
	epoch := e.open()
	all := store.Commit{ID: store.NewID(), Epoch: epoch}
	for n := range incidents * rows {
		key := fmt.Sprintf("%sincident %d/%02d", rowPrefix, n/rows, n%rows)
		all.Put = append(all.Put, store.Entry{Key: key, Value: []byte("queued")})
	}
	e.commit(e.here, all)

	var out post
	together(senders, func(i int) {
		f := &follower{}
		// Far more looks than it takes, so that rows that nobody can claim
		// end the check.
		for range 2000 {
			if err := f.follow(e, e.handle(i)); err != nil {
				e.Errorf("Changes() = %v", err)
				return
			}
			first := firstRows(f.records)
			if len(first) == 0 {
				return
			}
			if !e.sendOne(e.handle(i), epoch, first[i%len(first)], fmt.Sprint(i), &out) {
				time.Sleep(time.Millisecond)
			}
		}
	})
	e.wantOutbox(&out, incidents*rows)
}

// follow is poll for goroutines.
func (f *follower) follow(e *env, s store.Store) error {
	c, err := s.Changes(e.ctx, f.at)
	if err != nil {
		return err
	}
	if c.Reset || f.records == nil {
		f.records = make(map[string]store.Record)
	}
	for _, r := range c.Records {
		f.records[r.Key] = r
		if r.Deleted {
			delete(f.records, r.Key)
		}
	}
	f.at = c.Cursor
	return nil
}

// firstRows returns the first row of each incident.
func firstRows(records map[string]store.Record) []store.Record {
	first := make(map[string]store.Record)
	for key, r := range records {
		if incident, _, ok := strings.Cut(strings.TrimPrefix(key, rowPrefix), "/"); ok && strings.HasPrefix(key, rowPrefix) {
			if old, ok := first[incident]; !ok || key < old.Key {
				first[incident] = r
			}
		}
	}
	rows := make([]store.Record, 0, len(first))
	for _, r := range first {
		rows = append(rows, r)
	}
	slices.SortFunc(rows, func(a, b store.Record) int { return strings.Compare(a.Key, b.Key) })
	return rows
}

// sendOne says whether it got the row.
func (e *env) sendOne(s store.Store, epoch store.ID, row store.Record, sender string, out *post) bool {
	if strings.HasPrefix(string(row.Value), claim) {
		return false
	}
	message := strings.TrimPrefix(row.Key, rowPrefix)
	mine := putting(epoch, row.Key, claim+sender,
		store.Condition{Key: row.Key, Commit: row.Commit}, store.Condition{Key: sentPrefix + message})
	if _, err := s.Commit(e.ctx, mine); err != nil {
		if !errors.Is(err, store.ErrConflict) {
			e.Errorf("Commit() of a claim = %v", err)
		}
		return false
	}
	out.send(message)
	settled := putting(epoch, sentPrefix+message, sender, store.Condition{Key: row.Key, Commit: mine.ID})
	settled.Delete = []string{row.Key}
	if _, err := s.Commit(e.ctx, settled); err != nil {
		e.Errorf("Commit() of a settlement = %v", err)
	}
	return true
}

func (e *env) wantOutbox(out *post, rows int) {
	e.Helper()
	last := make(map[string]string)
	for _, message := range out.sent {
		incident, _, _ := strings.Cut(message, "/")
		if message <= last[incident] {
			e.Errorf("%q was sent after %q", message, last[incident])
		}
		last[incident] = message
	}
	if len(out.sent) != rows {
		e.Errorf("%d messages were sent for %d rows: %q", len(out.sent), rows, out.sent)
	}
	records, _ := e.snapshot(e.there)
	for _, message := range out.sent {
		if _, ok := records[sentPrefix+message]; !ok {
			e.Errorf("the id of %q is not remembered", message)
		}
	}
	if len(records) != rows {
		e.Errorf("there are %d records, want %d ids and nothing else", len(records), rows)
	}
}

func sentIDsAreRemembered(e *env) {
	const ids, later = 300, 1200
	epoch := e.open()
	want := make(map[string]store.ID)
	for i := range ids {
		key := fmt.Sprint(sentPrefix, i)
		want[key] = e.put(epoch, key, "").Commit
	}
	for i := range later {
		e.put(epoch, fmt.Sprint("state/", i%10), fmt.Sprint(i))
	}
	e.wait(20 * time.Millisecond) // in which a short memory could fade
	records, _ := e.snapshot(e.there)
	for i := range ids {
		key := fmt.Sprint(sentPrefix, i)
		if records[key].Commit != want[key] {
			e.Fatalf("after %d other commits the sent id %d of %d is forgotten", later, i, ids)
		}
		if i%50 == 0 {
			e.refused(e.there, putting(epoch, "outbox/again", "", store.Condition{Key: key}), store.ErrConflict, "to send again what was sent")
		}
	}
}

// claimIsTakenOver: a sender dies with a claim; whoever saw the claim
// unchanged for its whole length replaces it, one of all who try.
func claimIsTakenOver(e *env) {
	epoch := e.open()
	row := e.put(epoch, "outbox/row", "queued")
	dead := e.commit(e.here, putting(epoch, "outbox/row", claim+"the dead", store.Condition{Key: "outbox/row", Commit: row.Commit}))
	var watcher follower
	for range 5 {
		watcher.poll(e, e.there)
		if seen := watcher.records["outbox/row"].Commit; seen != dead.Commit {
			e.Fatalf("a claim that nobody touched is by commit %v, want %v", seen, dead.Commit)
		}
		e.put(epoch, "something/else", "")
	}
	over := e.commit(e.there, putting(epoch, "outbox/row", claim+"the watcher", store.Condition{Key: "outbox/row", Commit: dead.Commit}))
	e.refused(e.here, putting(epoch, "outbox/row", claim+"another watcher", store.Condition{Key: "outbox/row", Commit: dead.Commit}), store.ErrConflict, "to take over what was taken over")

	awake := putting(epoch, "sent/row", "", store.Condition{Key: "outbox/row", Commit: dead.Commit})
	awake.Delete = []string{"outbox/row"}
	e.refused(e.here, awake, store.ErrConflict, "to settle a claim that was taken over")
	settled := putting(epoch, "sent/row", "", store.Condition{Key: "outbox/row", Commit: over.Commit})
	settled.Delete = []string{"outbox/row"}
	e.commit(e.there, settled)
	e.wantRecords(e.here, "sent/row", "", "something/else", "")
}

func renewedClaimIsNot(e *env) {
	epoch := e.open()
	seen := e.put(epoch, "lease", "by one")
	for range 3 {
		// The same value: only the commit tells that its holder is alive.
		renewed := e.commit(e.here, putting(epoch, "lease", "by one", store.Condition{Key: "lease", Commit: seen.Commit}))
		e.refused(e.there, putting(epoch, "lease", "by another", store.Condition{Key: "lease", Commit: seen.Commit}), store.ErrConflict, "to take a lease that was renewed")
		if c := e.changes(e.there, seen); len(c.Records) != 1 || c.Records[0].Commit != renewed.Commit {
			e.Errorf("Changes() after a renewal = %+v, want the record by its commit", c)
		}
		seen = renewed
	}
	e.wantRecords(e.there, "lease", "by one")
}

// zombieDecidesNothing: two evaluators start from one base; the slower one's
// decision must leave no trace, be it repeated, and be it about other
// records.
func zombieDecidesNothing(e *env) {
	epoch := e.open()
	base := e.put(epoch, "watermark", "100")
	var zombie follower
	zombie.poll(e, e.there)
	decision := func(from store.ID, by, watermark string) store.Commit {
		c := putting(epoch, "watermark", watermark, store.Condition{Key: "watermark", Commit: from})
		c.Put = append(c.Put,
			store.Entry{Key: "alert/a", Value: []byte("firing, says " + by)},
			store.Entry{Key: "outbox/" + by, Value: []byte("queued")})
		return c
	}
	e.commit(e.here, decision(base.Commit, "the live one", "101"))
	stale := decision(zombie.records["watermark"].Commit, "the zombie", "101")
	for range 3 {
		e.refused(e.there, stale, store.ErrConflict, "from a stale base")
	}
	e.wantRecords(e.there, "watermark", "101", "alert/a", "firing, says the live one", "outbox/the live one", "queued")

	zombie.poll(e, e.there)
	e.refused(e.there, stale, store.ErrConflict, "from a stale base, after the ledger was read again")
	e.commit(e.there, decision(zombie.records["watermark"].Commit, "the zombie", "102"))
	zombie.poll(e, e.here)
	if got := string(zombie.records["watermark"].Value); got != "102" {
		e.Errorf("the watermark is %s, want 102", got)
	}
}

// lostReplyDecidesOnce: an evaluator whose replies are lost repeats its
// commit while others go on.
func lostReplyDecidesOnce(e *env) {
	epoch := e.open()
	base := e.put(epoch, "watermark", "0")
	var decided []store.Commit
	for n := 1; n <= 20; n++ {
		c := putting(epoch, "watermark", fmt.Sprint(n), store.Condition{Key: "watermark", Commit: base.Commit})
		c.Put = append(c.Put, store.Entry{Key: fmt.Sprintf("outbox/%02d", n)})
		decided = append(decided, c)
		base = e.commit(e.handle(n), c)
		sent := putting(epoch, fmt.Sprintf("sent/%02d", n), "")
		sent.Delete = []string{fmt.Sprintf("outbox/%02d", n)}
		e.commit(e.here, sent)
		for _, again := range decided {
			e.commit(e.there, again)
		}
	}
	records, at := e.snapshot(e.there)
	for key := range records {
		if strings.HasPrefix(key, rowPrefix) {
			e.Errorf("%s is queued again", key)
		}
	}
	if at.Rev != 41 || string(records["watermark"].Value) != "20" {
		e.Errorf("the ledger is at rev %d, watermark %s, want 41 and 20", at.Rev, records["watermark"].Value)
	}
}
