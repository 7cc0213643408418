package hawkeye_test

import (
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-batteries/hawkeye"
	"github.com/go-batteries/hawkeye/hawkeyetest"
)

// A recorder with tags adds them to what is recorded through it; the call's
// own count where the keys are equal. That of a nil handle does nothing.
func TestWith(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hawkeyetest.New(t, hawkeye.WithMonitors())
		shop := h.With(hawkeye.T("shop", "vienna"), hawkeye.T("env", "prod"))
		shop.Incr("orders")
		shop.Decr("orders")
		shop.Count("orders", 3, hawkeye.T("env", "test"))
		shop.SetGauge("queue", 7)
		shop.Timing("pay", time.Second)
		shop.Observe("size", 5)
		for metric, want := range map[string]float64{"orders": 3, "queue": 7, "pay": 1000, "size": 5} {
			r, err := h.Query(t.Context(), metric, time.Minute, `shop="vienna"`)
			if err != nil || math.Abs(r.Value-want) > want/50 {
				t.Errorf("Query(%q) = %v, %v, want %v", metric, r.Value, err, want)
			}
		}
		if r, err := h.Query(t.Context(), "orders", time.Minute, `env="prod"`); err != nil || r.Value != 0 {
			t.Errorf("Query() of the recorder's own tag = %v, %v, want 0", r.Value, err)
		}
		(*hawkeye.Hawkeye)(nil).With(hawkeye.T("a", "b")).Incr("x")
	})
}

// A set counts its different values.
func TestUnique(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hawkeyetest.New(t, hawkeye.WithMonitors())
		for _, user := range []string{"ann", "bob", "ann"} {
			h.Unique("users", user)
		}
		if r, err := h.Query(t.Context(), "users", time.Minute); err != nil || r.Value != 2 || r.Kind != "set" {
			t.Errorf("Query() = %+v, %v, want 2 of a set", r, err)
		}
	})
}
