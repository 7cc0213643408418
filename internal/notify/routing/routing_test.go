package routing

import (
	"testing"
	"time"

	"github.com/go-batteries/hawkeye/internal/alert"
	"github.com/go-batteries/hawkeye/internal/evaluate"
	"github.com/go-batteries/hawkeye/internal/monitor"
	"github.com/go-batteries/hawkeye/internal/notify"
)

// Evaluation and the outbox say the same of what is no alert but word of too
// many groups, without knowing each other.
func TestSourceOverflow(t *testing.T) {
	t.Parallel()
	if evaluate.SourceOverflow != notify.SourceOverflow {
		t.Errorf("evaluation calls it %q, the outbox %q", evaluate.SourceOverflow, notify.SourceOverflow)
	}
}

func TestRoutesAndSnapshot(t *testing.T) {
	t.Parallel()
	set := &monitor.Set{
		Receivers: []monitor.Receiver{{Name: "team"}, {Name: "boss", Fallback: "team", FallbackAfter: time.Minute}},
		Monitors: []monitor.Monitor{{
			Name: "errors", Metric: "http.errors", Op: ">=", Window: time.Minute,
			Triggers: []monitor.Trigger{{Level: "warning", Threshold: 5, Notify: []string{"team"}, Repeat: time.Hour, NeverRepeat: true,
				Escalate: []monitor.Escalation{{After: time.Minute, Notify: []string{"boss"}}}}},
		}},
	}
	routes := Routes(set)
	m := &set.Monitors[0]
	level := routes.Monitors[m.Key()].Levels[0]
	if boss := routes.Receivers["boss"]; boss.Fallback != "team" || boss.FallbackAfter != time.Minute {
		t.Errorf("the receiver is %+v, want its fallback", boss)
	}
	if level.Threshold != 5 || level.Repeat != 0 || len(level.Escalate) != 1 || level.Escalate[0].Receivers[0] != "boss" {
		t.Errorf("the level is %+v, want one that is never repeated, and escalated to the boss", level)
	}
	a := &evaluate.Alert{Key: "errors", Rule: &evaluate.Rule{Monitor: m}, State: alert.State{Phase: alert.NoData, Rank: 1, Level: "warning", Incident: "i"}}
	s := Snapshot(a, "shop", "prod")
	if s.Name != "errors" || s.Service != "shop" || s.Environment != "prod" || s.State != "nodata" || s.Level != "warning" {
		t.Errorf("the snapshot is %+v", s)
	}
	if got := Alert(a, s); got.Incident != "i" || got.Snapshot.Name != "errors" {
		t.Errorf("the outbox sees %+v", got)
	}
}
