package hawkeye_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-batteries/hawkeye"
	"github.com/go-batteries/hawkeye/hawkeyetest"
)

// toReceivers are receivers with an address each.
func toReceivers(names ...string) []hawkeye.Option {
	var opts []hawkeye.Option
	for _, name := range names {
		opts = append(opts, hawkeye.WithReceiver(name, hawkeye.Receiver{To: []string{name + "@example.com"}}))
	}
	return opts
}

// mailsTo returns the mails to a receiver of toReceivers.
func mailsTo(h *hawkeyetest.Handle, receiver string) []hawkeyetest.Mail {
	return slices.DeleteFunc(h.Mailbox.Mails(), func(m hawkeyetest.Mail) bool {
		return !slices.Contains(m.Recipients, receiver+"@example.com")
	})
}

// An alert that goes up and down between two levels for two hours, and that
// nobody acknowledges, is told as such once, repeated, and escalated.
func TestFlappingBetweenLevels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		escalate := []hawkeye.Escalation{{After: 15 * time.Minute, Notify: []string{"boss"}}}
		h := hawkeyetest.New(t, append(toReceivers("team", "boss"), hawkeye.WithMonitors(hawkeye.Monitor{
			Name: "q", Metric: "queue", Type: "gauge", Notify: []string{"team"},
			Triggers: []hawkeye.Trigger{
				{Level: "warning", Threshold: 10, Repeat: 30 * time.Minute, Escalate: escalate},
				{Level: "critical", Threshold: 50, Repeat: 10 * time.Minute, Escalate: escalate},
			},
		}))...)
		h.Advance(time.Second)
		queue := h.Gauge("queue")
		for range 90 {
			for _, v := range []float64{20, 60} {
				queue.Set(v)
				h.Advance(40 * time.Second)
			}
		}
		boss, team := mailsTo(h, "boss"), mailsTo(h, "team")
		if len(boss) == 0 || boss[0].After > 16*time.Minute {
			t.Errorf("boss got %d mails, want the first within 16m of the firing", len(boss))
		}
		last := time.Duration(0)
		for _, m := range team {
			if m.After-last > 31*time.Minute {
				t.Errorf("team heard nothing from %v to %v, want a repeat", last, m.After)
			}
			last = m.After
		}
		named := slices.IndexFunc(team, func(m hawkeyetest.Mail) bool { return strings.Contains(m.Body, "warning and critical") })
		if named < 0 || team[named].After > 4*time.Minute {
			t.Error("team isn't told in time that it changes between warning and critical")
		}
		if n := len(h.Mailbox.Mails()); n > 40 {
			t.Errorf("%d messages in two hours, want at most 40", n)
		}
		queue.Set(0)
		h.Advance(time.Minute)
		for _, receiver := range []string{"team", "boss"} {
			mails := mailsTo(h, receiver)
			if m := mails[len(mails)-1]; !strings.Contains(m.Subject, "[ended]") {
				t.Errorf("the last that %s hears is %q, want the end", receiver, m.Subject)
			}
		}
	})
}

// A monitor's summary stands in its messages and in the list of alerts, also
// where each group of it is an alert.
func TestSummary(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hawkeyetest.New(t, append(toReceivers("team"), hawkeye.WithMonitors(hawkeye.Monitor{
			Name: "q", Metric: "queue", Type: "gauge", By: []string{"shop"}, Summary: " Orders wait for too long. ",
			Notify: []string{"team"}, Triggers: []hawkeye.Trigger{{Threshold: 10}},
		}))...)
		h.SetGauge("queue", 20, hawkeye.T("shop", "vienna"))
		h.Advance(time.Second)
		if mail := h.WantAlert("q"); !strings.Contains(mail.Body, "\nOrders wait for too long.\n") {
			t.Errorf("the body is %q, want the summary in a line of its own", mail.Body)
		}
		if alerts := h.Alerts(); len(alerts) != 1 || alerts[0].Summary != "Orders wait for too long." {
			t.Errorf("Alerts() = %+v, want one with the summary", alerts)
		}
	})
}
