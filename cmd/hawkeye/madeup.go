package main

import (
	"math"
	"time"

	"github.com/go-batteries/hawkeye/internal/alert"
	"github.com/go-batteries/hawkeye/internal/evaluate"
	"github.com/go-batteries/hawkeye/internal/monitor"
	"github.com/go-batteries/hawkeye/internal/notify"
	"github.com/go-batteries/hawkeye/internal/notify/routing"
	"github.com/go-batteries/hawkeye/internal/series"
	"github.com/go-batteries/hawkeye/internal/window"
)

// rows are what can be told of a trigger.
func (cmd *previewCmd) rows(rule *evaluate.Rule, i int) []*notify.Row {
	m := rule.Monitor
	kinds := []notify.RowKind{notify.Firing}
	if i > 0 {
		kinds = append(kinds, notify.Rise)
	}
	if i < len(m.Triggers)-1 {
		kinds = append(kinds, notify.Fall)
	}
	if !m.Triggers[i].NeverRepeat {
		kinds = append(kinds, notify.Repeat)
	}
	if !m.Legacy {
		kinds = append(kinds, notify.Resolved, notify.Flapping)
	}
	if m.NoData == monitor.NoDataState {
		kinds = append(kinds, notify.Missing)
	}
	var rows []*notify.Row
	for _, kind := range kinds {
		rows = append(rows, cmd.row(rule, i, kind))
	}
	if len(m.Triggers[i].Escalate) > 0 {
		row := cmd.row(rule, i, notify.Firing)
		row.Escalated = true
		rows = append(rows, row)
	}
	return rows
}

// row makes up something to tell: the value is just what the trigger needs, or
// half of it at the end.
func (cmd *previewCmd) row(rule *evaluate.Rule, i int, kind notify.RowKind) *notify.Row {
	t := &rule.Monitor.Triggers[i]
	a := evaluate.Alert{Key: rule.Alert.Key, Rule: rule, Read: true}
	for _, tag := range rule.Monitor.By {
		a.Tags = append(a.Tags, series.Tag{Key: tag, Value: "<" + tag + ">"})
	}
	fired := previewFired
	if kind == notify.Firing {
		fired = previewTime
	}
	a.State = alert.State{
		Phase: alert.Firing, Incident: "preview", Level: t.Level, Rank: i + 1, Since: fired, FiredAt: fired, LevelAt: previewTime,
	}
	a.Reading = reading(rule, t, kind)
	s := routing.Snapshot(&a, cmd.Service, cmd.Environment)
	s.At = previewTime
	switch levels := rule.Monitor.Triggers; {
	case kind == notify.Rise:
		s.PreviousLevel = levels[i-1].Level
	case kind == notify.Fall:
		s.PreviousLevel = levels[i+1].Level
	}
	if rule.Source == "heartbeat" {
		s.Due, s.Heard = previewFired, previewFired.Add(-time.Hour)
		if kind == notify.Resolved {
			s.Heard = previewTime
		}
	}
	return &notify.Row{
		V: notify.RecordVersion, Incident: "preview", Alert: a.Key, Monitor: rule.Alert.Key, Seq: 1,
		Kind: kind, Rank: i + 1, Created: previewTime, Snapshot: s,
	}
}

// reading makes up what was measured.
func reading(rule *evaluate.Rule, t *monitor.Trigger, kind notify.RowKind) evaluate.Reading {
	r := evaluate.Reading{Total: math.NaN(), Part: math.NaN(), Compare: math.NaN(), Limit: math.NaN()}
	if kind == notify.Missing {
		r.Value = window.Value{V: math.NaN(), Status: window.Missing}
		return r
	}
	threshold := t.Threshold
	if t.Relative {
		r.Compare = 100
		threshold = r.Compare * (1 + t.Threshold)
	}
	breaching, clear := around(rule.Monitor.Op, threshold)
	r.Value = window.Value{V: breaching, Status: window.OK}
	if kind == notify.Resolved {
		r.Value.V = clear
	}
	switch {
	case rule.Source == "heartbeat" && kind == notify.Resolved:
		r.Value.V = 0
	case rule.Source == "heartbeat":
		r.Value.V = previewTime.Sub(previewFired).Seconds()
	}
	if rule.Monitor.DivideBy != "" {
		r.Total = 1000
		r.Part = math.Round(r.Value.V * r.Total)
	}
	return r
}

// around returns values that are in breach of a threshold and not.
func around(op monitor.Op, threshold float64) (breaching, clear float64) {
	less, more := threshold/2, threshold*1.5
	if threshold <= 0 {
		less, more = threshold-1, threshold+1
	}
	switch op {
	case monitor.Greater:
		return more, less
	case monitor.Less:
		return less, more
	case monitor.LessOrEqual, monitor.EqualTo:
		return threshold, more
	case monitor.NotEqualTo:
		return more, threshold
	}
	return threshold, less
}

// coming makes up what is told next of a row.
func coming(t *monitor.Trigger, row *notify.Row) *notify.Coming {
	next := &notify.Coming{}
	if !t.NeverRepeat {
		next.Repeat = previewTime.Add(t.Repeat)
	}
	if row.Escalated {
		return next
	}
	for _, e := range t.Escalate {
		next.Steps = append(next.Steps, notify.Step{Level: t.Level, Receivers: e.Notify, At: previewTime.Add(e.After)})
	}
	return next
}
