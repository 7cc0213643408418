package publish_test

import (
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-batteries/hawkeye/internal/publish"
	"github.com/go-batteries/hawkeye/internal/series"
	"github.com/go-batteries/hawkeye/store/memstore"
)

// A hook that panics ends Run, not the process, and Run may be called again.
func TestPanicOfAHook(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, err := memstore.New()
		if err != nil {
			t.Fatal(err)
		}
		var panics atomic.Bool
		panics.Store(true)
		p := publish.New(publish.Config{
			Store: s, Registry: series.New(series.Limits{}), Logger: slog.New(slog.DiscardHandler),
			OnFlush: func(publish.Flushed) {
				if panics.Load() {
					panic("a mistake of ours")
				}
			},
		})
		if err := p.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "a mistake of ours") {
			t.Errorf("Run() = %v, want the panic", err)
		}
		panics.Store(false)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- p.Run(ctx) }()
		time.Sleep(time.Second)
		if got := p.Stats().PublishedTick; got == 0 {
			t.Error("nothing was published after the panic")
		}
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run() = %v, want nil", err)
		}
	})
}
