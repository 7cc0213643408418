package hawkeye_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-batteries/hawkeye"
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
