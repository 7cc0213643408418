package main

import (
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/go-batteries/hawkeye/internal/exampletest"
)

// TestRestart ends a process with a state file while an alert fires, gently
// and by force. The next one goes on with the same incident, and tells
// nothing again before run_every is over.
func TestRestart(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		end  func(*exampletest.Program)
	}{
		{"SIGTERM", (*exampletest.Program).Stop},
		{"SIGKILL", (*exampletest.Program).Kill},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			state := filepath.Join(t.TempDir(), "state")
			before := exampletest.Start(t, "-state", state)
			before.Get("/400", 10)
			before.WaitLog(first)
			for range 10 { // two seconds, in which it is written down that the mail was sent
				before.Query("http.requests")
			}
			incident := firing(t, before)
			c.end(before)

			after := exampletest.Start(t, "-state", state)
			after.Get("/400", 5)
			for range 20 { // four seconds of evaluations
				after.Query("http.requests")
			}
			if got := firing(t, after); got != incident {
				t.Errorf("the incident is %q after the restart, want %q", got, incident)
			}
			if mails := after.Lines(first); len(mails) != 0 {
				t.Errorf("told again after the restart: %q", mails)
			}
			after.Stop()
		})
	}
}

// firing returns the incident of the alert that fires.
func firing(t *testing.T, p *exampletest.Program) string {
	t.Helper()
	_, body := p.Get("/hawkeye/alerts", 1)
	var alerts []struct{ Key, State, Incident string }
	if err := json.Unmarshal([]byte(body), &alerts); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	for _, a := range alerts {
		if a.State == "firing" {
			return a.Incident
		}
	}
	t.Fatalf("no alert fires: %s", body)
	return ""
}
