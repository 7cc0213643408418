package hawkeye

import "context"

// notifier sends.
type notifier struct{ h *Hawkeye }

func newNotifier(h *Hawkeye) *notifier            { return &notifier{h: h} }
func (n *notifier) notes() [][]byte               { return nil }
func (n *notifier) run(ctx context.Context) error { <-ctx.Done(); return nil }
func (n *notifier) drain(context.Context) error   { return nil }
