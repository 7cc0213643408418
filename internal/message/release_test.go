package message

import (
	"strings"
	"testing"
	"time"

	"github.com/go-batteries/hawkeye/internal/monitor"
	"github.com/go-batteries/hawkeye/internal/notify"
)

// A message that the end of a mute has released says so, and how many fire.
func TestReleased(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 5, 22, 0, 0, 0, time.UTC)
	m := &notify.Message{ID: "x", Receiver: "team", Firing: 300, Since: at, Released: &notify.Mute{Kind: notify.ByMuteTime, By: "night"}}
	for _, name := range []string{"a", "b"} {
		m.Rows = append(m.Rows, &notify.Row{Alert: name, Incident: name, Kind: notify.Firing, Snapshot: notify.Snapshot{Name: name, Level: "critical"}})
	}
	text := New(&monitor.Set{}, "shop", "").Render(m, at.Add(9*time.Hour))
	for where, want := range map[string][2]string{
		"subject": {text.Subject, "muted by night until now"}, "body": {text.Body, "300 alerts fire, the first since 2026-01-05 22:00 UTC"},
	} {
		if !strings.Contains(want[0], want[1]) {
			t.Errorf("the %s is %q, want %q in it", where, want[0], want[1])
		}
	}
}
