package evaluate

import (
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/go-batteries/hawkeye/internal/alert"
	"github.com/go-batteries/hawkeye/internal/series"
	"github.com/go-batteries/hawkeye/internal/window"
)

// Windows is what the evaluator asks of package window.
type Windows interface {
	Value(window.Handle, *window.Group) window.Value
	ValueAt(window.Handle, *window.Group, int64) (window.Value, bool)
	Groups(window.Handle) []*window.Group
	Changed([]window.Ref) []window.Ref
	ChangedLate([]window.Ref) []window.Ref
}

// Tick is what the evaluator has to know of one.
type Tick struct {
	N   int64
	End time.Time
	// Unknown is how much time up to and with this tick nobody knows
	// anything of, since the tick before.
	Unknown time.Duration
	// Late are earlier ticks to be judged again, for firing only.
	Late []int64
}

// Alert is one alert: a monitor, and a group of its tags.
type Alert struct {
	Key   string
	Rule  *Rule
	Tags  []series.Tag
	State alert.State
	// Value is that of the latest evaluation.
	Value window.Value

	group *window.Group
}

// Change is an alert that is not as it was. Alert.State is the new state.
type Change struct {
	Alert  *Alert
	Before alert.State
	Events []alert.Event
}

// Evaluator holds the alerts. It is not safe for concurrent use.
type Evaluator struct {
	plan    *Plan
	handles []window.Handle
	newID   func() string
	told    func(key string) []alert.Told
	born    int64

	users  map[window.Handle][]*Rule // whom a handle's change concerns
	alerts map[string]*Alert
	byRef  map[ruleGroup]*Alert
	stored map[string]alert.State // states whose group hasn't appeared yet

	todo map[*Alert]bool // to be judged at the next tick that is due
	refs []window.Ref
	all  bool // judge everything at the next tick
}

type ruleGroup struct {
	rule  *Rule
	group *window.Group
}

// Config of an Evaluator. Handles are those of Plan.Queries, in their order.
type Config struct {
	Plan    *Plan
	Handles []window.Handle
	// States are those of the ledger, by alert key.
	States map[string]alert.State
	// NewID draws an incident's id.
	NewID func() string
	// Born is the last tick before there was anything to know.
	Born int64
	// Told returns the incidents of an alert that somebody was told of and
	// that have no end yet. May be nil.
	Told func(key string) []alert.Told
}

// New returns an evaluator. Its first step judges every alert.
func New(cfg Config) *Evaluator {
	e := &Evaluator{
		plan: cfg.Plan, handles: cfg.Handles, newID: cfg.NewID, told: cfg.Told, born: cfg.Born,
		users:  make(map[window.Handle][]*Rule),
		alerts: make(map[string]*Alert),
		byRef:  make(map[ruleGroup]*Alert),
		stored: maps.Clone(cfg.States),
		todo:   make(map[*Alert]bool),
		all:    true,
	}
	if e.stored == nil {
		e.stored = make(map[string]alert.State)
	}
	for _, r := range cfg.Plan.Rules {
		for _, q := range []int{r.value, r.divisor, r.past} {
			if q >= 0 {
				e.users[cfg.Handles[q]] = append(e.users[cfg.Handles[q]], r)
			}
		}
	}
	return e
}

// Removed ends the alerts that were stored and whose monitor the plan doesn't
// have, unless somebody else wants it: keep, which may be nil, is asked with a
// monitor's key. It is called before the first step, and again when keep
// changed its mind.
func (e *Evaluator) Removed(now time.Time, keep func(monitorKey string) bool) []Change {
	known := make(map[string]bool, len(e.plan.Rules))
	for _, r := range e.plan.Rules {
		known[r.Alert.Key] = true
	}
	var gone []Change
	for _, key := range slices.Sorted(maps.Keys(e.stored)) {
		base, _, _ := strings.Cut(key, "{")
		if known[key] || known[base] || keep != nil && (keep(key) || keep(base)) {
			continue
		}
		before := e.stored[key]
		delete(e.stored, key)
		after, events := alert.End(before, alert.ReasonRemoved, now)
		gone = append(gone, Change{Alert: &Alert{Key: key, State: after}, Before: before, Events: events})
	}
	return gone
}

// Alerts returns all alerts in the order of their keys.
func (e *Evaluator) Alerts() []*Alert {
	keys := slices.Sorted(maps.Keys(e.alerts))
	all := make([]*Alert, len(keys))
	for i, key := range keys {
		all[i] = e.alerts[key]
	}
	return all
}

// Step judges a tick. The changes are in the order of the alerts' keys; the
// evaluator has taken them over already, so that whoever can't store them
// makes a new one from what is stored.
func (e *Evaluator) Step(w Windows, t Tick) []Change {
	changes := make(map[*Alert]*Change)
	e.late(w, t, changes)
	e.collect(w)
	if t.Unknown > 0 {
		e.skip()
	}
	for a := range e.todo {
		if t.N%a.Rule.every != 0 && !e.all && t.Unknown == 0 {
			continue
		}
		in := e.input(w, a, t)
		e.judge(a, in, t.End, changes)
		if a.State.Idle() {
			delete(e.todo, a)
		}
	}
	e.all = false
	return sorted(changes)
}

// collect adds to todo what may stand differently at this tick: all alerts at
// the first one, then those whose window changed. Alerts that are not at rest
// stay in todo.
func (e *Evaluator) collect(w Windows) {
	e.refs = w.Changed(e.refs[:0])
	if e.all {
		for _, r := range e.plan.Rules {
			for _, g := range w.Groups(e.handles[r.value]) {
				e.touch(r, g)
			}
		}
		return
	}
	for _, ref := range e.refs {
		for _, r := range e.users[ref.Handle] {
			if e.handles[r.value] == ref.Handle {
				e.touch(r, ref.Group)
				continue
			}
			for _, g := range w.Groups(e.handles[r.value]) { // a divisor's or a past window's change
				if g.Key() == ref.Group.Key() {
					e.touch(r, g)
				}
			}
		}
	}
}

// skip makes every alert with a running clock look at the unknown time.
func (e *Evaluator) skip() {
	for _, a := range e.alerts {
		if a.State.Phase != alert.Inactive {
			e.todo[a] = true
		}
	}
}

func (e *Evaluator) touch(r *Rule, g *window.Group) {
	if a := e.alertOf(r, g); a != nil {
		e.todo[a] = true
	}
}

// alertOf returns the alert of a group, making it if it is new and the
// monitor has room for it. A group that fires already always has room.
func (e *Evaluator) alertOf(r *Rule, g *window.Group) *Alert {
	ref := ruleGroup{r, g}
	if a := e.byRef[ref]; a != nil {
		return a
	}
	key := r.Alert.Key
	if len(r.Monitor.By) > 0 {
		key += "{" + g.Key() + "}"
	}
	state, known := e.stored[key]
	if !known && len(r.Monitor.By) > 0 && r.groups >= r.maxGroups() {
		r.Overflow++
		return nil
	}
	delete(e.stored, key)
	r.groups++
	a := &Alert{Key: key, Rule: r, Tags: g.Tags(), State: state, group: g}
	e.alerts[key], e.byRef[ref] = a, a
	return a
}

func (e *Evaluator) judge(a *Alert, in alert.Input, now time.Time, changes map[*Alert]*Change) {
	before := a.State
	if in.Status == alert.StatusUnseen && before.Idle() && !a.Rule.Alert.MustExist {
		return // nothing is known, nothing is wrong, nothing is worth a record
	}
	if e.told != nil && before.Phase <= alert.Pending {
		in.Told = slices.DeleteFunc(e.told(a.Key), func(t alert.Told) bool { return before.Last.Covers(t.FiredAt) })
	}
	after, events := alert.Step(&a.Rule.Alert, before, in, now, e.newID)
	if len(events) == 0 && after.Equal(&before) {
		return
	}
	a.State = after
	if c := changes[a]; c != nil {
		c.Events = append(c.Events, events...)
		return
	}
	changes[a] = &Change{Alert: a, Before: before, Events: events}
}

// late judges again the ticks whose windows got samples after they were taken.
func (e *Evaluator) late(w Windows, t Tick, changes map[*Alert]*Change) {
	if len(t.Late) == 0 {
		return
	}
	e.refs = w.ChangedLate(e.refs[:0])
	for _, ref := range e.refs {
		for _, r := range e.users[ref.Handle] {
			if e.handles[r.value] != ref.Handle || r.divisor >= 0 || r.past >= 0 {
				continue // a ratio of which one side is late proves nothing
			}
			a := e.alertOf(r, ref.Group)
			if a == nil {
				continue
			}
			e.todo[a] = true
			for _, n := range t.Late {
				if v, ok := w.ValueAt(ref.Handle, ref.Group, n); ok && v.Status == window.OK {
					end := t.End.Add(-time.Duration(t.N-n) * e.plan.width)
					e.judge(a, alert.Input{Value: v.V, Late: true, Incomplete: !v.Complete()}, end, changes)
				}
			}
		}
	}
}

// input asks the windows and says what the answer is worth.
func (e *Evaluator) input(w Windows, a *Alert, t Tick) alert.Input {
	r := a.Rule
	v := e.value(w, r.value, a.group)
	a.Value = v
	in := alert.Input{Value: v.V, Unknown: t.Unknown, LowerBound: v.Partial > 0 && v.Monotone}
	in.Incomplete = (v.Partial > 0 && !v.Monotone) || e.unknown(v, t, r)
	switch v.Status {
	case window.Unseen:
		in.Status = alert.StatusUnseen
	case window.Missing:
		in.Status = alert.StatusMissing
	case window.Ambiguous:
		in.Status = alert.StatusError
	}
	if r.divisor >= 0 {
		e.ratio(w, a, &in)
	}
	if r.past >= 0 {
		e.relative(w, a, &in)
	}
	if in.Status == alert.StatusOK && math.IsNaN(in.Value) {
		in.Status = alert.StatusMissing
	}
	return in
}

// value asks the windows. Ticks before anybody counted aren't unknown.
func (e *Evaluator) value(w Windows, query int, g *window.Group) window.Value {
	v := w.Value(e.handles[query], g)
	if v.LastUnknown <= e.born {
		v.Unknown = 0
	}
	return v
}

// unknown says whether ticks of which nobody knows anything still keep an
// alert from ending.
func (e *Evaluator) unknown(v window.Value, t Tick, r *Rule) bool {
	hold := min(r.Monitor.Window, maxUnknownHold)
	return v.Unknown > 0 && t.N-v.LastUnknown < int64(hold/e.plan.width)
}

// ratio divides. 0/0, and a divisor under min_total, is no value; a part
// that is incomplete makes no lower bound of a ratio.
func (e *Evaluator) ratio(w Windows, a *Alert, in *alert.Input) {
	d := e.value(w, a.Rule.divisor, e.sameGroup(w, a.Rule.divisor, a.group))
	in.Incomplete = in.Incomplete || in.LowerBound || !d.Complete()
	in.LowerBound = false
	switch {
	case d.Status == window.Ambiguous:
		in.Status = alert.StatusError
	case d.Status == window.Unseen && in.Status == alert.StatusUnseen:
	case d.Status != window.OK || d.V == 0 || d.V < a.Rule.Monitor.MinTotal:
		in.Status = alert.StatusMissing
	case in.Status == alert.StatusUnseen: // none of the events ever happened
		in.Status, in.Value = alert.StatusOK, 0
	case in.Status == alert.StatusOK:
		in.Value /= d.V
	}
	a.Value.V = in.Value
}

// relative makes the value the change against the window in the past.
func (e *Evaluator) relative(w Windows, a *Alert, in *alert.Input) {
	then := e.value(w, a.Rule.past, e.sameGroup(w, a.Rule.past, a.group))
	in.LowerBound = false
	if then.Status != window.OK || then.V == 0 || !then.Complete() {
		in.Status = alert.StatusMissing
		return
	}
	in.Value = in.Value/then.V - 1
	a.Value.V = in.Value
}

// sameGroup finds the group of another query with the same tags.
func (e *Evaluator) sameGroup(w Windows, query int, g *window.Group) *window.Group {
	for _, other := range w.Groups(e.handles[query]) {
		if other.Key() == g.Key() {
			return other
		}
	}
	return nil
}

// Merge puts the changes of a later step behind those of earlier ones, so that
// each alert is in the result once. The order of earlier is kept.
func Merge(earlier, later []Change) []Change {
	if len(earlier) == 0 {
		return later
	}
	at := make(map[*Alert]int, len(earlier))
	for i := range earlier {
		at[earlier[i].Alert] = i
	}
	for _, c := range later {
		if i, ok := at[c.Alert]; ok {
			earlier[i].Events = append(earlier[i].Events, c.Events...)
			continue
		}
		earlier = append(earlier, c)
	}
	return earlier
}

func sorted(changes map[*Alert]*Change) []Change {
	out := make([]Change, 0, len(changes))
	for _, c := range changes {
		out = append(out, *c)
	}
	slices.SortFunc(out, func(a, b Change) int { return strings.Compare(a.Alert.Key, b.Alert.Key) })
	return out
}
