package series

import (
	"crypto/sha256"
	"encoding/binary"
	"strings"

	"github.com/go-batteries/hawkeye/store"
)

// Names returns the id and canonical text of each series that appeared, came
// back after it was dropped, or got another id since the cursor, and the
// cursor for the next call; 0 is the cursor that returns all series there are.
// A name may come more than once.
//
// A cursor tells the registry that what came before it need not be kept, so
// there is one caller, which passes the same cursor again until the names are
// where they should be.
func (r *Registry) Names(since int) (names []store.Name, next int) {
	if r == nil {
		return nil, since
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	next = r.names.next()
	born, ok := r.names.since(since)
	if ok {
		for _, ref := range born {
			names = r.appendName(names, ref)
		}
		return names, next
	}
	for kind := range r.columns {
		for slot := range r.columns[kind].ids {
			names = r.appendName(names, newSlotRef(Kind(kind), uint32(slot)))
		}
	}
	return names, next
}

// NamesOf returns the names of those ids that are series of this registry, in
// no particular order, for what a store has lost.
func (r *Registry) NamesOf(ids []uint64) (names []store.Name) {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, id := range ids {
		if ref, ok := r.index.find(&r.columns, id); ok {
			names = r.appendName(names, ref)
		}
	}
	return names
}

// Salt gives the series with this id another one, because in the fleet the id
// stands for another series. It returns the new id, which [Registry.Names]
// tells as well, and false if no series has this id. A series keeps its new
// id when it is dropped and comes back.
func (r *Registry) Salt(id uint64) (newID uint64, ok bool) {
	if r == nil {
		return 0, false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	ref, ok := r.index.find(&r.columns, id)
	if !ok {
		return 0, false
	}
	col := &r.columns[ref.kind()]
	canonical := canonicalText(col.text(ref.slot()))
	r.salts[canonical]++
	newID = r.freeID(canonical)
	col.ids[ref.slot()] = newID
	r.index.rebuild(&r.columns)
	r.logName(ref)
	return newID, true
}

// freeID finds an id that no other series of this registry has.
func (r *Registry) freeID(canonical string) uint64 {
	for {
		id := seriesID(canonical, r.salts[canonical])
		if _, taken := r.index.find(&r.columns, id); !taken {
			return id
		}
		r.salts[canonical]++
	}
}

func (r *Registry) appendName(names []store.Name, ref slotRef) []store.Name {
	col := &r.columns[ref.kind()]
	text := col.text(ref.slot())
	if text == "" {
		return names
	}
	return append(names, store.Name{ID: col.ids[ref.slot()], Text: canonicalText(text)})
}

func (r *Registry) logName(ref slotRef) {
	r.names.refs = append(r.names.refs, ref)
	if len(r.names.refs) > 2*r.index.used+minTableSlots { // nobody asks
		r.names.base = r.names.next()
		r.names.refs = nil
	}
}

// nameLog is what [Registry.Names] has to tell, from cursor base on. A cursor
// before base is answered with all series.
type nameLog struct {
	base int
	refs []slotRef
}

func (l *nameLog) next() int { return l.base + len(l.refs) }

// since forgets what is before the cursor and returns what is after it, or
// false if that was forgotten.
func (l *nameLog) since(cursor int) ([]slotRef, bool) {
	if cursor < l.base || cursor > l.next() {
		return nil, false
	}
	l.refs = l.refs[cursor-l.base:]
	l.base = cursor
	if len(l.refs) == 0 {
		l.refs = nil
	}
	return l.refs, true
}

// canonicalText turns the text of a canonical spelling into what [Canonical]
// returns.
func canonicalText(text string) string { return Canonical(parseSpelling(text)) }

// seriesID is the id of a series all over the fleet: the first 8 bytes of the
// SHA-256 of its canonical text, followed by a zero byte for each time that it
// was salted.
func seriesID(canonical string, salt uint32) uint64 {
	sum := sha256.Sum256([]byte(canonical + strings.Repeat("\x00", int(salt))))
	return binary.LittleEndian.Uint64(sum[:])
}
