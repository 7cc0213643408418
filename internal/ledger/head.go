package ledger

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/go-batteries/hawkeye/store"
)

// HeadKey is the record that every evaluation replaces: the watermark. It is
// the lease as well: whoever wrote it last evaluates, until it wasn't
// replaced for a lease's length.
const HeadKey = "head"

// Head is how far evaluation has come, and by whom.
type Head struct {
	// Tick is the newest tick that was evaluated.
	Tick int64 `json:"tick"`
	// Writer evaluates. Zero if it has given up its place.
	Writer store.ID `json:"writer"`
	// Born is the tick before the first that was ever evaluated. Nobody is
	// missed who didn't count before that.
	Born int64 `json:"born"`
	// Config is the hash of the configuration that was evaluated.
	Config string `json:"config,omitempty"`
	// Runs says that the records of writers are as of Tick. Versions that
	// don't know of them leave them as they were.
	Runs bool `json:"runs,omitempty"`
	// Open is the oldest tick that can still be judged again of which something
	// was missing, 0 if there is none. Whoever goes on from here looks whether
	// it is there by now.
	Open int64 `json:"open,omitempty"`
	// Width is that of the ticks, without which their numbers mean nothing.
	Width time.Duration `json:"width,omitempty"`
	// Service names whose ledger it is. Width and Service are empty in what
	// versions wrote that didn't know of them.
	Service string `json:"service,omitempty"`
}

// Head returns the watermark, false if there is none, and the commit that
// wrote it. A head that [Config].Examine refuses is returned with its error.
func (m *Mirror) Head() (h Head, commit store.ID, ok bool, err error) {
	r, ok := m.Get(HeadKey)
	if !ok {
		return Head{}, store.ID{}, false, nil
	}
	err = checkVersion(r.Value)
	if err == nil {
		err = json.Unmarshal(r.Value, &h)
	}
	if err != nil {
		return Head{}, r.Commit, true, fmt.Errorf("read ledger record %q: %w", HeadKey, err)
	}
	if m.examine != nil {
		err = m.examine(&h)
	}
	return h, r.Commit, true, err
}
