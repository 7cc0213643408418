package hawkeye

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
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
	"github.com/go-batteries/hawkeye/internal/samples/clock"
	"github.com/go-batteries/hawkeye/internal/series"
	"github.com/go-batteries/hawkeye/store"
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
	cfg     config
	logger  *slog.Logger
	current ruleset.Current
	reg     *series.Registry
	meter   *httpcount.Meter // over reg
	store   store.Store
	owner   *ledger.Owner
	mirror  *ledger.Mirror
	sup     supervisor

	book      *ledger.Book
	sent      *sentlog.Log
	roster    *membership.Roster
	publisher *publish.Publisher
	feed      *feed.Feed
	follower  *follower.Follower
	server    *server
	agent     *agent.Agent
	notifier  *notifier.Notifier
	degraded  *degraded.Watch
	reloader  *reloader
	keeper    *checkpoint.Keeper // nil if the Store is shared, or needs none

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
	watch, maintain, keep, reload, publish, follow, notify, agent, blind, server *component
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
	h := &Hawkeye{cfg: cfg, logger: cfg.logger, store: cfg.store, shut: newShutdown()}
	h.current.Replace(newRuleset(&h.cfg, set))
	h.sup = newSupervisor(cfg.logger, cfg.store.Traits().Tick)
	h.reg = series.New(series.Limits{MaxSeries: cfg.limits.MaxSeries, MaxTags: cfg.limits.MaxTags})
	if cfg.gaugeTTL > 0 {
		h.reg.ForgetGauges(max(int(cfg.gaugeTTL/h.store.Traits().Tick), 1))
	}
	h.reg.WatchGauges(set.Stale())
	h.meter = httpcount.New(h.reg)
	h.cfg.route = h.guardRoute(h.cfg.route)
	h.reloader = newReloader(h, loaded)
	h.assemble()
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

// idleAfter is for how long at least nothing must be recorded by a counter, a
// histogram or a set before its room is given to others. Windows don't need
// it: they hold what was published.
const idleAfter = time.Hour

// assemble makes the components. Data goes from the first to the last.
func (h *Hawkeye) assemble() {
	clock := clock.New(h.store.Traits().Tick)
	traits := h.store.Traits()
	h.owner = &ledger.Owner{
		Service: ledger.Identity(h.cfg.service, h.cfg.environment), Records: h.cfg.noAgent && h.cfg.noNotifier,
		Traits: traits, NowTick: clock.NowTick,
	}
	h.mirror = ledger.New(ledger.Config{Store: h.store, Logger: h.logger, Examine: h.owner.Check, Elder: func(ctx context.Context) (bool, error) { return h.follower.Elder(ctx) }})
	h.book = ledger.NewBook(h.mirror, h.logger)
	h.sent = sentlog.New()
	h.roster = membership.New(membership.Config{
		Mirror: h.mirror, Book: h.book, Owner: h.owner, Current: &h.current, Sent: h.sent,
		Writer: func() store.ID { return h.publisher.Writer() },
		Agent:  !h.cfg.noAgent, Notifier: !h.cfg.noNotifier, Reads: h.cfg.reads,
	})
	h.feed = feed.New(feed.Config{
		Store: h.store, Clock: clock, Queries: h.setup().Plan.Queries, Logger: h.logger, OnBucket: h.roster.Took,
		Text: h.reg.NamesOf,
		Busy: func() bool { return h.publisher.Losing() },
	})
	h.follower = follower.New(follower.Config{
		Store: h.store, Traits: traits, Mirror: h.mirror, Book: h.book, Owner: h.owner, Clock: clock, Current: &h.current, Logger: h.logger,
		Writer: func() store.ID { return h.publisher.Writer() },
		Began:  func() int64 { return h.publisher.Began() },
		Wake:   h.feed.Wake, LoseNames: h.feed.LoseNames, Late: h.feed.Late,
	})
	h.agent = agent.New(agent.Config{
		Store: h.store, Traits: traits, Mirror: h.mirror, Book: h.book, Owner: h.owner, Clock: clock, Current: &h.current,
		Feed: h.feed, Sent: h.sent, Members: h.roster, Follower: h.follower, Logger: h.logger,
		Writer:      func() store.ID { return h.publisher.Writer() },
		FinalTick:   func() (int64, bool) { return h.publisher.FinalTick() },
		LastSuccess: func() time.Time { return h.publisher.Stats().LastSuccess },
		Service:     h.cfg.service, Environment: h.cfg.environment, OutageAfter: h.cfg.blindAfter,
	})
	h.keeper = h.newKeeper()
	h.notifier = notifier.New(notifier.Config{
		Mirror: h.mirror, Book: h.book, Traits: traits, Clock: clock, Current: &h.current, Sent: h.sent, Members: h.roster,
		Keeper: h.keeper, Logger: h.logger,
		Writer:      func() store.ID { return h.publisher.Writer() },
		SendTimeout: h.cfg.sendTimeout, MaxAbandoned: h.cfg.limits.MaxAbandonedSends,
		Latest: h.agent.Latest, Classify: result,
	})
	h.publisher = publish.New(publish.Config{
		Store:    h.store,
		Registry: h.reg,
		Clock:    clock,
		Logger:   h.logger,
		Notes:    h.notes,
		Closing:  h.sup.watched("closing of ticks"),
		OnFlush:  h.follower.Flushed,
		OnLate:   h.follower.WroteLate,
		// What was lost is published again with names, so a series stays for
		// as long as its buckets do.
		IdleAfter: max(idleAfter, h.store.Traits().Retention),
	})
	h.degraded = degraded.New(degraded.Config{
		Traits: traits, Mirror: h.mirror, Book: h.book, Owner: h.owner, Clock: clock, Current: &h.current, Sent: h.sent,
		Follower: h.follower, Publisher: h.publisher, Registry: h.reg, Logger: h.logger,
		After: h.cfg.blindAfter, Lease: h.agent.Lease(), SendTimeout: h.cfg.sendTimeout,
		Service: h.cfg.service, Environment: h.cfg.environment,
		Deliver: h.notifier.Deliver, LogFailed: h.notifier.LogFailed, LogDead: h.notifier.LogDead,
	})
	h.server = newServer(h)
}

// newKeeper returns nil for a Store that needs none.
func (h *Hawkeye) newKeeper() *checkpoint.Keeper {
	s, ok := guard.As[store.Syncer](h.store)
	if !ok || h.store.Traits().Shared {
		return nil
	}
	return checkpoint.New(s, h.mirror, h.logger)
}

// notes is called at the end of each tick, before what was counted in it is
// collected.
func (h *Hawkeye) notes() [][]byte {
	h.meter.Settle()
	return h.notifier.Notes()
}

// Start binds the socket and starts the loops. ctx bounds the start only. It
// waits at most [WithStartTimeout] for the Store, and not beyond the end of
// ctx, then warns and goes on without it: what is counted meanwhile is kept
// and published later.
//
// It returns [ErrStarted] the second time, [ErrShutdown] after Shutdown, an
// error wrapping [ErrSocketInUse] or the system's own if a socket that was
// asked for can't be bound, and [ErrStoreUnavailable] under
// [WithRequireStore]. After an error nothing runs and nothing is bound.
func (h *Hawkeye) Start(ctx context.Context) error {
	if h == nil {
		return nil
	}
	if err := h.enter(stateNew, stateStarting); err != nil {
		return err
	}
	// On a goroutine of its own, which code of others may end.
	err := guard.Step(func() error { return h.start(guard.Context(ctx)) })
	if guard.Misbehaved(err) { // it ended half-way
		err = errors.Join(err, h.unwind())
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.state = stateRunning
	if err != nil {
		h.state = stateNew // nothing is left of it: it may be tried again
	}
	close(h.started)
	return err
}

// enter goes from one state to another, or says why it can't.
func (h *Hawkeye) enter(from, to state) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.state == stateShut || h.shut.hasBegun():
		return ErrShutdown
	case h.state != from:
		return ErrStarted
	}
	h.state, h.started = to, make(chan struct{})
	return nil
}

func (h *Hawkeye) start(ctx context.Context) (err error) {
	if err := h.openStore(ctx); err != nil {
		return err
	}
	if err := h.server.listen(); err != nil {
		return errors.Join(err, h.closeStore())
	}
	h.parts.watch = h.sup.start("watch", h.sup.watch)
	if m, ok := guard.As[store.Maintainer](h.store); ok {
		h.parts.maintain = h.sup.start("store", m.Maintain)
	}
	if h.keeper != nil {
		h.parts.keep = h.sup.start("keeper", h.keeper.Run)
	}
	h.parts.publish = h.sup.start("publisher", untilDone(h.publisher.Run))
	if err := h.awaitStore(ctx); err != nil {
		return errors.Join(err, h.unwind())
	}
	h.parts.follow = h.sup.start("follower", untilDone(h.follower.Run))
	if !h.cfg.noNotifier {
		h.parts.notify = h.sup.start("notifier", untilDone(h.notifier.Run))
	}
	if !h.cfg.noAgent {
		h.parts.agent = h.sup.start("agent", untilDone(h.agent.Run))
	}
	if h.store.Traits().Shared && !h.cfg.noAgent && !h.cfg.noNotifier {
		h.parts.blind = h.sup.start("blind", untilDone(h.degraded.Run))
	}
	if len(h.cfg.files) > 0 && !h.cfg.noReload {
		h.parts.reload = h.sup.start("reloader", h.reloader.run)
	}
	h.parts.server = h.sup.start("server", h.server.run)
	h.announce(ctx)
	return nil
}

// openGrace is how long Start waits on for a Store that isn't open at the end of
// the time that it was given.
const openGrace = 5 * time.Second

// openStore has the Store make sure that it can be used, which comes first: a
// predecessor that is just ending may have the socket as well.
func (h *Hawkeye) openStore(ctx context.Context) (err error) {
	s, ok := guard.As[store.Opener](h.store)
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, h.cfg.startTimeout)
	defer cancel()
	late := guard.Leaver{Most: 1, Grace: openGrace}
	_, err = guard.Within(ctx, &late, func() (struct{}, error) { return struct{}{}, s.Open(ctx) })
	if err = guard.Error(err); err != nil {
		return fmt.Errorf("%w: %w", ErrStoreUnavailable, err)
	}
	return nil
}

// closeStore lets the next process have what the Store has to itself.
func (h *Hawkeye) closeStore() error {
	s, ok := guard.As[store.Opener](h.store)
	if !ok {
		return nil
	}
	return guard.Step(s.Close)
}

// awaitStore waits for the first flush, which also measures the clock.
func (h *Hawkeye) awaitStore(ctx context.Context) error {
	wait, cancel := context.WithTimeout(ctx, h.cfg.startTimeout)
	defer cancel()
	unreached := h.reach(wait)
	select {
	case <-h.publisher.Ready():
		return nil
	case <-wait.Done():
	}
	why := h.publisher.Stats().LastError
	if why == nil || unreached != nil && errors.Is(why, context.DeadlineExceeded) {
		why = unreached
	}
	switch {
	case h.cfg.requireStore && ctx.Err() != nil:
		return fmt.Errorf("%w: no answer until the start's context ended: %w", ErrStoreUnavailable, cmp.Or(why, context.Cause(ctx)))
	case h.cfg.requireStore:
		return fmt.Errorf("%w: no answer within %v: %w", ErrStoreUnavailable, h.cfg.startTimeout, cmp.Or(why, wait.Err()))
	case ctx.Err() != nil && why == nil: // nothing is wrong with the store
		h.logger.LogAttrs(ctx, slog.LevelInfo, "the start's context ended, not waiting for the store",
			slog.String("store", h.store.Traits().Name))
	default:
		h.logger.LogAttrs(ctx, slog.LevelWarn, "the store doesn't answer, going on without it for now",
			slog.String("store", h.store.Traits().Name), slog.Any("error", cmp.Or(why, wait.Err())))
	}
	return nil
}

// reach asks the Store, if it knows, why there was no answer in half of the
// time: a client that tries again by itself may hold back its reason for
// longer than all of it.
func (h *Hawkeye) reach(ctx context.Context) error {
	s, ok := guard.As[interface{ Reach(context.Context) error }](h.store)
	if !ok {
		return nil
	}
	half := time.NewTimer(h.cfg.startTimeout / 2)
	defer half.Stop()
	select {
	case <-h.publisher.Ready():
		return nil
	case <-ctx.Done():
		return nil
	case <-half.C:
	}
	ctx, cancel := context.WithTimeout(ctx, h.cfg.startTimeout/4)
	defer cancel()
	return guard.Step(func() error { return s.Reach(ctx) })
}

// unwind takes a start back.
func (h *Hawkeye) unwind() error {
	ctx, cancel := context.WithTimeout(context.Background(), h.cfg.shutdownTimeout) // the start's ctx may be over
	defer cancel()
	p := &h.parts
	err := errors.Join(p.reload.stop(ctx), p.server.stop(ctx), p.publish.stop(ctx), p.blind.stop(ctx), p.agent.stop(ctx),
		p.notify.stop(ctx), p.follow.stop(ctx), h.server.close(), p.keep.stop(ctx), p.maintain.stop(ctx), p.watch.stop(ctx), h.closeStore())
	h.parts = parts{}
	return err
}

func (h *Hawkeye) announce(ctx context.Context) {
	if h.cfg.mailer == nil {
		h.logger.LogAttrs(ctx, slog.LevelWarn, "no MailingService was given: mails go to the log")
	}
	set := h.setup().Set
	if len(set.Alerting()) == 0 {
		h.logger.LogAttrs(ctx, slog.LevelWarn, "no monitors were given: nothing is watched")
	}
	h.logger.LogAttrs(ctx, slog.LevelInfo, "started", append([]slog.Attr{
		slog.String("service", h.cfg.service), slog.String("store", h.store.Traits().Name), slog.String("socket", h.server.path()),
	}, counted(set)...)...)
}

// counted says how much a configuration watches, in the terms of its files.
func counted(set *monitor.Set) []slog.Attr {
	attrs := []slog.Attr{slog.Int("monitors", set.Written())}
	if n := len(set.SLOs); n > 0 {
		attrs = append(attrs, slog.Int("slos", n))
	}
	if n := len(set.Heartbeats); n > 0 {
		attrs = append(attrs, slog.Int("heartbeats", n))
	}
	return attrs
}

// Run is Start, then waiting until ctx ends, then Shutdown within
// [WithShutdownTimeout]. It returns as well when somebody else has called
// Shutdown and that has ended.
func (h *Hawkeye) Run(ctx context.Context) error {
	ctx = guard.Context(ctx)
	if err := h.Start(ctx); err != nil {
		return err
	}
	if h == nil {
		<-ctx.Done()
		return nil
	}
	select {
	case <-ctx.Done():
	case <-h.shut.done:
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), h.cfg.shutdownTimeout)
	defer cancel()
	return h.Shutdown(stop)
}

// untilDone makes a component of a Run that may end by itself, at Final.
func untilDone(run func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := run(ctx); err != nil {
			return err
		}
		<-ctx.Done()
		return nil
	}
}

// clock is the fleet's time.
func (h *Hawkeye) clock() *clock.Clock { return h.publisher.Clock() }
