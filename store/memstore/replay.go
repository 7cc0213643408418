package memstore

import (
	"errors"
	"fmt"

	"github.com/go-batteries/hawkeye/store"
)

// replayed is what became of a journal.
type replayed struct {
	applied int   // entries that went into the ledger
	valid   int64 // bytes that could be read
	// err is why it wasn't read to its end: [errTorn] if nothing is missing
	// but the rest of an entry that was being written.
	err error
}

// replay applies the entries of a journal that follow the ledger's state, one
// by one, and skips those that the ledger holds already. It ends before an
// entry that doesn't fit.
func (l *ledger) replay(journal []byte) (done replayed) {
	if len(journal) == 0 { // its writer died before it wrote
		return done
	}
	if done.err = checkHeader(journal); done.err != nil {
		return done
	}
	for rest := journal[len(journalHeader):]; len(rest) > 0; {
		done.valid = int64(len(journal) - len(rest))
		e, after, err := nextEntry(rest)
		applied := false
		if err == nil {
			applied, err = l.redo(&e)
		}
		if err != nil {
			done.err = err
			return done
		}
		if applied {
			done.applied++
		}
		rest = after
	}
	done.valid = int64(len(journal))
	return done
}

// redo applies an entry unless the ledger holds it, or returns [errGap] or
// [errForeign].
func (l *ledger) redo(e *entry) (applied bool, err error) {
	if e.kind == kindOpen {
		return l.redoOpening(e)
	}
	switch {
	case l.epoch.IsZero() || e.after.rev > l.head.rev:
		return false, fmt.Errorf("%w: it follows revision %d, and the ledger is at %d", errGap, e.after.rev, l.head.rev)
	case e.epoch != l.epoch:
		return false, fmt.Errorf("%w: of another epoch", errForeign)
	case e.after.rev < l.head.rev:
		return false, l.holds(e)
	case e.after != l.head:
		return false, fmt.Errorf("%w: at revision %d", errForeign, l.head.rev)
	}
	_, _, err = l.commit(&store.Commit{ID: e.id, Epoch: e.epoch, Put: e.puts, Delete: e.deletes})
	return true, err
}

// holds looks whether the commit of an entry is part of the ledger's history.
// What is older than that is taken to be.
func (l *ledger) holds(e *entry) error {
	rev := e.after.rev + 1
	if rev > l.history.base.rev && l.history.at(rev).id != e.id {
		return fmt.Errorf("%w: at revision %d", errForeign, rev)
	}
	return nil
}

func (l *ledger) redoOpening(e *entry) (bool, error) {
	switch {
	case e.epoch == l.epoch:
		return false, nil
	case !l.epoch.IsZero() || e.epoch.IsZero():
		return false, fmt.Errorf("%w: of another epoch", errForeign)
	}
	opened := newLedger()
	opened.epoch, opened.head, opened.history = e.epoch, e.after, newHistory(e.after)
	for _, r := range e.records {
		opened.records[r.key] = r.record
	}
	*l = opened
	return true, nil
}

// opening returns the entry for an epoch that was just opened.
func (l *ledger) opening() *entry {
	e := &entry{kind: kindOpen, epoch: l.epoch, after: l.head}
	for key, r := range l.records {
		e.records = append(e.records, keyed{key, r})
	}
	return e
}

// committed returns the entry for a commit that was just applied to the state
// before. It has the ledger's own values, because c is the caller's.
func (l *ledger) committed(c *store.Commit, before mark) *entry {
	e := &entry{kind: kindCommit, epoch: l.epoch, after: before, id: c.ID}
	for _, p := range c.Put {
		if r, ok := l.records[p.Key]; ok { // else it was deleted as well
			e.puts = append(e.puts, store.Entry{Key: p.Key, Value: r.value})
		}
	}
	e.deletes = append(e.deletes, c.Delete...)
	return e
}

// isTorn says whether a journal lacks no more than the end of its last entry.
func (d *replayed) isTorn() bool { return errors.Is(d.err, errTorn) }
