package notify

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/go-batteries/hawkeye/internal/alert"
	"github.com/go-batteries/hawkeye/internal/matcher"
)

var epoch = time.Unix(1_800_000_000, 0).UTC()

// world is a ledger, an evaluator and a notifier on virtual time, around the
// pure functions. Records pass through JSON on their way.
type world struct {
	t   *testing.T
	cfg *Config
	now time.Time
	rng *rand.Rand

	rules     map[string]*alert.Rule // by monitor
	states    map[string]alert.State // by alert
	tags      map[string]map[string]string
	rows      map[string]*Row
	threads   map[ThreadKey]*Thread
	clocks    map[string]*Clock
	groups    map[GroupKey]*GroupState
	sent      map[string]bool
	dead      []*Row
	gone      []*Row // left the outbox otherwise
	history   []Entry
	silences  []*Silence
	acks      map[string]*Ack
	hold      time.Time
	kept      map[string]bool // alerts
	outranked bool
	incident  int
	self      int // the notifier that runs
	crashed   map[string]bool
	changes   int // plans written

	// answer is what a receiver says to an attempt.
	answer func(receiver string, at time.Duration, m *Message) Result
	// takes is how long a send takes; dies says that the notifier is killed
	// after the receiver accepted, before it settled.
	takes     func(receiver string) time.Duration
	dies      func(m *Message) bool
	capacity  func(receiver string) int
	watch     func(m *Message) // sees what is sent
	attempts  []time.Duration
	delivered []delivery
	pending   []action
	wake      time.Time
}

type delivery struct {
	at time.Duration
	m  Message
}

type action struct {
	at time.Time
	do func()
}

func newWorld(t *testing.T, cfg *Config) *world {
	w := &world{
		t: t, cfg: cfg, now: epoch, rng: rand.New(rand.NewPCG(1, 2)),
		rules: map[string]*alert.Rule{}, states: map[string]alert.State{}, tags: map[string]map[string]string{},
		rows: map[string]*Row{}, threads: map[ThreadKey]*Thread{}, clocks: map[string]*Clock{}, groups: map[GroupKey]*GroupState{},
		sent: map[string]bool{}, acks: map[string]*Ack{}, crashed: map[string]bool{},
	}
	for key, routing := range cfg.Monitors {
		rule := &alert.Rule{Key: key}
		for i, l := range routing.Levels {
			rule.Levels = append(rule.Levels, alert.Level{Name: l.Name, Threshold: cmp.Or(l.Threshold, float64(i+1))})
		}
		w.rules[key] = rule
	}
	return w
}

// oneLevel is a configuration with one monitor of one level.
func oneLevel(repeat time.Duration, receivers ...*Receiver) *Config {
	cfg := &Config{Receivers: map[string]*Receiver{}, Monitors: map[string]*Routing{
		"m": {Levels: []LevelRoute{{Name: "critical", Repeat: repeat}}},
	}}
	for _, r := range receivers {
		cfg.Receivers[r.Name] = r
		cfg.Monitors["m"].Levels[0].Receivers = append(cfg.Monitors["m"].Levels[0].Receivers, r.Name)
	}
	return cfg
}

func (w *world) writer() string { return fmt.Sprintf("w%d", w.self) }

func (w *world) view() *View {
	v := &View{
		Alerts: map[string]*Alert{}, Threads: w.threads, Clocks: w.clocks, Groups: w.groups, Silences: w.silences, Acks: w.acks,
		Sent: func(id string) bool { return w.sent[id] }, Config: w.cfg, Self: w.writer(), HoldUntil: w.hold,
		Kept:   func(key string) bool { return w.kept[key] },
		Lapsed: func(r *Row) bool { return w.crashed[r.Claim.Writer] }, Outranked: w.outranked, Capacity: w.capacity,
	}
	for _, id := range slices.Sorted(maps.Keys(w.rows)) {
		v.Rows = append(v.Rows, w.rows[id])
	}
	for key, s := range w.states {
		if s.Phase.Told() || s.Flapping() {
			a := w.alert(key, &s)
			v.Alerts[key] = &a
		}
	}
	return v
}

func (w *world) alert(key string, s *alert.State) Alert {
	monitor := w.tags[key]["\x00monitor"]
	a := NewAlert(key, monitor, s)
	a.Snapshot = Snapshot{Name: monitor, Level: s.Level, Tags: w.tags[key]}
	return a
}

func roundTrip[T any](t *testing.T, in *T) *T {
	data, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	out := new(T)
	if err := json.Unmarshal(data, out); err != nil {
		t.Fatal(err)
	}
	return out
}

func (w *world) apply(p Plan) {
	if !p.Empty() {
		w.changes++
	}
	seen := make(map[string]bool)
	for _, r := range p.Rows {
		if seen[r.ID] {
			w.t.Fatalf("row %s is twice in a plan", r.ID)
		}
		seen[r.ID] = true
		r = roundTrip(w.t, r)
		switch {
		case r.Live():
			w.rows[r.ID] = r
			continue
		case r.Outcome == Dead:
			w.dead = append(w.dead, r)
		default:
			w.gone = append(w.gone, r)
		}
		delete(w.rows, r.ID)
	}
	for _, t := range p.Threads {
		w.threads[t.Key()] = roundTrip(w.t, t)
	}
	for _, c := range p.Clocks {
		w.clocks[c.Alert] = roundTrip(w.t, c)
	}
	for _, g := range p.Groups {
		w.groups[g.Key()] = roundTrip(w.t, g)
	}
	for _, a := range p.Acks {
		w.acks[a.Incident] = roundTrip(w.t, a)
	}
	for _, id := range p.Sent {
		w.sent[id] = true
	}
	for i := range p.History {
		w.history = append(w.history, *roundTrip(w.t, &p.History[i]))
	}
}

// set evaluates an alert of a monitor with a value.
func (w *world) set(monitor, key string, value float64, tags ...string) {
	w.input(monitor, key, alert.Input{Value: value}, tags...)
}

func (w *world) input(monitor, key string, in alert.Input, tags ...string) {
	if w.tags[key] == nil {
		w.tags[key] = map[string]string{"\x00monitor": monitor}
		for i := 0; i+1 < len(tags); i += 2 {
			w.tags[key][tags[i]] = tags[i+1]
		}
	}
	v := w.view()
	in.Told = Unended(v, key)
	state, events := alert.Step(w.rules[monitor], w.states[key], in, w.now, func() string {
		w.incident++
		return fmt.Sprintf("i%03d", w.incident)
	})
	w.states[key] = *roundTrip(w.t, &state)
	if len(events) == 0 {
		return
	}
	a := w.alert(key, &state)
	w.apply(OnEvents(v, &a, events, w.now))
}

// at plans something for a time since the start.
func (w *world) at(seconds float64, do func()) {
	w.pending = append(w.pending, action{epoch.Add(secs(seconds)), do})
}

func secs(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// run lets time pass until then.
func (w *world) run(seconds float64) {
	end := epoch.Add(secs(seconds))
	for {
		w.turn()
		next := end.Add(1)
		for _, a := range w.pending {
			if a.at.Before(next) {
				next = a.at
			}
		}
		if !w.wake.IsZero() && w.wake.Before(next) {
			next = w.wake
		}
		if next.After(end) {
			w.now = end
			return
		}
		w.now = next
		due := w.pending
		w.pending = nil
		slices.SortStableFunc(due, func(a, b action) int { return a.at.Compare(b.at) })
		for _, a := range due {
			if a.at.After(w.now) {
				w.pending = append(w.pending, a)
				continue
			}
			a.do()
		}
	}
}

// turn decides until there is nothing to do at this moment.
func (w *world) turn() {
	for i := 0; ; i++ {
		plan := Decide(w.view(), w.now)
		w.wake = plan.Next
		if plan.Empty() && len(plan.Send) == 0 {
			return
		}
		if i > 50 {
			w.t.Fatalf("at %v decisions don't come to rest: %d rows, %d threads, history %v",
				w.now.Sub(epoch), len(plan.Rows), len(plan.Threads), plan.History)
		}
		w.apply(plan)
		for j, writer := 0, w.self; j < len(plan.Send) && writer == w.self; j++ {
			w.send(plan.Send[j])
		}
	}
}

func (w *world) send(m Message) {
	at := w.now.Sub(epoch)
	w.attempts = append(w.attempts, at)
	if w.watch != nil {
		w.watch(&m)
	}
	res := Result{}
	if w.answer != nil {
		res = w.answer(m.Receiver, at, &m)
	}
	settle := func() {
		w.apply(Settle(w.view(), &m, res, w.now, w.rng.Float64()))
	}
	arrive := func() {
		if res.Kind == Delivered || res.Kind == Unknown && res.Error == "" {
			w.delivered = append(w.delivered, delivery{w.now.Sub(epoch), m})
		}
	}
	if w.dies != nil && w.dies(&m) {
		arrive()
		w.crashed[w.writer()] = true
		w.self++
		return
	}
	if w.takes == nil || w.takes(m.Receiver) == 0 {
		arrive()
		settle()
		return
	}
	writer := w.self
	w.pending = append(w.pending, action{w.now.Add(w.takes(m.Receiver)), func() {
		if writer == w.self { // else it died in mid-send; dies is for after it
			arrive()
			settle()
		}
	}})
}

// crash kills the notifier; another one goes on with the ledger.
func (w *world) crash() {
	w.crashed[w.writer()] = true
	w.self++
}

// told is what a message says, as sets of alert names.
func (d *delivery) told() (firing, resolved []string) {
	for _, r := range d.m.Rows {
		if r.Ends() || d.m.Over[r.ID] {
			resolved = append(resolved, r.Alert)
		} else {
			firing = append(firing, r.Alert)
		}
	}
	for _, a := range d.m.Standing {
		firing = append(firing, a.Key)
	}
	slices.Sort(firing)
	slices.Sort(resolved)
	return slices.Compact(firing), slices.Compact(resolved)
}

// line is a delivery in short: "1s critical firing a".
func (d *delivery) line() string {
	s := fmt.Sprint(d.at, " ", d.m.Receiver, ":")
	for _, r := range d.m.Rows {
		s += fmt.Sprintf(" %s %s", r.Kind, r.Alert)
		if len(r.Snapshot.Level) > 0 && r.Snapshot.Level != "critical" {
			s += "=" + r.Snapshot.Level
		}
		if r.Both {
			s += " (both)"
		}
		if r.Breaches > 1 {
			s += fmt.Sprintf(" x%d", r.Breaches)
		}
		if d.m.Over[r.ID] {
			s += " (over)"
		}
		if r.Escalated {
			s += " (escalated)"
		}
	}
	for _, a := range d.m.Standing {
		s += " +" + a.Key
	}
	if d.m.MaybeRepeat {
		s += " (maybe a repeat)"
	}
	return s
}

func (w *world) lines() []string {
	var out []string
	for i := range w.delivered {
		out = append(out, w.delivered[i].line())
	}
	return out
}

func (w *world) want(lines ...string) {
	w.t.Helper()
	if got := w.lines(); !slices.Equal(got, lines) {
		w.t.Errorf("delivered:\n%s\nwant:\n%s", block(got), block(lines))
	}
}

func block(lines []string) string {
	s := ""
	for _, l := range lines {
		s += "\t" + l + "\n"
	}
	return s
}

// reasons returns the reasons for not telling that the history has.
func (w *world) reasons() []string {
	var out []string
	for _, e := range w.history {
		if e.What == WhatNotTold {
			out = append(out, e.Reason)
		}
	}
	return out
}

func (w *world) silence(from, to float64, matchers ...string) *Silence {
	w.t.Helper()
	s, err := NewSilence(Silence{
		Matchers: matchers, Start: epoch.Add(secs(from)), End: epoch.Add(secs(to)), Author: "a", Comment: "c",
	}, w.now, func() string { return fmt.Sprintf("s%d", len(w.silences)+1) })
	if err != nil {
		w.t.Fatal(err)
	}
	s = roundTrip(w.t, s)
	w.silences = append(w.silences, s)
	return s
}

func mustMatch(t *testing.T, text string) *matcher.Matcher {
	t.Helper()
	m, err := matcher.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

type alertState = alert.State
