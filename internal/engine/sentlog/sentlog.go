// Package sentlog remembers which messages were sent, whatever becomes of the
// ledger.
//
//	Delivered (ours) ──┐                      ┌─→ Has, Told: nothing is told twice
//	                   ├─→ Log ─ 10,000, 1 d ─┼─→ Carry: notes of our next bucket
//	Read (a bucket's) ─┘                      └─→ Missing: written to the ledger again
//
// A ledger may be rolled back, or restored from an older copy, and then lacks
// that something was sent. Its sender remembers, and says so in its next bucket,
// which is published again if the Store loses it. So whoever evaluates knows,
// too, and what is decided a second time isn't sent a second time.
package sentlog

import (
	"encoding/json"
	"sync"
	"time"

	"github.com/go-batteries/hawkeye/internal/alert"
	"github.com/go-batteries/hawkeye/internal/ledger"
	"github.com/go-batteries/hawkeye/internal/notify"
)

const (
	// maxSent is how many messages that were sent are remembered, for
	// ledger.KeepSent at most.
	maxSent = 10_000
	// maxNotes is how many of them a bucket carries.
	maxNotes = 64
	// configEvery is how many buckets lie between two that say which
	// configuration their writer has. A new evaluator reads more than that.
	configEvery = 5
)

// note is what a bucket carries besides samples: either a message that was
// sent, or who its writer is. It survives what the Store loses, because its
// writer publishes it again.
type note struct {
	Sent   *Note          `json:"s,omitempty"`
	Member *ledger.Member `json:"m,omitempty"`
}

// Note is a message that was sent, with what it takes to find its
// incident again.
type Note struct {
	ID       string    `json:"id"`
	Alert    string    `json:"a"`
	Incident string    `json:"i"`
	FiredAt  time.Time `json:"f,omitzero"`
	At       time.Time `json:"at"`
}

// Log remembers what was sent, whatever becomes of the ledger: by this
// process, and as far as it reads buckets by others. It is safe for concurrent
// use.
type Log struct {
	mu      sync.Mutex // guards what follows
	notes   map[string]*Note
	order   []string             // oldest first
	byAlert map[string][]string  // ids, oldest first
	fresh   []*Note              // ours that no bucket carries yet
	check   map[string]time.Time // ids that the ledger may lack, and since when
	closes  int
}

// New returns a log that knows of nothing.
func New() *Log {
	return &Log{
		notes: make(map[string]*Note), byAlert: make(map[string][]string), check: make(map[string]time.Time),
	}
}

// Delivered takes a message of ours that a receiver has accepted.
func (l *Log) Delivered(m *notify.Message, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, row := range m.Rows {
		for _, id := range append([]string{row.ID}, row.Also...) {
			n := &Note{ID: id, Alert: row.Alert, Incident: row.Incident, FiredAt: row.Snapshot.Since, At: now.UTC()}
			if l.add(n) && len(l.fresh) < maxSent {
				l.fresh = append(l.fresh, n)
			}
		}
	}
}

// add takes a note and says whether it is new. It wants mu held.
func (l *Log) add(n *Note) bool {
	if l.notes[n.ID] != nil {
		return false
	}
	l.notes[n.ID] = n
	l.order = append(l.order, n.ID)
	l.byAlert[n.Alert] = append(l.byAlert[n.Alert], n.ID)
	l.check[n.ID] = time.Now()
	for len(l.order) > maxSent || n.At.Sub(l.notes[l.order[0]].At) > ledger.KeepSent {
		l.drop(l.order[0])
	}
	return true
}

// drop forgets the oldest note. It wants mu held.
func (l *Log) drop(id string) {
	n := l.notes[id]
	l.order = l.order[1:]
	delete(l.notes, id)
	delete(l.check, id)
	if l.byAlert[n.Alert] = l.byAlert[n.Alert][1:]; len(l.byAlert[n.Alert]) == 0 {
		delete(l.byAlert, n.Alert)
	}
}

// Carry returns what the next bucket says: what was sent since the last one,
// and now and then who we are.
func (l *Log) Carry(self ledger.Member) (notes [][]byte) {
	l.mu.Lock()
	n := min(len(l.fresh), maxNotes)
	fresh := l.fresh[:n]
	l.fresh = l.fresh[n:]
	introduce := l.closes%configEvery == 0
	l.closes++
	l.mu.Unlock()
	if introduce {
		notes = appendNote(notes, note{Member: &self})
	}
	for _, n := range fresh {
		notes = appendNote(notes, note{Sent: n})
	}
	return notes
}

func appendNote(notes [][]byte, n note) [][]byte {
	data, err := json.Marshal(n)
	if err != nil {
		return notes // a time beyond the year 9999
	}
	return append(notes, data)
}

// Read takes the notes of somebody's bucket, and returns who that is if they
// say so. What it doesn't understand is of a later version.
func (l *Log) Read(notes [][]byte) *ledger.Member {
	var member *ledger.Member
	for _, data := range notes {
		var n note
		if json.Unmarshal(data, &n) != nil {
			continue
		}
		if n.Member != nil {
			member = n.Member
		}
		if n.Sent != nil && n.Sent.ID != "" {
			l.mu.Lock()
			l.add(n.Sent)
			l.mu.Unlock()
		}
	}
	return member
}

// Has says whether a row was sent, as far as this process knows.
func (l *Log) Has(id string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.notes[id] != nil
}

// Told returns the incidents of an alert of which something was sent.
func (l *Log) Told(alertKey string) (told []alert.Told) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, id := range l.byAlert[alertKey] {
		n := l.notes[id]
		t := alert.Told{Incident: n.Incident, FiredAt: n.FiredAt}
		if !n.FiredAt.IsZero() && (len(told) == 0 || told[len(told)-1] != t) {
			told = append(told, t)
		}
	}
	return told
}

// Invalidate makes every note one that the ledger may lack.
func (l *Log) Invalidate() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, id := range l.order {
		l.check[id] = time.Time{}
	}
}

// Missing returns the notes that the ledger should have after age, and hasn't.
func (l *Log) Missing(age time.Duration, has func(id string) bool) (missing []*Note) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, since := range l.check {
		switch {
		case has(id):
			delete(l.check, id)
		case time.Since(since) >= age:
			missing = append(missing, l.notes[id])
		}
	}
	return missing
}

const (
	// recollectTicks is for how long after a roll-back nothing is claimed, but
	// at least leastRecollect: others may be slow to notice.
	recollectTicks = 3
	leastRecollect = time.Second
)

// RecollectFor is how long all have the time to write down what they know.
func RecollectFor(tick time.Duration) time.Duration { return max(recollectTicks*tick, leastRecollect) }
