package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/go-batteries/hawkeye/internal/failpoint"
	"github.com/go-batteries/hawkeye/internal/guard"
	"github.com/go-batteries/hawkeye/internal/ledger"
	"github.com/go-batteries/hawkeye/internal/pulse"
	"github.com/go-batteries/hawkeye/internal/window"
	"github.com/go-batteries/hawkeye/store"
)

// await returns when it is this process's turn: nobody else's head is fresh,
// or it is that of an older configuration.
func (a *Agent) await(ctx context.Context) error {
	var seen, left store.ID
	since := time.Now()
	finishing, ending := a.finishing, false
	alive := pulse.Of(ctx)
	for {
		wait := a.lease
		open := a.mirror.Open()
		if open {
			if a.mirror.Refused() == nil {
				if err := a.register(ctx); err != nil {
					return err
				}
			}
			head, commit, ok, err := a.mirror.Head()
			a.logBlocked(ctx, err)
			if commit != seen {
				if !seen.IsZero() { // somebody else goes on
					a.works(ctx)
					a.feed.Leave(ctx)
				} else if err == nil && a.vanished(ctx, head.Writer) {
					left = commit
				}
				seen, since = commit, time.Now()
			}
			if commit == left {
				head.Writer = store.ID{}
			}
			switch {
			case err == nil:
				wait = a.patience(ctx, head, ok) - time.Since(since)
			case ledger.Orphanable(err):
				if time.Since(a.cfg.LastSuccess()) > a.lease {
					since = time.Now() // nor could the others have moved it
				}
				wait = orphanLeases*a.lease - time.Since(since)
			}
			if wait <= 0 {
				if err != nil {
					a.logger.LogAttrs(ctx, slog.LevelWarn, "nobody is left of the service whose ledger it is, going on with it",
						slog.String("theirs", head.Service), slog.String("ours", a.cfg.Owner.Service))
					if err := a.register(ctx); err != nil {
						return err
					}
				}
				a.awaited = commit
				return nil
			}
		}
		if ending && open {
			return errFinished // somebody else evaluates, also what we counted last
		}
		if !open || a.mirror.Refused() != nil {
			wait = a.cfg.Traits.Tick
		}
		timer := time.NewTimer(wait)
		alive.Rest()
		select {
		case <-a.watch:
		case <-timer.C:
		case <-finishing: // what was counted since the start is still to be evaluated
			finishing, ending = nil, true
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
		alive.Work()
		timer.Stop()
		if ending && !a.mirror.Open() { // no flush will have it opened any more
			if err := a.follow(ctx); err != nil {
				a.logger.LogAttrs(ctx, slog.LevelDebug, "open the ledger", slog.Any("error", err))
			}
		}
		if !a.mirror.Open() {
			pulse.Sleep(ctx, 10*time.Millisecond)
		}
	}
}

// logBlocked says once that the head can't be read, because a newer version
// Evaluates or because it is damaged, and once when it can be again. Of a
// refusal the follower tells.
func (a *Agent) logBlocked(ctx context.Context, err error) {
	if errors.As(err, new(*ledger.Refusal)) {
		err = nil
	}
	switch {
	case err != nil && !a.blocked:
		a.logger.LogAttrs(ctx, slog.LevelWarn, "evaluation is left to others", slog.Any("error", err))
	case err == nil && a.blocked:
		a.logger.LogAttrs(ctx, slog.LevelInfo, "the head of the ledger can be read again")
	}
	a.blocked = err != nil
}

// patience is how long a head must stand unchanged before we go on from it.
// Somebody with an older configuration isn't waited for; but a place that is
// free is left to those with a newer one for a moment.
func (a *Agent) patience(ctx context.Context, head ledger.Head, ok bool) time.Duration {
	if !a.cfg.Traits.Shared || failpoint.On("split") {
		return 0
	}
	own := a.cfg.Current.Load().Set.Hash
	winner := a.cfg.Members.Winner()
	if winner != own {
		a.logLoses(ctx, winner)
	}
	switch {
	case head.Writer == a.cfg.Writer() && winner == own:
		return 0
	case !ok || head.Writer.IsZero():
		if winner != own {
			return min(3*a.cfg.Traits.Tick, a.lease)
		}
		return 0
	case winner == own && head.Config != own && a.book.Configs()[head.Config] != nil && !a.mirror.IsNewer(ledger.FleetKey):
		return 0
	default:
		return a.lease
	}
}

// vanished says that a writer has no bucket in the last ten ticks, by the
// Store's clock: nobody need wait for a lease of it. That is asked when a head
// is found, not of each that follows: where processes live more briefly than a
// lease lasts, none would ever evaluate.
func (a *Agent) vanished(ctx context.Context, writer store.ID) (gone bool) {
	clock := a.cfg.Clock
	if !a.cfg.Traits.Shared || writer.IsZero() || writer == a.cfg.Writer() || !clock.Measured() {
		return false
	}
	ask := store.Publication{Writer: writer}
	for now, n := clock.NowTick(), int64(0); n <= window.LiveTicks; n++ {
		ask.Check = append(ask.Check, now-n)
	}
	ctx, cancel := context.WithTimeout(ctx, ledger.CommitTimeout)
	defer cancel()
	err := guard.Step(func() error {
		reply, err := a.cfg.Store.Publish(ctx, ask)
		gone = err == nil && len(reply.Missing) == len(ask.Check)
		return err
	})
	if err != nil {
		a.logger.LogAttrs(ctx, slog.LevelDebug, "look for the evaluator", slog.Any("error", err))
	}
	return gone
}

// register makes our configuration known, unless somebody else writes at the
// same moment: then the next look finds out.
func (a *Agent) register(ctx context.Context) error {
	if !a.cfg.Traits.Shared {
		return nil
	}
	err := a.cfg.Members.Register(ctx)
	for errors.Is(err, store.ErrConflict) && ctx.Err() == nil {
		err = a.cfg.Members.Register(ctx)
	}
	if err != nil && ctx.Err() == nil {
		a.logger.LogAttrs(ctx, slog.LevelDebug, "register the configuration", slog.Any("error", err))
		pulse.Sleep(ctx, 100*time.Millisecond)
		return nil
	}
	return ctx.Err()
}

// acquire puts our name on the head as it is, before anything is evaluated:
// those who want it too see that it is taken.
func (a *Agent) acquire(ctx context.Context, head ledger.Head) error {
	self, hash := a.cfg.Writer(), a.pinned.Set.Hash
	if !a.cfg.Traits.Shared || head.Writer == self && head.Config == hash || failpoint.On("split") {
		return nil
	}
	if err := a.stamp(ctx, head); err != nil {
		return err
	}
	failpoint.At("acquire")
	return nil
}

// stamp replaces the head by itself, under our name: the tick that it is of
// stays, and all see that somebody is about to evaluate.
func (a *Agent) stamp(ctx context.Context, head ledger.Head) error {
	head.Writer, head.Config = a.cfg.Writer(), a.pinned.Set.Hash
	head.Width, head.Service = a.cfg.Traits.Tick, a.cfg.Owner.Service
	tx := a.mirror.Begin()
	tx.RequireAt(ledger.HeadKey, a.head)
	if err := tx.PutJSON(ledger.HeadKey, head); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, ledger.CommitTimeout)
	defer cancel()
	err := a.mirror.Commit(ctx, tx)
	if errors.Is(err, store.ErrConflict) {
		return errLost
	}
	if err != nil {
		return fmt.Errorf("take over the evaluation: %w", err)
	}
	a.head = tx.ID()
	return nil
}

// jittered returns d and up to a quarter more, so that a large fleet doesn't
// take over all at once.
func jittered(d time.Duration) time.Duration { return d + rand.N(d/4+1) }

// logLoses says that another configuration decides: once, also if its replicas
// come and go, until there is another winner.
func (a *Agent) logLoses(ctx context.Context, winner string) {
	if a.lostTo == winner {
		return
	}
	a.lostTo = winner
	a.logger.LogAttrs(ctx, slog.LevelWarn, "another replica has a newer configuration, which decides",
		slog.String("ours", a.cfg.Current.Load().Set.Hash), slog.String("theirs", winner))
}
