package redisstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-batteries/hawkeye/store"
)

const (
	// logLen is how many commits the ledger remembers: the contract's 1,000
	// and some.
	logLen = 1_024
	// logBytes is how many bytes of keys the log of these names, besides the
	// latest commit: five ticks of 2,000 alerts that all change. It bounds what
	// the scripts read, and what a snapshot carries in vain.
	logBytes = 4 << 20
	// maxBehind is how far a cursor may be behind before a snapshot is the
	// cheaper answer and keeps the script short.
	maxBehind = 500
	// stagingTTL is when an offer that was not completed goes away.
	stagingTTL = 2 * time.Minute
	// An offer is staged in parts of at most this size.
	stageRecords = 250
	stageBytes   = 256 << 10
)

// errStaged says that the server lost a part of an offer: a failover, or the
// offer took longer than it is kept.
var errStaged = errors.New("staged offer was lost")

// Changes implements [store.Ledger].
func (s *Store) Changes(ctx context.Context, after store.Cursor) (store.Changes, error) {
	const op = "read ledger changes"
	if after.Epoch.IsZero() || after.Rev >= maxRev {
		return s.snapshot(ctx)
	}
	status, detail, err := s.run(ctx, op, changesScript, []string{s.keys.ledger},
		after.Epoch.String(), formatRev(after.Rev), after.Commit.String(), maxBehind)
	if err != nil {
		return store.Changes{}, err
	}
	if status == "reset" {
		return s.snapshot(ctx)
	}
	rev, revOK := parseRev(textAt(detail, 0))
	commit, err := store.ParseID(textAt(detail, 1))
	if status != "ok" || len(detail)%3 != 2 || !revOK || err != nil {
		return store.Changes{}, fmt.Errorf("%s: script answered %q with %d values", op, status, len(detail))
	}
	c := store.Changes{Cursor: store.Cursor{Epoch: after.Epoch, Rev: rev, Commit: commit}}
	for at := 2; at < len(detail); at += 3 {
		r, err := s.changed(ctx, text(detail[at]), detail[at+1], text(detail[at+2]))
		if err != nil {
			return store.Changes{}, fmt.Errorf("%s: %w", op, err)
		}
		c.Records = append(c.Records, r)
	}
	sortRecords(c.Records)
	return c, nil
}

// changed makes a Record of a key in the log; mark is its last change there.
func (s *Store) changed(ctx context.Context, key string, stored any, mark string) (store.Record, error) {
	if value, there := stored.(string); there {
		if r, ok := parseRecord(key, value); ok {
			return r, nil
		}
		s.skipped(ctx, s.keys.ledger, "a damaged record")
	}
	rev, commit, ok := parseMark(mark)
	if !ok {
		return store.Record{}, fmt.Errorf("%w: %q (damaged log)", ErrForeign, s.keys.ledger)
	}
	return store.Record{Key: key, Rev: rev, Commit: commit, Deleted: true}, nil
}

// snapshot reads everything in one command, which is as atomic as a script.
func (s *Store) snapshot(ctx context.Context) (store.Changes, error) {
	const op = "read ledger"
	fields, err := call(ctx, s, op, func(ctx context.Context) (map[string]string, error) {
		return s.client.HGetAll(ctx, s.keys.ledger).Result()
	})
	if isWrongType(err) {
		s.stats.foreign.Add(1)
		return store.Changes{}, fmt.Errorf("%s: %w: %q (another type)", op, ErrForeign, s.keys.ledger)
	}
	if err != nil {
		return store.Changes{}, err
	}
	c, broken, ok := parseSnapshot(fields)
	if !ok {
		s.stats.foreign.Add(1)
		return store.Changes{}, fmt.Errorf("%s: %w: %q (no ledger of ours, or of a later version)", op, ErrForeign, s.keys.ledger)
	}
	for range broken {
		s.skipped(ctx, s.keys.ledger, "a damaged record")
	}
	return c, nil
}

// Commit implements [store.Ledger], in one round trip.
func (s *Store) Commit(ctx context.Context, c store.Commit) (store.Cursor, error) {
	const op = "commit"
	if c.ID.IsZero() {
		return store.Cursor{}, fmt.Errorf("%s: id is zero", op)
	}
	args := make([]any, 0, 8+2*len(c.Require)+2*len(c.Put)+len(c.Delete))
	args = append(args, c.ID.String(), c.Epoch.String(), s.config.ledgerTTL.Milliseconds(), logLen,
		len(c.Require), len(c.Put), len(c.Delete), logBytes)
	for _, r := range c.Require {
		want := ""
		if !r.Commit.IsZero() {
			want = r.Commit.String()
		}
		args = append(args, r.Key, want)
	}
	for _, p := range c.Put {
		args = append(args, p.Key, string(p.Value))
	}
	for _, key := range c.Delete {
		args = append(args, key)
	}
	status, detail, err := s.run(ctx, op, commitScript, []string{s.keys.ledger}, args...)
	if err != nil {
		return store.Cursor{}, err
	}
	if status == "conflict" {
		return store.Cursor{}, fmt.Errorf("%s: %w: record %q", op, store.ErrConflict, textAt(detail, 0))
	}
	rev, ok := parseRev(textAt(detail, 0))
	if status != "ok" || !ok {
		return store.Cursor{}, fmt.Errorf("%s: script answered %q %q", op, status, textAt(detail, 0))
	}
	return store.Cursor{Epoch: c.Epoch, Rev: rev, Commit: c.ID}, nil
}

// Restore implements [store.Ledger]. The offer is collected under a key of
// its own, in parts that keep the server busy for a moment only, and takes the
// ledger's place in one step.
func (s *Store) Restore(ctx context.Context, o store.Offer) error {
	const op = "restore ledger"
	if o.Cursor.Rev >= maxRev {
		return fmt.Errorf("%s: %w: %d", op, errRevision, o.Cursor.Rev)
	}
	staging := s.keys.staging(store.NewID())
	needed, err := s.offerNeeded(ctx, op, o)
	if err != nil {
		return err
	}
	staged := 0
	if needed {
		if staged, err = s.stage(ctx, op, staging, o); err != nil {
			return err
		}
	}
	epoch := ""
	if !o.Open.IsZero() {
		epoch = o.Open.String()
	}
	status, _, err := s.run(ctx, op, restoreScript, []string{s.keys.ledger, staging},
		formatRev(o.Cursor.Rev), staged, epoch, s.config.ledgerTTL.Milliseconds())
	switch {
	case err != nil:
		return err
	case status == "ok":
		return nil
	case status == "open":
		return fmt.Errorf("%s: %w", op, store.ErrOpen)
	case status == "lost":
		return fmt.Errorf("%s: %w", op, errStaged)
	default:
		return fmt.Errorf("%s: script answered %q", op, status)
	}
}

// offerNeeded spares the staging of what would not be taken. The script that
// takes it looks again.
func (s *Store) offerNeeded(ctx context.Context, op string, o store.Offer) (bool, error) {
	head, err := call(ctx, s, op, func(ctx context.Context) ([]any, error) {
		return s.client.HMGet(ctx, s.keys.ledger, fieldVersion, fieldEpoch, fieldRev, fieldCommit).Result()
	})
	if isWrongType(err) {
		return false, nil // the script says what is wrong
	}
	if err != nil {
		return false, err
	}
	stored, ok := parseHead(head)
	return ok && stored.Epoch.IsZero() && (head[0] == nil || o.Cursor.Rev > stored.Rev), nil
}

// stage writes the offer to its own key and says how many fields there are.
func (s *Store) stage(ctx context.Context, op, key string, o store.Offer) (int, error) {
	rev, commit := formatRev(o.Cursor.Rev), o.Cursor.Commit.String()
	fields := map[string]string{
		fieldVersion:    ledgerVersion,
		fieldRev:        rev,
		fieldCommit:     commit,
		logPrefix + rev: commit,
	}
	for _, r := range o.Records {
		if !r.Deleted {
			fields[recordPrefix+r.Key] = formatRecord(r)
		}
	}
	args, size := []any{stagingTTL.Milliseconds()}, 0
	flush := func() error {
		part := args // an abandoned call may still read it
		args, size = []any{stagingTTL.Milliseconds()}, 0
		_, err := call(ctx, s, op, func(ctx context.Context) (any, error) {
			return s.eval(ctx, stageScript, []string{key}, part)
		})
		return err
	}
	for field, value := range fields {
		args = append(args, field, value)
		size += len(field) + len(value)
		if len(args) > 2*stageRecords || size > stageBytes {
			if err := flush(); err != nil {
				return 0, err
			}
		}
	}
	if len(args) > 1 {
		if err := flush(); err != nil {
			return 0, err
		}
	}
	return len(fields), nil
}
