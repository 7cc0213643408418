package simulate

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/go-batteries/hawkeye/internal/notify"
)

// explained writes an explanation in lines.
func (r *run) explained() []string {
	e := r.Explain(r.Alerts()[0])
	var lines []string
	for _, p := range e.Parts {
		lines = append(lines, fmt.Sprintf("%s %v to %v: %v", p.Metric, p.From.Sub(start), p.To.Sub(start), p.Value.V))
	}
	for _, v := range e.Verdicts {
		line := fmt.Sprintf("%s %v breach=%v firing=%v", v.Level, v.Limit, v.Breach, v.Firing)
		if v.Clear {
			line += " clear"
		}
		lines = append(lines, line)
	}
	for _, n := range e.Next {
		line := n.What
		if !n.At.IsZero() {
			line = fmt.Sprint(n.At.Sub(start), " ", line)
		}
		lines = append(lines, line)
	}
	return lines
}

func TestExplain(t *testing.T) {
	t.Parallel()
	r := newRun(t, levels, Config{})
	want := func(lines ...string) {
		t.Helper()
		if diff := cmp.Diff(lines, r.explained()); diff != "" {
			t.Errorf("at %v (-want +got):\n%s", r.Now().Sub(start), diff)
		}
	}
	r.count(1, 10)
	want("errors 5s to 10s: 5", "warning 10 breach=false firing=false", "critical 100 breach=false firing=false")
	r.count(30, 4) // 10s .. 14s; the sum is over 100 from 14s on
	want("errors 9s to 14s: 121", "warning 5 breach=true firing=true clear", "critical 100 breach=true firing=false",
		"17s fires as critical if it stays in breach", "4h0m11s is told to team again")
	r.count(30, 4)
	want("errors 13s to 18s: 150", "warning 5 breach=true firing=true clear", "critical 100 breach=true firing=true",
		"1m17s is told to team again", "1m47s is escalated to boss")
	r.Ack("errors", "ann", r.Now(), time.Time{}, false)
	if got := r.explained(); !strings.Contains(strings.Join(got, "\n"), "somebody acknowledged it") {
		t.Errorf("explanation after an ack = %v", got)
	}
	if n := len(r.Explain(r.Alerts()[0]).History); n < 3 {
		t.Errorf("History has %d entries, want what happened", n)
	}
}

func TestExplainRecovery(t *testing.T) {
	t.Parallel()
	r := newRun(t, strings.Replace(levels, "    window: 5s", "    window: 5s\n    keep_firing_for: 1m", 1), Config{
		Send: func(*notify.Message, time.Time) notify.Result {
			return notify.Result{Kind: notify.Temporary, Error: "down"}
		},
	})
	r.count(10, 10)
	r.count(0, 20)
	got := strings.Join(r.explained(), "\n")
	for _, want := range []string{"1m15s ends if it stays clear", "firing to team waits: down"} {
		if !strings.Contains(got, want) {
			t.Errorf("explanation lacks %q:\n%s", want, got)
		}
	}
}
