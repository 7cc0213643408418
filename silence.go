package hawkeye

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-batteries/hawkeye/internal/guard"
	"github.com/go-batteries/hawkeye/internal/ledger"
	"github.com/go-batteries/hawkeye/internal/notify"
	"github.com/go-batteries/hawkeye/store"
)

// Silence keeps what it matches from being told, from Start (inclusive) to End
// (exclusive), in the whole fleet. The end of what was told before is told all
// the same; what still fires when its time has run out is told then.
type Silence struct {
	// ID is given by [Hawkeye.Silence].
	ID string
	// Matchers are such as `monitor="api-errors"` or `route=~"/api/.*"`; all
	// must hold, and not all of them for the empty text. They know monitor,
	// level, metric, service, environment, state, and the alert's tags and
	// labels.
	Matchers []string
	// Start defaults to now.
	Start, End time.Time
	// Author and Comment are for people.
	Author, Comment string
	// Cancelled says that it was ended by hand, before its time.
	Cancelled bool
}

// Silence begins a silence and returns its id. It returns an error if a
// matcher can't be parsed, if together they match everything, if End isn't in
// the future and after Start, and if the Store can't be written until ctx
// ends. It needs a handle that was started.
func (h *Hawkeye) Silence(ctx context.Context, s Silence) (id string, err error) {
	err = h.amend(ctx, "silence", func(tx *ledger.Tx, _ *notify.View, now time.Time) error {
		fresh, err := notify.NewSilence(s.internal(), now, newRecordID)
		if err != nil {
			return err
		}
		id = fresh.ID
		return putSilences(tx, fresh)
	})
	if err != nil {
		return "", err
	}
	return id, nil
}

// EditSilence changes a silence to what s says and returns its id. Another
// end, author or comment keeps the id. Other matchers, another start of one
// that has begun, or an edit of one that is over, end the old one and begin a
// new one: what it kept back is history. It returns [ErrNotFound] for an
// unknown id, and errors as [Hawkeye.Silence] does; then nothing is changed.
func (h *Hawkeye) EditSilence(ctx context.Context, id string, s Silence) (string, error) {
	edited := ""
	err := h.amend(ctx, "edit silence", func(tx *ledger.Tx, v *notify.View, now time.Time) error {
		old, err := h.findSilence(v, id)
		if err != nil {
			return err
		}
		if s.Start.IsZero() {
			s.Start = old.Start
		}
		changed, err := old.Edit(s.internal(), now, newRecordID)
		if err != nil {
			return err
		}
		edited = changed[len(changed)-1].ID
		return putSilences(tx, changed...)
	})
	if err != nil {
		return "", err
	}
	return edited, nil
}

// ExpireSilence ends a silence at once; one that hasn't begun never will, and
// one that is over stays as it is. What was told before the silence is not told
// again because of that. It returns [ErrNotFound] for an unknown id.
func (h *Hawkeye) ExpireSilence(ctx context.Context, id string) error {
	return h.amend(ctx, "expire silence", func(tx *ledger.Tx, v *notify.View, now time.Time) error {
		old, err := h.findSilence(v, id)
		if err != nil {
			return err
		}
		return putSilences(tx, old.Expire(now))
	})
}

// Silences returns the silences that this process knows of, also those of the
// last days that are over, in the order of their start. It does no I/O.
func (h *Hawkeye) Silences() []Silence {
	if h == nil {
		return nil
	}
	var out []Silence
	for _, s := range h.book.View().Silences {
		out = append(out, Silence{
			ID: s.ID, Matchers: slices.Clone(s.Matchers), Start: s.Start, End: s.End,
			Author: s.Author, Comment: s.Comment, Cancelled: s.Cancelled,
		})
	}
	slices.SortFunc(out, func(a, b Silence) int { return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.ID, b.ID)) })
	return out
}

func (s *Silence) internal() notify.Silence {
	return notify.Silence{
		Matchers: slices.Clone(s.Matchers), Start: s.Start.UTC(), End: s.End.UTC(), Author: s.Author, Comment: s.Comment,
	}
}

func newRecordID() string { return store.NewID().String() }

func (h *Hawkeye) findSilence(v *notify.View, id string) (*notify.Silence, error) {
	for _, s := range v.Silences {
		if s.ID == id {
			return s, nil
		}
	}
	if h.mirror.IsNewer(ledger.ClassSilence + "/" + id) {
		return nil, fmt.Errorf("the silence %q: %w", id, ledger.ErrNewer)
	}
	return nil, fmt.Errorf("%w: silence %q", ErrNotFound, id)
}

func putSilences(tx *ledger.Tx, silences ...*notify.Silence) error {
	for _, s := range silences {
		key := ledger.ClassSilence + "/" + s.ID
		tx.Require(key)
		if err := tx.PutJSON(key, s); err != nil {
			return err
		}
	}
	return nil
}

// amend changes the ledger by hand. change is called again if somebody else
// changed the same in the meantime.
func (h *Hawkeye) amend(ctx context.Context, what string, change func(tx *ledger.Tx, v *notify.View, now time.Time) error) error {
	ctx = guard.Context(ctx)
	if h == nil {
		return fmt.Errorf("%s: %w", what, ErrNilHandle)
	}
	if h.shut.hasBegun() {
		return ErrShutdown
	}
	if !h.mirror.Open() {
		if err := h.mirror.Sync(ctx); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
	for {
		if err := h.mirror.Refused(); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		tx := h.mirror.Begin()
		if err := change(tx, h.book.View(), h.clock.Now()); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		err := h.mirror.Commit(ctx, tx)
		if err == nil {
			if err = h.keeper.Keep(ctx); err != nil {
				err = fmt.Errorf("it is decided, and not yet written down: %w", err)
			}
		}
		if err == nil || !errors.Is(err, store.ErrConflict) || ctx.Err() != nil {
			if err != nil {
				return fmt.Errorf("%s: %w", what, err)
			}
			return nil
		}
	}
}
