// Package supervise runs the components of a process: each in a goroutine of its
// own with a label for profiles, started again when it fails or panics, and
// Watched whether it lives.
//
//	Start ─→ goroutine ─ run ─→ ended by its context: over
//	             ↑        └───→ failed, panicked, goroutine ended: again, after a pause
//	             └ pulse: works, rests, beats ←─ Watch: stands still for too long?
//
// A mistake in a component must not end in the host. One that stands still isn't
// started a second time: what it does isn't made to be done twice at a time.
package supervise

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"runtime/pprof"
	"sync"
	"time"

	"github.com/go-batteries/hawkeye/internal/guard"
	"github.com/go-batteries/hawkeye/internal/pulse"
)

// A restarted component waits between these, doubling.
const (
	minRestartDelay = 100 * time.Millisecond
	maxRestartDelay = 10 * time.Second
)

// Supervisor runs the components, each in a goroutine of its own with a label
// for profiles, starts one again that failed or panicked, and watches that they
// live: a mistake of ours must not end in the host.
type Supervisor struct {
	logger *slog.Logger
	limit  time.Duration                                          // how long a component may work without a sign of life
	Wrap   func(name string, ctx context.Context) context.Context // of tests, nil otherwise

	mu       sync.Mutex // guards what follows
	restarts map[string]Restarts
	pulses   map[string]*pulse.Pulse  // of the loops that are watched
	stalls   map[string]time.Duration // of them, those that stand, and for how long
}

// New returns a supervisor of components that work in ticks of a width.
func New(logger *slog.Logger, tick time.Duration) *Supervisor {
	return &Supervisor{
		logger: logger, limit: max(minStall, stallTicks*tick),
		restarts: make(map[string]Restarts), pulses: make(map[string]*pulse.Pulse), stalls: make(map[string]time.Duration),
	}
}

// Restarts are those of a component: how many, and when the last one was.
type Restarts struct {
	N    int
	Last time.Time
}

// Component is a running part. Its Stop ends it and waits.
type Component struct {
	name   string
	cancel context.CancelFunc
	done   chan struct{}
}

// Start runs a component until its context ends.
func (s *Supervisor) Start(name string, run func(ctx context.Context) error) *Component {
	ctx, cancel := context.WithCancel(pulse.With(context.Background(), s.Watched(name))) // ends in Stop: it must outlive the ctx of Start
	if s.Wrap != nil {
		ctx = s.Wrap(name, ctx)
	}
	c := &Component{name: name, cancel: cancel, done: make(chan struct{})}
	go s.live(ctx, c, run)
	return c
}

// ErrExited says that code of others ended a component's goroutine, as
// runtime.Goexit does (t.FailNow of package testing, say).
var ErrExited = errors.New("its goroutine was ended")

// live is a component's goroutine. If that is ended by what it calls another
// one takes its place.
func (s *Supervisor) live(ctx context.Context, c *Component, run func(ctx context.Context) error) {
	ended := false
	defer func() {
		pulse.Of(ctx).Rest() // until it runs again
		if ended || ctx.Err() != nil {
			close(c.done)
			return
		}
		delay := s.backoff(c.name)
		s.Failed(ctx, c.name, ErrExited, delay)
		go func() {
			pulse.Sleep(ctx, delay)
			s.live(ctx, c, run)
		}()
	}()
	pprof.Do(ctx, pprof.Labels("hawkeye", c.name), func(ctx context.Context) { s.supervise(ctx, c.name, run) })
	ended = true
}

// backoff returns how long to wait before a component is started again that
// was so a moment ago.
func (s *Supervisor) backoff(name string) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.restarts[name]
	if time.Since(r.Last) > time.Minute {
		return minRestartDelay
	}
	return min(minRestartDelay<<min(r.N, 10), maxRestartDelay)
}

// Failed takes note of a failure and says so.
func (s *Supervisor) Failed(ctx context.Context, name string, err error, delay time.Duration) {
	s.mu.Lock()
	s.restarts[name] = Restarts{s.restarts[name].N + 1, time.Now()}
	s.mu.Unlock()
	attrs := []slog.Attr{slog.String("component", name), slog.String("error", guard.Text(err)), slog.Duration("in", delay)}
	if stack := guard.Stack(err); stack != "" {
		attrs = append(attrs, slog.String("stack", stack))
	}
	s.logger.LogAttrs(ctx, slog.LevelError, "component failed, starting it again", attrs...)
}

func (s *Supervisor) supervise(ctx context.Context, name string, run func(ctx context.Context) error) {
	delay := minRestartDelay
	for {
		began := time.Now()
		err := guarded(ctx, run)
		pulse.Of(ctx).Rest()
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > time.Minute {
			delay = minRestartDelay
		}
		s.Failed(ctx, name, err, delay)
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return
		}
		delay = min(2*delay, maxRestartDelay)
	}
}

// Restarted returns how often each component was started again.
func (s *Supervisor) Restarted() map[string]Restarts {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.restarts)
}

// guarded turns a panic of run into an error.
func guarded(ctx context.Context, run func(ctx context.Context) error) (err error) {
	defer recovered(&err)
	if err = run(ctx); err == nil {
		err = errors.New("ended without being asked to")
	}
	return err
}

// recovered, deferred, turns a panic into an error.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = guard.Caught(p)
	}
}

// Stop ends the component and waits for it until ctx ends.
func (c *Component) Stop(ctx context.Context) error {
	if c == nil {
		return nil
	}
	c.cancel()
	select {
	case <-c.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("stop the %s: %w", c.name, context.Cause(ctx))
	}
}
