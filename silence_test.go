package hawkeye_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-batteries/hawkeye"
	"github.com/go-batteries/hawkeye/store/memstore"
)

// errorsRepeated is a monitor that repeats every 5 minutes and escalates.
const errorsRepeated = `version: 2
receivers:
  team: {email: {to: [team@example.com]}}
  boss: {email: {to: [boss@example.com]}}
monitors:
  - {name: errors, metric: errors, window: 1m, labels: {team: shop},
     triggers: [{threshold: 3, repeat: 5m, notify: [team], escalate: [{after: 12m, notify: [boss]}]}]}
`

// keepFiring breaches a monitor called errors for a time.
func keepFiring(h *hawkeye.Hawkeye, d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); {
		count(h, "errors", 5)
		after(min(30*time.Second, time.Until(end)))
	}
}

func silenceFor(d time.Duration, matchers ...string) hawkeye.Silence {
	return hawkeye.Silence{Matchers: matchers, End: time.Now().Add(d), Author: "ann", Comment: "planned"}
}

func TestSilence(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		matchers []string
		silenced bool
	}{
		"monitor":       {[]string{`monitor="errors"`}, true},
		"label":         {[]string{`team=~"shop|pay"`, `monitor!=""`}, true},
		"metric":        {[]string{`metric="errors"`}, true},
		"service":       {[]string{`service="shop"`, `environment="test"`}, true},
		"level":         {[]string{`level="critical"`}, true},
		"other monitor": {[]string{`monitor="errorss"`}, false},
		"one of two":    {[]string{`monitor="errors"`, `team="pay"`}, false},
		"missing tag":   {[]string{`monitor="errors"`, `route=""`}, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				box := &mailbox{}
				h := start(t, errorsRepeated, box)
				defer stop(t, h)
				after(time.Second)
				if _, err := h.Silence(t.Context(), silenceFor(4*time.Minute, tt.matchers...)); err != nil {
					t.Fatal(err)
				}
				keepFiring(h, 2*time.Minute)
				if got := len(box.lines()) == 0; got != tt.silenced {
					t.Fatalf("silenced = %v, want %v", got, tt.silenced)
				}
				keepFiring(h, 3*time.Minute)
				if tt.silenced {
					want(t, "when the silence has run out and it still fires", box.lines(), teamCritical)
				}
			})
		})
	}
}

func TestSilencesThatCanNotBe(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := start(t, errorsRepeated, &mailbox{})
		defer stop(t, h)
		tests := map[string]hawkeye.Silence{
			"no matchers":            silenceFor(time.Hour),
			"no matcher":             silenceFor(time.Hour, "errors"),
			"bad regular expression": silenceFor(time.Hour, `monitor=~"("`),
			"everything":             silenceFor(time.Hour, `monitor=~".*"`),
			"over already":           silenceFor(-time.Hour, `monitor="errors"`),
			"no end":                 {Matchers: []string{`monitor="errors"`}, Author: "ann"},
			"ends before it begins":  {Matchers: []string{`monitor="errors"`}, Start: time.Now().Add(2 * time.Hour), End: time.Now().Add(time.Hour)},
		}
		for name, s := range tests {
			if id, err := h.Silence(t.Context(), s); err == nil || id != "" {
				t.Errorf("%s: Silence() = %q, %v, want an error", name, id, err)
			}
		}
		if got := h.Silences(); len(got) != 0 {
			t.Errorf("Silences() = %+v, want none", got)
		}
		for what, err := range map[string]error{
			"EditSilence": func() error { _, err := h.EditSilence(t.Context(), "x", silenceFor(time.Hour, `a="b"`)); return err }(),
			"Expire":      h.ExpireSilence(t.Context(), "x"),
			"Ack":         h.Ack(t.Context(), "errors", hawkeye.AckOptions{Author: "ann"}),
			"Ack nothing": h.Ack(t.Context(), "", hawkeye.AckOptions{Author: "ann"}),
		} {
			if !errors.Is(err, hawkeye.ErrNotFound) {
				t.Errorf("%s of what there isn't = %v, want %v", what, err, hawkeye.ErrNotFound)
			}
		}
	})
}

func TestEditSilence(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		box := &mailbox{}
		h := start(t, errorsRepeated, box)
		defer stop(t, h)
		after(time.Second)
		id, err := h.Silence(t.Context(), silenceFor(time.Hour, `monitor="errors"`))
		if err != nil {
			t.Fatal(err)
		}
		after(time.Second)
		if again, err := h.EditSilence(t.Context(), id, silenceFor(2*time.Hour, `monitor="errors"`)); err != nil || again != id {
			t.Errorf("EditSilence() of the end = %q, %v, want the same id %q", again, err, id)
		}
		if _, err := h.EditSilence(t.Context(), id, silenceFor(time.Hour, `monitor=~"("`)); err == nil {
			t.Error("EditSilence() to a bad matcher = nil, want an error")
		}
		other, err := h.EditSilence(t.Context(), id, silenceFor(time.Hour, `monitor="others"`))
		if err != nil || other == id {
			t.Errorf("EditSilence() of the matchers = %q, %v, want a new silence", other, err)
		}
		var cancelled []bool
		for _, s := range h.Silences() {
			cancelled = append(cancelled, s.Cancelled)
		}
		if !slices.Equal(cancelled, []bool{true, false}) {
			t.Errorf("cancelled = %v, want the old one to be", cancelled)
		}
		keepFiring(h, time.Minute)
		want(t, "once the matchers are others", box.lines(), teamCritical)
	})
}

// A silence outlives the process, and an alert that ends meanwhile is told.
func TestSilenceOverARestart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		box := &mailbox{}
		path := t.TempDir() + "/state"
		h := start(t, errorsRepeated, box, hawkeye.WithStore(newMemory(t, memstore.WithStateFile(path))))
		keepFiring(h, 30*time.Second)
		want(t, "before", box.lines(), teamCritical)
		if _, err := h.Silence(t.Context(), silenceFor(time.Hour, `monitor="errors"`)); err != nil {
			t.Fatal(err)
		}
		stop(t, h)
		after(2 * time.Second)
		h = start(t, errorsRepeated, box, hawkeye.WithStore(newMemory(t, memstore.WithStateFile(path))))
		defer stop(t, h)
		keepFiring(h, 12*time.Minute)
		want(t, "while it is silenced", box.lines())
		after(3 * time.Minute)
		want(t, "of the end of what was told", box.lines(), teamEnded)
	})
}

func TestAck(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		box := &mailbox{}
		h := start(t, errorsRepeated, box)
		defer stop(t, h)
		keepFiring(h, 7*time.Minute)
		want(t, "before", box.lines(), teamCritical, teamAgain)
		if err := h.Ack(t.Context(), "errors", hawkeye.AckOptions{Author: ""}); err == nil {
			t.Error("Ack() without an author = nil, want an error")
		}
		if err := h.Ack(t.Context(), "errors", hawkeye.AckOptions{Author: "ann", Until: time.Now()}); err == nil {
			t.Error("Ack() until now = nil, want an error")
		}
		incident := h.Alerts()[0].Incident
		if err := h.Ack(t.Context(), incident, hawkeye.AckOptions{Author: "ann", Comment: "on it", Until: time.Now().Add(20 * time.Minute)}); err != nil {
			t.Fatal(err)
		}
		keepFiring(h, 19*time.Minute)
		want(t, "while somebody looks after it", box.lines(), "team@example.com: [acknowledged] errors in shop (test)")
		keepFiring(h, 2*time.Minute)
		want(t, "when the ack has expired", box.lines(), "team@example.com: [critical] errors reminder in shop (test)")
		keepFiring(h, 10*time.Minute)
		want(t, "escalation counts from there", box.lines(), teamAgain, teamAgain)
		keepFiring(h, 2*time.Minute)
		want(t, "12 minutes after the ack has expired", box.lines(), "boss@example.com: [critical] errors escalated in shop (test)")
		after(3 * time.Minute)
		want(t, "at the end", box.lines(), "boss@example.com: [ended] errors in shop (test)", teamEnded)
		var acked, held bool
		for _, e := range h.History("errors") {
			acked = acked || e.What == "acknowledged" && e.Reason == "by ann: on it" && e.Incident == incident
			held = held || e.What == "not told" && strings.Contains(e.Reason, "acknowledged by ann")
		}
		if !acked || !held {
			t.Errorf("History() has the ack: %v, and what wasn't told because of it: %v, want both:\n%+v", acked, held, h.History("errors"))
		}
	})
}
