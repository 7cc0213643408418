package hawkeye_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-batteries/hawkeye"
)

// An alert that neither a receiver nor its fallback could be told is an error
// in the log, which names it, and a problem of Health until somebody was told.
// What went through the fallback is a warning.
func TestNobodyCouldBeTold(t *testing.T) {
	t.Parallel()
	const config = `version: 2
receivers:
  team: {email: {to: [team@example.com]}, fallback: boss}
  boss: {email: {to: [boss@example.com]}}
monitors:
  - {name: q, metric: queue, type: gauge, notify: [team], triggers: [{level: warning, threshold: 10, repeat: 20m}]}
`
	refused := hawkeye.Permanent(errors.New("550 no such user"))
	for _, c := range []struct {
		name     string
		fails    func(to string) bool
		want     string // the level of the log record
		problems []time.Duration
	}{
		{"both fail", func(string) bool { return true }, "ERROR", []time.Duration{time.Minute, 15 * time.Minute}},
		{"the fallback doesn't", func(to string) bool { return to == "team@example.com" }, "WARN", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				var log bytes.Buffer
				h := start(t, config, &mailbox{fail: func(_ int, m hawkeye.MailerConfig) error {
					if time.Since(began) < 10*time.Minute && c.fails(m.Recipients[0]) {
						return refused
					}
					return nil
				}}, hawkeye.WithLogger(slog.New(slog.NewJSONHandler(&log, nil))))
				h.Gauge("queue").Set(20)
				has := func() bool {
					for _, p := range h.Health().Problems {
						if strings.Contains(p, "nobody could be told of q warning (to team, boss): 550 no such user") {
							return true
						}
					}
					return false
				}
				for _, at := range []time.Duration{time.Minute, 15 * time.Minute, 25 * time.Minute} {
					after(at - time.Since(began))
					want := false
					for _, p := range c.problems {
						want = want || p == at
					}
					if has() != want {
						t.Errorf("after %v Health has %q, want that nobody could be told: %v", at, h.Health().Problems, want)
					}
				}
				stop(t, h)
				level := ""
				for line := range strings.Lines(log.String()) {
					var r struct {
						Level, Msg, Monitor, Subject, Reason string
						Receivers                            []string
						AlertLevel                           string `json:"alert_level"`
					}
					if err := json.Unmarshal([]byte(line), &r); err != nil {
						t.Fatal(err)
					}
					if !strings.Contains(r.Msg, "failed for good") && !strings.Contains(r.Msg, "nobody could be told") {
						continue
					}
					if level != "ERROR" {
						level = r.Level
					}
					if r.Monitor != "q" || r.AlertLevel != "warning" || !strings.Contains(r.Subject, "[warning] q") || r.Reason == "" || len(r.Receivers) == 0 {
						t.Errorf("the log says %s", line)
					}
				}
				if level != c.want {
					t.Errorf("the log has it as %q, want %s:\n%s", level, c.want, log.String())
				}
			})
		})
	}
}
