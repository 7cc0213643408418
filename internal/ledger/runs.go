package ledger

import (
	"slices"
	"strings"
	"time"

	"github.com/go-batteries/hawkeye/internal/notify"
	"github.com/go-batteries/hawkeye/store"
)

// ClassWriter is when a writer published, by its id: its [WriterRecord]. The
// evaluator keeps one for each writer whose buckets it read, so that a bucket
// which the Store has lost is known to be missing.
const ClassWriter = "w"

// WriterRecord is the runs of ticks in which a writer published, oldest first.
type WriterRecord struct {
	V    int   `json:"v"`
	Runs []Run `json:"runs"`
}

// Run is ticks from From up to and with To, or, if To is 0, up to the head.
// Between two of its buckets at most ten ticks have none.
type Run struct {
	From int64 `json:"f"`
	To   int64 `json:"t,omitempty"`
	// Final says that To has the writer's last bucket. Otherwise the writer
	// ended without a goodbye, or was away, and may have counted more.
	Final bool `json:"x,omitempty"`
}

// WriterKey is the key of a writer's record.
func WriterKey(id store.ID) string { return ClassWriter + "/" + id.String() }

// PutRuns writes the runs of a writer.
func (tx *Tx) PutRuns(id store.ID, runs []Run) error {
	return tx.PutJSON(WriterKey(id), WriterRecord{V: notify.RecordVersion, Runs: runs})
}

// Writers returns the records of writers, by id. The map is shared: it must
// not be changed.
func (b *Book) Writers() map[store.ID]*WriterRecord {
	return cached(b, ClassWriter, "writers", func() map[store.ID]*WriterRecord {
		writers := make(map[store.ID]*WriterRecord)
		for r := range b.mirror.All(ClassWriter) {
			id, err := store.ParseID(strings.TrimPrefix(r.Key, ClassWriter+"/"))
			if err != nil {
				continue
			}
			if w, ok := read[WriterRecord](b, r); ok {
				writers[id] = w
			}
		}
		return writers
	})
}

// oldWriters drops the records of writers all of whose runs ended long ago.
func (b *Book) oldWriters(drop func(key string), now time.Time) {
	traits := b.mirror.traits
	oldest := now.Add(-max(traits.Retention, b.KeepWriters)).UnixNano() / int64(traits.Tick)
	for id, w := range b.Writers() {
		if !slices.ContainsFunc(w.Runs, func(r Run) bool { return r.To == 0 || r.To >= oldest }) {
			drop(WriterKey(id))
		}
	}
}
