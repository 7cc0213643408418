package lifetest

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Rule is what a violation is against.
type Rule string

// The rules, in the words of docs/monitors.md.
const (
	Theirs     Rule = "nobody hears of a level that isn't theirs, or that doesn't stand"
	Order      Rule = "no end is told while a later incident of the alert is open and told"
	Prompt     Rule = "no receiver waits for a level higher than it knows"
	Repeats    Rule = "an open incident is told again when that is due, and not before"
	Escalation Rule = "what nobody acknowledges is escalated when that is due, and not before"
	Ends       Rule = "who was told of a beginning is told of the end, and of none while it lasts"
	Mutes      Rule = "what is muted isn't told, and its end doesn't make a flood"
	Noise      Rule = "messages are bounded"
	Acks       Rule = "an ack stops repeats and escalation, holds for its level, and runs out with a word"
	Fallbacks  Rule = "whom a receiver can't be told, its fallback is"
	Once       Rule = "nothing is told twice"
	Rest       Rule = "decisions come to rest"
)

// Held are the rules that hold by now, which tests look at.
var Held = []Rule{Theirs, Order, Prompt, Repeats, Escalation, Ends, Mutes, Noise, Acks, Fallbacks, Once, Rest}

// Violation is something that a rule doesn't allow.
type Violation struct {
	Rule     Rule
	At       time.Duration
	Alert    Name
	Receiver string
	Text     string
}

func (v *Violation) String() string {
	return fmt.Sprintf("at %v, %s to %s: %s (%s)", v.At, v.Alert, v.Receiver, v.Text, v.Rule)
}

// Judge returns what the record of a life has that the rules don't allow, the
// first of each kind.
func Judge(l *Life, r *Record) []Violation {
	j := &judge{life: l, rec: r, groups: map[groupKey][]told{}, away: map[string]time.Duration{}, rows: map[string]bool{}, byID: map[string]*incident{}, said: map[[4]string]bool{}}
	for i := range l.Courses {
		j.watch(newTruth(l, &l.Courses[i]))
	}
	if r.Broken != "" {
		j.fail(Rest, l.End, Name{}, "", "%s", r.Broken)
		return j.violations
	}
	next := 0
	for i := range int(l.End / l.Tick) {
		end := time.Duration(i+1) * l.Tick
		for ; next < len(r.Messages) && r.Messages[next].At < end; next++ {
			j.now = r.Messages[next].At
			j.note()
			j.message(&r.Messages[next])
		}
		j.tick, j.now = i, end
		j.note()
		j.pass()
		for ; next < len(r.Messages) && r.Messages[next].At == end; next++ {
			j.message(&r.Messages[next])
		}
		j.demands()
	}
	j.floods()
	slices.SortStableFunc(j.violations, func(a, b Violation) int { return cmp.Compare(a.At, b.At) })
	return j.violations
}

// judge goes through a life and compares what was told with what is so.
type judge struct {
	life *Life
	rec  *Record

	tick int // the latest that was judged, -1 before
	now  time.Duration

	watched []*watched
	byID    map[string]*incident
	entry   int // the next of the history
	groups  map[groupKey][]told
	away    map[string]time.Duration // by receiver: until when it may not be retried
	rows    map[string]bool          // delivered

	said       map[[4]string]bool
	violations []Violation
}

// watched is one alert, and what each receiver knows of it.
type watched struct {
	*truth
	pairs []*pair
	steps []*step
	acks  []*ack
	// muted is whether it may be muted, surely whether it is, wasMuted whether
	// it may have been within the last tick.
	muted, surely, wasMuted bool
	mutes                   []string // what does it
	acked, ackedSurely      bool
	freed                   time.Duration // when a mute or an ack was over last
}

// pair is one receiver of an alert.
type pair struct {
	*Receiver
	w    *watched
	know map[*incident]*knowledge
	owed []*knowledge // of incidents that are over

	of *incident // the one that is open, which the dues are about
	dues
	changes []time.Duration
}

// dues are what a receiver may wait for.
type dues struct{ prompt, repeat, fallback, remind, looked due }

// knowledge is what a receiver knows of an incident.
type knowledge struct {
	of       *incident
	told     bool
	rank     int // the latest told
	top      int // the highest told
	tried    int // the highest level that was refused for good
	standsIn bool
	// unreached says that it was refused for good or couldn't be told for long,
	// and nothing was delivered since.
	unreached bool
	first     time.Duration // when it was told first
	heard     time.Duration // when it was told last, or refused for good
	failing   time.Duration // since when the attempts fail; -1 if they don't
	calm      time.Duration // when there was nothing to tell it last
	reached   time.Duration // when it was told after it couldn't be for long; -1 if never
	acked     time.Duration // when it heard last that somebody looks after it
	ended     bool
	end       due
}

type groupKey struct{ receiver, value string }

// told is a message of a group.
type told struct {
	at   time.Duration
	rank int
}

func (j *judge) watch(t *truth) {
	w := &watched{truth: t, freed: -1}
	for i := range j.life.Receivers {
		w.pairs = append(w.pairs, &pair{Receiver: &j.life.Receivers[i], w: w, know: map[*incident]*knowledge{}})
	}
	for rank := 1; rank <= len(t.m.Levels); rank++ {
		for i := range t.m.level(rank).Escalate {
			w.steps = append(w.steps, newStep(rank, &t.m.level(rank).Escalate[i]))
		}
	}
	for _, a := range j.life.Acks {
		if a.Alert == t.name {
			w.acks = append(w.acks, &ack{Ack: a})
		}
	}
	j.watched = append(j.watched, w)
}

// incidents finds out by the history which incidents its ids are, up to now.
func (j *judge) incidents() {
	for ; j.entry < len(j.rec.History) && j.rec.History[j.entry].At <= j.now; j.entry++ {
		e := &j.rec.History[j.entry]
		w := j.alert(e.Alert)
		if e.What != "fired" || w == nil {
			continue
		}
		found := false
		for _, inc := range w.all {
			for _, at := range inc.fired {
				if d := e.At - at; d >= 0 && d <= j.rec.Slack {
					j.byID[e.Incident], found = inc, true
				}
			}
		}
		if !found {
			j.fail(Ends, e.At, w.name, "", "it fires, which its value doesn't explain")
		}
	}
}

func (j *judge) alert(key string) *watched {
	name, ok := j.rec.Alerts[key]
	if !ok {
		return nil
	}
	for _, w := range j.watched {
		if w.name == name {
			return w
		}
	}
	return nil
}

func (j *judge) fail(rule Rule, at time.Duration, name Name, receiver, format string, args ...any) {
	key := [4]string{string(rule), name.String(), receiver, format}
	if !j.said[key] {
		j.said[key] = true
		j.violations = append(j.violations, Violation{rule, at, name, receiver, fmt.Sprintf(format, args...)})
	}
}

// stood says whether something is true of an alert now, or was within the
// slack.
func (j *judge) stood(w *watched, is func(m *moment) bool) bool {
	for i := j.tick; i >= 0 && i >= j.tick-int(j.rec.Slack/j.life.Tick); i-- {
		if is(&w.moments[i]) {
			return true
		}
	}
	return false
}

// at is how an alert stands at a time.
func (w *watched) at(at, tick time.Duration) *moment {
	if i := int(at/tick) - 1; i >= 0 {
		return &w.moments[i]
	}
	return &moment{}
}

// stands is how an alert stands.
func (j *judge) stands(w *watched) *moment {
	if j.tick < 0 {
		return &moment{}
	}
	return &w.moments[j.tick]
}

func (p *pair) knows(inc *incident) *knowledge {
	k := p.know[inc]
	if k == nil {
		k = &knowledge{of: inc, failing: -1, reached: -1}
		p.know[inc] = k
	}
	return k
}

// due is something that must be told within a time in which nothing prevents
// it.
type due struct {
	since time.Duration
	on    bool
}

// late says whether it is due for longer than the bound. What blocks it makes
// the time begin anew.
func (d *due) late(now time.Duration, is, blocked bool, bound time.Duration) bool {
	switch {
	case !is:
		d.on = false
	case !d.on || blocked:
		d.on, d.since = true, now
	}
	return d.on && now-d.since > bound
}
