// Package trouble logs what goes wrong again and again without filling the
// log: a Store that is away for an hour is asked thousands of times.
package trouble

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// every is how often a trouble that lasts is logged.
const every = time.Minute

// Log is about one trouble: it logs the first failure at once, further ones
// once a minute with how many it left out, and the end. One that comes back
// within the minute is taken for the same. It is safe for concurrent use.
type Log struct {
	logger           *slog.Logger
	failing, working string

	mu      sync.Mutex // guards what follows
	since   time.Time  // the first failure; zero if there is no trouble
	logged  time.Time  // the latest line
	leftOut int
	open    bool // a line about it was logged, and none about its end
}

// New returns a Log: fails is the message about a failure, works the one about
// the end.
func New(logger *slog.Logger, fails, works string) *Log {
	return &Log{logger: logger, failing: fails, working: works}
}

// Note takes note of how an attempt went: nil is success, and costs next to
// nothing after another one.
func (l *Log) Note(ctx context.Context, err error) {
	if err == nil {
		l.works(ctx)
		return
	}
	now := time.Now()
	l.mu.Lock()
	if l.since.IsZero() {
		l.since = now
	}
	if !l.logged.IsZero() && now.Sub(l.logged) < every {
		l.leftOut++
		l.mu.Unlock()
		return
	}
	attrs := append([]slog.Attr{slog.Any("error", err)}, suppressed(l.leftOut)...)
	l.logged, l.leftOut, l.open = now, 0, true
	l.mu.Unlock()
	l.logger.LogAttrs(ctx, slog.LevelWarn, l.failing, attrs...)
}

func (l *Log) works(ctx context.Context) {
	l.mu.Lock()
	lasted, leftOut, open := time.Since(l.since), l.leftOut, l.open
	l.since, l.open = time.Time{}, false
	if open {
		l.leftOut = 0
	}
	l.mu.Unlock()
	if open {
		attrs := append([]slog.Attr{slog.Duration("after", lasted)}, suppressed(leftOut)...)
		l.logger.LogAttrs(ctx, slog.LevelInfo, l.working, attrs...)
	}
}

// suppressed says how many failures since the line before have none of their
// own; nothing if there are none.
func suppressed(n int) []slog.Attr {
	if n == 0 {
		return nil
	}
	return []slog.Attr{slog.Int("suppressed", n)}
}
