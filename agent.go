package hawkeye

import (
	"context"

	"github.com/go-batteries/hawkeye/internal/publish"
)

// agent evaluates monitors.
type agent struct{ h *Hawkeye }

func newAgent(h *Hawkeye) *agent                  { return &agent{h: h} }
func (a *agent) flushed(publish.Flushed)          {}
func (a *agent) wroteLate([]publish.Late)         {}
func (a *agent) follow(ctx context.Context) error { <-ctx.Done(); return nil }
func (a *agent) run(ctx context.Context) error    { <-ctx.Done(); return nil }
func (a *agent) finish(context.Context) error     { return nil }
