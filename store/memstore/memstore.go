// Package memstore is hawkeye's default Store: the memory of one process,
// with a state file, if one is asked for, that carries it over a restart.
//
// Without a state file a Store starts as the contract says of one that lost
// everything: empty, its ledger without an epoch, so that nothing is
// committed until [Store.Restore] has opened it. With a state file it goes on
// where the file ends: a ledger that was open is open again under the same
// epoch.
//
// # Memory
//
// A bucket is dropped by the first [Store.Publish] after it expired. Of the
// ledger's history the last 1,024 commits at least are known by their id, and
// their changes are told one by one as long as they touch at most 65,536
// keys; who asks for older ones gets a snapshot.
//
// Names are kept while the process lives: it has at most as many as it has
// series. A state file would gather them for ever; so a name that no
// publication or question of this process mentioned is forgotten at a start
// at least 24 hours after the last bucket that could use it has expired.
package memstore

import (
	"context"
	"sync"
	"time"

	"github.com/go-batteries/hawkeye/store"
)

// Store keeps samples and ledger in memory. Make one with [New]. It is safe
// for concurrent use, and has nothing to close.
type Store struct {
	cfg  config
	file *stateFile // nil without one

	// mu guards what follows. Bytes that are stored are never changed, so
	// they may be read without it.
	mu      sync.Mutex
	samples samples
	ledger  ledger
	unsaved uint64 // how often something changed that no journal holds
}

var (
	_ store.Store      = (*Store)(nil)
	_ store.Maintainer = (*Store)(nil)
	_ store.Syncer     = (*Store)(nil)
	_ store.Opener     = (*Store)(nil)
	_ store.Reporter   = (*Store)(nil)
)

// New returns a Store. With [WithStateFile] it reads the file, which blocks
// on the disk: a file that isn't there is an empty Store; a damaged or a newer
// one is renamed and warned about, and the Store is empty.
//
// It returns every mistake in opts at once, each an error that wraps
// [ErrInvalidOption], and an error if the state file can't be read or, being
// damaged, can't be renamed.
func New(opts ...Option) (*Store, error) {
	cfg := defaultConfig()
	for _, opt := range opts {
		opt.apply(&cfg)
	}
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	s := &Store{cfg: cfg, samples: newSamples(cfg.tick, cfg.retention), ledger: newLedger()}
	if cfg.stateFile == "" {
		return s, nil
	}
	s.file = newStateFile(cfg.stateFile, cfg.logger)
	if err := s.begin(); err != nil {
		return nil, err
	}
	return s, nil
}

// Traits implements [store.Store]. The Store is not shared, and outlives the
// process by a state file.
func (s *Store) Traits() store.Traits {
	return store.Traits{Tick: s.cfg.tick, Retention: s.cfg.retention, Name: "memory", Durable: s.file != nil}
}

// Now implements [store.Samples] with the clock of this machine.
func (s *Store) Now(ctx context.Context) (time.Time, error) {
	if err := ctx.Err(); err != nil {
		return time.Time{}, err
	}
	return storeTime(time.Now()), nil
}

// storeTime is the wall clock alone, as a remote store would tell it.
func storeTime(now time.Time) time.Time { return now.Round(0) }
