package hawkeye

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/go-batteries/hawkeye/internal/guard"
	"github.com/go-batteries/hawkeye/store"
)

// endMargin is what Shutdown keeps back of a caller's time, at most a tenth of
// it: what can't be sent by then stays in the Store, and the rest, stopping
// and writing a state file, still has to be done before the caller goes on,
// maybe to exit.
const endMargin = 500 * time.Millisecond

// shutdown is the one shutdown that all callers of Shutdown wait for.
type shutdown struct {
	done chan struct{}
	err  error // set before done is closed

	mu      sync.Mutex // guards what follows
	begun   bool
	waiting int               // callers that have time left
	cancel  func(cause error) // ends the work that may be left undone
}

func newShutdown() *shutdown { return &shutdown{done: make(chan struct{})} }

func (s *shutdown) hasBegun() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.begun
}

// join adds a caller. The first one runs stop, in the background, because it
// goes on for the others when the first one's ctx ends.
func (s *shutdown) join(ctx context.Context, stop func(ctx context.Context) error) {
	work, cancel := context.WithCancelCause(context.WithoutCancel(ctx)) // before anything is noted: ctx is the caller's
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting++
	if s.begun {
		cancel(nil)
		return
	}
	s.begun, s.cancel = true, cancel
	go func() {
		defer cancel(nil)
		defer close(s.done)
		s.err = guard.Step(func() error { return stop(work) })
	}()
}

// leave takes a caller away whose time is up. Nobody waits for the last one's
// work.
func (s *shutdown) leave(cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting--; s.waiting == 0 {
		s.cancel(cause)
	}
}

// Shutdown stops taking samples, publishes and evaluates what was counted,
// sends what is to be sent, and closes what hawkeye opened. What could not be
// sent by the end of ctx (a little earlier, so that the rest can still be
// done) stays in the Store, and the error says so; a ctx without a deadline
// counts as one of [WithShutdownTimeout]. What failed and is to be tried again
// later is not waited for where it is kept, in a Store that is shared or has a
// state file; if no other replica is there to do so, the error says so. A shared
// Store that has been away for more than ten seconds, or was never there, is
// waited for a second. Where even the rest takes longer than ctx, Shutdown returns ctx's error while it goes on in the background,
// for at most [WithShutdownTimeout]. What is recorded afterwards is dropped
// and counted as such.
//
// It may be called more than once, and concurrently: all callers wait for the
// same shutdown, each until its own ctx ends. A MailingService may call it,
// but not wait for it without a deadline: Shutdown waits for the Send.
func (h *Hawkeye) Shutdown(ctx context.Context) error {
	if h == nil {
		return nil
	}
	ctx = guard.Context(ctx)
	soon, cancel := nearly(ctx, h.cfg.shutdownTimeout)
	defer cancel()
	if _, ok := ctx.Deadline(); !ok { // it waits for the rest, too, but not for code that never returns
		var last context.CancelFunc
		ctx, last = context.WithTimeout(ctx, 2*h.cfg.shutdownTimeout+endMargin)
		defer last()
	}
	s := h.shut
	s.join(ctx, h.stop)
	select {
	case <-s.done:
		return s.err
	case <-soon.Done():
		s.leave(context.Cause(soon))
	}
	select {
	case <-s.done:
		return s.err
	case <-ctx.Done():
		return fmt.Errorf("shut down: %w", context.Cause(ctx))
	}
}

// nearly returns a context that ends shortly before ctx does, and after long
// if ctx has no deadline.
func nearly(ctx context.Context, long time.Duration) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithTimeout(ctx, long)
	}
	left := time.Until(deadline)
	return context.WithTimeout(ctx, left-min(left/10, endMargin))
}

// lingering returns a context that ends d after ctx has.
func lingering(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	last, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	forget := context.AfterFunc(ctx, func() {
		time.AfterFunc(d, func() { cancel(context.DeadlineExceeded) })
	})
	return last, func() { forget(); cancel(nil) }
}

// stop ends the components, senders before receivers. Publishing, evaluating
// and sending go on until ctx ends; each component then gets a little time to
// notice.
func (h *Hawkeye) stop(ctx context.Context) error {
	if !h.leaveRunning() {
		return nil
	}
	began := time.Now()
	last, cancel := lingering(ctx, h.cfg.shutdownTimeout)
	defer cancel()
	ctx, cancel = h.hopeful(ctx)
	defer cancel()
	var errs []error
	for _, step := range []func() error{
		func() error { return h.parts.reload.Stop(last) },
		func() error { return h.parts.server.Stop(last) },
		h.server.close,
		func() error { return h.publisher.Final(ctx) },
		func() error { return h.parts.publish.Stop(last) },
		func() error { return h.finishAgent(ctx) },
		func() error { return h.parts.blind.Stop(last) },
		func() error { return h.parts.agent.Stop(last) },
		func() error { return h.drainNotifier(ctx) },
		func() error { return h.parts.notify.Stop(last) },
		func() error { return h.parts.follow.Stop(last) },
		func() error { h.notifier.Close(); return nil },
		func() error { return h.parts.keep.Stop(last) },
		func() error { return h.parts.maintain.Stop(last) },
		func() error { return h.parts.watch.Stop(last) },
		func() error { return h.sync(last) },
		h.closeStore,
	} {
		errs = append(errs, guard.Step(step))
	}
	err := errors.Join(errs...)
	attrs := []slog.Attr{slog.Duration("took", time.Since(began))}
	if err != nil {
		attrs = append(attrs, slog.Any("error", err))
	}
	h.logger.LogAttrs(ctx, slog.LevelInfo, "shut down", attrs...)
	return err
}

// A shared store that has been away for longAway when Shutdown begins, or was
// never there, is given lastChance to come back: what waits for it is all that
// this process can still lose, and a service shouldn't be held up for ten
// seconds by an outage of minutes. After a shorter outage, a restart or a
// failover say, all of ctx is used.
const (
	longAway   = 10 * time.Second
	lastChance = time.Second
)

// hopeful returns the context within which it makes sense to wait for the
// store.
func (h *Hawkeye) hopeful(ctx context.Context) (context.Context, context.CancelFunc) {
	stats := h.publisher.Stats()
	since := stats.LastSuccess
	if !h.store.Traits().Shared || stats.LastError == nil || !since.IsZero() && time.Since(since) < longAway {
		return ctx, func() {}
	}
	why := fmt.Errorf("the store was never reached: %w", stats.LastError)
	if !since.IsZero() {
		why = fmt.Errorf("the store has been away since %s: %w", since.UTC().Format(time.RFC3339), stats.LastError)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	chance := time.AfterFunc(lastChance, func() {
		if h.publisher.Stats().LastSuccess.Equal(since) {
			cancel(why)
		}
	})
	return ctx, func() { chance.Stop(); cancel(nil) }
}

// leaveRunning waits for a Start under way, which StartTimeout bounds, makes
// the state final, and says whether anything runs.
func (h *Hawkeye) leaveRunning() bool {
	h.mu.Lock()
	started := h.started
	h.mu.Unlock()
	if started != nil {
		<-started
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	running := h.state == stateRunning
	h.state = stateShut
	return running
}

func (h *Hawkeye) finishAgent(ctx context.Context) error {
	if h.cfg.noAgent {
		return nil
	}
	return h.agent.Finish(ctx)
}

func (h *Hawkeye) drainNotifier(ctx context.Context) error {
	if h.cfg.noNotifier {
		return nil
	}
	return h.notifier.Drain(ctx)
}

// sync has the Store write down what it holds, if it can.
func (h *Hawkeye) sync(ctx context.Context) error {
	if s, ok := guard.As[store.Syncer](h.store); ok {
		return s.Sync(ctx)
	}
	return nil
}
