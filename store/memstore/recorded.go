package memstore

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/go-batteries/hawkeye/store"
)

// Recorded is what a state file holds of samples, whatever their age: for
// tools that play them back.
type Recorded struct {
	// Tick is the width of the ticks.
	Tick time.Duration
	// Ticks are the fine ones, ascending.
	Ticks []store.TickBuckets
	// Names are the texts of series, by id.
	Names map[uint64]string
}

// IsStateFile says whether a file begins as a state file does.
func IsStateFile(begin []byte) bool { return bytes.HasPrefix(begin, []byte(magic)) }

// ReadRecorded reads the samples of a state file. It leaves the file alone,
// also a damaged one, and may be called while a Store uses it.
func ReadRecorded(path string) (*Recorded, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	if err != nil {
		return nil, fmt.Errorf("read state file %q: %w", path, err)
	}
	st, err := decodeState(data)
	if err != nil {
		return nil, fmt.Errorf("read state file %q: %w", path, err)
	}
	r := &Recorded{Tick: st.tick, Names: make(map[uint64]string, len(st.names))}
	for _, n := range st.names {
		r.Names[n.id] = n.text
	}
	for _, t := range st.ticks {
		if t.key.tier != store.TierFine {
			continue
		}
		out := store.TickBuckets{Tier: t.key.tier, Tick: t.key.tick, Count: len(t.buckets)}
		for _, b := range t.buckets {
			out.Buckets = append(out.Buckets, store.Bucket{Tier: t.key.tier, Tick: t.key.tick, Writer: b.writer, Data: b.data})
		}
		r.Ticks = append(r.Ticks, out)
	}
	return r, nil
}
