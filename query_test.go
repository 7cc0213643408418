package hawkeye_test

import (
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-batteries/hawkeye"
	"github.com/go-batteries/hawkeye/store/memstore"
)

// A Store that has just lost everything doesn't know that there is nothing.
func TestQueryAfterALossIsIncomplete(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		r := f.startN(1, errorsFile)[0]
		count(r.Hawkeye, "orders", 5)
		after(3 * tick)
		query := func(metric string) hawkeye.Result {
			t.Helper()
			got, err := r.Query(t.Context(), metric, time.Minute)
			if err != nil {
				t.Fatalf("Query() = %v", err)
			}
			return got
		}
		if got := query("orders"); got.Value != 5 || !got.Complete {
			t.Errorf("Query() before the loss = %+v, want 5, complete", got)
		}
		if got := query("none"); got.Kind != "" || !got.Complete {
			t.Errorf("Query() of a metric that nobody recorded = %+v, want nothing, complete", got)
		}
		f.flushAll()
		if got := query("orders"); got.Complete && got.Value != 5 {
			t.Errorf("Query() after the loss = %+v, want it to be incomplete until all is there again", got)
		}
		after(10 * tick)
		if got := query("orders"); got.Value != 5 || !got.Complete {
			t.Errorf("Query() when all is published again = %+v, want 5, complete", got)
		}
	})
}

// What is older than the fine ticks is in folds, and none of it is missing
// where they meet.
func TestQueryOverFineTicksAndFolds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const window = 5 * time.Minute
		s, err := memstore.New(memstore.WithRetention(15 * time.Second))
		if err != nil {
			t.Fatal(err)
		}
		h, err := hawkeye.New(hawkeye.WithStore(s), hawkeye.WithoutSocket(), hawkeye.WithLogger(slog.New(slog.DiscardHandler)),
			hawkeye.WithMonitors(hawkeye.Monitor{
				Name: "orders", Metric: "orders", Window: window,
				Triggers: []hawkeye.Trigger{{Threshold: 1e12, To: []string{"nobody@example.com"}}},
			}))
		if err != nil {
			t.Fatal(err)
		}
		if err := h.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer h.Shutdown(t.Context())
		for n := range 600 {
			h.Incr("orders")
			after(100 * time.Millisecond)
			if n%97 != 0 {
				continue
			}
			got, err := h.Query(t.Context(), "orders", window)
			if err != nil || got.Value != float64(n+1) || !got.Complete {
				t.Fatalf("Query() after %d orders = %+v, %v, want all, complete", n+1, got, err)
			}
		}
	})
}
