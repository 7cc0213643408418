package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/go-batteries/hawkeye/store"
)

// CommitTimeout bounds one attempt to store a decision.
const CommitTimeout = 5 * time.Second

// Tx collects one atomic change. It is for one goroutine.
type Tx struct {
	mirror *Mirror
	commit store.Commit
	base   uint64 // the copy's revision when it was begun
	resets int    // and how often it had been replaced
	stale  bool   // a record that it depends on may have changed since
}

// Begin starts a change of the ledger as the copy knows it now. What the
// change is decided from is read after Begin.
func (m *Mirror) Begin() *Tx {
	m.mu.Lock()
	defer m.mu.Unlock()
	return &Tx{
		mirror: m, commit: store.Commit{ID: store.NewID(), Epoch: m.cursor.Epoch}, base: m.cursor.Rev, resets: m.resets,
	}
}

// Require makes the commit depend on the record of key being the one that the
// copy held at Begin (or absent, if the copy had none). If the copy was
// brought up to date since, and the record has changed, the commit conflicts.
// Other records may change: what is decided about one alert isn't void because
// somebody is told of another.
func (tx *Tx) Require(key string) {
	m := tx.mirror
	m.mu.Lock()
	r, ok := m.classes[Class(key)][key]
	switch {
	case tx.resets != m.resets:
		tx.stale = true
	case ok:
		tx.stale = tx.stale || r.Rev > tx.base
	default:
		tx.stale = tx.stale || m.deleted[key] > tx.base || m.forgotten > tx.base
	}
	m.mu.Unlock()
	tx.RequireAt(key, r.Commit)
}

// RequireAt is Require for a record that was read before.
func (tx *Tx) RequireAt(key string, commit store.ID) {
	tx.commit.Require = append(tx.commit.Require, store.Condition{Key: key, Commit: commit})
}

// Put writes a record. One that a newer version wrote is left as it is; a
// caller who has to know asks [Mirror.IsNewer].
func (tx *Tx) Put(key string, value []byte) {
	if tx.mirror.IsNewer(key) {
		return
	}
	tx.commit.Put = append(tx.commit.Put, store.Entry{Key: key, Value: value})
}

// Touch replaces a record by itself, whatever version it is of, provided that
// it still stands: who goes on from it has to look again.
func (tx *Tx) Touch(r store.Record) {
	tx.RequireAt(r.Key, r.Commit)
	tx.commit.Put = append(tx.commit.Put, store.Entry{Key: r.Key, Value: r.Value})
}

// PutJSON is Put of a record as JSON.
func (tx *Tx) PutJSON(key string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode ledger record %q: %w", key, err)
	}
	tx.Put(key, data)
	return nil
}

// Delete removes a record; one that isn't there is no mistake, and one that a
// newer version wrote stays.
func (tx *Tx) Delete(key string) {
	if !tx.mirror.IsNewer(key) {
		tx.commit.Delete = append(tx.commit.Delete, key)
	}
}

// ID is that of the commit to be, which the records it puts will carry.
func (tx *Tx) ID() store.ID { return tx.commit.ID }

// Empty says whether nothing would change.
func (tx *Tx) Empty() bool { return len(tx.commit.Put)+len(tx.commit.Delete) == 0 }

// Commit applies tx, all or nothing, and brings the copy up to date. While
// the outcome is unknown (a lost reply) it asks again with the same id until
// ctx ends. It returns [store.ErrConflict] if a requirement doesn't hold or
// the ledger is another one by now, and [ErrNotOpen] if there is none; the
// copy then is as new as could be had.
func (m *Mirror) Commit(ctx context.Context, tx *Tx) error {
	if err := m.acquire(ctx); err != nil {
		return err
	}
	defer m.release()
	if !m.Open() {
		return ErrNotOpen
	}
	if tx.stale {
		return store.ErrConflict
	}
	for backoff := 5 * time.Millisecond; ; backoff = min(2*backoff, 200*time.Millisecond) {
		cursor, err := m.store.Commit(ctx, tx.commit)
		switch {
		case err == nil:
			m.committed(ctx, cursor, tx.commit)
			return nil
		case errors.Is(err, store.ErrConflict), errors.Is(err, store.ErrEpoch):
			if serr := m.sync(ctx); serr != nil {
				return serr
			}
			return store.ErrConflict
		}
		select {
		case <-time.After(backoff):
		case <-ctx.Done():
			return err
		}
	}
}

// committed takes our own commit into the copy without asking for it, unless
// others committed in between. The commit is done either way: a copy that
// can't be brought up to date now lags, and its next commit conflicts.
func (m *Mirror) committed(ctx context.Context, at store.Cursor, c store.Commit) {
	before := m.Cursor()
	if at.Epoch != before.Epoch || at.Rev != before.Rev+1 || at.Commit != c.ID {
		if err := m.sync(ctx); err != nil {
			m.logger.LogAttrs(ctx, slog.LevelDebug, "follow the ledger after a commit", slog.Any("error", err))
		}
		return
	}
	ch := store.Changes{Cursor: at}
	for _, key := range c.Delete {
		ch.Records = append(ch.Records, store.Record{Key: key, Rev: at.Rev, Commit: c.ID, Deleted: true})
	}
	for _, e := range c.Put {
		ch.Records = append(ch.Records, store.Record{Key: e.Key, Value: e.Value, Rev: at.Rev, Commit: c.ID})
	}
	m.apply(ch)
}
