package agent

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/go-batteries/hawkeye/internal/feed"
	"github.com/go-batteries/hawkeye/internal/ledger"
	"github.com/go-batteries/hawkeye/store"
)

// sweepEvery is how often what is old is deleted from the ledger, unless there
// is too much of it before.
const sweepEvery = time.Minute

// sweep is the deletion of what is old.
type sweep struct {
	next time.Time
	left *ledger.Sweep // what was found and isn't deleted yet
	kept int           // what the last one left of what is limited in number
}

// compact deletes what is old from the ledger, by whoever evaluates and after a
// decision was stored: in commits of its own, so that it is done however much
// there is to decide, and bounded, so that it keeps nobody from deciding. When
// the next tick is due the rest is left to after that.
func (a *Agent) compact(ctx context.Context, tick feed.Tick) {
	s := &a.sweep
	if s.left == nil {
		if time.Now().Before(s.next) && !a.book.TooMany(s.kept) {
			return
		}
		s.left = a.book.Old(a.view, a.cfg.Clock.Now())
	}
	for {
		tx := s.left.Next()
		if tx == nil {
			s.left, s.kept, s.next = nil, a.book.Limited(), time.Now().Add(sweepEvery)
			return
		}
		attempt, cancel := context.WithTimeout(ctx, ledger.CommitTimeout)
		err := a.mirror.Commit(attempt, tx)
		cancel()
		if err != nil && !errors.Is(err, store.ErrConflict) {
			a.logger.LogAttrs(ctx, slog.LevelDebug, "delete what is old from the ledger", slog.Any("error", err))
			s.left = nil // looked for again after the next decision
			return
		}
		if a.cfg.Clock.NowTick() > tick.N+1 {
			return
		}
	}
}
