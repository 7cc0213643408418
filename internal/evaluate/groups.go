package evaluate

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-batteries/hawkeye/internal/alert"
	"github.com/go-batteries/hawkeye/internal/series"
	"github.com/go-batteries/hawkeye/internal/window"
)

const (
	// goneAfter is how long a group must be without samples, or the window if
	// that is longer, before its alert ends and its room is given to others.
	goneAfter = time.Hour
	// sweepEvery is how often groups are looked through for those that are
	// gone.
	sweepEvery = time.Minute
)

// SourceOverflow is the Source of a rule that says that a monitor has more
// groups than it keeps.
const SourceOverflow = "max_groups"

// Removed ends the alerts that were stored and whose monitor the plan doesn't
// have, or has with other groups, unless somebody else wants it: keep, which
// may be nil, is asked with a monitor's key. It is called before the first
// step, and again when keep changed its mind.
func (e *Evaluator) Removed(now time.Time, keep func(monitorKey string) bool) []Change {
	groupTags := make(map[string]int, len(e.plan.Rules))
	for _, r := range e.plan.Rules {
		groupTags[r.Alert.Key] = len(r.Monitor.By)
	}
	var gone []Change
	for _, key := range slices.Sorted(maps.Keys(e.stored)) {
		if _, _, ok := split(key, groupTags); ok || keep != nil && kept(key, keep) {
			continue
		}
		before := e.stored[key]
		delete(e.stored, key)
		after, events := alert.End(before, alert.ReasonRemoved, now)
		gone = append(gone, Change{Alert: &Alert{Key: key, State: after}, Before: before, Events: events})
	}
	return gone
}

// kept says whether somebody else wants the monitor of an alert's key.
func kept(key string, keep func(monitorKey string) bool) bool {
	base, _ := strings.CutSuffix(key, overflowSuffix)
	if keep(base) {
		return true
	}
	for i := range base {
		if base[i] == '{' && strings.HasSuffix(base, "}") && keep(base[:i]) {
			return true
		}
	}
	return false
}

// split finds the rule and the group of an alert's key. groupTags are how many
// tags make a group of a rule.
func split(key string, groupTags map[string]int) (base, group string, ok bool) {
	if n, known := groupTags[key]; known && n == 0 {
		return key, "", true
	}
	if base, ok := strings.CutSuffix(key, overflowSuffix); ok {
		if n, known := groupTags[base]; known && n > 0 {
			return base, "", true
		}
	}
	if !strings.HasSuffix(key, "}") {
		return "", "", false
	}
	for i := range key {
		if key[i] != '{' {
			continue
		}
		group := key[i+1 : len(key)-1]
		if n := groupTags[key[:i]]; n > 0 && len(groupValues(group)) == n {
			return key[:i], group, true
		}
	}
	return "", "", false
}

// groupValues undoes [window.Group.Key].
func groupValues(key string) (values []string) {
	var b strings.Builder
	for i := 0; i < len(key); i++ {
		switch {
		case key[i] == '\\' && i+1 < len(key):
			i++
			b.WriteByte(key[i])
		case key[i] == '|':
			values = append(values, b.String())
			b.Reset()
		default:
			b.WriteByte(key[i])
		}
	}
	return append(values, b.String())
}

// alertOf returns the alert of a group, making it if it is new and the
// monitor has room for it. A group that isn't at rest always has room.
func (e *Evaluator) alertOf(r *rule, group string, tags []series.Tag, t Tick) *Alert {
	if a := r.alerts[group]; a != nil {
		return a
	}
	key := r.Alert.Key
	if len(r.Monitor.By) > 0 {
		key += "{" + group + "}"
	}
	state := e.stored[key]
	if len(r.Monitor.By) > 0 && state.Idle() && len(r.alerts) >= r.maxGroups() {
		e.overflow(r, t)
		return nil
	}
	delete(e.stored, key)
	a := newAlert(key, r.Rule, group, tags, state)
	if e.kindOf != nil && !state.Idle() {
		a.kind = e.kindOf(key)
	}
	if !e.all && len(r.Monitor.By) > 0 {
		a.made = t.N
	}
	if r.alerts == nil {
		r.alerts = make(map[string]*Alert, 1)
	}
	e.alerts[key], r.alerts[group] = a, a
	if len(r.Monitor.By) == 0 {
		r.only = a
	}
	return a
}

// orphans makes alerts of what is stored and isn't at rest, though there are
// no samples of it: it must end some time.
func (e *Evaluator) orphans(t Tick) {
	if len(e.stored) == 0 {
		return
	}
	groupTags := make(map[string]int, len(e.rules))
	byKey := make(map[string]*rule, len(e.rules))
	for i := range e.rules {
		r := &e.rules[i]
		groupTags[r.Alert.Key], byKey[r.Alert.Key] = len(r.Monitor.By), r
	}
	for _, key := range slices.Sorted(maps.Keys(e.stored)) {
		state := e.stored[key]
		base, group, ok := split(key, groupTags)
		if !ok || state.Idle() {
			continue
		}
		r := byKey[base]
		if strings.HasSuffix(key, overflowSuffix) && !strings.HasSuffix(key, "}") {
			e.overflow(r, t)
			continue
		}
		var tags []series.Tag
		for i, v := range groupValues(group) {
			if i < len(r.Monitor.By) {
				tags = append(tags, series.Tag{Key: r.Monitor.By[i], Value: v})
			}
		}
		if a := e.alertOf(r, group, tags, t); a != nil {
			e.queue(a)
		}
	}
}

// left says whether a group has been without any sample for so long that it is
// regarded as gone, whatever the policies are. Without groups, what is missing
// has its own rules.
func (a *Alert) left(in *alert.Input, t Tick, width time.Duration) bool {
	if len(a.Rule.Monitor.By) == 0 || a.idle || a.samples || in.Incomplete || t.Unknown > 0 {
		return false
	}
	without := time.Duration(t.N-a.empty) * width
	if since := a.State.MissingSince; in.Status != alert.StatusOK && !since.IsZero() {
		without = max(without, t.End.Sub(since))
	}
	return without >= max(goneAfter, a.Rule.Monitor.Window)
}

// sweep drops groups that are gone, so that others have room, and steps the
// alerts that say that there are too many.
func (e *Evaluator) sweep(t Tick, changes map[*Alert]*Change) {
	if t.N-e.swept < int64(sweepEvery/e.plan.width) {
		e.tellOverflow(t, changes)
		return
	}
	e.swept = t.N
	for i := range e.rules {
		r := &e.rules[i]
		if len(r.Monitor.By) == 0 {
			continue
		}
		old := t.N - int64(max(goneAfter, r.Monitor.Window)/e.plan.width)
		for group, a := range r.alerts {
			if a.empty > 0 && a.empty <= old && a.State.Idle() && changes[a] == nil {
				a.gone = true
				delete(r.alerts, group)
				delete(e.alerts, a.Key)
			}
		}
	}
	e.tellOverflow(t, changes)
}

// overflowSuffix makes of a monitor's key that of the alert which says that it
// has more groups than it keeps.
const overflowSuffix = "!max_groups"

// overflow notes that a group found no room.
func (e *Evaluator) overflow(r *rule, t Tick) {
	r.refused = t.N
	if r.overflow != nil {
		return
	}
	key := r.Alert.Key + overflowSuffix
	level := alert.Level{Name: r.Alert.Levels[0].Name}
	over := &Rule{Monitor: r.Monitor, Source: SourceOverflow, every: 1, Alert: alert.Rule{
		Key: r.Alert.Key, Op: alert.Greater, Levels: []alert.Level{level},
	}}
	r.overflow = newAlert(key, over, "", nil, e.stored[key])
	e.overflowed = append(e.overflowed, r)
	delete(e.stored, key)
}

// tellOverflow fires, once, while groups find no room, and is over when none
// was refused for as long as it takes a group to be gone.
func (e *Evaluator) tellOverflow(t Tick, changes map[*Alert]*Change) {
	for _, r := range e.overflowed {
		a := r.overflow
		value := 0.0
		if t.N-r.refused < int64(max(goneAfter, r.Monitor.Window)/e.plan.width) {
			value = float64(r.maxGroups())
		}
		before := a.State
		after, events := alert.Step(&a.Rule.Alert, before, alert.Input{Value: value}, t.End, e.newID)
		for j := range events {
			events[j].Reason = alert.ReasonOverflow
		}
		a.Value = window.Value{V: value, Status: window.OK}
		e.change(a, before, after, events, changes)
	}
}
