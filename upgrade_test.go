package hawkeye_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-batteries/hawkeye"
)

// upgradeConfig is what a fleet runs before and after an upgrade.
const upgradeConfig = `
version: 2
receivers:
  team: {email: {to: [team@example.com]}}
  boss: {email: {to: [boss@example.com]}}
  chat: {email: {to: [chat@example.com]}, group: {by: [monitor], interval: 2m}}
defaults:
  window: 10m
  triggers: [{level: warning, threshold: 10, escalate: [{after: 5m, notify: [boss]}]}, {level: critical, threshold: 50}]
monitors:
  - {name: errors, metric: errors, by: [route], notify: [team]}
  - {name: jobs, metric: jobs, by: [queue], notify: [chat]}
  - {name: acked, metric: acked, notify: [team]}
  - {name: load, metric: load, type: gauge, notify: [team]}
`

// upgradeAt is when upgradeState was written, by two replicas of the version
// before groups had a budget, acks a level, escalations a clock, and changes of
// level a bound of their own.
const upgradeAt = 40 * time.Second

const upgradeState = "testdata/upgrade/before.state"

var upgradeWrite = flag.String("upgrade.write", "", "write the state of this version to a file, as the one before wrote testdata/upgrade/before.state")

// TestBeforeUpgrade is what happened before upgradeState was written: a route
// and a queue break at 10 s, a second one of each at 30 s, an alert is
// acknowledged at 20 s, and the load goes up and down between the levels.
func TestBeforeUpgrade(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		h := f.startN(2, upgradeConfig)[0]
		began := time.Now().Truncate(time.Minute)
		at := func(d time.Duration) { after(d + tick/2 - time.Since(began)) }
		at(10 * time.Second)
		h.Count("errors", 10, hawkeye.T("route", "/a"))
		h.Count("jobs", 10, hawkeye.T("queue", "a"))
		h.Count("acked", 10)
		for i := range 6 {
			h.SetGauge("load", []float64{20, 60}[i%2])
			at(10*time.Second + time.Duration(i+1)*5*time.Second)
			switch i {
			case 1:
				if err := h.Ack(t.Context(), "acked", hawkeye.AckOptions{Author: "ann"}); err != nil {
					t.Fatal(err)
				}
			case 3:
				h.Count("errors", 10, hawkeye.T("route", "/b"))
				h.Count("jobs", 10, hawkeye.T("queue", "b"))
			}
		}
		after(upgradeAt - time.Since(began))
		f.checkpoint()
		for i, line := range f.box.lines() {
			t.Logf("%d: %s", i, line)
		}
		if *upgradeWrite == "" {
			return
		}
		data, err := os.ReadFile(filepath.Join(f.dir, "state"))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(*upgradeWrite, data, 0o600); err != nil {
			t.Fatal(err)
		}
	})
}

// upgraded is a fleet of two replicas of this version that goes on from a state
// which another version wrote.
func upgraded(t *testing.T, state string) *fleet {
	after(upgradeAt)
	f := newFleet(t)
	data, err := os.ReadFile(state)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(f.dir, "before"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	f.inner = f.open("before")
	return f
}

// mailed are the mails since the last time, by the seconds since the upgrade,
// to within ten: " 270 boss: subject".
func (f *fleet) mailed() []string {
	f.box.mu.Lock()
	defer f.box.mu.Unlock()
	midnight := time.Now().Truncate(24 * time.Hour)
	var lines []string
	for i, m := range f.box.mails {
		at := f.box.at[i].Sub(midnight.Add(upgradeAt)).Truncate(10 * time.Second)
		to, _, _ := strings.Cut(m.Recipients[0], "@")
		lines = append(lines, fmt.Sprintf("%4.0f %s: %s", at.Seconds(), to, m.Subject))
	}
	f.box.mails, f.box.at = nil, nil
	slices.Sort(lines)
	return lines
}

// A fleet is upgraded: two replicas of this version go on where two of the one
// before were killed. What waited for its group is told at once, unless the
// file says otherwise; nothing is told twice, everything has its end, an ack
// goes on to hold for every level, and escalation counts as it did.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := upgraded(t, upgradeState)
		h := f.startN(2, upgradeConfig)[0]
		after(30 * time.Second)
		want(t, "within half a minute", f.mailed(),
			"   0 team: [acknowledged] acked in shop (test)",
			"   0 team: [flapping] load in shop (test)",
			"   0 team: [warning] errors {route=/b} in shop (test)",
		)
		h.Count("acked", 50)
		after(30 * time.Minute)
		want(t, "within half an hour", f.mailed(),
			"  30 team: [critical] acked rose from warning in shop (test)",
			"  90 chat: [warning] jobs {queue=b} in shop (test)", // two minutes after the first, as the file has it
			" 270 boss: [warning] errors {route=/a} escalated in shop (test)",
			" 270 boss: [warning] jobs {queue=a} escalated in shop (test)",
			" 270 boss: [warning] load escalated in shop (test)",
			" 290 boss: [stable] load in shop (test)",
			" 290 team: [stable] load in shop (test)",
			" 300 boss: [warning] errors {route=/b} escalated in shop (test)",
			" 390 boss: [warning] jobs {queue=b} escalated in shop (test)", // five minutes after chat was told
			" 620 boss: [2 ended] monitor=errors in shop",
			" 620 boss: [2 ended] monitor=jobs in shop",
			" 620 chat: [2 ended] monitor=jobs in shop",
			" 620 team: [2 ended] monitor=errors in shop",
			" 650 team: [ended] acked in shop (test)",
		)
	})
}
