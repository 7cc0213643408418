package hawkeye

import (
	"context"
	"time"

	"github.com/go-batteries/hawkeye/internal/engine/ruleset"
	"github.com/go-batteries/hawkeye/internal/ledger"
	"github.com/go-batteries/hawkeye/internal/message"
	"github.com/go-batteries/hawkeye/internal/notify"
)

// WriterID is under which the process publishes.
func (h *Hawkeye) WriterID() string { return h.publisher.Writer().String() }

// WithReads makes a process one of another version, as far as what it says of
// the formats that it reads goes.
func WithReads(f ledger.Formats) Option {
	return optionFunc(func(c *config) { c.reads = f })
}

// WrapContexts has components run with other contexts. It is called before
// Start.
func (h *Hawkeye) WrapContexts(f func(name string, ctx context.Context) context.Context) {
	h.sup.Wrap = f
}

// Watch lets seen see each message after it was sent, with when it was handed
// over. It is called before Start.
func (h *Hawkeye) Watch(seen func(m *notify.Message, at time.Time, err error)) {
	senders := h.setup().Senders
	for name, s := range senders {
		senders[name] = watchedSender{s, seen}
	}
}

type watchedSender struct {
	ruleset.Sender
	seen func(m *notify.Message, at time.Time, err error)
}

func (s watchedSender) Send(ctx context.Context, m *notify.Message, text message.Text) error {
	at := time.Now()
	err := s.Sender.Send(ctx, m, text)
	s.seen(m, at, err)
	return err
}
