package hawkeye_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-batteries/hawkeye"
)

// monitorCases are monitors of version 2 through a real handle: what happens,
// and the mails that come of it, with the seconds between which they come.
var monitorCases = map[string]struct {
	tick   time.Duration // of the Store; default 200ms
	config string        // below the receivers
	do     func(w *outage)
	want   []mail
}{
	"a ratio needs a minimum": {
		config: `monitors: [{name: share, metric: errors, divide_by: requests, min_total: 15, op: ">", notify: [team], triggers: [{threshold: 5%}]}]`,
		do: func(w *outage) { // I03
			w.Count("errors", 1)
			w.Count("requests", 14)
			w.until(5)
			w.Count("requests", 1)
			w.until(10)
		},
		want: []mail{{5, 6, "[critical] share"}},
	},
	"0/0 is no data": {
		config: `monitors: [{name: share, metric: errors, divide_by: requests, op: ">=", notify: [team], triggers: [{threshold: 0%}]}]`,
		do: func(w *outage) {
			w.Count("errors", 0)
			w.Count("requests", 0)
			w.until(10)
		},
	},
	"a ratio of events that never happened is 0": {
		config: `monitors: [{name: success, metric: good, divide_by: requests, by: [route], op: "<", notify: [team], triggers: [{threshold: 50%}]}]`,
		do: func(w *outage) {
			w.Count("requests", 10, hawkeye.T("route", "/a"))
			w.Count("requests", 10, hawkeye.T("route", "/b"))
			w.Count("good", 9, hawkeye.T("route", "/b"))
			w.until(10)
		},
		want: []mail{{0, 1, "[critical] success {route=/a}"}},
	},
	"the same against an hour ago": {
		tick:   time.Second,
		config: `monitors: [{name: orders, metric: orders, window: 1m, compare_to: 1h, keep_firing_for: 1m, op: "<", notify: [team], triggers: [{threshold: "-30%"}]}]`,
		do: func(w *outage) {
			steady := func(until float64, n int64) {
				for w.now() < until {
					w.Count("orders", n)
					w.until(w.now() + 2)
				}
			}
			steady(3600+300, 10)
			steady(3600+900, 6)
		},
		want: []mail{{3600 + 310, 3600 + 370, "[critical] orders"}},
	},
	"an SLO burns fast": {
		tick:   5 * time.Second,
		config: `slos: [{name: checkout, objective: 99%, period: 1d, bad: bad, total: all, notify: {page: [team], ticket: [boss]}}]`,
		do: func(w *outage) {
			for w.now() < 600 {
				w.Count("all", 500)
				if w.now() >= 300 {
					w.Count("bad", 100) // 20 times the budget
				}
				w.until(w.now() + 5)
			}
			for w.now() < 12000 {
				w.Count("all", 500)
				w.until(w.now() + 5)
			}
		},
		// Over 2m/10s a page needs 14.4 %: 86 s of 20 %. It falls to a ticket,
		// and ends when the long windows have forgotten it.
		want: []mail{
			{301, 400, "[ticket] checkout"}, {370, 460, "[page] checkout"}, {600, 700, "checkout"},
			{600, 12000, "checkout"}, {600, 12000, "checkout"},
		},
	},
	"an SLO over a histogram": {
		tick:   time.Second,
		config: `slos: [{name: speed, objective: 90%, period: 1d, total: duration, good: "<= 300ms", min_total: 100, notify: [team]}]`,
		do: func(w *outage) {
			for w.now() < 60 {
				w.Observe("duration", 2) // none is good, but there are too few
				w.until(w.now() + 1)
			}
			if w.box.count() > 0 {
				w.t.Errorf("%d mails of too few events", w.box.count())
			}
			for w.now() < 240 {
				for range 10 {
					w.Observe("duration", 2)
				}
				w.until(w.now() + 1)
			}
		},
		want: []mail{{60, 120, "speed"}, {60, 180, "speed"}},
	},
	"a heartbeat that stops": {
		tick:   time.Second,
		config: `heartbeats: [{name: job, metric: job.done, expect_every: 5m, grace: 1m, notify: [team]}]`,
		do: func(w *outage) {
			for w.now() < 1200 {
				w.Incr("job.done")
				w.until(w.now() + 300)
			}
			w.until(2000)
			w.Incr("job.done")
			w.until(2100)
		},
		want: []mail{{900 + 360, 900 + 362, "[critical] job"}, {2000, 2060, "[ended] job"}},
	},
	"a heartbeat that never comes": {
		config: `heartbeats: [{name: job, metric: job.done, expect_every: 5m, grace: 1m, notify: [team]}]`,
		do:     func(w *outage) { w.until(600) },
		want:   []mail{{360, 362, "[critical] job"}},
	},
	"a heartbeat over a restart": {
		config: `heartbeats: [{name: job, metric: job.done, expect_every: 5m, grace: 1m, notify: [team]}]`,
		do: func(w *outage) {
			w.Incr("job.done")
			w.until(100)
			w.stop()
			w.until(200)
			w.again()
			w.until(350)
			if w.box.count() > 0 {
				w.t.Error("told before it was due")
			}
			w.until(600)
		},
		want: []mail{{360, 361, "[critical] job"}}, // the last sign is known to the tick
	},
	"a heartbeat that comes all the time, over a restart": {
		tick:   time.Second,
		config: `heartbeats: [{name: job, metric: job.done, expect_every: 50m, grace: 10m, notify: [team]}]`,
		do: func(w *outage) {
			for w.now() < 280 {
				w.Incr("job.done")
				w.until(w.now() + 7)
			}
			w.until(275) // the last sign at 273 isn't stored by itself: the one before was a moment ago
			w.stop()
			w.until(400)
			w.again()
			w.Incr("job.done")
			w.until(402)
			w.Incr("job.done")
			w.until(403)
			w.stop()
			w.until(1200)
			w.again()
			w.until(5000)
		},
		want: []mail{{402 + 3600, 402 + 3602, "[critical] job"}},
	},
	"a heartbeat that was due while nobody could count": {
		config: `heartbeats: [{name: job, metric: job.done, expect_every: 5m, grace: 1m, notify: [team]}]`,
		do: func(w *outage) {
			w.Incr("job.done")
			w.until(100)
			w.stop()
			w.until(3000)
			w.again()
			w.until(3200)
			if w.box.count() > 0 {
				w.t.Error("told of a sign that nobody could have counted")
			}
			w.until(3400)
		},
		want: []mail{{3299, 3302, "[critical] job"}},
	},
	"a heartbeat that is counted again after a gap": {
		config: `heartbeats: [{name: job, metric: job.done, expect_every: 1m, notify: [team]}]`,
		do: func(w *outage) {
			w.Incr("job.done")
			w.until(10)
			w.stop()
			w.until(3000)
			w.again()
			for w.now() < 3600 {
				w.until(w.now() + 55)
				w.Incr("job.done")
			}
		},
	},
	// The clock of a bubble begins on Saturday, 2000-01-01, at midnight in UTC.
	"a heartbeat by the calendar": {
		tick:   time.Second,
		config: `heartbeats: [{name: job, metric: job.done, schedule: "10 * * * *", grace: 5m, notify: [team]}]`,
		do: func(w *outage) {
			w.until(545) // less than a minute early
			w.Incr("job.done")
			w.until(3600 + 530) // more than a minute early, so that it is none of today
			w.Incr("job.done")
			w.until(3600 + 1000)
			w.Incr("job.done")
			w.until(3600 + 1100)
		},
		want: []mail{{3600 + 900, 3600 + 902, "[critical] job"}, {3600 + 1000, 3600 + 1003, "[ended] job"}},
	},
	"a heartbeat by the calendar that may be early": {
		tick:   time.Second,
		config: `heartbeats: [{name: job, metric: job.done, schedule: "10 0 * * *", early: 10m, grace: 5m, notify: [team]}]`,
		do: func(w *outage) {
			w.until(10)
			w.Incr("job.done")
			w.until(2000)
		},
	},
	"a heartbeat by the calendar that comes just before a crash": {
		tick:   time.Second,
		config: `heartbeats: [{name: job, metric: job.done, schedule: "10 0 * * *", grace: 5m, notify: [team]}]`,
		do: func(w *outage) {
			w.until(530)
			w.Incr("job.done") // of no due time
			w.until(545)
			w.Incr("job.done")
			w.until(547)
			w.stop()
			w.until(700)
			w.again()
			w.until(2000)
		},
	},
	"a time of the calendar at which nobody could count is judged when somebody can": {
		config: `heartbeats: [{name: job, metric: job.done, schedule: "10 0 * * *", grace: 5m, notify: [team]}]`,
		do: func(w *outage) {
			w.until(300)
			w.stop()
			w.until(5000)
			w.again()
			w.until(5400)
		},
		want: []mail{{5300, 5302, "[critical] job"}},
	},
	"a time of the calendar after which nobody could count for a while": {
		config: `heartbeats: [{name: job, metric: job.done, schedule: "10 0 * * *", grace: 5m, notify: [team]}]`,
		do: func(w *outage) {
			w.until(700)
			w.stop()
			w.until(880)
			w.again()
			w.until(1200)
		},
		want: []mail{{1059, 1061, "[critical] job"}}, // what it has waited in vain counts again
	},
	"more groups than are kept": { // A22
		config: `monitors: [{name: a, metric: a, by: [i], max_groups: 2, window: 1m, notify: [team], triggers: [{threshold: 1}]}]
inhibit: [{source: ['i=""'], target: ['i=~".+"']}]`,
		do: func(w *outage) {
			for i := range 5 {
				w.Incr("a", hawkeye.T("i", fmt.Sprint(i)))
				w.until(w.now() + 1)
			}
			w.until(50)
		},
		want: []mail{{0, 1, "[critical] a {i=0}"}, {1, 2, "[critical] a {i=1}"}, {2, 3, "[too many groups] a"}},
	},
	"more groups than are kept are told once, and are no trouble of their own": {
		config: `monitors: [{name: a, metric: a, by: [i], max_groups: 1, window: 1h, op: "==", notify: [team], triggers: [{threshold: 9, repeat: 10s, escalate: [{after: 20s, notify: [boss]}]}]}]`,
		do: func(w *outage) {
			for i := range 9 {
				w.Incr("a", hawkeye.T("i", fmt.Sprint(i)))
				w.until(w.now() + 30)
			}
			if got := len(w.Alerts()); got != 1 {
				w.t.Errorf("%d alerts, want the one that is kept", got)
			}
		},
		want: []mail{{30, 45, "[too many groups] a"}},
	},
	"fewer groups are kept than fire": {
		config: `monitors: [{name: a, metric: a, by: [i], max_groups: 3, window: 1m, notify: [team], triggers: [{threshold: 1}]}]`,
		do: func(w *outage) {
			for i := range 3 {
				w.Incr("a", hawkeye.T("i", fmt.Sprint(i)))
			}
			w.until(10)
			w.stop()
			w.config = strings.Replace(w.config, "max_groups: 3", "max_groups: 1", 1)
			w.again()
			w.until(40)
			if got := w.box.count(); got != 1 {
				w.t.Errorf("%d mails, want 1: what fires is not dropped", got)
			}
			w.until(100)
		},
		want: []mail{{0, 1, "[3 firing] monitor=a"}, {60, 72, "[3 ended] monitor=a"}},
	},
	"two series of the same group are one alert": { // A21
		config: `monitors: [{name: a, metric: a, by: [i], window: 1m, notify: [team], triggers: [{threshold: 2}]}]`,
		do: func(w *outage) {
			w.Incr("a", hawkeye.T("i", "1"), hawkeye.T("x", "1"))
			w.Incr("a", hawkeye.T("i", "1"), hawkeye.T("x", "2"))
			w.until(10)
		},
		want: []mail{{0, 1, "[critical] a {i=1}"}},
	},
	"a gauge that goes silent, with no_data: alert": {
		config: `monitors: [{name: a, metric: a, type: gauge, no_data: nodata, no_data_for: 1m, notify: [team], triggers: [{threshold: 5}]}]`,
		do: func(w *outage) {
			w.SetGauge("a", 1)
			w.until(10)
			w.stop() // its gauges go with it
			w.again()
			w.until(100)
			w.SetGauge("a", 1)
			w.until(200)
		},
		want: []mail{{60, 85, "[no data] a"}, {100, 150, "[ended] a"}},
	},
	"a metric that must exist": {
		config: `monitors: [{name: a, metric: a, must_exist: true, no_data_for: 1m, notify: [team], triggers: [{threshold: 5}]}]`,
		do:     func(w *outage) { w.until(300) },
		want:   []mail{{60, 62, "[no data] a"}},
	},
	"a name in two kinds, with eval_error: alert": {
		config: `monitors: [{name: a, metric: a, eval_error: alert, notify: [team], triggers: [{threshold: 100}]}]`,
		do: func(w *outage) {
			w.SetGauge("a", 1)
			w.Incr("a")
			w.until(10)
		},
		want: []mail{{0, 1, "[critical] a"}},
	},
	"every": {
		config: `monitors: [{name: a, metric: a, every: 20s, notify: [team], triggers: [{threshold: 1}]}]`,
		do: func(w *outage) {
			w.until(21)
			w.Incr("a")
			w.until(60)
		},
		want: []mail{{21, 41, "[critical] a"}},
	},
	"delay": {
		config: `monitors: [{name: a, metric: a, window: 10s, delay: 20s, notify: [team], triggers: [{threshold: 1}]}]`,
		do: func(w *outage) {
			w.until(5)
			w.Incr("a")
			w.until(60)
		},
		want: []mail{{25, 26, "[critical] a"}, {35, 87, "[ended] a"}},
	},
	"a counter that nobody increments after a restart without its samples": {
		config: `monitors: [{name: a, metric: a, window: 5s, notify: [team], triggers: [{threshold: 1}]}]`,
		do: func(w *outage) {
			w.Incr("a")
			w.until(2)
			w.stop()
			w.until(1000)
			w.again()
			w.until(1100)
		},
		want: []mail{{0, 1, "[critical] a"}, {1000, 1075, "[ended] a"}},
	},
	"a group that nobody increments after a restart without its samples": {
		config: `monitors: [{name: a, metric: a, by: [i], window: 5s, notify: [team], triggers: [{threshold: 1}]}]`,
		do: func(w *outage) {
			w.Incr("a", hawkeye.T("i", `x|y\{z}`))
			w.until(2)
			w.stop()
			w.until(1000)
			w.again()
			w.until(1100)
		},
		want: []mail{{0, 1, "[critical] a {i=x|y\\{z}}"}, {1000, 1075, "[ended] a {i=x|y\\{z}}"}},
	},
	"a gauge's group that is gone": {
		tick:   time.Second,
		config: `monitors: [{name: disk, metric: disk, type: gauge, by: [host], notify: [team], triggers: [{threshold: 90, repeat: never}]}]`,
		do: func(w *outage) {
			w.SetGauge("disk", 95, hawkeye.T("host", "old"))
			w.until(10)
			w.stop()
			w.again()
			w.until(3500)
			if w.box.count() != 1 {
				w.t.Errorf("%d mails before the group is gone, want one", w.box.count())
			}
			w.until(4000)
		},
		want: []mail{{0, 1, "[critical] disk {host=old}"}, {3600, 3700, "[ended] disk {host=old}"}},
	},
}

func TestMonitors(t *testing.T) {
	t.Parallel()
	const receivers = `version: 2
receivers:
  team: {email: {to: [team@example.com]}, group: {interval: 1s}}
  boss: {email: {to: [boss@example.com]}, group: {interval: 1s}}
`
	for name, tt := range monitorCases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := &outage{t: t, box: &mailbox{}, state: t.TempDir() + "/state", tick: tt.tick, began: time.Now()}
				defer func() { w.stop() }()
				w.start(receivers + strings.TrimSpace(tt.config) + "\n")
				tt.do(w)
				w.want(tt.want...)
			})
		})
	}
}
