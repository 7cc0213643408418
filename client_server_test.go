package hawkeye

import (
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/go-batteries/hawkeye/store/memstore"
)

// TestClientSurvivesShutdowns counts while the server is shut down and another
// takes its place on the same store, again and again: what they counted
// together is what was recorded.
func TestClientSurvivesShutdowns(t *testing.T) {
	t.Parallel()
	silent := slog.New(slog.DiscardHandler)
	path := filepath.Join(t.TempDir(), "s")
	c, err := NewClient(path, WithFlushInterval(time.Millisecond), WithClientLogger(silent))
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	stop := make(chan struct{})
	recorded := int64(0)
	wg.Go(func() {
		orders := c.Counter("orders")
		for {
			select {
			case <-stop:
				return
			default:
				orders.Inc()
				c.Observe("size", 1)
				recorded++
			}
		}
	})
	store, err := memstore.New()
	if err != nil {
		t.Fatal(err)
	}
	const servers = 4
	for i := range servers {
		h, err := New(WithSocket(path), WithStore(store), WithLogger(silent))
		if err != nil {
			t.Fatal(err)
		}
		if err := h.Start(t.Context()); err != nil {
			t.Fatalf("Start() = %v", err)
		}
		c.Incr("flushed") // so that there is something to hand over, however busy the machine is
		if err := c.Flush(t.Context()); err != nil {
			t.Errorf("Flush() = %v", err)
		}
		if i == servers-1 {
			close(stop)
			wg.Wait()
			if err := c.Close(t.Context()); err != nil {
				t.Errorf("Close() = %v", err)
			}
			orders, err := h.Query(t.Context(), "orders", time.Minute)
			if err != nil {
				t.Errorf("Query(orders) = %v", err)
			}
			sizes, err := h.Query(t.Context(), "size", time.Minute)
			if err != nil {
				t.Errorf("Query(size) = %v", err)
			}
			if want := float64(recorded); orders.Value != want || sizes.Count != want {
				t.Errorf("the store has %.0f counted and %.0f observed, want %.0f of each; %+v", orders.Value, sizes.Count, want, c.Stats())
			}
		}
		if err := h.Shutdown(t.Context()); err != nil {
			t.Errorf("Shutdown() = %v", err)
		}
	}
	if s := c.Stats(); s.Connects < servers {
		t.Errorf("Stats() = %+v, want %d connections", s, servers)
	}
}
