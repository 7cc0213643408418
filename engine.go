package hawkeye

import (
	"context"
	"log/slog"
	"time"

	"github.com/go-batteries/hawkeye/internal/engine/agent"
	"github.com/go-batteries/hawkeye/internal/engine/checkpoint"
	"github.com/go-batteries/hawkeye/internal/engine/degraded"
	"github.com/go-batteries/hawkeye/internal/engine/follower"
	"github.com/go-batteries/hawkeye/internal/engine/membership"
	"github.com/go-batteries/hawkeye/internal/engine/notifier"
	"github.com/go-batteries/hawkeye/internal/engine/ruleset"
	"github.com/go-batteries/hawkeye/internal/engine/sentlog"
	"github.com/go-batteries/hawkeye/internal/feed"
	"github.com/go-batteries/hawkeye/internal/guard"
	"github.com/go-batteries/hawkeye/internal/httpcount"
	"github.com/go-batteries/hawkeye/internal/ledger"
	"github.com/go-batteries/hawkeye/internal/monitor"
	"github.com/go-batteries/hawkeye/internal/publish"
	"github.com/go-batteries/hawkeye/internal/pulse"
	"github.com/go-batteries/hawkeye/internal/samples/clock"
	"github.com/go-batteries/hawkeye/internal/series"
	"github.com/go-batteries/hawkeye/store"
)

// engine is what works between Start and Shutdown: the parts, in the order in
// which data goes through them, and what they share. It doesn't know the handle,
// and the parts know only what they are given here.
//
//	reg ─→ publisher ─→ store ─→ feed ─→ agent ─→ ledger ─→ notifier
//	                                               ↑ follower, members
//
// What is shared is safe for concurrent use. The publisher comes last, because it
// tells the others of its flushes: what they need of it is a func.
type engine struct {
	logger *slog.Logger
	reg    *series.Registry
	meter  *httpcount.Meter // over reg
	store  store.Store
	traits store.Traits
	clock  *clock.Clock // the fleet's time

	identity *publish.Identity
	owner    *ledger.Owner
	mirror   *ledger.Mirror
	book     *ledger.Book
	current  ruleset.Current
	sent     *sentlog.Log
	keeper   *checkpoint.Keeper // nil if the Store is shared, or needs none

	members   *membership.Roster
	feed      *feed.Feed
	follower  *follower.Follower
	agent     *agent.Agent
	notifier  *notifier.Notifier
	publisher *publish.Publisher
	degraded  *degraded.Watch
}

// idleAfter is for how long at least nothing must be recorded by a counter, a
// histogram or a set before its room is given to others. Windows don't need
// it: they hold what was published.
const idleAfter = time.Hour

// assemble makes the parts for a configuration; closing is the pulse of what
// closes ticks.
func (e *engine) assemble(c *config, set *monitor.Set, closing *pulse.Pulse) {
	e.logger, e.store, e.traits = c.logger, c.store, c.store.Traits()
	e.clock = clock.New(e.traits.Tick)
	e.current.Replace(newRuleset(c, set))
	e.reg = series.New(series.Limits{MaxSeries: c.limits.MaxSeries, MaxTags: c.limits.MaxTags})
	if c.gaugeTTL > 0 {
		e.reg.ForgetGauges(max(int(c.gaugeTTL/e.traits.Tick), 1))
	}
	e.reg.WatchGauges(set.Stale())
	e.meter = httpcount.New(e.reg)
	e.identity = publish.NewIdentity()
	e.openLedger(c)
	e.members = newMembers(e, c)
	e.feed = feed.New(feed.Config{
		Store: e.store, Clock: e.clock, Queries: e.setup().Plan.Queries, Logger: e.logger, OnBucket: e.members.Took,
		Text: e.reg.NamesOf,
		Busy: func() bool { return e.publisher.Losing() },
	})
	e.follower = newFollower(e)
	e.agent = newAgent(e, c)
	e.notifier = newNotifier(e, c)
	e.publisher = publish.New(publish.Config{
		Store:    e.store,
		Registry: e.reg,
		Identity: e.identity,
		Clock:    e.clock,
		Logger:   e.logger,
		Notes:    e.notes,
		Closing:  closing,
		OnFlush:  e.follower.Flushed,
		OnLate:   e.follower.WroteLate,
		// What was lost is published again with names, so a series stays for
		// as long as its buckets do.
		IdleAfter: max(idleAfter, e.store.Traits().Retention),
	})
	e.degraded = newDegraded(e, c)
}

// openLedger makes this process's copy of the ledger, and what remembers beside
// it.
func (e *engine) openLedger(c *config) {
	e.owner = &ledger.Owner{
		Service: ledger.Identity(c.service, c.environment), Records: c.noAgent && c.noNotifier,
		Traits: e.traits, NowTick: e.clock.NowTick,
	}
	e.mirror = ledger.New(ledger.Config{Store: e.store, Logger: e.logger, Examine: e.owner.Check, Elder: func(ctx context.Context) (bool, error) { return e.follower.Elder(ctx) }})
	e.book = ledger.NewBook(e.mirror, e.logger)
	e.sent = sentlog.New()
	if s, ok := guard.As[store.Syncer](e.store); ok && !e.traits.Shared {
		e.keeper = checkpoint.New(s, e.mirror, e.logger)
	}
}

// setup returns the configuration that is in force.
func (e *engine) setup() *ruleset.Ruleset { return e.current.Load() }

// notes is called at the end of each tick, before what was counted in it is
// collected.
func (e *engine) notes() [][]byte {
	e.meter.Settle()
	return e.notifier.Notes()
}

// newRuleset makes a configuration ready.
func newRuleset(c *config, set *monitor.Set) *ruleset.Ruleset {
	return ruleset.New(set, ruleset.Config{
		Tick:    c.store.Traits().Tick,
		Claim:   c.sendTimeout + notifier.ClaimMargin,
		Service: c.service, Environment: c.environment,
		Senders: newSenders(c, set),
	})
}
