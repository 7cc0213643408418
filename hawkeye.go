package hawkeye

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/go-batteries/hawkeye/internal/engine/membership"
	"github.com/go-batteries/hawkeye/internal/guard"
	"github.com/go-batteries/hawkeye/internal/kit/supervise"
	"github.com/go-batteries/hawkeye/internal/monitor"
	"github.com/go-batteries/hawkeye/store/memstore"
)

// Hawkeye is the handle of one instance: it records, and between Start and
// Shutdown it serves the socket, evaluates monitors and sends messages. Make
// one with [New]. Two in one process don't know of each other.
//
// All methods are safe for concurrent use. A nil *Hawkeye is a working
// recorder that does nothing; to silence, acknowledge or reload by it is an
// error, [ErrNilHandle].
type Hawkeye struct {
	engine
	cfg      config
	sup      *supervise.Supervisor
	server   *server
	reloader *reloader

	saturated atomic.Uint64 // sums that Query had to cut

	mu      sync.Mutex // guards state and started
	state   state
	started chan struct{} // closed when the Start under way has ended
	parts   parts         // written by Start, read by the one shutdown after it
	shut    *shutdown
}

type state int

const (
	stateNew state = iota
	stateStarting
	stateRunning
	stateShut
)

// parts are the running components, in the order of their start.
type parts struct {
	watch, maintain, keep, reload, publish, follow, notify, agent, blind, server *supervise.Component
}

// New validates and allocates; it opens nothing and starts nothing. It
// returns every mistake in the options and in the monitors at once, wrapping
// [ErrInvalidOption] and [ErrInvalidConfig].
func New(opts ...Option) (*Hawkeye, error) {
	cfg := config{reads: membership.Formats}
	for i, opt := range opts {
		if opt == nil {
			cfg.problem(fmt.Sprintf("New: options[%d]", i), "is nil")
			continue
		}
		opt.apply(&cfg)
	}
	err := cfg.validate()
	set, loaded, serr := cfg.load()
	if err := errors.Join(err, serr); err != nil {
		return nil, err
	}
	if err := cfg.complete(set); err != nil {
		return nil, err
	}
	cfg.route = guardRoute(cfg.logger, cfg.route)
	h := &Hawkeye{cfg: cfg, shut: newShutdown(), sup: supervise.New(cfg.logger, cfg.store.Traits().Tick)}
	h.engine.assemble(&h.cfg, set, h.sup.Watched("closing of ticks"))
	h.server = newServer(&h.cfg, h.reg)
	h.reloader = newReloader(&h.cfg, loaded, h.use)
	return h, nil
}

// complete fills in the defaults that depend on each other.
func (c *config) complete(set *monitor.Set) error {
	if c.logger == nil {
		c.logger = slog.Default()
	}
	c.logger = guard.Logger(c.logger).With(slog.String("component", "hawkeye"))
	c.service = cmp.Or(c.service, set.Service, executable())
	c.environment = cmp.Or(c.environment, set.Environment)
	c.startTimeout = cmp.Or(c.startTimeout, DefaultStartTimeout)
	c.shutdownTimeout = cmp.Or(c.shutdownTimeout, DefaultShutdownTimeout)
	c.sendTimeout = cmp.Or(c.sendTimeout, DefaultSendTimeout)
	c.blindAfter = cmp.Or(c.blindAfter, DefaultBlindAfter)
	if c.store == nil {
		s, err := memstore.New()
		if err != nil {
			return fmt.Errorf("make the memory store: %w", err)
		}
		c.store = s
	}
	return nil
}
