package alert

// late judges an earlier tick again, because of a bucket that came after the
// tick was taken. It can make an alert fire or rise. It ends nothing, and
// touches no clock that an evaluation in time has started.
func (m *machine) late() {
	if m.in.Status != StatusOK || m.covered() {
		return
	}
	v := m.judge(m.in.Value)
	if v.kind != breach {
		if m.s.Phase == Pending && m.s.LateClock {
			m.drop(Dropped, "")
		}
		return
	}
	v.final = false
	started := m.s.Phase == Inactive
	if started || m.s.LateClock {
		m.wind(v)
	}
	switch to := m.ripeLate(v); {
	case m.s.Phase.Told() && to > m.reached():
		m.move(m.s.Rank, to)
	case m.s.Phase.Told():
	case to > 0:
		if started {
			m.begin("")
		}
		m.fire(to)
	case started:
		m.begin("")
		m.s.LateClock = true
		m.emit(Event{Kind: Began, To: v.top()})
	}
}

// ripeLate is ripe for a tick that may lie before a clock's start.
func (m *machine) ripeLate(v verdict) int {
	for i := len(m.r.Levels); i >= 1; i-- {
		level := &m.r.Levels[i-1]
		since, running := m.s.Clocks[level.Name]
		if v.has(i) && (level.For == 0 || running && m.now.Sub(since) >= level.For) {
			return i
		}
	}
	return 0
}

// covered says whether the tick lies in an incident that is known already, or
// so shortly before it that it is the same.
func (m *machine) covered() bool {
	return m.s.Last.touches(m.now, max(m.in.Held, AdoptWithin)) || m.s.Phase == NoData
}

// reached is the highest level that the incident has had since the tick: it
// may have fallen from it meanwhile.
func (m *machine) reached() int {
	to := m.s.Rank
	if m.now.Before(m.s.LevelAt) {
		to = max(to, m.s.Before)
	}
	if m.s.Levels != nil {
		for _, c := range m.s.Levels.Changes {
			if m.now.Before(c.At) {
				to = max(to, c.High)
			}
		}
	}
	return to
}
