package evaluate_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/go-batteries/hawkeye/internal/alert"
	"github.com/go-batteries/hawkeye/internal/bucket"
	"github.com/go-batteries/hawkeye/internal/evaluate"
	"github.com/go-batteries/hawkeye/internal/monitor"
	"github.com/go-batteries/hawkeye/internal/series"
	"github.com/go-batteries/hawkeye/internal/window"
	"github.com/go-batteries/hawkeye/store"
)

// More groups than a monitor keeps are told once, and that it is over once
// none was refused for as long as a group takes to be gone.
func TestTooManyGroupsAreTold(t *testing.T) {
	t.Parallel()
	set := &monitor.Set{Monitors: []monitor.Monitor{
		{Name: "calm", Metric: "calm", Window: time.Minute, Triggers: []monitor.Trigger{{Level: "critical", Threshold: 1e9}}},
		{
			Name: "m", Metric: "m", Window: time.Minute, By: []string{"user"}, MaxGroups: 2,
			Triggers: []monitor.Trigger{{Level: "critical", Threshold: 1e9}},
		},
	}}
	plan := evaluate.NewPlan(set, time.Second)
	w := window.New(time.Second, 5*time.Minute, window.LiveTicks)
	var handles []window.Handle
	for _, q := range plan.Queries {
		handles = append(handles, w.Register(q))
	}
	e := evaluate.New(evaluate.Config{Plan: plan, Handles: handles, NewID: func() string { return "i" }})
	writer := store.NewID()
	step := func(tick int64, users int) (kinds []alert.Kind) {
		w.Advance(tick)
		data := new(bucket.Bucket)
		for i := range users {
			tags := []series.Tag{{Key: "user", Value: fmt.Sprint(i)}}
			w.Learn(uint64(i), series.Canonical(series.KindCounter, "m", tags))
			data.Counters = append(data.Counters, bucket.Counter{ID: uint64(i), Delta: bucket.Unit})
		}
		w.Take(tick, writer, data)
		for _, c := range e.Step(w, evaluate.Tick{N: tick, End: time.Unix(tick+1, 0)}) {
			for _, event := range c.Events {
				if event.Reason != alert.ReasonOverflow {
					t.Errorf("tick %d: %s: event of reason %q, want %q", tick, c.Alert.Key, event.Reason, alert.ReasonOverflow)
				}
				kinds = append(kinds, event.Kind)
			}
		}
		return kinds
	}
	for _, s := range []struct {
		tick  int64
		users int
		want  []alert.Kind
	}{
		{1000, 2, nil},
		{1001, 2, nil},
		{1002, 3, []alert.Kind{alert.Fired}},
		{1003, 3, nil},
		{1004, 2, nil},
		{1070, 2, nil}, // the third one's samples leave the window, which is a change
		{1070 + 3599, 2, nil},
		{1070 + 3600, 2, []alert.Kind{alert.Resolved}},
		{1070 + 3601, 2, nil},
	} {
		if got := step(s.tick, s.users); fmt.Sprint(got) != fmt.Sprint(s.want) {
			t.Errorf("tick %d with %d groups: %v, want %v", s.tick, s.users, got, s.want)
		}
	}
}
