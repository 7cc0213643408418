package supervise

import (
	"context"
	"log/slog"
	"maps"
	"time"

	"github.com/go-batteries/hawkeye/internal/pulse"
)

const (
	// lookStep is how often it is looked whether components live.
	lookStep = time.Second
	// minStall is how long a component may work at least without a sign of
	// life: longer than a call of the Store takes, which is given 5 s.
	minStall = 10 * time.Second
	// stallTicks is that time in ticks, if they are wide.
	stallTicks = 10
)

// Watched returns the pulse of a component's loop, which is watched from now on.
func (s *Supervisor) Watched(name string) *pulse.Pulse {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.pulses[name]
	if p == nil {
		p = new(pulse.Pulse)
		s.pulses[name] = p
	}
	return p
}

// Watch looks again and again whether components live. One that stands is not
// doubled: what it does isn't made to be done twice at a time. What it can hang
// in, a call of code of others, is let go of instead, after a while: see
// internal/guard.
func (s *Supervisor) Watch(ctx context.Context) error {
	watches := make(map[string]*pulse.Watch)
	ticker := time.NewTicker(lookStep)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			s.look(ctx, watches)
		case <-ctx.Done():
			return nil
		}
	}
}

// look takes note of the components that stand, and says so, and when they go
// on.
func (s *Supervisor) look(ctx context.Context, watches map[string]*pulse.Watch) {
	s.mu.Lock()
	pulses := maps.Clone(s.pulses)
	s.mu.Unlock()
	for name, p := range pulses {
		if watches[name] == nil {
			watches[name] = new(pulse.Watch)
		}
		quiet := watches[name].Look(p, lookStep)
		s.mu.Lock()
		was := s.stalls[name]
		delete(s.stalls, name)
		if quiet > s.limit {
			s.stalls[name] = quiet
		}
		s.mu.Unlock()
		switch {
		case was == 0 && quiet > s.limit:
			s.logger.LogAttrs(ctx, slog.LevelError, "a component stands still", slog.String("component", name), slog.Duration("for", quiet))
		case was > 0 && quiet <= s.limit:
			s.logger.LogAttrs(ctx, slog.LevelInfo, "a component goes on that stood still", slog.String("component", name), slog.Duration("after", was))
		}
	}
}

// Stalled returns the components that stand, with for how long they do.
func (s *Supervisor) Stalled() map[string]time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.stalls)
}
