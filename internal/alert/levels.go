package alert

import (
	"slices"
	"time"
)

// LevelFlap is what is remembered of an incident's changes of level. They have
// a bound of their own, beside the one of beginning and ending ([FlapState]).
type LevelFlap struct {
	// Changes are the latest changes, oldest first.
	Changes []LevelChange `json:"changes,omitempty"`
	// On says that there were too many: the highest level reached stands until
	// it has been left for as long as the changes are looked back on.
	On bool `json:"on,omitempty"`
	// Left is since when the value is below that level; zero while it isn't.
	Left time.Time `json:"left,omitzero"`
}

// LevelChange is a change between two levels that fire.
type LevelChange struct {
	At   time.Time `json:"at"`
	Low  int       `json:"low"`
	High int       `json:"high"`
}

// steady returns the level that stands when a value in breach asks for to:
// while levels flap, the one that stands is only left after a while. calm says
// that this is over now.
func (m *machine) steady(from, to int) (level int, calm bool) {
	flap := m.s.Levels
	switch {
	case flap == nil || !flap.On:
		return to, false
	case !m.r.Flap.on(): // an edit switched it off
		m.s.Levels = nil
		return to, true
	case to >= from:
		m.leaves(time.Time{})
		return to, false
	case flap.Left.IsZero():
		m.leaves(m.now)
		return from, false
	case m.now.Sub(flap.Left) < m.r.Flap.LookBack:
		return from, false
	}
	m.s.Levels = nil
	return to, true
}

// levelEvent is a change of level.
func levelEvent(from, to int, reason Reason) Event {
	if to < from {
		return Event{Kind: Fell, From: from, To: to, Reason: reason}
	}
	return Event{Kind: Rose, From: from, To: to, Reason: reason}
}

// leaves takes note of since when the value is below the level that stands.
func (m *machine) leaves(at time.Time) {
	if flap := m.s.Levels; flap != nil && flap.On && !flap.Left.Equal(at) {
		next := *flap
		next.Left = at
		m.s.Levels = &next
	}
}

// changeLevel emits a change of level, and sees whether there are too many of
// them. The one that is too many is told as such, and the highest level
// reached stands.
func (m *machine) changeLevel(e Event) {
	if !m.r.Flap.on() {
		m.moveTo(e)
		return
	}
	flap := LevelFlap{}
	if m.s.Levels != nil {
		flap = *m.s.Levels
	}
	if flap.On { // it rises beyond the level that stood
		m.moveTo(e)
		return
	}
	flap.Changes = append(slices.Clone(m.recentLevels(flap.Changes)), LevelChange{m.now, min(e.From, e.To), max(e.From, e.To)})
	flap.On = len(flap.Changes) >= m.r.Flap.Changes
	m.s.Levels = &flap
	if !flap.On {
		m.moveTo(e)
		return
	}
	low, high := e.From, e.To
	for _, c := range flap.Changes {
		low, high = min(low, c.Low), max(high, c.High)
	}
	if e.Flapping = true; e.To > e.From {
		m.moveTo(e)
	}
	if m.s.Rank != high {
		m.s.Rank, m.s.Level, m.s.LevelAt = high, m.r.levelName(high), m.now
	}
	m.s.Levels.Changes = nil
	if e.To < high {
		m.leaves(m.now)
	}
	m.emit(Event{Kind: LevelsFlap, From: low, To: high})
}

// moveTo makes the level of a change the one that stands.
func (m *machine) moveTo(e Event) {
	m.s.Rank, m.s.Level, m.s.Before, m.s.LevelAt = e.To, m.r.levelName(e.To), e.From, m.now
	e.Flapping = e.Flapping || m.s.Flapping()
	m.emit(e)
}

func (m *machine) recentLevels(changes []LevelChange) []LevelChange {
	for len(changes) > 0 && m.now.Sub(changes[0].At) >= m.r.Flap.LookBack {
		changes = changes[1:]
	}
	return changes
}

func (f *LevelFlap) equal(o *LevelFlap) bool {
	if f == nil || o == nil {
		return f == o
	}
	return f.On == o.On && f.Left.Equal(o.Left) && slices.EqualFunc(f.Changes, o.Changes, func(a, b LevelChange) bool {
		return a.At.Equal(b.At) && a.Low == b.Low && a.High == b.High
	})
}
