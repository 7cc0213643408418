package alert

// late judges an earlier tick again, because of a bucket that came after the
// tick was taken. It can make an alert fire or rise. It ends nothing, and
// touches no clock that an evaluation in time has started.
func (m *machine) late() {
	if m.in.Status != StatusOK || m.s.Phase == NoData || m.goesBy() {
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
	case m.s.Phase.Told() && to > m.s.highest(m.now):
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

// goesBy says whether the tick lies in an incident that is over, or so shortly
// before it that it is the same, or prolongs it. A level that this didn't reach
// is told to those whom it notifies, with the end.
func (m *machine) goesBy() bool {
	p, known := m.s.Last.at(m.now, max(m.in.Held, AdoptWithin))
	if m.s.Phase != Inactive || m.s.Flapping() {
		return known
	}
	v := m.judge(m.in.Value)
	if last := m.s.Last; !known && v.kind == breach && last != nil && m.now.After(last.Ended) && m.now.Sub(last.Ended) <= m.in.Width {
		longer := *last
		longer.Ended = m.now
		m.s.Last = &longer
		p, known = &longer, true
	}
	if p == nil || p.Rank == 0 {
		return known
	}
	if to := m.ripeLate(v); v.kind == breach && to > p.Rank {
		m.higher(p, to)
	}
	return true
}

// higher emits that an incident that is over had been at a higher level.
func (m *machine) higher(p *Past, to int) {
	s, now := m.s, m.now
	m.s.Incident, m.s.Since, m.s.FiredAt = p.Incident, p.Began, p.Began
	m.emit(Event{Kind: Rose, From: p.Rank, To: to, Over: true})
	m.now = p.Ended
	m.emit(Event{Kind: Resolved, From: to, Over: true})
	m.s, m.now = s, now
	m.s.Last = m.s.Last.raised(p, to)
}

// raised returns the incidents with a higher level of one of them.
func (p *Past) raised(which *Past, to int) *Past {
	next := *p
	if p == which {
		next.Rank = to
	} else {
		next.Earlier = p.Earlier.raised(which, to)
	}
	return &next
}
