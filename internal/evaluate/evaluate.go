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

// Windows is what the evaluator asks of package window.
type Windows interface {
	Value(window.Handle, *window.Group) window.Value
	ValueAt(window.Handle, *window.Group, int64) (window.Value, bool)
	Newest(window.Handle, *window.Group) (int64, bool)
	Groups(window.Handle) []*window.Group
	Group(h window.Handle, key string) *window.Group
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
	// Asleep is how much of that time all processes were paused: what could
	// have been counted in it nobody did, and so it counts as unknown.
	Asleep time.Duration
	// Late are earlier ticks to be judged again, for firing only. Again says
	// that some of them were judged by who evaluated before, also where nothing
	// is new.
	Late  []int64
	Again bool
}

// Alert is one alert: a monitor, and a group of its tags.
type Alert struct {
	Rule *Rule
	// What each evaluation touches is side by side.
	groups []*window.Group  // of the rule's queries, as far as they are known
	one    [1]*window.Group // room for groups, if there is one query
	kind   string           // of series, as it was seen last
	empty  int64            // the tick since which there are no samples, 0 if there are
	at     int64            // the tick at which it was judged last
	made   int64            // the tick since which its group is known, 0 if it was from the beginning on
	waits  bool             // a breach doesn't count yet, because the window isn't whole
	idle   bool             // that State is
	queued bool             // in Evaluator.todo
	gone   bool             // dropped: no room is held for it

	// Reading is that of the latest evaluation, if Read is set; it was at the
	// end of a tick.
	Read bool
	Reading
	readAt time.Time

	Key   string
	Tags  []series.Tag
	State alert.State

	group string // key of the group
	beat  beat   // of a heartbeat
}

// newAlert returns an alert of a rule that stands as it is stored.
func newAlert(key string, r *Rule, group string, tags []series.Tag, state alert.State) *Alert {
	a := &Alert{Key: key, Rule: r, Tags: tags, State: state, group: group, idle: state.Idle(), beat: newBeat(state.Pulse)}
	if a.groups = a.one[:]; len(r.queries) != 1 {
		a.groups = make([]*window.Group, len(r.queries))
	}
	return a
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
	kindOf  func(key string) string
	born    int64

	rules []rule
	users [][]use // by handle: whom its change concerns
	// overflowed are the rules of which there were too many groups once.
	overflowed []*rule
	alerts     map[string]*Alert
	stored     map[string]alert.State // states whose group hasn't appeared yet

	todo    []*Alert // to be judged at the next tick that is due
	refs    []window.Ref
	reader  reader // of the alert that is measured
	all     bool   // judge everything at the next tick
	loaded  int64  // the tick before the first one that was judged
	unknown int64  // the latest tick of which nobody knows anything
	swept   int64
}

// rule is what an evaluator knows of a Rule.
type rule struct {
	*Rule
	alerts   map[string]*Alert // by group
	only     *Alert            // the one of alerts, of a rule without groups
	overflow *Alert            // that there are more groups than max_groups; nil if there never were
	refused  int64             // the tick at which a group found no room last
}

// use is a rule and which of its queries a handle is.
type use struct {
	rule  *rule
	query int
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
	// Loaded is the last tick that was in the windows when they were first
	// judged; 0 if that is the one before the first step.
	Loaded int64
	// Told returns the incidents of an alert that somebody was told of and
	// that have no end yet. May be nil.
	Told func(key string) []alert.Told
	// KindOf returns the kind of series that a stored alert was of
	// ([notify.Snapshot.Series]), empty if that isn't known. May be nil.
	KindOf func(key string) string
}

// New returns an evaluator. Its first step judges every alert.
func New(cfg Config) *Evaluator {
	e := &Evaluator{
		plan: cfg.Plan, handles: cfg.Handles, newID: cfg.NewID, told: cfg.Told, kindOf: cfg.KindOf, born: cfg.Born, loaded: cfg.Loaded,
		rules:  make([]rule, len(cfg.Plan.Rules)),
		alerts: make(map[string]*Alert, len(cfg.Plan.Rules)),
		stored: maps.Clone(cfg.States),
		all:    true,
	}
	if e.stored == nil {
		e.stored = make(map[string]alert.State)
	}
	if len(cfg.Handles) > 0 {
		e.users = make([][]use, slices.Max(cfg.Handles)+1)
	}
	for i, r := range cfg.Plan.Rules {
		e.rules[i] = rule{Rule: r}
		for n, q := range r.queries {
			h := cfg.Handles[q]
			e.users[h] = append(e.users[h], use{&e.rules[i], n})
		}
	}
	return e
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

// Alert returns the alert with a key, nil if there is none.
func (e *Evaluator) Alert(key string) *Alert { return e.alerts[key] }

// Step judges a tick. The changes are in the order of the alerts' keys; the
// evaluator has taken them over already, so that whoever can't store them
// makes a new one from what is stored.
func (e *Evaluator) Step(w Windows, t Tick) []Change {
	changes := make(map[*Alert]*Change)
	if e.loaded == 0 {
		e.loaded = t.N - 1
	}
	e.late(w, t, changes)
	e.collect(w, t)
	if t.Unknown > 0 {
		e.unknown = t.N
	}
	if t.Unknown += t.Asleep; t.Unknown > 0 {
		e.skip()
	}
	kept := e.todo[:0]
	for _, a := range e.todo {
		if !a.gone && (e.all || t.Unknown > 0 || t.N%a.Rule.every == 0) {
			e.step(w, a, t, changes)
			a.queued = !a.rests()
		}
		if a.queued && !a.gone {
			kept = append(kept, a)
		}
	}
	clear(e.todo[len(kept):])
	e.todo, e.all = kept, false
	e.sweep(t, changes)
	return sorted(changes)
}

// rests says that nothing can happen to the alert unless its windows change.
func (a *Alert) rests() bool {
	return a.idle && !a.Rule.beats && !a.waits
}

// collect adds to todo what may stand differently at this tick: all alerts at
// the first one, then those whose window changed. Alerts that are not at rest
// stay in todo.
func (e *Evaluator) collect(w Windows, t Tick) {
	e.refs = w.Changed(e.refs[:0])
	if !e.all {
		for _, ref := range e.refs {
			for _, u := range e.users[ref.Handle] {
				e.touch(u, ref.Group, t)
			}
		}
		return
	}
	for i := range e.rules {
		r := &e.rules[i]
		for n, q := range r.queries {
			for _, g := range w.Groups(e.handles[q]) {
				e.touch(use{r, n}, g, t)
			}
		}
	}
	e.orphans(t)
}

// skip makes every alert with a running clock look at the unknown time.
func (e *Evaluator) skip() {
	for _, a := range e.alerts {
		if a.State.Phase != alert.Inactive {
			e.queue(a)
		}
	}
}

func (e *Evaluator) queue(a *Alert) {
	if !a.queued {
		a.queued = true
		e.todo = append(e.todo, a)
	}
}

func (e *Evaluator) touch(u use, g *window.Group, t Tick) {
	a := u.rule.only
	if a == nil {
		a = e.alertOf(u.rule, g.Key(), g.Tags(), t)
	}
	if a != nil {
		a.groups[u.query] = g
		e.queue(a)
	}
}

// step judges one alert.
func (e *Evaluator) step(w Windows, a *Alert, t Tick, changes map[*Alert]*Change) {
	e.reader = reader{e: e, w: w, a: a, t: t}
	a.Reading, a.Read, a.readAt = a.Rule.measure.measure(&e.reader), true, t.End
	a.note(t)
	in := a.input
	in.Unknown, in.Elapsed, in.Settling = t.Unknown, e.elapsed(a, t), e.settling(t)
	if a.left(&in, t, e.plan.width) {
		before := a.State
		after, events := alert.End(before, alert.ReasonGone, t.End)
		e.change(a, before, after, events, changes)
		return
	}
	e.judge(a, &in, t.End, changes)
}

// elapsed returns how much time of which something is known lies between the
// evaluation before this one and this one.
func (e *Evaluator) elapsed(a *Alert, t Tick) time.Duration {
	before := a.at
	if a.at = t.N; before == 0 {
		return 0
	}
	return max(time.Duration(t.N-before)*e.plan.width-t.Unknown, 0)
}

// settling says that a moment ago no process was there.
func (e *Evaluator) settling(t Tick) bool {
	return e.unknown > 0 && time.Duration(t.N-e.unknown)*e.plan.width < alert.GoneFor
}

// note remembers what outlives the samples.
func (a *Alert) note(t Tick) {
	v := &a.Value
	if v.Status == window.OK && v.Kind != 0 || v.Count > 0 {
		a.kind = v.Kind.String()
	}
	switch {
	case a.samples:
		a.empty = 0
	case a.empty == 0:
		a.empty = t.N
	}
}

func (e *Evaluator) judge(a *Alert, in *alert.Input, now time.Time, changes map[*Alert]*Change) {
	if in.Status == alert.StatusUnseen && a.idle && !a.Rule.Alert.MustExist && !a.Rule.beats {
		return // nothing is known, nothing is wrong, nothing is worth a record
	}
	rule := a.rule()
	a.waits = in.Status == alert.StatusOK && in.Filling && rule.Breached(in.Value)
	if in.Status == alert.StatusOK && a.idle && !rule.Breached(in.Value) && !a.Rule.beats {
		return
	}
	before, state := a.State, a.State
	if a.Rule.beats {
		state.Pulse = a.beat.keep(state.Pulse, now)
	}
	if !in.Late && before.Phase.Told() && now.Before(before.FiredAt) {
		return // told by a replica that was blind: it can't end before it fired
	}
	if e.told != nil && before.Phase <= alert.Pending {
		in.Told = slices.DeleteFunc(e.told(a.Key), func(t alert.Told) bool { return before.Last.Covers(t.FiredAt) })
	}
	after, events := alert.Step(rule, state, *in, now, e.newID)
	a.explain(events, before.MissingSince)
	if a.Rule.Source != "" && a.Value.Status == window.OK {
		for i := range events {
			events[i].Value = a.Value.V
		}
	}
	e.change(a, before, after, events, changes)
}

// rule is what the alert is judged by now.
func (a *Alert) rule() *alert.Rule {
	if !a.Rule.relative() {
		return &a.Rule.Alert
	}
	scaled := a.Rule.scaled(a.scale)
	return &scaled
}

func (e *Evaluator) change(a *Alert, before, after alert.State, events []alert.Event, changes map[*Alert]*Change) {
	if len(events) == 0 && after.Equal(&before) {
		return
	}
	a.State, a.idle = after, after.Idle()
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
		for _, u := range e.users[ref.Handle] {
			a := e.alertOf(u.rule, ref.Group.Key(), ref.Group.Tags(), t)
			if a == nil {
				continue
			}
			a.groups[u.query] = ref.Group
			e.queue(a)
			for _, n := range t.Late {
				if len(a.Rule.queries) == 1 && !(t.Again && a.Rule.beats) { // a ratio of which one side is late proves nothing
					e.lateTick(w, a, u.query, n, t, changes)
				}
			}
		}
	}
}

func (e *Evaluator) lateTick(w Windows, a *Alert, query int, n int64, t Tick, changes map[*Alert]*Change) {
	v, ok := w.ValueAt(e.handles[a.Rule.queries[query]], a.groups[query], n)
	if !ok || v.Status != window.OK {
		return
	}
	end := t.End.Add(-time.Duration(t.N-n) * e.plan.width)
	if v.Kind != 0 || v.Count > 0 { // it may have left the window by now
		a.kind = v.Kind.String()
	}
	in := alert.Input{Late: true, Width: e.plan.width, Incomplete: !v.Complete(), Few: few(a.Rule.Monitor, &v)}
	e.fill(a, query, &v, n, &in)
	in.Value = v.V
	if v.Monotone {
		in.Held = a.Rule.Monitor.Window
	}
	e.judge(a, &in, end, changes)
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
