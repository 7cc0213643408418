package simulate

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"

	"github.com/go-batteries/hawkeye/internal/alert"
	"github.com/go-batteries/hawkeye/internal/evaluate"
	"github.com/go-batteries/hawkeye/internal/monitor"
	"github.com/go-batteries/hawkeye/internal/series"
)

// stateCase is a case of states: what each evaluation sees, and how the alert
// stands then.
type stateCase struct {
	ID, Kind string
	Rule     struct {
		Op            string
		Threshold     float64
		EvalEvery     string `yaml:"eval_every"`
		For           string
		KeepFiringFor string `yaml:"keep_firing_for"`
		OnNoData      string `yaml:"on_no_data"`
		NoDataPending bool   `yaml:"no_data_pending"`
	}
	Series []struct{ Values []any }
	Expect []struct{ States []string }
}

// runs says whether the case can be played: evaluations that fail are left out,
// because one can't be made to succeed again.
func (c *stateCase) runs() bool {
	every, err := time.ParseDuration(c.Rule.EvalEvery)
	if c.Kind != "state" || err != nil || every < time.Second {
		return false
	}
	for _, s := range c.Series {
		for _, v := range s.Values {
			if _, text := v.(string); text {
				return false
			}
		}
	}
	return true
}

// TestConformance runs the cases of states from end to end: a file that says
// what the case does, samples, windows, evaluation. The value is the mean of a
// histogram, of which there may be none: nothing was observed.
func TestConformance(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../alert/testdata/alert_cases.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Cases []yaml.Node }
	if err := yaml.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, node := range file.Cases {
		var c stateCase
		if node.Decode(&c) != nil || !c.runs() { // of another shape
			continue
		}
		n++
		t.Run(c.ID, func(t *testing.T) {
			t.Parallel()
			for i := range c.Series {
				if diff := cmp.Diff(c.Expect[i].States, c.states(t, c.Series[i].Values)); diff != "" {
					t.Errorf("states of series %d (-want +got):\n%s", i, diff)
				}
			}
		})
	}
	if n < 12 {
		t.Errorf("%d cases run, want more", n)
	}
}

func (c *stateCase) file() string {
	every, _ := time.ParseDuration(c.Rule.EvalEvery)
	policy, wait := "ok", "0s"
	if c.Rule.OnNoData != "" {
		policy = c.Rule.OnNoData
	}
	orZero := func(s string) string {
		if s == "" {
			return "0s"
		}
		return s
	}
	if c.Rule.NoDataPending {
		wait = c.Rule.For
	}
	return fmt.Sprintf(`version: 2
receivers: {r: {email: {to: [r@example.com]}}}
monitors:
  - name: case
    metric: m
    type: histogram
    aggregate: avg
    window: %s
    every: %s
    op: %q
    no_data: %s
    no_data_for: %s
    keep_firing_for: %s
    notify: [r]
    triggers: [{threshold: %v, for: %s}]
`, monitor.FormatDuration(max(every/2, time.Second).Truncate(time.Second)), c.Rule.EvalEvery, c.Rule.Op, policy, wait, orZero(c.Rule.KeepFiringFor), c.Rule.Threshold, orZero(c.Rule.For))
}

// states plays one series: an evaluation each `every`, a value for each.
func (c *stateCase) states(t *testing.T, values []any) []string {
	t.Helper()
	every, _ := time.ParseDuration(c.Rule.EvalEvery)
	var states []string
	resolved := false
	s := New(Config{
		Set: mustParse(t, c.file()), Start: start, Quiet: true,
		OnChange: func(c *evaluate.Change, _ time.Time) {
			for _, e := range c.Events {
				resolved = resolved || e.Kind == alert.Resolved
			}
		},
	})
	catalog := NewCatalog()
	p, m := s.Process("only", catalog), catalog.Series(series.KindHistogram, "m", nil)
	for _, v := range values {
		resolved = false
		switch v := v.(type) {
		case int:
			p.Record(m, float64(v))
		case float64:
			p.Record(m, v)
		}
		p.Publish(false)
		s.Step() // the evaluation is that of this tick
		state := "inactive"
		for _, a := range s.Alerts() {
			state = a.State.Shown().String()
		}
		if resolved && state == "inactive" {
			state = "resolved"
		}
		states = append(states, state)
		for range int64(every/time.Second) - 1 {
			p.Publish(false)
			s.Step()
		}
	}
	return states
}
