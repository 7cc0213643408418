package hawkeye_test

import (
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-batteries/hawkeye"
	"github.com/go-batteries/hawkeye/store/memstore"
)

// Tags that come and go, the names of hosts say, must not use up the series
// for good.
func TestIdleSeriesGiveTheirRoomToOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		st, err := memstore.New(memstore.WithTick(time.Second))
		if err != nil {
			t.Fatal(err)
		}
		h, err := hawkeye.New(hawkeye.WithStore(st), hawkeye.WithoutSocket(), hawkeye.WithLogger(quiet()),
			hawkeye.WithLimits(hawkeye.Limits{MaxSeries: 10}))
		if err != nil {
			t.Fatal(err)
		}
		if err := h.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer h.Shutdown(t.Context())
		for generation := range 3 {
			for host := range 10 {
				h.Incr("jobs", hawkeye.T("host", fmt.Sprint(generation, "-", host)))
			}
			if s := h.Stats(); s.Overflowed != 0 {
				t.Fatalf("generation %d: Overflowed = %d, want room for 10 series", generation, s.Overflowed)
			}
			r, err := h.Query(t.Context(), "jobs", time.Minute)
			if err != nil || r.Value != 10 {
				t.Errorf("generation %d: Query() = %v, %v, want 10", generation, r.Value, err)
			}
			time.Sleep(62 * time.Minute)
			runtime.GC() // frees what was dropped, see series.DropIdle
			time.Sleep(2 * time.Minute)
		}
	})
}
