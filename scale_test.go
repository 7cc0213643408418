package hawkeye

import (
	"fmt"
	"strings"
	"testing"
)

// manyMonitors is a file of n monitors with three triggers each.
func manyMonitors(n int) []byte {
	var b strings.Builder
	b.WriteString("version: 2\nreceivers: {team: {email: {to: [team@example.com]}}}\nmonitors:\n")
	for i := range n {
		fmt.Fprintf(&b, "- {name: m%d, metric: metric.%d, notify: [team], triggers: [{level: a, threshold: 1}, {level: b, threshold: 2}, {level: c, threshold: 3}]}\n", i, i)
	}
	return []byte(b.String())
}

// manyInCode is as many monitors from code.
func manyInCode(n int) []Monitor {
	all := make([]Monitor, n)
	for i := range all {
		all[i] = Monitor{
			Name: fmt.Sprint("m", i), Metric: fmt.Sprint("metric.", i), Notify: []string{"team"},
			Triggers: []Trigger{
				{Level: "a", Threshold: 1, Text: "{{ .value }} of {{ .monitor }}"}, {Level: "b", Threshold: 2, Text: "{{ .value }}"}, {Level: "c", Threshold: 3},
			},
		}
	}
	return all
}

// BenchmarkNew is New with 10,000 monitors of three triggers from code, and
// with as many as a file of 1 MiB holds, about 8,000.
func BenchmarkNew(b *testing.B) {
	b.Run("code", func(b *testing.B) {
		monitors := manyInCode(10_000)
		for b.Loop() {
			if _, err := New(WithMonitors(monitors...), WithReceiver("team", Receiver{To: []string{"team@example.com"}}), WithoutSocket()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("file", func(b *testing.B) {
		data := manyMonitors(7_000)
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			if _, err := New(WithConfig("monitors.yaml", data), WithoutSocket()); err != nil {
				b.Fatal(err)
			}
		}
	})
}
