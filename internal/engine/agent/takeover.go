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

// await returns when it is this process's turn: no other head is fresh, or it
// is that of an older configuration.
func (a *Agent) await(ctx context.Context) error {
	terms := terms{lease: a.lease, tick: a.cfg.Traits.Tick, shared: a.cfg.Traits.Shared && !failpoint.On("split")}
	e := election{since: time.Now()}
	finishing, ends := a.finishing, false
	alive := pulse.Of(ctx)
	for {
		o, err := a.observe(ctx, e)
		if err != nil {
			return err
		}
		o.ending = ends
		var wait time.Duration
		switch e, wait = terms.next(e, o); e.stage {
		case ending:
			return errFinished
		case candidate, leader:
			a.awaited = o.commit
			return a.inherit(ctx, o)
		}
		timer := time.NewTimer(wait)
		alive.Rest()
		select {
		case <-a.watch:
		case <-timer.C:
		case <-finishing: // what was counted since the start is still to be evaluated
			finishing, ends = nil, true
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
		alive.Work()
		timer.Stop()
		if ends && !a.mirror.Open() { // no flush will have it opened any more
			if err := a.follow(ctx); err != nil {
				a.logger.LogAttrs(ctx, slog.LevelDebug, "open the ledger", slog.Any("error", err))
			}
		}
		if !a.mirror.Open() {
			pulse.Sleep(ctx, 10*time.Millisecond)
		}
	}
}

// observe looks how the ledger stands, and makes our configuration known there.
func (a *Agent) observe(ctx context.Context, e election) (observation, error) {
	o := observation{open: a.mirror.Open()}
	if !o.open {
		return o, nil
	}
	if a.mirror.Refused() == nil {
		if err := a.register(ctx); err != nil {
			return o, err
		}
	}
	var err error
	o.head, o.commit, o.known, err = a.mirror.Head()
	o.unreadable, o.orphanable, o.refused = err != nil, ledger.Orphanable(err), a.mirror.Refused() != nil
	a.logBlocked(ctx, err)
	switch {
	case o.commit == e.seen:
	case !e.seen.IsZero(): // another replica goes on
		a.works(ctx)
		a.feed.Leave(ctx)
	case err == nil:
		o.vanished = a.vanished(ctx, o.head.Writer)
	}
	o.self, o.own, o.lastSuccess = a.cfg.Writer(), a.cfg.Current.Load().Set.Hash, a.cfg.LastSuccess()
	if err == nil && a.cfg.Traits.Shared && !failpoint.On("split") {
		if o.active = a.cfg.Members.Winner(); o.active != o.own {
			a.logLoses(ctx, o.active)
		}
		o.older = a.book.Configs()[o.head.Config] != nil && !a.mirror.IsNewer(ledger.FleetKey)
	}
	o.now = time.Now()
	return o, nil
}

// inherit makes our configuration known in a ledger of which nobody is left.
func (a *Agent) inherit(ctx context.Context, o observation) error {
	if !o.unreadable {
		return nil
	}
	a.logger.LogAttrs(ctx, slog.LevelWarn, "nobody is left of the service whose ledger it is, going on with it",
		slog.String("theirs", o.head.Service), slog.String("ours", a.cfg.Owner.Service))
	return a.register(ctx)
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
		return errFenced
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
