package alert

import (
	"maps"
	"time"
)

// Input is one evaluation.
type Input struct {
	// Value is the measured value if Status is StatusOK. For a relative
	// threshold it is the relative change.
	Value  float64
	Status Status
	// LowerBound says that Value is a partial sum that can only grow: it may
	// be in breach of an upward threshold, everything else stays open.
	LowerBound bool
	// Incomplete says that some ticks of the window are unknown: a breach
	// counts, nothing ends.
	Incomplete bool
	// Late says that now is an earlier tick, evaluated again because of a
	// bucket that came late: it may fire, and nothing else.
	Late bool
	// Held, with Late, is for how long a breach goes on at least: what is added
	// up over a window stays in it for that long.
	Held time.Duration
	// Width, with Late, is how wide a tick is.
	Width time.Duration
	// Few says that there is too little in the window for a beginning: nothing
	// fires or rises, but what fires goes on being judged.
	Few bool
	// Filling says that the window doesn't lie wholly in the time in which the
	// value could be counted: it is no less than Value, and a breach of a
	// downward threshold, or of an equality, stays open.
	Filling bool
	// Gone says that no process has the value any more, or that none ever had,
	// Settling that a moment ago there was no process at all. Those that begin
	// anew need some time before they have it: see [GoneFor].
	Gone, Settling bool
	// Unknown is how much of the time since the last evaluation nothing is
	// known of. Clocks don't count it. Elapsed is the rest of that time.
	Unknown, Elapsed time.Duration
	// Told are incidents of this alert that somebody was told of and that
	// have no end yet. An alert that fires within [AdoptWithin] of one goes
	// on with it.
	Told []Told
}

// Status says what an evaluation found.
type Status uint8

// What an evaluation can find.
const (
	StatusOK      Status = iota
	StatusMissing        // no value, such as that of a gauge whose process is gone
	StatusError          // the evaluation itself failed
	StatusUnseen         // the metric was never seen
	StatusIdle           // nothing to compute one from, such as 0/0
)

// GoneFor is how long at least a value must be missing, if all processes that
// had it are gone, before that means anything: as long as a restart may take.
const GoneFor = 30 * time.Second

// Told is an incident that somebody was told of.
type Told struct {
	Incident string
	FiredAt  time.Time
}

// AdoptWithin is how close in time two firings of an alert are one incident.
const AdoptWithin = 5 * time.Second

// Step judges one evaluation at the time now. It calls newID when an incident
// begins. It returns the next state and what happened, in order.
func Step(r *Rule, s State, in Input, now time.Time, newID func() string) (State, []Event) {
	if s.Idle() && (in.Status == StatusOK && !r.Breached(in.Value) || in.Status == StatusIdle && r.rests()) {
		return s, nil
	}
	m := machine{r: r, s: s, in: in, now: now.Round(0).UTC(), newID: newID}
	m.s.V = StateVersion
	m.s.fit(r)
	m.s.Clocks = maps.Clone(s.Clocks)
	if in.Late {
		m.late()
		return m.s, m.events
	}
	m.skip(in.Unknown)
	m.note()
	m.apply(m.verdict())
	m.calm()
	return m.s, m.events
}

// End ends an alert whose monitor is gone or can't be evaluated any more.
func End(s State, reason Reason, now time.Time) (State, []Event) {
	m := machine{r: &Rule{}, s: s, now: now.Round(0).UTC()}
	switch {
	case s.Phase.Told():
		m.resolve(reason)
	case s.Phase == Pending:
		m.drop(Dropped, reason)
	}
	if s.Flapping() {
		m.emit(Event{Kind: FlapsNoMore, Incident: s.Flap.Incident, Reason: reason})
	}
	return State{V: StateVersion}, m.events
}

// Idle says that a clear evaluation can't change anything.
func (s *State) Idle() bool {
	return s.Phase == Inactive && s.Trouble == "" && s.MissingSince.IsZero() && s.Flap == nil
}

// rests says that an idle window means nothing to an alert that is at rest.
func (r *Rule) rests() bool {
	return r.Idle == OK || r.Idle == Keep || r.Idle == "" || r.Idle == Zero && !r.Breached(0)
}

// Breached says whether a value is in breach of any level.
func (r *Rule) Breached(value float64) bool {
	for i := range r.Levels {
		if r.Op.Holds(value, r.Levels[i].Threshold) {
			return true
		}
	}
	return false
}

// machine is one step under way.
type machine struct {
	r      *Rule
	s      State
	in     Input
	now    time.Time
	newID  func() string
	events []Event
}

func (m *machine) emit(e Event) {
	e.At = m.now
	if e.Incident == "" {
		e.Incident = m.s.Incident
	}
	if e.Level == "" {
		e.Level = m.r.levelName(max(e.To, 0))
		if e.To == 0 {
			e.Level = m.r.levelName(e.From)
		}
	}
	if e.Level == "" {
		e.Level = m.s.Level
	}
	e.Since, e.FiredAt = m.s.Since, m.s.FiredAt
	e.Value, e.HasValue = m.in.Value, m.in.Status == StatusOK
	e.Incomplete, e.Late = m.in.Incomplete || m.in.LowerBound, m.in.Late
	m.events = append(m.events, e)
}

// skip takes a time of which nothing is known out of every running clock.
func (m *machine) skip(unknown time.Duration) {
	if unknown <= 0 {
		return
	}
	tolerance := m.r.OutageTolerance
	if tolerance == 0 {
		tolerance = DefaultOutageTolerance
	}
	if m.s.Phase == Pending && unknown > tolerance {
		m.drop(Forgotten, "")
		return
	}
	for level, since := range m.s.Clocks {
		m.s.Clocks[level] = since.Add(unknown)
	}
	if m.s.Phase == Pending {
		m.s.Since = m.s.Since.Add(unknown)
	}
	for _, t := range []*time.Time{&m.s.ClearSince, &m.s.MissingSince} {
		if !t.IsZero() {
			*t = t.Add(unknown)
		}
	}
	if flap := m.s.Levels; flap != nil && !flap.Left.IsZero() {
		m.leaves(flap.Left.Add(unknown))
	}
}

func (m *machine) apply(v verdict) {
	switch v.kind {
	case hold:
	case clear:
		m.clear(v.reason)
	case breach:
		m.breach(v)
	case waiting:
		m.wait(v)
	case lost:
		m.lose(v.reason)
	}
}
