// Package ruleset is a configuration made ready for the engine: what is
// measured, who is told, in which words, and by whom.
//
//	monitor.Set ─ New ─→ Ruleset ─ Replace ─→ Current ─ Load ─→ whoever asks next
//	                       plan, routes, renderer, senders
//
// Two configurations may be alive at once. One is in force: Current has it, and
// a reload replaces it at any moment. The other one is pinned: who began
// something with a Ruleset, an evaluation say, ends it with the same one,
// whatever is in force by then. So parameters say which one they are: a
// *Ruleset is pinned, a *Current asks for what is in force.
//
//	membership, the notifier, lists and health   in force
//	the agent: windows, commits, the head        pinned by the evaluation
//	the agent: whose turn it is                  in force
//	a Send                                       pinned when it was claimed
//	an outage of the Store                       pinned when it began
package ruleset

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/go-batteries/hawkeye/internal/evaluate"
	"github.com/go-batteries/hawkeye/internal/message"
	"github.com/go-batteries/hawkeye/internal/monitor"
	"github.com/go-batteries/hawkeye/internal/notify"
	"github.com/go-batteries/hawkeye/internal/notify/routing"
)

// Ruleset is a configuration made ready. It isn't changed.
type Ruleset struct {
	Set      *monitor.Set
	Plan     *evaluate.Plan
	Routes   *notify.Config
	Renderer *message.Renderer
	Senders  map[string]Sender // by the receiver's name
}

// Sender hands a message to one receiver. It honours ctx, and its error may be
// code of others.
type Sender interface {
	Send(ctx context.Context, m *notify.Message, text message.Text) error
}

// Config is what a Ruleset takes from elsewhere than the configuration.
type Config struct {
	Tick                 time.Duration // the Store's
	Claim                time.Duration // how long a claim on a message stands
	Service, Environment string
	Senders              map[string]Sender
}

// New makes a configuration ready.
func New(set *monitor.Set, cfg Config) *Ruleset {
	routes := routing.Routes(set)
	routes.Retry.Claim = cfg.Claim
	return &Ruleset{
		Set:      set,
		Plan:     evaluate.NewPlan(set, cfg.Tick),
		Routes:   routes,
		Renderer: message.New(set, cfg.Service, cfg.Environment),
		Senders:  cfg.Senders,
	}
}

// Current is the Ruleset in force. It is safe for concurrent use.
type Current struct{ p atomic.Pointer[Ruleset] }

// Load returns the Ruleset in force.
func (c *Current) Load() *Ruleset { return c.p.Load() }

// Replace puts another one in force.
func (c *Current) Replace(r *Ruleset) { c.p.Store(r) }
