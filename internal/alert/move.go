package alert

import "time"

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
	to, calm := m.ripe(v), false
	if to == 0 || (!v.final && to < from) {
		to = from
	} else {
		to, calm = m.steady(from, to)
	}
	m.s.Phase, m.s.ClearSince, m.s.Reason = Firing, time.Time{}, v.reason
	switch {
	case to != from && calm: // it was put off, and is no change of now
		m.moveTo(levelEvent(from, to, v.reason))
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
		case !v.has(i+1) && running && v.final && v.open&(1<<i) == 0:
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
	m.changeLevel(levelEvent(from, to, m.s.Reason))
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
	if m.s.Levels != nil && m.s.Levels.Left.IsZero() {
		m.leaves(m.now)
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
		last = m.s.past(m.now)
	}
	if m.s.Trouble == ReasonIdle && m.r.rests() { // no trouble of what is at rest
		m.s.Trouble, m.s.MissingSince = "", time.Time{}
	}
	m.s = State{V: StateVersion, Trouble: m.s.Trouble, MissingSince: m.s.MissingSince, Last: last, Flap: m.s.Flap, Pulse: m.s.Pulse}
}
