package hawkeye

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-batteries/hawkeye/internal/engine/ruleset"
	"github.com/go-batteries/hawkeye/internal/monitor"
)

// everything is a file that uses every key, but for variables.
const everything = `version: 2
location: Europe/Vienna
generation: 7
receivers:
  team:
    email: {to: [team@example.com], cc: [c@example.com], bcc: [b@example.com]}
    group: {by: [monitor, route], wait: 5s, interval: 2m}
    send_resolved: false
    fallback: boss
  boss: {email: {to: [boss@example.com]}}
monitors:
  - name: api-errors
    description: POSTs fail
    enabled: false
    metric: errors
    type: counter
    where: ['method="POST"', 'route=~"/api/.*"']
    by: [route]
    max_groups: 7
    aggregate: rate
    divide_by: requests
    min_total: 20
    window: 2m
    every: 2s
    delay: 1s
    op: ">"
    compare_to: 1w
    keep_firing_for: 1m
    no_data: alert
    no_data_for: 3m
    idle: alert
    idle_for: 4m
    eval_error: alert
    must_exist: true
    notify: [team]
    triggers:
      - {level: warning, threshold: "+50%", clear: "+40%", for: 30s, repeat: never}
      - {level: critical, threshold: "+80%", repeat: 10m, notify: [team, boss], escalate: [{after: 15m, notify: [boss]}], subject: s, text: "{{ .value }}"}
    mute_times: [nights]
    labels: {team: payments}
    runbook: https://example.com/r
    summary: orders fail
    dashboard: https://example.com/d
    unit: percent
  - {name: load, metric: load, type: gauge, fleet: max, stale_after: 1m, no_data: ok, notify: [team], triggers: [{threshold: 4}]}
  - {name: at-once, metric: load, no_data: ok, no_data_for: 0s, idle: keep, idle_for: 0s, notify: [team], triggers: [{threshold: 4}]}
  - {name: share, metric: load, divide_by: {metric: total, where: [{zone: a}]}, notify: [team], triggers: [{threshold: 4}]}
slos:
  - {name: checkout, description: d, objective: 99.9%, period: 7d, bad: errors, total: requests, where: ['env="prod"'], by: [region], min_total: 10,
     notify: {page: [team], ticket: [boss]}, repeat: 1h, mute_times: [nights], labels: {a: b}, runbook: r, dashboard: d, summary: s}
  - {name: speed, enabled: false, objective: 99%, total: duration, good: "<= 300ms", notify: {page: [team]}}
heartbeats:
  - {name: nightly, description: d, enabled: false, metric: job.done, where: ['job="x"'], expect_every: 24h, grace: 1h, level: warning, notify: [team],
     repeat: 1h, mute_times: [nights], labels: {a: b}, runbook: r, dashboard: d, summary: s}
  - {name: workdays, metric: job.done, schedule: "0 5 * * 1-5", location: Europe/Berlin, early: 5m, grace: 30m, notify: [team]}
inhibit:
  - {source: ['monitor="load"'], target: ['monitor=~"api-.*"'], equal: [service]}
mute_times:
  nights: {from: "22:00", to: "07:00", weekdays: [mon, tue], days_of_month: ["1:5", "-1"], months: [jan], location: Europe/Berlin}
`

// inCode is the same from code.
func inCode(t *testing.T) []Option {
	t.Helper()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	vienna, err := time.LoadLocation("Europe/Vienna")
	if err != nil {
		t.Fatal(err)
	}
	clear := 0.4
	return []Option{
		WithReceiver("team", Receiver{
			To: []string{"team@example.com"}, Cc: []string{"c@example.com"}, Bcc: []string{"b@example.com"},
			GroupBy: []string{"monitor", "route"}, GroupWait: 5 * time.Second, GroupInterval: 2 * time.Minute,
			SkipResolved: true, Fallback: "boss",
		}),
		WithReceiver("boss", Receiver{To: []string{"boss@example.com"}}),
		WithMonitors(Monitor{
			Name: "api-errors", Description: "POSTs fail", Disabled: true, Metric: "errors", Type: "counter",
			Where: []string{`method="POST"`, `route=~"/api/.*"`}, By: []string{"route"}, MaxGroups: 7, Aggregate: "rate",
			DivideBy: "requests", MinTotal: 20, Window: 2 * time.Minute, Every: 2 * time.Second, Delay: time.Second, Op: ">",
			CompareTo: 7 * 24 * time.Hour, KeepFiringFor: time.Minute, NoData: "alert", NoDataFor: 3 * time.Minute, Idle: "alert", IdleFor: 4 * time.Minute,
			EvalError: "alert", MustExist: true, Notify: []string{"team"},
			Triggers: []Trigger{
				{Level: "warning", Threshold: 0.5, Relative: true, Clear: &clear, For: 30 * time.Second, NeverRepeat: true},
				{
					Level: "critical", Threshold: 0.8, Relative: true, Repeat: 10 * time.Minute, Notify: []string{"team", "boss"},
					Escalate: []Escalation{{After: 15 * time.Minute, Notify: []string{"boss"}}}, Subject: "s", Text: "{{ .value }}",
				},
			},
			MuteTimes: []string{"nights"}, Labels: map[string]string{"team": "payments"},
			Summary: "orders fail", Runbook: "https://example.com/r", Dashboard: "https://example.com/d", Unit: "percent",
		}, Monitor{Name: "load", Metric: "load", Type: "gauge", Fleet: "max", StaleAfter: time.Minute, NoData: "ok", Notify: []string{"team"}, Triggers: []Trigger{{Threshold: 4}}},
			Monitor{
				Name: "at-once", Metric: "load", NoData: "ok", NoDataFor: 1, Idle: "keep", IdleFor: 1,
				Notify: []string{"team"}, Triggers: []Trigger{{Threshold: 4}},
			},
			Monitor{
				Name: "share", Metric: "load", DivideBy: "total", DivideWhere: []string{`zone="a"`},
				Notify: []string{"team"}, Triggers: []Trigger{{Threshold: 4}},
			}),
		WithRules(Rules{
			Generation: 7, Location: vienna,
			SLOs: []SLO{
				{
					Name: "checkout", Description: "d", Objective: 0.999, Period: 7 * 24 * time.Hour, Bad: "errors", Total: "requests",
					Where: []string{`env="prod"`}, By: []string{"region"}, MinTotal: 10, Page: []string{"team"}, Ticket: []string{"boss"},
					Repeat: time.Hour, MuteTimes: []string{"nights"}, Labels: map[string]string{"a": "b"}, Runbook: "r", Dashboard: "d", Summary: "s",
				},
				{Name: "speed", Disabled: true, Objective: 0.99, Total: "duration", Good: "<= 300ms", Page: []string{"team"}},
			},
			Heartbeats: []Heartbeat{{
				Name: "nightly", Description: "d", Disabled: true, Metric: "job.done", Where: []string{`job="x"`},
				ExpectEvery: 24 * time.Hour, Grace: time.Hour, Level: "warning", Notify: []string{"team"}, Repeat: time.Hour,
				MuteTimes: []string{"nights"}, Labels: map[string]string{"a": "b"}, Runbook: "r", Dashboard: "d", Summary: "s",
			}, {
				Name: "workdays", Metric: "job.done", Schedule: "0 5 * * 1-5", Location: berlin, Early: 5 * time.Minute,
				Grace: 30 * time.Minute, Notify: []string{"team"},
			}},
			Inhibit: []Inhibit{{Source: []string{`monitor="load"`}, Target: []string{`monitor=~"api-.*"`}, Equal: []string{"service"}}},
			MuteTimes: map[string][]MutePeriod{"nights": {{
				From: "22:00", To: "07:00", Weekdays: []time.Weekday{time.Monday, time.Tuesday},
				DaysOfMonth: []string{"1:5", "-1"}, Months: []time.Month{time.January}, Location: berlin,
			}}},
		}),
	}
}

func loaded(t *testing.T, opts ...Option) *ruleset.Ruleset {
	t.Helper()
	h, err := New(append(opts, WithoutSocket())...)
	if err != nil {
		t.Fatalf("New() = %v", err)
	}
	return h.setup()
}

// All that a file can say can be said in Go, and is the same thing.
func TestCodeSaysWhatAFileSays(t *testing.T) {
	t.Parallel()
	file, code := loaded(t, WithConfig("monitors.yaml", []byte(everything))), loaded(t, inCode(t)...)
	if file.Set.Hash != code.Set.Hash {
		t.Errorf("the file makes\n%+v\nand the code\n%+v", file.Set, code.Set)
	}
	if again := loaded(t, inCode(t)...); again.Set.Hash != code.Set.Hash {
		t.Errorf("the same code makes configurations with the hashes %s and %s", code.Set.Hash, again.Set.Hash)
	}
}

// Each field from code has its like in package monitor.
func TestCopyFields(t *testing.T) {
	t.Parallel()
	copyFields(&monitor.Monitor{}, &Monitor{}, "Type", "Triggers")
	copyFields(&monitor.Trigger{}, &Trigger{}, "To", "Escalate")
	copyFields(&monitor.SLO{}, &SLO{}, "Good")
	var heartbeat monitor.Heartbeat
	copyFields(&heartbeat, &Heartbeat{Name: "n", Labels: map[string]string{"a": "b"}, Early: 3})
	if heartbeat.Name != "n" || heartbeat.Labels["a"] != "b" || heartbeat.Early != 3 {
		t.Errorf("copied %+v", heartbeat)
	}
}

func TestMistakesInCode(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		opt  Option
		want string
	}{
		"receiver without recipients": {WithReceiver("team", Receiver{}), `WithReceiver("team").Email: the receiver has no recipients`},
		"unknown fallback":            {WithReceiver("team", Receiver{To: []string{"a@example.com"}, Fallback: "bos"}), `unknown receiver "bos"`},
		"unknown receiver":            {WithMonitors(Monitor{Metric: "m", Notify: []string{"nobody"}, Triggers: []Trigger{{Threshold: 1}}}), `unknown receiver "nobody"`},
		"unknown policy":              {WithMonitors(Monitor{Metric: "m", NoData: "ignore", Triggers: []Trigger{{Threshold: 1, To: []string{"a@example.com"}}}}), "WithMonitors[0].NoData"},
		"relative without compare_to": {WithMonitors(Monitor{Metric: "m", Triggers: []Trigger{{Threshold: 1, Relative: true, To: []string{"a@example.com"}}}}), "compare_to"},
		"objective as a percentage":   {WithRules(Rules{SLOs: []SLO{{Name: "s", Objective: 99.9, Bad: "b", Total: "t", Page: []string{"x"}}}}), "WithRules.SLOs[0].Objective"},
		"good that is no condition":   {WithRules(Rules{SLOs: []SLO{{Name: "s", Objective: 0.9, Good: "300ms", Total: "t", Page: []string{"x"}}}}), "SLOs[0].Good"},
		"heartbeat without time":      {WithRules(Rules{Heartbeats: []Heartbeat{{Metric: "m", Notify: []string{"x"}}}}), "WithRules.Heartbeats[0].ExpectEvery"},
		"heartbeat with a bad schedule": {WithRules(Rules{Heartbeats: []Heartbeat{{Metric: "m", Schedule: "0 24 * * *", Notify: []string{"x"}}}}),
			"WithRules.Heartbeats[0].Schedule: character 3: the hour: expected a number from 0 to 23"},
		"inhibition without a source": {WithRules(Rules{Inhibit: []Inhibit{{Target: []string{`a="b"`}}}}), "WithRules.Inhibit[0].Source"},
		"mute time from nowhere":      {WithRules(Rules{MuteTimes: map[string][]MutePeriod{"n": {{From: "22:00"}}}}), `MuteTimes["n"][0]`},
		"mute time at 25 o'clock":     {WithRules(Rules{MuteTimes: map[string][]MutePeriod{"n": {{From: "22:00", To: "25:00"}}}}), "read To: expected a time of day"},
		"day 32":                      {WithRules(Rules{MuteTimes: map[string][]MutePeriod{"n": {{DaysOfMonth: []string{"32"}}}}}), "DaysOfMonth"},
		"a file that is no file":      {WithConfig("embedded.yaml", []byte("version: 2\nmonitor: []\n")), "embedded.yaml:2:1"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := New(tt.opt, WithoutSocket())
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("New() = %v, want an error with %q", err, tt.want)
			}
			if !errors.Is(err, ErrInvalidConfig) && !errors.Is(err, ErrInvalidOption) {
				t.Errorf("New() = %v, want %v or %v", err, ErrInvalidConfig, ErrInvalidOption)
			}
		})
	}
}
