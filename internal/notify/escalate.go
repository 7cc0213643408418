package notify

import (
	"cmp"
	"slices"
	"time"
)

// leftFor is how long a level must have been left for a clock of it to begin
// anew: one that is back sooner wasn't left.
const leftFor = 5 * time.Minute

// Clock is how long people have known how bad an incident is, which is what
// escalation counts: a record of the ledger. It exists for alerts that are
// escalated, from the first attempt to tell somebody on.
type Clock struct {
	V        int          `json:"v"`
	Alert    string       `json:"alert"`
	Incident string       `json:"incident"`
	Levels   []LevelClock `json:"levels,omitempty"`
}

// LevelClock is the clock of one level. It runs from the first attempt to
// notify a receiver of the level, or of a higher one, since that was reached,
// and stands still while the alert is muted or acknowledged.
type LevelClock struct {
	Level string `json:"level"`
	// Left is since when the alert is below the level; zero while it isn't.
	Left time.Time `json:"left,omitzero"`
	// Since is since when the clock runs, zero while it stands still; Ran is
	// how long it ran before.
	Since time.Time     `json:"since,omitzero"`
	Ran   time.Duration `json:"ran,omitempty"`
	// Mute is the latest mute that kept it from running.
	Mute *Mute `json:"mute,omitempty"`
	// Acked says that it stands still because of an ack. When that runs out,
	// the clock begins anew.
	Acked bool `json:"acked,omitempty"`
	// Done are the steps that were taken, by their After.
	Done []time.Duration `json:"done,omitempty"`
	// Owed are those who weren't told of a step that was taken.
	Owed []OwedStep `json:"owed,omitempty"`
}

// OwedStep is a step that one of its receivers wasn't told of: the level was
// left, or acknowledged, before it could be.
type OwedStep struct {
	After    time.Duration `json:"after"`
	Receiver string        `json:"receiver"`
}

func (c *Clock) clone() *Clock {
	own := *c
	own.Levels = slices.Clone(c.Levels)
	for i := range own.Levels {
		own.Levels[i].Done = slices.Clone(own.Levels[i].Done)
		own.Levels[i].Owed = slices.Clone(own.Levels[i].Owed)
	}
	return &own
}

// level returns the clock of a level, or nil. It is nil for a nil Clock.
func (c *Clock) level(name string) *LevelClock {
	if c == nil {
		return nil
	}
	for i := range c.Levels {
		if c.Levels[i].Level == name {
			return &c.Levels[i]
		}
	}
	return nil
}

// elapsed is what the clock shows.
func (l *LevelClock) elapsed(now time.Time) time.Duration {
	if l.Since.IsZero() {
		return l.Ran
	}
	return l.Ran + max(now.Sub(l.Since), 0)
}

// leftAt says whether the level had been left for good at a time.
func (l *LevelClock) leftAt(t time.Time) bool {
	return !l.Left.IsZero() && t.Sub(l.Left) >= leftFor
}

// left says whether a level of an alert that is down was left for good.
func (d *draft) left(a *Alert, rank int) bool {
	level := d.level(a.Monitor, rank)
	if level == nil {
		return false
	}
	l := d.clock(a.Key, a.Incident).level(level.Name)
	return l != nil && l.leftAt(d.now)
}

// escalates says whether any level of a monitor has steps.
func (r *Routing) escalates() bool {
	return slices.ContainsFunc(r.Levels, func(l LevelRoute) bool { return len(l.Escalate) > 0 })
}

// clock returns the clock of an incident, or nil.
func (d *draft) clock(alertKey, incident string) *Clock {
	c := d.clocks[alertKey]
	if c == nil {
		c = d.v.Clocks[alertKey]
	}
	if c == nil || c.Incident != incident {
		return nil
	}
	return c
}

// editClock returns the plan's own copy of a clock, which will be written.
func (d *draft) editClock(alertKey, incident string) *Clock {
	c := d.clock(alertKey, incident)
	if own := d.clocks[alertKey]; own != nil && own == c {
		return own
	}
	own := &Clock{V: RecordVersion, Alert: alertKey, Incident: incident}
	if c != nil {
		own = c.clone()
	}
	d.clocks[alertKey] = own
	d.plan.Clocks = append(d.plan.Clocks, own)
	return own
}

// clockAttempt starts the clocks of the levels that a row is about: somebody is
// about to be told, or would be if the receiver took anything.
func (d *draft) clockAttempt(r *Row) {
	a, routing := d.openAlert(r), d.v.Config.Monitors[r.Monitor]
	if a == nil || routing == nil || !routing.escalates() || r.Ends() {
		return
	}
	c := d.clock(a.Key, a.Incident)
	if c == nil {
		c = d.inheritClock(a, routing)
	}
	stands := a.Rank
	if !a.Phase.Told() { // it flaps, and is down for a moment
		stands = r.Rank
	}
	for rank := 1; rank <= min(r.Rank, stands, len(routing.Levels)); rank++ {
		level := &routing.Levels[rank-1]
		if l := c.level(level.Name); len(level.Escalate) == 0 || l != nil && (!a.Phase.Told() || !l.leftAt(a.LevelAt)) {
			continue
		}
		c = d.editClock(a.Key, a.Incident)
		c.Levels = slices.DeleteFunc(c.Levels, func(l LevelClock) bool { return l.Level == level.Name })
		fresh := LevelClock{Level: level.Name, Mute: r.Released}
		if d.quiet(a).reason == "" {
			fresh.Since = d.now
		}
		c.Levels = append(c.Levels, fresh)
	}
}

// inheritClock makes clocks for an incident of which somebody was told without
// one: by a version that has none, by a replica that was cut off, or before
// its level had steps. They count from the beginning of the level, as that
// version does, and a step that is due by then was taken if its receivers have
// to do with the incident. It returns nil if nobody was told.
func (d *draft) inheritClock(a *Alert, routing *Routing) *Clock {
	var c *Clock
	for rank := 1; rank <= min(a.Rank, len(routing.Levels)); rank++ {
		level := &routing.Levels[rank-1]
		if len(level.Escalate) == 0 || !d.triedAbout(a, rank) {
			continue
		}
		since := a.FiredAt
		if rank == a.Rank {
			since = a.LevelAt
		}
		l := LevelClock{Level: level.Name, Since: since}
		for _, e := range level.Escalate {
			if !d.now.Before(since.Add(e.After)) && d.allIn(a, e.Receivers) {
				l.Done = append(l.Done, e.After)
			}
		}
		c = d.editClock(a.Key, a.Incident)
		c.Levels = append(c.Levels, l)
	}
	return c
}

// triedAbout says whether it was tried to tell anybody of a level.
func (d *draft) triedAbout(a *Alert, rank int) bool {
	return slices.ContainsFunc(d.threadsOf(a.Key), func(t *Thread) bool {
		return t.Incident == a.Incident && (t.Told && t.ToldRank >= rank || !t.Told && d.tried(t, a.Incident) && t.Rank >= rank)
	})
}

func (d *draft) allIn(a *Alert, receivers []string) bool {
	return !slices.ContainsFunc(receivers, func(receiver string) bool {
		t := d.thread(a.Key, receiver)
		return t == nil || t.Incident != a.Incident
	})
}

// escalate runs the clocks of an alert, and takes the steps that are due, each
// once for each time that its level is reached.
func (d *draft) escalate(a *Alert, routing *Routing, q quiet) {
	if !routing.escalates() {
		return
	}
	c := d.clock(a.Key, a.Incident)
	if c == nil {
		if c = d.inheritClock(a, routing); c == nil {
			return
		}
	}
	for i := range routing.Levels {
		level := &routing.Levels[i]
		if c.level(level.Name) != nil {
			d.runClock(a, level, i+1, q)
		}
	}
}

// runClock brings the clock of a level up to date, and takes its steps.
func (d *draft) runClock(a *Alert, route *LevelRoute, rank int, q quiet) {
	now := *d.clock(a.Key, a.Incident).level(route.Name)
	l := now
	switch {
	case rank > a.Rank && l.Left.IsZero():
		l.Left = cmp.Or(a.LevelAt, d.now)
	case rank <= a.Rank && l.leftAt(a.LevelAt):
		c := d.editClock(a.Key, a.Incident) // another time that it is reached: nobody was told yet
		c.Levels = slices.DeleteFunc(c.Levels, func(l LevelClock) bool { return l.Level == route.Name })
		return
	case rank <= a.Rank:
		l.Left = time.Time{}
	}
	ack := d.ack(a.Incident)
	switch {
	case q.reason != "" && !l.Since.IsZero():
		l.Ran, l.Since = l.elapsed(d.now), time.Time{}
		if q.mute != nil && q.mute.Kind != ByAck {
			l.Mute = q.mute
		}
	case q.reason == "" && l.Since.IsZero():
		if l.Since = d.now; l.Acked && ack.ranOut(d.now) {
			l.Ran = 0
		}
	}
	l.Acked = ack.Holds(d.now) || l.Acked && q.reason != ""
	if rank <= a.Rank && q.reason == "" {
		d.takeSteps(a, route, rank, &l)
	}
	if !l.equal(&now) {
		*d.editClock(a.Key, a.Incident).level(route.Name) = l
	}
}

func (l *LevelClock) equal(o *LevelClock) bool {
	return l.Left.Equal(o.Left) && l.Since.Equal(o.Since) && l.Ran == o.Ran && l.Acked == o.Acked &&
		len(l.Done) == len(o.Done) && len(l.Owed) == len(o.Owed)
}

// takeSteps takes those steps of a level that are due.
func (d *draft) takeSteps(a *Alert, route *LevelRoute, rank int, l *LevelClock) {
	l.Done, l.Owed = slices.Clone(l.Done), slices.Clone(l.Owed)
	l.Owed = slices.DeleteFunc(l.Owed, func(o OwedStep) bool {
		if left := o.After - l.elapsed(d.now); left > 0 {
			d.wake(d.now.Add(left))
			return false
		}
		if d.v.Config.Receivers[o.Receiver] != nil {
			d.escalateTo(a, []string{o.Receiver}, rank, l.Mute)
		}
		return true
	})
	for _, e := range route.Escalate {
		if slices.Contains(l.Done, e.After) {
			continue
		}
		if left := e.After - l.elapsed(d.now); left > 0 {
			d.wake(d.now.Add(left))
			continue
		}
		l.Done = append(l.Done, e.After)
		d.escalateTo(a, e.Receivers, rank, l.Mute)
	}
}

// escalateTo tells receivers that nobody has acknowledged a level in time. For
// who was told already it is a reminder.
func (d *draft) escalateTo(a *Alert, receivers []string, rank int, mute *Mute) {
	step := rank
	for _, receiver := range receivers {
		kind, rank := Firing, rank
		if d.knows(a.about(), receiver) {
			t := d.thread(a.Key, receiver)
			if rank = max(rank, d.hears(a, t)); t.Told && t.ToldRank < rank {
				kind = Rise
			} else {
				kind = Repeat
			}
		}
		r := d.queue(a.about(), receiver, kind, rank)
		r.Escalated, r.Released = true, mute
		if level := d.level(a.Monitor, step); level != nil && rank != step {
			r.Step = level.Name
		}
		d.standsAbove(a, r)
	}
}

// stepRank is the rank of the level whose step a row tells of.
func (d *draft) stepRank(r *Row) int {
	if r.Step == "" {
		return r.Rank
	}
	return d.rankOf(r.Monitor, r.Step, r.Rank)
}

// untake takes back the step of an escalation that a row would have told. If it
// was told to others it is owed to the row's receiver.
func (d *draft) untake(r *Row) {
	level := d.level(r.Monitor, d.stepRank(r))
	if level == nil || d.clock(r.Alert, r.Incident).level(level.Name) == nil {
		return
	}
	l := d.editClock(r.Alert, r.Incident).level(level.Name)
	for _, e := range level.Escalate {
		owed := OwedStep{e.After, r.Receiver}
		switch {
		case !slices.Contains(e.Receivers, r.Receiver) || !slices.Contains(l.Done, e.After) || slices.Contains(l.Owed, owed):
		case d.stepTold(r, e.Receivers):
			l.Owed = append(l.Owed, owed)
		default:
			l.Done = slices.DeleteFunc(l.Done, func(after time.Duration) bool { return after == e.After })
		}
	}
}

// stepTold says whether any of the receivers of a row's step was told of it.
func (d *draft) stepTold(r *Row, receivers []string) bool {
	return slices.ContainsFunc(receivers, func(other string) bool {
		t := d.thread(r.Alert, other)
		if other == r.Receiver || t == nil || t.Incident != r.Incident || !t.Told {
			return false
		}
		return !slices.ContainsFunc(d.chain(r.Alert, r.Incident, other), func(r *Row) bool { return r.Escalated })
	})
}

// byStep says whether a level is a receiver's only because of an escalation.
func (d *draft) byStep(a *Alert, receiver string, rank int) bool {
	return !slices.Contains(d.receivers(a.Monitor, rank), receiver) && d.escalated(a, receiver, rank)
}

// escalated says whether an escalation of a level came due for a receiver.
func (d *draft) escalated(a *Alert, receiver string, rank int) bool {
	level := d.level(a.Monitor, rank)
	if level == nil || len(level.Escalate) == 0 {
		return false
	}
	l := d.clock(a.Key, a.Incident).level(level.Name)
	return l != nil && !l.leftAt(d.now) && slices.ContainsFunc(level.Escalate, func(e Escalation) bool {
		return slices.Contains(e.Receivers, receiver) && slices.Contains(l.Done, e.After)
	})
}

// Step is a step of an escalation that is yet to be taken.
type Step struct {
	Level     string
	Receivers []string
	// At is when it is due, zero if its clock stands still.
	At time.Time
}

// Steps returns the steps that are to come of an alert that fires, as long as
// it does and nobody acknowledges it.
func Steps(v *View, a *Alert, now time.Time) []Step {
	if !a.Phase.Told() {
		return nil
	}
	return newDraft(v, now).steps(a)
}

func (d *draft) steps(a *Alert) (out []Step) {
	routing := d.v.Config.Monitors[a.Monitor]
	if routing == nil {
		return nil
	}
	for rank := 1; rank <= min(a.Rank, len(routing.Levels)); rank++ {
		route := &routing.Levels[rank-1]
		l := d.clock(a.Key, a.Incident).level(route.Name)
		for _, e := range route.Escalate {
			step := Step{Level: route.Name, Receivers: e.Receivers}
			switch {
			case l == nil || l.leftAt(a.LevelAt):
			case slices.Contains(l.Done, e.After):
				continue
			case !l.Since.IsZero():
				step.At = l.Since.Add(e.After - l.Ran)
			}
			out = append(out, step)
		}
	}
	return out
}
