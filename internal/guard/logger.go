package guard

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"
)

const (
	// logGrace is how long a record is waited for.
	logGrace = 2 * time.Second
	// maxRecordsLeft is how many records may be on their way for longer than
	// that. While so many are, others are lost at once.
	maxRecordsLeft = 2
)

// Logger returns a logger that writes to l, and that nothing can harm which
// l's handler does: a record at which that panics or ends its goroutine is
// lost, and so are those that come while it hangs. A nil l gets everything
// lost.
func Logger(l *slog.Logger) *slog.Logger {
	if l == nil {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(Handler(l.Handler()))
}

// Handler is what [Logger] does, for a handler.
func Handler(h slog.Handler) slog.Handler {
	if h == nil {
		return slog.DiscardHandler
	}
	if h, ok := h.(handler); ok {
		return h
	}
	return handler{h, &logCalls{Leaver: Leaver{Most: maxRecordsLeft, Grace: logGrace}}}
}

// LogHangs says whether the handler of a logger made by [Logger] hangs, and how
// many records were lost by that so far.
func LogHangs(l *slog.Logger) (hangs bool, lost uint64) {
	h, ok := l.Handler().(handler)
	if !ok {
		return false, 0
	}
	return h.calls.Left() > 0, h.calls.lost.Load()
}

// handler is shared by all loggers that are derived from one, as far as calls
// go: what hangs in one of them hangs in all.
type handler struct {
	below slog.Handler
	calls *logCalls
}

type logCalls struct {
	Leaver
	lost atomic.Uint64
}

// do makes a call of the handler, and says whether it came back.
func (c *logCalls) do(call func() error) (back bool, err error) {
	if c.Left() >= maxRecordsLeft {
		return false, ErrLeft
	}
	_, err = within(soon(), &c.Leaver, func() (struct{}, error) { return struct{}{}, call() })
	return !Is(err, ErrLeft), err
}

func (h handler) Enabled(ctx context.Context, level slog.Level) bool {
	on := new(atomic.Bool)
	if back, _ := h.calls.do(func() error { on.Store(h.below.Enabled(ctx, level)); return nil }); !back {
		return true // Handle counts what is lost
	}
	return on.Load()
}

func (h handler) Handle(ctx context.Context, r slog.Record) error {
	back, err := h.calls.do(func() error { return h.below.Handle(ctx, r) })
	if !back {
		h.calls.lost.Add(1)
	}
	return err
}

func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return h.with(func() slog.Handler { return h.below.WithAttrs(attrs) })
}

func (h handler) WithGroup(name string) slog.Handler {
	return h.with(func() slog.Handler { return h.below.WithGroup(name) })
}

// with makes a handler of another one. What can't be made is left out.
func (h handler) with(derive func() slog.Handler) slog.Handler {
	derived := make(chan slog.Handler, 1)
	_, _ = h.calls.do(func() error {
		if d := derive(); d != nil {
			derived <- d
		}
		return nil
	})
	select {
	case d := <-derived:
		return handler{d, h.calls}
	default:
		return h
	}
}
