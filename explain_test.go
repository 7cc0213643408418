package hawkeye_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-batteries/hawkeye"
)

const explained = `version: 2
receivers: {team: {email: {to: [team@example.com]}}}
monitors:
  - {name: api, metric: errors, divide_by: requests, by: [route], where: ['env!="dev"'], window: 1m, keep_firing_for: 1m, notify: [team],
     triggers: [{level: warning, threshold: 10%, clear: 5%}, {level: critical, threshold: 50%, for: 1m}]}
  - {name: load, metric: load, type: gauge, notify: [team], triggers: [{threshold: 3}]}
`

func TestExplain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := start(t, explained, &mailbox{})
		defer stop(t, h)
		route := hawkeye.T("route", "/a|b")
		for range 10 {
			h.Count("requests", 10, route)
			h.Count("errors", 6, route)
			h.Count("errors", 100, route, hawkeye.T("env", "dev"))
			after(4 * time.Second)
		}
		e, err := h.Explain(t.Context(), "api", route)
		if err != nil {
			t.Fatal(err)
		}
		if e.Value != 0.6 || !e.Known || !e.Complete || e.Total != 100 || e.State != "firing" || e.Level != "warning" || e.Metric != "errors" {
			t.Errorf("Explain() = %+v, want 0.6 of 100, firing as a warning", e)
		}
		var sum float64
		for i, s := range e.Samples {
			if i > 0 && !s.From.Equal(e.Samples[i-1].To) {
				t.Errorf("sample %d begins at %v, the one before ends at %v", i, s.From, e.Samples[i-1].To)
			}
			if !s.Known || !s.Complete {
				t.Errorf("sample %d = %+v, want it known and complete", i, s)
			}
			sum += s.Value
		}
		if len(e.Samples) != 30 || sum != 60 {
			t.Errorf("%d samples add up to %v, want 30 and 60 errors:\n%+v", len(e.Samples), sum, e.Samples)
		}
		want := []hawkeye.LevelVerdict{
			{Level: "warning", Threshold: 0.05, Breached: true, Fires: true, Since: e.Levels[0].Since},
			{Level: "critical", Threshold: 0.5, Breached: true, Since: e.Levels[1].Since, For: time.Minute},
		}
		if fmt.Sprint(e.Levels) != fmt.Sprint(want) || e.Levels[1].Since.IsZero() {
			t.Errorf("levels = %+v, want %+v", e.Levels, want)
		}
		next := strings.Join(e.Next, "\n")
		for _, text := range []string{"ends when the value is clear for 1m", "team is told again at "} {
			if !strings.Contains(next, text) {
				t.Errorf("next = %q, want %q in it", next, text)
			}
		}
		if len(e.History) == 0 {
			t.Error("no history")
		}
	})
}

func TestExplainStates(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := start(t, explained, &mailbox{})
		defer stop(t, h)
		after(time.Second)
		explain := func(state, next string) {
			t.Helper()
			e, err := h.Explain(t.Context(), "load")
			if err != nil || e.State != state || !strings.Contains(strings.Join(e.Next, "\n"), next) {
				t.Errorf("Explain() = %+v, %v, want %s, and %q next", e, err, state, next)
			}
		}
		explain("unseen", "waits for the first sample")
		h.SetGauge("load", 1)
		after(time.Second)
		explain("inactive", "fires when")
		h.SetGauge("load", 4)
		after(time.Second)
		explain("firing", "ends when")
		if _, err := h.Silence(t.Context(), silenceFor(time.Hour, `monitor="load"`)); err != nil {
			t.Fatal(err)
		}
		if err := h.Ack(t.Context(), "load", hawkeye.AckOptions{Author: "ann"}); err != nil {
			t.Fatal(err)
		}
		explain("firing", "is silenced by")
		explain("firing", "is acknowledged by ann")
	})
}

func TestExplainWhatThereIsNot(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := start(t, explained, &mailbox{})
		defer stop(t, h)
		if _, err := h.Explain(t.Context(), "apis"); !errors.Is(err, hawkeye.ErrNotFound) {
			t.Errorf("Explain() of an unknown monitor = %v, want %v", err, hawkeye.ErrNotFound)
		}
		if _, err := h.Explain(t.Context(), "api"); err == nil || !strings.Contains(err.Error(), `"route"`) {
			t.Errorf("Explain() without a tag = %v, want the tag's name", err)
		}
		if e, err := h.Explain(t.Context(), "api", hawkeye.T("route", "/never")); err != nil || e.State != "unseen" || e.Known {
			t.Errorf("Explain() of a group that there isn't = %+v, %v, want unseen", e, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := h.Explain(ctx, "load"); !errors.Is(err, context.Canceled) {
			t.Errorf("Explain() = %v, want %v", err, context.Canceled)
		}
	})
	var none *hawkeye.Hawkeye
	if _, err := none.Explain(t.Context(), "x"); !errors.Is(err, hawkeye.ErrNotFound) {
		t.Errorf("Explain() of a nil handle = %v, want %v", err, hawkeye.ErrNotFound)
	}
}
