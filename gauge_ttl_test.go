package hawkeye_test

import (
	"context"
	"math"
	"net"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-batteries/hawkeye"
)

// A gauge that came by the socket is forgotten when it isn't sent any more; one
// of this process stays.
func TestGaugeTTL(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes the time that a gauge lives")
	}
	path := filepath.Join(t.TempDir(), "s")
	h, err := hawkeye.New(hawkeye.WithSocket(path), hawkeye.WithGaugeTTL(time.Second), hawkeye.WithLogger(quiet()))
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer stop(t, h)
	h.SetGauge("depth", 3, hawkeye.T("of", "own"))
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("depth:5|g|#of:theirs\ndepth:NaN|g|#of:theirs\n")); err != nil {
		t.Fatal(err)
	}
	query := func() float64 {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		r, err := h.Query(ctx, "depth", time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		return r.Value
	}
	await := func(want float64) {
		t.Helper()
		for began := time.Now(); ; {
			got := query()
			if got == want {
				return
			}
			if time.Since(began) > 20*time.Second {
				t.Fatalf("depth is %v after 20 s, want %v", got, want)
			}
		}
	}
	await(8)
	await(3)
	if _, err := conn.Write([]byte("depth:6|g|#of:theirs\n")); err != nil {
		t.Fatal(err)
	}
	await(9)
}

func TestGaugeTTLIsAtLeastASecond(t *testing.T) {
	t.Parallel()
	if _, err := hawkeye.New(hawkeye.WithGaugeTTL(time.Millisecond)); err == nil {
		t.Error("New takes a time of a millisecond")
	}
}

// A gauge that is set all the time is never stale, though its value stays; one
// that turned NaN, which is no value to set, is.
func TestStaleGauge(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		box := &mailbox{}
		h := start(t, `version: 2
receivers: {team: {email: {to: [team@example.com]}, group: {interval: 1s}}}
monitors:
  - {name: a, metric: a, type: gauge, stale_after: 10s, no_data: alert, no_data_for: 0s, notify: [team], triggers: [{threshold: 5}]}
`, box)
		defer stop(t, h)
		every := func(d time.Duration, v float64) {
			for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(time.Second) {
				h.SetGauge("a", v)
			}
		}
		every(2*time.Minute, 1)
		if got := box.lines(); len(got) > 0 {
			t.Errorf("mails %q while it is set, want none", got)
		}
		nan := time.Now()
		every(30*time.Second, math.NaN())
		if got := box.count(); got != 1 {
			t.Fatalf("%d mails after it turned NaN, want one", got)
		}
		if after := box.at[0].Sub(nan); after < 8*time.Second || after > 12*time.Second {
			t.Errorf("told %v after it turned NaN, want 10s", after)
		}
		every(time.Minute+5*time.Second, 1)
		if got := box.count(); got != 2 {
			t.Errorf("%d mails after it is back, want its end, too: %q", got, box.lines())
		}
	})
}
