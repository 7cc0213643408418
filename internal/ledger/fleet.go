package ledger

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-batteries/hawkeye/store"
)

// The records that say who is there, and with which configuration.
const (
	// FleetKey is the record of the live writers, a [Fleet].
	FleetKey = "fleet"
	// ClassConfig is a configuration that some replica runs or ran, by its
	// hash: a [Config]uration's [ConfigRecord].
	ClassConfig = "c"
	// maxConfigs is how many configurations are remembered, besides those
	// that live replicas run.
	maxConfigs = 16
)

// Fleet is who was live when it was last written: the evaluator replaces it
// whenever that changes.
type Fleet struct {
	// Tick is the tick as of which it is.
	Tick int64 `json:"tick"`
	// Writers are the live ones, and for a while those that said goodbye.
	Writers map[string]Member `json:"writers"`
	// Reads are the newest formats that all of them read, see [Fleet.Lowest].
	Reads Formats `json:"reads,omitzero"`
}

// Member is one process of a fleet.
type Member struct {
	// Config is the hash of its configuration; empty if that isn't known.
	Config string `json:"c,omitempty"`
	// Agent and Notifier say that it evaluates and sends.
	Agent    bool `json:"a,omitempty"`
	Notifier bool `json:"n,omitempty"`
	// Service is that of its messages; empty if it doesn't say.
	Service string `json:"s,omitempty"`
	// Left, if not 0, is the tick of its final bucket. It may still be
	// sending what it claimed.
	Left int64 `json:"left,omitempty"`
	// Reads are the newest formats that it reads; zero if it doesn't say.
	Reads Formats `json:"f,omitzero"`
}

// Formats are versions of what processes write for each other: buckets, the
// ledger's records, and in them the states of alerts.
type Formats struct {
	Bucket int `json:"b,omitempty"`
	Record int `json:"r,omitempty"`
	State  int `json:"s,omitempty"`
}

// Lowest returns the newest formats that all writers read, those that have
// just left among them: nobody may write a newer one. Of who doesn't say, or
// isn't known yet, the first are assumed.
func (f *Fleet) Lowest() Formats {
	var lowest Formats
	for _, m := range f.Writers {
		lower(&lowest.Bucket, m.Reads.Bucket)
		lower(&lowest.Record, m.Reads.Record)
		lower(&lowest.State, m.Reads.State)
	}
	return Formats{max(lowest.Bucket, 1), max(lowest.Record, 1), max(lowest.State, 1)}
}

// lower makes version v if that is lower, or the first that there is.
func lower(version *int, v int) {
	if v = max(v, 1); *version == 0 || v < *version {
		*version = v
	}
}

// Live returns the ids of the live writers in their order.
func (f *Fleet) Live() []string {
	var ids []string
	for _, id := range slices.Sorted(maps.Keys(f.Writers)) {
		if f.Writers[id].Left == 0 {
			ids = append(ids, id)
		}
	}
	return ids
}

// Equal says whether the same writers are live with the same configurations.
func (f *Fleet) Equal(o *Fleet) bool { return maps.Equal(f.Writers, o.Writers) }

// ConfigRecord is a configuration that the ledger has seen.
type ConfigRecord struct {
	// Generation is the file's own; the highest wins.
	Generation int64 `json:"generation,omitempty"`
	// First is its place in the order in which the ledger saw configurations
	// for the first time; among equal generations the highest wins.
	First uint64 `json:"first"`
	// Keys are those of its monitors.
	Keys []string `json:"keys"`
}

// Newer says whether a configuration wins over another. The hash decides
// between two that were written at the same moment.
func (c *ConfigRecord) Newer(hash string, o *ConfigRecord, other string) bool {
	return cmp.Or(cmp.Compare(c.Generation, o.Generation), cmp.Compare(c.First, o.First), strings.Compare(hash, other)) > 0
}

// ConfigKey is the key of a configuration's record.
func ConfigKey(hash string) string { return ClassConfig + "/" + hash }

// Fleet returns the record of the live writers, false if there is none.
func (b *Book) Fleet() (*Fleet, bool) {
	r, ok := b.mirror.Get(FleetKey)
	if !ok {
		return nil, false
	}
	return read[Fleet](b, r)
}

// Configs returns the configurations that the ledger has seen, by hash. The
// map is shared: it must not be changed.
func (b *Book) Configs() map[string]*ConfigRecord {
	return cached(b, ClassConfig, "configs", func() map[string]*ConfigRecord {
		configs := make(map[string]*ConfigRecord)
		for r := range b.mirror.All(ClassConfig) {
			if c, ok := read[ConfigRecord](b, r); ok {
				configs[strings.TrimPrefix(r.Key, ClassConfig+"/")] = c
			}
		}
		return configs
	})
}

// PutConfig adds a configuration that the ledger hasn't seen: it comes after
// all that it has.
func (b *Book) PutConfig(tx *Tx, hash string, c ConfigRecord) error {
	for _, other := range b.Configs() {
		c.First = max(c.First, other.First)
	}
	c.First++
	tx.Require(ConfigKey(hash))
	return tx.PutJSON(ConfigKey(hash), c)
}

// oldConfigs drops the oldest configurations that nobody runs.
func (b *Book) oldConfigs(drop func(key string)) {
	configs := maps.Clone(b.Configs())
	if fleet, ok := b.Fleet(); ok {
		for _, m := range fleet.Writers {
			delete(configs, m.Config)
		}
	}
	hashes := slices.SortedFunc(maps.Keys(configs), func(x, y string) int {
		return cmp.Or(cmp.Compare(configs[y].First, configs[x].First), strings.Compare(x, y))
	})
	for i, hash := range hashes {
		if i >= maxConfigs {
			drop(ConfigKey(hash))
		}
	}
}

// Sent says whether there is a note that a row of this id was sent. What
// version the note is of doesn't matter.
func (b *Book) Sent(id string) bool {
	_, ok := b.mirror.Get(SentKey(id))
	return ok
}

// PutSent notes that a message was sent.
func (tx *Tx) PutSent(id string, at time.Time) error {
	return tx.PutJSON(SentKey(id), SentRecord{At: at.UTC()})
}

// SentKey is the key of the note that a row was sent.
func SentKey(id string) string { return ClassSent + "/" + id }

// LateKey is the key of the note that a bucket came long after its tick.
func LateKey(tick int64, writer store.ID) string {
	return fmt.Sprintf("%s/%d/%s", ClassLate, tick, writer)
}
