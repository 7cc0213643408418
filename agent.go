package hawkeye

import (
	"time"

	"github.com/go-batteries/hawkeye/internal/engine/agent"
	"github.com/go-batteries/hawkeye/internal/engine/degraded"
	"github.com/go-batteries/hawkeye/internal/engine/follower"
	"github.com/go-batteries/hawkeye/internal/engine/membership"
)

// What evaluates, and what it goes by: who is there, what the ledger says, and
// what can be done while the Store is away. Each replica has an agent, and one of
// a fleet evaluates; see internal/engine/agent.

// newAgent returns what decides when a threshold is breached.
func newAgent(e *engine, c *config) *agent.Agent {
	return agent.New(agent.Config{
		Store: e.store, Traits: e.traits, Mirror: e.mirror, Book: e.book, Owner: e.owner, Clock: e.clock, Current: &e.current,
		Feed: e.feed, Sent: e.sent, Members: e.members, Follower: e.follower, Logger: e.logger,
		Writer:      e.identity.Writer,
		FinalTick:   func() (int64, bool) { return e.publisher.FinalTick() },
		LastSuccess: func() time.Time { return e.publisher.Stats().LastSuccess },
		Service:     c.service, Environment: c.environment, OutageAfter: c.blindAfter,
	})
}

// newMembers returns what knows which replicas are there, and whose configuration
// decides.
func newMembers(e *engine, c *config) *membership.Roster {
	return membership.New(membership.Config{
		Mirror: e.mirror, Book: e.book, Owner: e.owner, Current: &e.current, Sent: e.sent,
		Writer:    e.identity.Writer,
		Recovered: func() time.Time { return e.publisher.Recovered() },
		Agent:     !c.noAgent, Notifier: !c.noNotifier, Reads: c.reads,
	})
}

// newFollower returns what keeps the copy of the ledger up to date.
func newFollower(e *engine) *follower.Follower {
	return follower.New(follower.Config{
		Store: e.store, Traits: e.traits, Mirror: e.mirror, Book: e.book, Owner: e.owner, Clock: e.clock, Current: &e.current, Logger: e.logger,
		Writer: e.identity.Writer,
		Began:  func() int64 { return e.publisher.Began() },
		Wake:   e.feed.Wake, LoseNames: e.feed.LoseNames, Late: e.feed.Late,
	})
}

// newDegraded returns what evaluates this process's own counts while the Store is
// away.
func newDegraded(e *engine, c *config) *degraded.Watch {
	return degraded.New(degraded.Config{
		Traits: e.traits, Mirror: e.mirror, Book: e.book, Owner: e.owner, Clock: e.clock, Current: &e.current, Sent: e.sent,
		Follower: e.follower, Publisher: e.publisher, Registry: e.reg, Logger: e.logger,
		After: c.blindAfter, Lease: e.agent.Lease(), SendTimeout: c.sendTimeout,
		Service: c.service, Environment: c.environment,
		Deliver: e.notifier.Deliver, LogFailed: e.notifier.LogFailed, LogDead: e.notifier.LogDead,
	})
}
