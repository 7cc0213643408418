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
	// Unknown is how much of the time since the last evaluation nothing is
	// known of. Clocks don't count it.
	Unknown time.Duration
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
	StatusMissing        // no value, such as 0/0 or a silent gauge
	StatusError          // the evaluation itself failed
	StatusUnseen         // the metric was never seen
)

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
	if in.Status == StatusOK && s.Idle() && !r.anyBreached(in.Value) {
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

func (r *Rule) anyBreached(value float64) bool {
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
		m.drop(LostPatience, "")
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

// begin opens an incident. While an alert flaps, all is one incident.
func (m *machine) begin(reason Reason) {
	m.s.Phase, m.s.Since, m.s.Reason = Pending, m.now, reason
	if m.s.Flapping() {
		m.s.Incident = m.s.Flap.Incident
		return
	}
	m.s.Incident = m.newID()
}

// breach is an evaluation in breach of some level.
func (m *machine) breach(v verdict) {
	if m.s.Phase == NoData && m.s.FiredAt.IsZero() {
		m.resolve(ReasonBack) // the incident was the missing data, and that is over
	}
	m.wind(v)
	if !m.s.Phase.Told() {
		m.breachUntold(v)
		return
	}
	from, phase := m.s.Rank, m.s.Phase
	to := m.ripe(v)
	if to == 0 || (!v.final && to < from) {
		to = from
	}
	m.s.Phase, m.s.ClearSince, m.s.Reason = Firing, time.Time{}, v.reason
	switch {
	case to != from:
		m.move(from, to)
	case phase != Firing:
		m.emit(Event{Kind: Refired, From: from, To: to, Reason: v.reason})
	}
}

func (m *machine) breachUntold(v verdict) {
	began := m.s.Phase == Inactive
	if began {
		m.begin(v.reason)
	}
	m.s.Reason = v.reason
	if to := m.ripe(v); to > 0 {
		m.fire(to)
	} else if began {
		m.emit(Event{Kind: Began, To: v.top(), Reason: v.reason})
	}
}

// wind starts the clocks of the levels in breach and stops the others.
func (m *machine) wind(v verdict) {
	for i := range m.r.Levels {
		name := m.r.Levels[i].Name
		_, running := m.s.Clocks[name]
		switch {
		case v.has(i+1) && !running:
			if m.s.Clocks == nil {
				m.s.Clocks = make(map[string]time.Time, len(m.r.Levels))
			}
			m.s.Clocks[name] = m.now
		case !v.has(i+1) && running && v.final:
			delete(m.s.Clocks, name)
		}
	}
}

// ripe returns the highest level in breach that fires: for long enough, or
// because it does already.
func (m *machine) ripe(v verdict) int {
	current := 0
	if m.s.Phase.Told() {
		current = m.s.Rank
	}
	for i := len(m.r.Levels); i >= 1; i-- {
		level := &m.r.Levels[i-1]
		if v.has(i) && (i <= current || m.now.Sub(m.s.Clocks[level.Name]) >= level.For) {
			return i
		}
	}
	return 0
}

func (m *machine) fire(to int) {
	if !m.s.Flapping() {
		m.adopt()
	}
	m.s.Phase, m.s.FiredAt, m.s.LevelAt, m.s.LateClock = Firing, m.now, m.now, false
	m.s.Rank, m.s.Level, m.s.Before = to, m.r.levelName(to), 0
	m.change(Event{Kind: Fired, To: to, Reason: m.s.Reason})
}

// adopt goes on with an incident that was told of a moment ago and whose
// state was lost.
func (m *machine) adopt() {
	for _, t := range m.in.Told {
		if d := m.now.Sub(t.FiredAt); d.Abs() <= AdoptWithin {
			m.s.Incident = t.Incident
			return
		}
	}
}

func (m *machine) move(from, to int) {
	e := Event{Kind: Rose, From: from, To: to, Reason: m.s.Reason}
	if to < from {
		e.Kind = Fell
	}
	back := to == m.s.Before
	m.s.Rank, m.s.Level, m.s.Before, m.s.LevelAt = to, m.r.levelName(to), from, m.now
	if back {
		m.change(e)
		return
	}
	e.Flapping = m.s.Flapping()
	m.emit(e)
}

// clear is an evaluation in breach of nothing.
func (m *machine) clear(reason Reason) {
	m.s.Clocks = nil
	switch {
	case m.s.Phase == Pending:
		m.drop(Dropped, reason)
	case m.s.Phase == NoData && m.s.FiredAt.IsZero():
		m.resolve(ReasonBack)
	case m.s.Phase.Told():
		m.recover(reason)
	}
}

func (m *machine) recover(reason Reason) {
	if m.s.ClearSince.IsZero() {
		m.s.ClearSince = m.now
	}
	if m.now.Sub(m.s.ClearSince) >= m.r.KeepFiringFor {
		m.resolve(reason)
		return
	}
	if m.s.Phase != Recovering {
		m.s.Phase, m.s.Reason = Recovering, reason
		m.emit(Event{Kind: Recovers, From: m.s.Rank, To: m.s.Rank, Reason: reason})
	}
}

// wait is a missing value that counts as bad, but not yet.
func (m *machine) wait(v verdict) {
	if m.s.Phase == Inactive {
		m.begin(v.reason)
		m.emit(Event{Kind: Began, Reason: v.reason})
	}
	if m.s.Phase == Pending {
		m.wind(v)
	}
}

// lose is a missing value that is told as such.
func (m *machine) lose(reason Reason) {
	if m.s.Phase == NoData {
		return
	}
	if m.s.Phase == Inactive {
		m.begin(reason)
	}
	if m.s.Phase == Pending {
		m.s.Since = m.now
	}
	m.s.Phase, m.s.Reason, m.s.ClearSince, m.s.Clocks = NoData, reason, time.Time{}, nil
	m.emit(Event{Kind: WentMissing, From: m.s.Rank, To: m.s.Rank, Reason: reason, Flapping: m.s.Flapping()})
}

func (m *machine) resolve(reason Reason) {
	e := Event{Kind: Resolved, From: m.s.Rank, Reason: reason}
	m.change(e)
	m.reset()
}

func (m *machine) drop(kind Kind, reason Reason) {
	m.emit(Event{Kind: kind, Reason: reason})
	m.reset()
}

// reset forgets the incident; what outlives it are trouble and flapping.
func (m *machine) reset() {
	last := m.s.Last
	if m.s.Phase.Told() {
		last = &Past{Began: m.s.Since, Ended: m.now}
	}
	m.s = State{V: StateVersion, Trouble: m.s.Trouble, MissingSince: m.s.MissingSince, Last: last, Flap: m.s.Flap}
}
