package testfile

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/go-batteries/hawkeye/internal/monitor"
)

const config = `version: 2
receivers:
  team: {email: {to: [team@example.com]}}
  boss: {email: {to: [boss@example.com]}, group: {by: [service], wait: 5s, interval: 1m}}
monitors:
  - {name: orders, metric: orders, window: 5s, notify: [team], triggers: [{threshold: 10}]}
  - {name: depth, metric: depth, notify: [team], no_data: nodata, no_data_for: 10s, triggers: [{threshold: 10}]}
  - {name: slow, metric: took, aggregate: p50, window: 10s, notify: [team], triggers: [{threshold: 1s}]}
  - {name: users, metric: users, aggregate: count, window: 10s, notify: [boss], triggers: [{threshold: 3}]}
  - {name: routes, metric: hits, by: [route], window: 10s, notify: [boss], triggers: [{threshold: 3}]}
`

// failures runs one test and returns what it complains about.
func failures(t *testing.T, test string) string {
	t.Helper()
	set, err := monitor.Parse("m.yaml", []byte(config))
	if err != nil {
		t.Fatal(err)
	}
	f, err := Parse("t.yaml", []byte("config: m.yaml\ntests:\n- name: t"+test))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, r := range f.Run(set) {
		for _, failure := range r.Failures {
			fmt.Fprintf(&b, "%d: %s\n", failure.Line, failure.Text)
		}
	}
	return b.String()
}

func TestPasses(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"readings of a counter": `
  series: [{metric: orders, total: "100+3x3 0 4"}]
  expect:
  - {at: 4s, alerts: [{monitor: orders, state: inactive, value: 9}]}
  - {at: 6s, alerts: [{monitor: orders, state: firing, value: 13}]}`, // 3 3 3, began anew, 4
		"processes add up, until one is gone": `
  series:
  - {metric: depth, type: gauge, values: 6x20}
  - {metric: depth, type: gauge, process: b, from: 3s, values: 5x9 gone}
  expect:
  - {at: 3s, alerts: []}
  - {at: 4s, alerts: [{monitor: depth, state: firing, value: 11}]}
  - {at: 12s, alerts: [{monitor: depth, state: firing, value: 11}]}
  - {at: 14s, alerts: [{monitor: depth, state: inactive, value: 6}]}`,
		"no process is left": `
  series:
  - {metric: depth, type: gauge, process: b, values: 5x3 gone}
  until: 40s
  expect:
  - {at: 6s, alerts: [{monitor: depth, state: pending, value: none}]}
  - {at: 34s, alerts: [{monitor: depth, state: pending, value: none}]}
  - {at: 36s, alerts: [{monitor: depth, state: nodata}]}
  messages:
  - {to: team, kind: nodata, monitor: depth}`,
		"percentiles are meant roughly": `
  series: [{metric: took, type: histogram, values: "0.5*3 2*30"}]
  expect: [{at: 2s, alerts: [{monitor: slow, state: firing, value: ~2s}]}]`,
		"values of a set": `
  series: [{metric: users, type: set, values: 1 2 2 3}]
  expect:
  - {at: 3s, alerts: []}
  - {at: 4s, alerts: [{monitor: users, state: firing, value: 3}]}`,
		"a group of alerts in one message": `
  series:
  - {metric: hits, tags: {route: /a}, values: 5}
  - {metric: hits, tags: {route: /b}, values: _ 5}
  messages:
  - at: 6s
    to: boss
    alerts: [{kind: firing, tags: {route: /b}}, {kind: firing, tags: {route: /a}}]
  until: 8s`,
		"what was never counted": `
  expect: [{at: 1s, alerts: [{monitor: orders, state: unseen, value: none}]}]`,
		"values between ticks": `
  interval: 250ms
  series: [{metric: orders, values: 1x8}]
  expect: [{at: 2s, alerts: [{monitor: orders, state: inactive, value: 8}]}, {at: 3s, alerts: [{monitor: orders, state: inactive, value: 9}]}]`,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := failures(t, test); got != "" {
				t.Errorf("failures:\n%s", got)
			}
		})
	}
}

func TestFails(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ test, want string }{
		"another state": {
			`
  series: [{metric: orders, values: 20}]
  expect: [{at: 1s, alerts: [{monitor: orders, state: pending}]}]`,
			`5: alerts at 1s (- expected, + found)
  - orders pending
  + orders firing critical
`,
		},
		"another value": {
			`
  series: [{metric: orders, values: 20}]
  expect: [{at: 1s, alerts: [{monitor: orders, state: firing, value: ~19}]}]`,
			`5: alerts at 1s (- expected, + found)
  - orders firing value=~19
  + orders firing critical value=20
`,
		},
		"one that was not expected": {
			`
  series: [{metric: orders, values: 20}]
  expect: [{at: 1s, alerts: []}]`,
			`5: alerts at 1s (- expected, + found)
  + orders firing critical value=20
`,
		},
		"a message too late": {
			`
  series: [{metric: orders, values: _ 20}]
  messages: [{at: 1s, to: team, kind: firing}]`,
			`5: messages (- expected, + sent)
  - 1s to team: firing
  + 2s to team: firing orders critical
`,
		},
		"a message too many": {
			`
  series: [{metric: orders, values: 20 _x100 20}]
  messages: [{at: 1s, to: team, kind: firing}]
  until: 70s`,
			`5: messages (- expected, + sent)
    1s to team: firing orders critical
  + 6s to team: resolved orders critical
`,
		},
		"names that aren't there": {
			`
  series: [{metric: orders, values: 1}]
  outages: [{receiver: taem, to: 1s}]
  acks: [{monitor: ordres, at: 1h}]
  expect: [{at: 1s, alerts: [{monitor: nothing, state: inactive}]}]
  messages: []`,
			`6: there is no monitor called "ordres"; did you mean orders?
5: there is no receiver called "taem"; did you mean team?
7: there is no monitor called "nothing"
`,
		},
		"a silence for nothing": {
			`
  silences: [{at: 1s, for: 1s, matchers: 'a=~".*"'}]
  messages: []
  until: 2s`,
			"3: silence at 1s: a silence must not match everything: every matcher of it matches the empty text\n",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, failures(t, tt.test)); diff != "" {
				t.Errorf("failures (-want +got):\n%s", diff)
			}
		})
	}
}

// TestAlign: the pairs are the most that are in order.
func TestAlign(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		a, b string
		want int
	}{
		"nothing":    {"", "", 0},
		"same":       {"abc", "abc", 3},
		"one less":   {"abc", "ac", 2},
		"one more":   {"ac", "abc", 2},
		"swapped":    {"ab", "ba", 1},
		"nothing in": {"ab", "cd", 0},
		"mixed":      {"abcabba", "cbabac", 4},
	}
	for name, tt := range tests {
		pairs := align(len(tt.a), len(tt.b), func(i, j int) bool { return tt.a[i] == tt.b[j] })
		if len(pairs) != tt.want {
			t.Errorf("%s: align(%q, %q) = %v, want %d pairs", name, tt.a, tt.b, pairs, tt.want)
		}
		for i := 1; i < len(pairs); i++ {
			if pairs[i][0] <= pairs[i-1][0] || pairs[i][1] <= pairs[i-1][1] {
				t.Errorf("%s: %v is not in order", name, pairs)
			}
		}
	}
}
