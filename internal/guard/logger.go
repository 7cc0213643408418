package guard

import (
	"context"
	"log/slog"
)

// Logger returns a logger that writes to l, and that nothing can harm which
// l's handler does: a record at which that panics or ends its goroutine is
// lost. A nil l gets everything lost.
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
	return handler{h}
}

type handler struct{ below slog.Handler }

func (h handler) Enabled(ctx context.Context, level slog.Level) (on bool) {
	_ = Call(func() error { on = h.below.Enabled(ctx, level); return nil }) // often asked: no goroutine of its own
	return on
}

func (h handler) Handle(ctx context.Context, r slog.Record) error {
	return Apart(func() error { return h.below.Handle(ctx, r) })
}

func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return h.with(func() slog.Handler { return h.below.WithAttrs(attrs) })
}

func (h handler) WithGroup(name string) slog.Handler {
	return h.with(func() slog.Handler { return h.below.WithGroup(name) })
}

// with makes a handler of another one. What can't be made is left out.
func (h handler) with(derive func() slog.Handler) slog.Handler {
	derived := h.below
	_ = Apart(func() error {
		if d := derive(); d != nil {
			derived = d
		}
		return nil
	})
	return handler{derived}
}
