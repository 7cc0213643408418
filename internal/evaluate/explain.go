package evaluate

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-batteries/hawkeye/internal/alert"
	"github.com/go-batteries/hawkeye/internal/series"
	"github.com/go-batteries/hawkeye/internal/window"
)

// maxCells is into how many parts a window is cut to show its samples.
const maxCells = 30

// Find returns the rule that a person calls name: an alert's key without its
// group, or a monitor's name, nil if there is none.
func (p *Plan) Find(name string) *Rule {
	for _, r := range p.Rules {
		if r.Alert.Key == name {
			return r
		}
	}
	for _, r := range p.Rules {
		if r.Monitor.Name == name {
			return r
		}
	}
	return nil
}

// Cells returns a plan of r alone, with its first query over each part of the
// window behind its queries, oldest first, and how long a part is.
func (p *Plan) Cells(r *Rule) (single *Plan, width time.Duration) {
	own := *r
	own.queries = nil
	single = &Plan{width: p.width, Rules: []*Rule{&own}}
	for i, q := range r.queries {
		own.queries = append(own.queries, i)
		single.Queries = append(single.Queries, p.Queries[q])
	}
	first := single.Queries[0]
	width = max(first.Window/maxCells, p.width)
	width = (width + p.width - 1) / p.width * p.width
	n := max(int(first.Window/width), 1)
	for i := n - 1; i >= 0; i-- {
		cell := first
		cell.Window, cell.Delay = width, first.Delay+time.Duration(i)*width
		single.Queries = append(single.Queries, cell)
	}
	return single, width
}

// Own is how many of a plan's queries are its rules'.
func (p *Plan) Own() (n int) {
	for _, r := range p.Rules {
		n += len(r.queries)
	}
	return n
}

// GroupKey returns what the key of an alert of the rule ends with, for tags by
// name. It is an error if a tag of the monitor's `by` is missing.
func (r *Rule) GroupKey(tags []series.Tag) (key, group string, err error) {
	if len(r.Monitor.By) == 0 {
		return r.Alert.Key, "", nil
	}
	values := make([]string, len(r.Monitor.By))
	for i, name := range r.Monitor.By {
		at := slices.IndexFunc(tags, func(t series.Tag) bool { return t.Key == name })
		if at < 0 {
			return "", "", fmt.Errorf("want a value of the tag %q: the monitor has an alert for each of %s", name, strings.Join(r.Monitor.By, ", "))
		}
		values[i] = strings.NewReplacer(`\`, `\\`, `|`, `\|`).Replace(tags[at].Value)
	}
	group = strings.Join(values, "|")
	return r.Alert.Key + "{" + group + "}", group, nil
}

// Read measures an alert of the plan's first rule at a tick, without judging
// it.
func (e *Evaluator) Read(w Windows, key, group string, t Tick) *Alert {
	r := &e.rules[0]
	a := newAlert(key, r.Rule, group, nil, e.stored[key])
	for i, v := range groupValues(group) {
		if i < len(r.Monitor.By) {
			a.Tags = append(a.Tags, series.Tag{Key: r.Monitor.By[i], Value: v})
		}
	}
	if e.kindOf != nil {
		a.kind = e.kindOf(key)
	}
	a.Reading, a.Read, a.readAt = a.Rule.measure.measure(&reader{e: e, w: w, a: a, t: t}), true, t.End
	a.note(t)
	a.waits = a.input.Status == alert.StatusOK && a.input.Filling && a.rule().Breached(a.input.Value)
	return a
}

// Cell returns the value of a query that is none of a rule's own.
func (e *Evaluator) Cell(w Windows, query int, group string) window.Value {
	g := w.Group(e.handles[query], group)
	if g == nil {
		g = noGroup
	}
	v := w.Value(e.handles[query], g)
	if v.LastUnknown <= e.born {
		v.Unknown = 0
	}
	return v
}

// Verdict is how the value stands to one level.
type Verdict struct {
	Level string
	// Threshold is what the value is compared with now: of a level that
	// fires, its clear value.
	Threshold float64
	// Breached says that the value is in breach, Since since when, Fires
	// that the level fires.
	Breached, Fires bool
	Since           time.Time
	For             time.Duration
}

// Verdicts returns how the latest value stands to each level, mildest first.
func (a *Alert) Verdicts() []Verdict {
	rule := a.rule()
	out := make([]Verdict, len(rule.Levels))
	for i, level := range rule.Levels {
		v := Verdict{Level: level.Name, Threshold: level.Threshold, For: level.For, Since: a.State.Clocks[level.Name]}
		v.Fires = a.State.Phase.Told() && a.State.Rank > i
		if v.Fires && level.Clear != nil {
			v.Threshold = *level.Clear
		}
		v.Breached = a.Value.Status == window.OK && rule.Op.Holds(a.input.Value, v.Threshold) && (v.Fires || a.Waits() == "")
		if a.Rule.Source == "slo" {
			v.Threshold = a.Rule.Monitor.Triggers[i].Threshold
		}
		out[i] = v
	}
	return out
}

// Waits says why a value in breach doesn't begin anything now, empty if it may.
func (a *Alert) Waits() string {
	m := a.Rule.Monitor
	switch {
	case a.Value.Status != window.OK:
		return ""
	case a.input.Few && m.DivideBy != "":
		return fmt.Sprintf("%.6g of %s are too few to begin with (min_total %.6g)", orZero(a.Total), m.DivideBy, m.MinTotal)
	case a.input.Few:
		return fmt.Sprintf("%.6g observations are too few to begin with (min_total %.6g)", a.Value.Count, m.MinTotal)
	case a.waits:
		return "there is no verdict before the window is whole: nobody counted in a part of it, or nothing is known of that"
	}
	return ""
}

// Without says what a value that isn't there comes to, and when; empty if
// there is one, or if nothing comes of it.
func (a *Alert) Without() (at time.Time, what string) {
	s, r := &a.State, &a.Rule.Alert
	switch {
	case s.MissingSince.IsZero():
		return time.Time{}, ""
	case s.Trouble == alert.ReasonIdle:
		return s.MissingSince.Add(r.IdleFor), "no samples means: " + string(r.Idle)
	case a.input.Gone:
		return s.MissingSince.Add(max(r.NoDataFor, alert.GoneFor)), "no data means: " + string(r.NoData)
	}
	return s.MissingSince.Add(r.NoDataFor), "no data means: " + string(r.NoData)
}

// Outlook says in sentences what the alert will do by itself.
func (a *Alert) Outlook() []string {
	s, r := &a.State, &a.Rule.Alert
	var out []string
	if b, ok := a.Beat(); ok {
		return b.outlook(s)
	}
	switch s.Phase {
	case alert.Pending:
		for i := len(r.Levels) - 1; i >= 0; i-- {
			if since, running := s.Clocks[r.Levels[i].Name]; running {
				out = append(out, fmt.Sprintf("fires as %s at %s if it stays in breach", r.Levels[i].Name, stamp(since.Add(r.Levels[i].For))))
			}
		}
	case alert.Firing:
		out = append(out, "ends when the value is clear"+lasting(r.KeepFiringFor))
	case alert.Recovering:
		out = append(out, "ends at "+stamp(s.ClearSince.Add(r.KeepFiringFor))+" if it stays clear")
	case alert.NoData:
		out = append(out, "ends when there is data again")
	default:
		switch a.Value.Status {
		case window.Unseen:
			out = append(out, "waits for the first sample")
		case window.Ambiguous:
			out = append(out, "can't be evaluated: the metric exists in several kinds, the monitor needs a type")
		default:
			out = append(out, "fires when a threshold is breached")
		}
	}
	if why := a.Waits(); why != "" {
		out = append(out, why)
	}
	if at, what := a.Without(); what != "" {
		out = append(out, what+", from "+stamp(at)+" on")
	}
	if s.Flapping() {
		out = append(out, "flaps: single changes aren't told until it was stable for "+r.Flap.LookBack.String())
	}
	if s.LevelsFlap() {
		out = append(out, "its levels flap: "+s.Level+" stands until the value was below it for "+r.Flap.LookBack.String())
	}
	return out
}

// outlook says what a heartbeat will do by itself.
func (b Beat) outlook(s *alert.State) []string {
	var out []string
	if !b.Heard.IsZero() {
		out = append(out, "was heard last at "+stamp(b.Heard))
	}
	if s.Phase.Told() {
		return append(out, "was due at "+stamp(b.Due), "ends when it is heard")
	}
	return append(out, "is due at "+stamp(b.Due), "fires at "+stamp(b.Overdue)+" if it isn't heard")
}

func lasting(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return " for " + d.String()
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
