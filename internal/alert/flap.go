package alert

import (
	"slices"
	"time"
)

// change emits a beginning or an end, and sees whether there are too many of
// them. Changes among the levels that fire don't count: see [LevelFlap].
func (m *machine) change(e Event) {
	if !m.r.Flap.on() {
		m.emit(e)
		return
	}
	flap := FlapState{}
	if m.s.Flap != nil {
		flap = *m.s.Flap
	}
	flap.Changes = append(slices.Clone(m.recent(flap.Changes)), m.now)
	if over := len(flap.Changes) - m.r.Flap.Changes; over > 0 {
		flap.Changes = flap.Changes[over:]
	}
	starts := !flap.On && len(flap.Changes) >= m.r.Flap.Changes
	if starts {
		flap.On, flap.Incident = true, m.s.Incident
	}
	m.s.Flap = &flap
	e.Flapping = flap.On
	m.emit(e)
	if starts {
		m.emit(Event{Kind: FlapsNow, From: e.From, To: e.To})
	}
}

// recent returns those of the changes that count.
func (m *machine) recent(changes []time.Time) []time.Time {
	for len(changes) > 0 && m.now.Sub(changes[0]) >= m.r.Flap.LookBack {
		changes = changes[1:]
	}
	return changes
}

// calm ends flapping when nothing changed for long enough, or when an edit
// switched its detection off, and forgets changes that don't count any more.
func (m *machine) calm() {
	flap := m.s.Flap
	if flap == nil {
		return
	}
	if n := len(flap.Changes); m.r.Flap.on() && n > 0 && m.now.Sub(flap.Changes[n-1]) < m.r.Flap.LookBack {
		return
	}
	m.s.Flap = nil
	if !flap.On {
		return
	}
	m.emit(Event{Kind: FlapsNoMore, Incident: flap.Incident, To: m.toldRank()})
	if m.s.Phase == Pending {
		m.s.Incident = m.newID() // the one that it flapped in has just ended
	}
}

func (m *machine) toldRank() int {
	if m.s.Phase.Told() {
		return max(m.s.Rank, 1)
	}
	return 0
}
