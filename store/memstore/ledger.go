package memstore

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/go-batteries/hawkeye/store"
)

const (
	// keepCommits is how many commits are known by their id at least. The
	// contract asks for the latest and 1,000 before it.
	keepCommits = 1024
	// keepKeys bounds the keys that the history names, so that huge commits
	// shorten what can be followed and not fill the memory.
	keepKeys = 65536
)

// ledger is the set of records and the history that a follower needs. Its
// methods want Store.mu held.
type ledger struct {
	epoch   store.ID // zero while there is none
	head    mark
	offered bool // head and records are an offer's, if epoch is zero
	records map[string]record
	// deleted holds those keys without a record that history names.
	deleted map[string]mark
	history history
}

// mark is a state of a ledger: a revision and the commit that made it.
type mark struct {
	rev    uint64
	commit store.ID
}

type record struct {
	mark
	value []byte
}

func newLedger() ledger {
	return ledger{
		records: make(map[string]record),
		deleted: make(map[string]mark),
		history: newHistory(mark{}),
	}
}

// Changes implements [store.Ledger]. It allocates nothing when there is
// nothing new.
func (s *Store) Changes(ctx context.Context, after store.Cursor) (store.Changes, error) {
	if err := ctx.Err(); err != nil {
		return store.Changes{}, err
	}
	s.mu.Lock()
	answer := s.ledger.changes(after)
	s.mu.Unlock()

	if answer.Reset {
		slices.SortFunc(answer.Records, func(a, b store.Record) int {
			return cmp.Or(cmp.Compare(a.Rev, b.Rev), cmp.Compare(a.Key, b.Key))
		})
	}
	for i := range answer.Records {
		answer.Records[i].Value = bytes.Clone(answer.Records[i].Value)
	}
	return answer, nil
}

// Commit implements [store.Ledger]. A key that c both puts and deletes is
// deleted. With a state file the commit is handed to the system before it is
// answered, if that takes no longer than a moment, so that it outlives this
// process; only [Store.Sync] makes it outlive the machine.
func (s *Store) Commit(ctx context.Context, c store.Commit) (store.Cursor, error) {
	if err := ctx.Err(); err != nil {
		return store.Cursor{}, err
	}
	if c.ID.IsZero() {
		return store.Cursor{}, errors.New("memstore: commit without an id")
	}
	s.mu.Lock()
	before := s.ledger.head
	at, fresh, err := s.ledger.commit(&c)
	var written uint64
	if fresh && s.file != nil {
		written = s.file.journal.add(s.ledger.committed(&c, before))
	}
	s.mu.Unlock()
	if written > 0 {
		s.file.journal.awaitWrite(ctx, written)
	}
	return at, err
}

// Restore implements [store.Ledger].
func (s *Store) Restore(ctx context.Context, o store.Offer) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	if !s.ledger.epoch.IsZero() {
		s.mu.Unlock()
		return store.ErrOpen
	}
	s.ledger.offer(&o)
	s.ledger.epoch = o.Open
	s.unsaved++
	var written uint64
	if !o.Open.IsZero() && s.file != nil {
		written = s.file.journal.add(s.ledger.opening())
	}
	s.mu.Unlock()
	if written > 0 {
		s.file.journal.awaitWrite(ctx, written)
	}
	return nil
}

func (l *ledger) cursor() store.Cursor {
	return store.Cursor{Epoch: l.epoch, Rev: l.head.rev, Commit: l.head.commit}
}

// openCursor returns the zero Cursor while no epoch is open.
func (l *ledger) openCursor() store.Cursor {
	if l.epoch.IsZero() {
		return store.Cursor{}
	}
	return l.cursor()
}

// changes answers with values that are the ledger's own, and a snapshot in
// no order; the caller sees to both without the lock.
func (l *ledger) changes(after store.Cursor) store.Changes {
	answer := store.Changes{Cursor: l.cursor()}
	if l.epoch.IsZero() || after.Epoch != l.epoch || !l.history.follows(mark{after.Rev, after.Commit}) {
		answer.Reset = true
		answer.Records = l.snapshot()
		return answer
	}
	for rev := after.Rev + 1; rev <= l.head.rev; rev++ {
		for _, key := range l.history.keys(rev) {
			if r, ok := l.records[key]; ok && r.rev == rev {
				answer.Records = append(answer.Records, r.export(key))
			} else if m, ok := l.deleted[key]; ok && m.rev == rev {
				answer.Records = append(answer.Records, store.Record{Key: key, Rev: m.rev, Commit: m.commit, Deleted: true})
			}
		}
	}
	return answer
}

func (l *ledger) snapshot() []store.Record {
	all := make([]store.Record, 0, len(l.records))
	for key, r := range l.records {
		all = append(all, r.export(key))
	}
	return all
}

// commit applies c. It isn't fresh if that was done before.
func (l *ledger) commit(c *store.Commit) (at store.Cursor, fresh bool, err error) {
	if l.epoch.IsZero() || c.Epoch != l.epoch {
		return store.Cursor{}, false, store.ErrEpoch
	}
	if rev, ok := l.history.find(c.ID); ok {
		return store.Cursor{Epoch: l.epoch, Rev: rev, Commit: c.ID}, false, nil
	}
	for _, want := range c.Require {
		if l.records[want.Key].commit != want.Commit {
			return store.Cursor{}, false, store.ErrConflict
		}
	}
	l.head = mark{l.head.rev + 1, c.ID}
	for _, key := range l.history.add(c.ID, l.apply(c)) {
		if l.deleted[key].rev <= l.history.from {
			delete(l.deleted, key)
		}
	}
	return l.cursor(), true, nil
}

// apply returns the keys that c changed, each once, in order.
func (l *ledger) apply(c *store.Commit) []string {
	keys := make([]string, 0, len(c.Put)+len(c.Delete))
	for _, e := range c.Put {
		l.records[e.Key] = record{l.head, own(e.Value)}
		delete(l.deleted, e.Key)
		keys = append(keys, e.Key)
	}
	for _, key := range c.Delete {
		if _, ok := l.records[key]; ok {
			delete(l.records, key)
			l.deleted[key] = l.head
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

func (l *ledger) offer(o *store.Offer) {
	if l.offered && o.Cursor.Rev <= l.head.rev {
		return
	}
	l.offered = true
	l.head = mark{o.Cursor.Rev, o.Cursor.Commit}
	l.history = newHistory(l.head)
	l.records = make(map[string]record, len(o.Records))
	for _, r := range o.Records {
		if !r.Deleted {
			l.records[r.Key] = record{mark{r.Rev, r.Commit}, own(r.Value)}
		}
	}
}

func (r record) export(key string) store.Record {
	return store.Record{Key: key, Value: r.value, Rev: r.rev, Commit: r.commit}
}

// own copies b; the copy is never nil, so that an empty value can be told
// from none.
func own(b []byte) []byte { return append([]byte{}, b...) }
