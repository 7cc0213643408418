package hawkeye

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/go-batteries/hawkeye/internal/guard"
	"github.com/go-batteries/hawkeye/internal/monitor"
	"github.com/go-batteries/hawkeye/store"
)

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
	h.parts.watch = h.sup.Start("watch", h.sup.Watch)
	if m, ok := guard.As[store.Maintainer](h.store); ok {
		h.parts.maintain = h.sup.Start("store", m.Maintain)
	}
	if h.keeper != nil {
		h.parts.keep = h.sup.Start("keeper", h.keeper.Run)
	}
	h.parts.publish = h.sup.Start("publisher", untilDone(h.publisher.Run))
	if err := h.awaitStore(ctx); err != nil {
		return errors.Join(err, h.unwind())
	}
	h.parts.follow = h.sup.Start("follower", untilDone(h.follower.Run))
	if !h.cfg.noNotifier {
		h.parts.notify = h.sup.Start("notifier", untilDone(h.notifier.Run))
	}
	if !h.cfg.noAgent {
		h.parts.agent = h.sup.Start("agent", untilDone(h.agent.Run))
	}
	if h.store.Traits().Shared && !h.cfg.noAgent && !h.cfg.noNotifier {
		h.parts.blind = h.sup.Start("blind", untilDone(h.degraded.Run))
	}
	if len(h.cfg.files) > 0 && !h.cfg.noReload {
		h.parts.reload = h.sup.Start("reloader", h.reloader.run)
	}
	h.parts.server = h.sup.Start("server", h.server.run)
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
	err := errors.Join(p.reload.Stop(ctx), p.server.Stop(ctx), p.publish.Stop(ctx), p.blind.Stop(ctx), p.agent.Stop(ctx),
		p.notify.Stop(ctx), p.follow.Stop(ctx), h.server.close(), p.keep.Stop(ctx), p.maintain.Stop(ctx), p.watch.Stop(ctx), h.closeStore())
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
