package ledger

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-batteries/hawkeye/internal/alert"
	"github.com/go-batteries/hawkeye/internal/notify"
	"github.com/go-batteries/hawkeye/store"
)

// The classes of records besides the head. A key is the class, a slash and
// the record's own name.
const (
	ClassAlert   = "a" // an alert's state: AlertRecord
	ClassRow     = "o" // the outbox: notify.Row
	ClassDead    = "d" // dead letters: notify.Row
	ClassSent    = "s" // ids that were sent: SentRecord
	ClassThread  = "t" // what a receiver knows of an alert: notify.Thread
	ClassClock   = "e" // what an alert's escalation counts: notify.Clock
	ClassGroup   = "g" // when a group was told: notify.GroupState
	ClassSilence = "q" // notify.Silence
	ClassAck     = "k" // notify.Ack
	ClassHistory = "h" // notify.Entry
	ClassLate    = "late"
)

// AlertRecord is an alert as the ledger keeps it.
type AlertRecord struct {
	Monitor  string          `json:"monitor"`
	State    alert.State     `json:"state"`
	Snapshot notify.Snapshot `json:"snapshot"`
}

// SentRecord says when a message was known to be delivered.
type SentRecord struct {
	At time.Time `json:"at"`
}

// Book reads the ledger's records as what they are. It remembers what it
// decoded as long as the record stays the same, so decoded values are shared
// and must not be changed. It is safe for concurrent use.
type Book struct {
	// KeepWriters is for how long the runs of writers are needed, if that is
	// longer than the retention. It is set by whoever calls Old.
	KeepWriters time.Duration

	mirror *Mirror
	logger *slog.Logger

	mu      sync.Mutex // guards what follows
	decoded map[string]decoded
	warned  map[string]bool // classes of which a newer version was warned about
	lists   map[string]list
}

// list is a class, decoded, as of a generation.
type list struct {
	generation uint64
	values     any
}

// decoded is what a record was found to be. value is nil if it can't be read;
// newer says that it is of a newer version.
type decoded struct {
	commit store.ID
	value  any
	newer  bool
}

// NewBook returns a Book of what m copies.
func NewBook(m *Mirror, logger *slog.Logger) *Book {
	return &Book{
		mirror: m, logger: logger,
		decoded: make(map[string]decoded), warned: make(map[string]bool), lists: make(map[string]list),
	}
}

// Rows returns the live rows of the outbox.
func (b *Book) Rows() []*notify.Row { return all[notify.Row](b, ClassRow) }

// Dead returns the dead letters, oldest first.
func (b *Book) Dead() []*notify.Row {
	rows := all[notify.Row](b, ClassDead)
	slices.SortFunc(rows, func(x, y *notify.Row) int { return x.Settled.Compare(y.Settled) })
	return rows
}

// Alert returns the record of one alert.
func (b *Book) Alert(key string) (*AlertRecord, bool) {
	r, ok := b.mirror.Get(ClassAlert + "/" + key)
	if !ok {
		return nil, false
	}
	return read[AlertRecord](b, r)
}

// Alerts returns the records of all alerts that have one, by key. The map is
// shared: it must not be changed.
func (b *Book) Alerts() map[string]*AlertRecord {
	return cached(b, ClassAlert, "alerts", func() map[string]*AlertRecord {
		alerts := make(map[string]*AlertRecord)
		for r := range b.mirror.All(ClassAlert) {
			if a, ok := read[AlertRecord](b, r); ok {
				alerts[strings.TrimPrefix(r.Key, ClassAlert+"/")] = a
			}
		}
		return alerts
	})
}

// cached returns what build returned last, unless the class has changed since.
func cached[T any](b *Book, class, name string, build func() T) T {
	generation := b.mirror.Generation(class)
	b.mu.Lock()
	l, ok := b.lists[name]
	b.mu.Unlock()
	if ok && l.generation == generation {
		return l.values.(T)
	}
	values := build()
	b.mu.Lock()
	b.lists[name] = list{generation, values}
	b.mu.Unlock()
	return values
}

// History returns the entries, oldest first.
func (b *Book) History() []*notify.Entry {
	records := slices.Collect(b.mirror.All(ClassHistory))
	slices.SortFunc(records, func(x, y store.Record) int { return strings.Compare(x.Key, y.Key) })
	entries := make([]*notify.Entry, 0, len(records))
	for _, r := range records {
		if e, ok := read[notify.Entry](b, r); ok {
			entries = append(entries, e)
		}
	}
	return entries
}

// View returns what package notify decides from. The caller adds what only
// its replica knows.
func (b *Book) View() *notify.View {
	v := &notify.View{
		Rows:     b.Rows(),
		Alerts:   cached(b, ClassAlert, "firing", b.firing),
		Silences: all[notify.Silence](b, ClassSilence),
		Sent:     b.Sent,
		Kept:     b.Kept,
	}
	v.Threads = cached(b, ClassThread, "threads", func() map[notify.ThreadKey]*notify.Thread {
		return index(all[notify.Thread](b, ClassThread), (*notify.Thread).Key)
	})
	v.Clocks = cached(b, ClassClock, "clocks", func() map[string]*notify.Clock {
		return index(all[notify.Clock](b, ClassClock), func(c *notify.Clock) string { return c.Alert })
	})
	v.Groups = cached(b, ClassGroup, "groups", func() map[notify.GroupKey]*notify.GroupState {
		return index(all[notify.GroupState](b, ClassGroup), (*notify.GroupState).Key)
	})
	v.Acks = cached(b, ClassAck, "acks", func() map[string]*notify.Ack {
		return index(all[notify.Ack](b, ClassAck), func(a *notify.Ack) string { return a.Incident })
	})
	b.forget()
	return v
}

// firing are the alerts that receivers regard as firing.
func (b *Book) firing() map[string]*notify.Alert {
	firing := make(map[string]*notify.Alert)
	for key, a := range b.Alerts() {
		if a.State.Phase.Told() || a.State.Flapping() {
			na := notify.NewAlert(key, a.Monitor, &a.State)
			na.Snapshot = a.Snapshot
			firing[key] = &na
		}
	}
	return firing
}

func index[K comparable, T any](values []*T, key func(*T) K) map[K]*T {
	m := make(map[K]*T, len(values))
	for _, v := range values {
		m[key(v)] = v
	}
	return m
}

// Row returns a live row with the commit that wrote it.
func (b *Book) Row(id string) (*notify.Row, store.ID, bool) {
	r, ok := b.mirror.Get(RowKey(id))
	if !ok {
		return nil, store.ID{}, false
	}
	row, ok := read[notify.Row](b, r)
	return row, r.Commit, ok
}

// forget drops decoded values whose record is gone, once they are many.
func (b *Book) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.decoded) < 1024 || len(b.decoded) < 2*b.mirror.size() {
		return
	}
	for key := range b.decoded {
		if _, ok := b.mirror.Get(key); !ok {
			delete(b.decoded, key)
		}
	}
}

func all[T any](b *Book, class string) []*T {
	var values []*T
	for r := range b.mirror.All(class) {
		if v, ok := read[T](b, r); ok {
			values = append(values, v)
		}
	}
	return values
}

// read decodes a record, once. One that is damaged is skipped and warned about
// once, and so are those of a newer version, once a class.
func read[T any](b *Book, r store.Record) (*T, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if d, ok := b.decoded[r.Key]; ok && d.commit == r.Commit {
		v, ok := d.value.(*T)
		return v, ok
	}
	if err := checkVersion(r.Value); err != nil {
		b.decoded[r.Key] = decoded{commit: r.Commit, newer: true}
		if class := Class(r.Key); !b.warned[class] {
			b.warned[class] = true
			b.logger.Warn("leaving ledger records of a newer version alone", slog.String("key", r.Key), slog.Any("error", err))
		}
		return nil, false
	}
	v := new(T)
	if err := json.Unmarshal(r.Value, v); err != nil {
		b.decoded[r.Key] = decoded{commit: r.Commit}
		b.logger.Warn("skipping a ledger record that can't be read", slog.String("key", r.Key), slog.Any("error", err))
		return nil, false
	}
	b.decoded[r.Key] = decoded{commit: r.Commit, value: v}
	return v, true
}

// RowKey is the key of an outbox row.
func RowKey(id string) string { return ClassRow + "/" + id }

// AlertKey is the key of an alert's record.
func AlertKey(key string) string { return ClassAlert + "/" + key }

// ThreadKey is the key of a thread.
func ThreadKey(k notify.ThreadKey) string {
	return fmt.Sprintf("%s/%d/%s/%s", ClassThread, len(k.Alert), k.Alert, k.Receiver)
}

// ClockKey is the key of an alert's clock.
func ClockKey(alertKey string) string { return ClassClock + "/" + alertKey }

// AckKey is the key of an incident's ack.
func AckKey(incident string) string { return ClassAck + "/" + incident }

// GroupKey is the key of a group's state.
func GroupKey(k notify.GroupKey) string {
	return fmt.Sprintf("%s/%d/%s/%s", ClassGroup, len(k.Receiver), k.Receiver, k.Values)
}
