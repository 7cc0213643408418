package alert

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// Phase is how an alert stands.
type Phase uint8

// The phases. Errored is only shown, never stored: see [State.Shown].
const (
	Inactive Phase = iota
	Pending
	Firing
	Recovering
	NoData
	Errored
)

var phaseNames = [...]string{"inactive", "pending", "firing", "recovering", "nodata", "error"}

// String returns the phase in the words of the docs.
func (p Phase) String() string {
	if int(p) < len(phaseNames) {
		return phaseNames[p]
	}
	return fmt.Sprintf("phase(%d)", uint8(p))
}

// MarshalText writes the phase as [Phase.String] does.
func (p Phase) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (p *Phase) UnmarshalText(text []byte) error {
	i := slices.Index(phaseNames[:], string(text))
	if i < 0 {
		return fmt.Errorf("unknown phase %q", text)
	}
	*p = Phase(i)
	return nil
}

// Told says whether receivers regard the alert as firing: a recovering one
// still fires for them.
func (p Phase) Told() bool { return p == Firing || p == Recovering || p == NoData }

// StateVersion is the format of [State] as JSON that this package writes. It
// reads this one and the one before.
const StateVersion = 1

// State is what is kept of an alert between two evaluations. Its zero value
// is an alert that never was. It is a value: [Step] returns a new one and
// leaves what it was given alone.
//
// When the alert was last evaluated is not part of it: that is the ledger's
// watermark, the same for all alerts.
type State struct {
	V     int   `json:"v,omitempty"`
	Phase Phase `json:"phase,omitempty"`
	// Incident tells one outage from the next. It is drawn when the alert
	// becomes pending and never derived again.
	Incident string `json:"incident,omitempty"`
	// Level and Rank are the level that fires, by name and by its place from
	// 1; the name decides. Rank is 0 while none fires.
	Level string `json:"level,omitempty"`
	Rank  int    `json:"rank,omitempty"`
	// Before is the Rank before the last change of level. Only versions before
	// [LevelFlap] look at it.
	Before int `json:"before,omitempty"`
	// Reason is why the alert is in its phase, if not for its value.
	Reason Reason `json:"reason,omitempty"`
	// Trouble is what was wrong with the last evaluation: error, no data or
	// unseen. It goes away with the next good one.
	Trouble Reason `json:"trouble,omitempty"`
	// Since is when the incident began (pending), less what is unknown.
	Since time.Time `json:"since,omitzero"`
	// FiredAt is when it fired, LevelAt when it reached its level.
	FiredAt time.Time `json:"fired_at,omitzero"`
	LevelAt time.Time `json:"level_at,omitzero"`
	// ClearSince is the first clear evaluation of a recovering alert.
	ClearSince time.Time `json:"clear_since,omitzero"`
	// MissingSince is the first of the evaluations without a value.
	MissingSince time.Time `json:"missing_since,omitzero"`
	// Clocks are the times since when the value is in breach of the levels.
	Clocks map[string]time.Time `json:"clocks,omitempty"`
	// LateClock says that a late evaluation started them.
	LateClock bool `json:"late_clock,omitempty"`
	// Last is the incident before this one.
	Last *Past `json:"last,omitempty"`
	// Flap is the alert's recent changes.
	Flap *FlapState `json:"flap,omitempty"`
	// Levels is what is remembered of its changes of level.
	Levels *LevelFlap `json:"levels,omitempty"`
	// Pulse is of a heartbeat. It outlives incidents.
	Pulse *Pulse `json:"pulse,omitempty"`
}

// Past is the span of an incident that is over.
type Past struct {
	Began time.Time `json:"began"`
	Ended time.Time `json:"ended"`
	// Incident is its id, and Rank the highest level that it reached; 0 in what
	// versions wrote that didn't keep it.
	Incident string `json:"incident,omitempty"`
	Rank     int    `json:"rank,omitempty"`
	// Earlier is the one before, if that ended within [pastFor] of its end.
	Earlier *Past `json:"earlier,omitempty"`
}

const (
	// maxPasts is how many incidents that are over are remembered, and pastFor
	// for how long the earlier ones are: an evaluator that takes over, or reads
	// again what the Store had lost, judges the last minute again.
	maxPasts = 4
	pastFor  = 2 * time.Minute
)

// past is the state's incident, which is over now, with those before it.
func (s *State) past(ended time.Time) *Past {
	p := &Past{Began: s.Since, Ended: ended, Incident: s.Incident, Rank: s.highest(time.Time{})}
	at, before := p, s.Last
	for n := 1; n < maxPasts && before != nil && ended.Sub(before.Ended) <= pastFor; n++ {
		earlier := *before
		earlier.Earlier = nil
		at.Earlier = &earlier
		at, before = at.Earlier, before.Earlier
	}
	return p
}

// highest is the highest level of the incident after a time, as far as is
// remembered: it may have fallen from it meanwhile.
func (s *State) highest(after time.Time) int {
	to := s.Rank
	if after.Before(s.LevelAt) {
		to = max(to, s.Before)
	}
	if s.Levels != nil {
		for _, c := range s.Levels.Changes {
			if after.Before(c.At) {
				to = max(to, c.High)
			}
		}
	}
	return to
}

// Covers says whether a moment lies in the incident, or in one before it. It is
// false for nil.
func (p *Past) Covers(t time.Time) bool {
	_, known := p.at(t, 0)
	return known
}

// at returns the incident, of this and those before it, to which a breach at t
// belongs: it lies in it, or less than held before it. Before as many as are
// remembered there may be others, of which nothing is known but that.
func (p *Past) at(t time.Time, held time.Duration) (found *Past, known bool) {
	n := 0
	for ; p != nil; p = p.Earlier {
		if !t.Before(p.Began.Add(-held)) && !t.After(p.Ended) {
			return p, true
		}
		if n++; n == maxPasts && t.Before(p.Began) {
			return nil, true
		}
	}
	return nil, false
}

// FlapState is what the detection of flapping remembers.
type FlapState struct {
	// Changes are the times of the latest changes, oldest first.
	Changes []time.Time `json:"changes,omitempty"`
	// On says that the alert flaps; Incident is then the one incident that
	// all its changes belong to.
	On       bool   `json:"on,omitempty"`
	Incident string `json:"incident,omitempty"`
}

// Shown returns the phase for pages and tools: an alert whose evaluation
// failed is shown as in error unless something worse is known of it.
func (s *State) Shown() Phase {
	if s.Phase == Inactive && s.Trouble == ReasonError {
		return Errored
	}
	return s.Phase
}

// fit makes the state one of the rule's, which may have been edited, or have
// come from another version.
func (s *State) fit(r *Rule) {
	if s.Phase >= Errored {
		s.Phase = Inactive
	}
	if s.Rank != 0 || s.Level != "" {
		s.Rank = r.rank(s.Level, s.Rank)
		s.Level = r.levelName(s.Rank)
	}
}

// Flapping says whether the alert flaps.
func (s *State) Flapping() bool { return s.Flap != nil && s.Flap.On }

// LevelsFlap says whether the alert changes between levels too often, so that
// the highest one stands.
func (s *State) LevelsFlap() bool { return s.Levels != nil && s.Levels.On }

// Equal says whether two states are the same, and so whether one needs to be
// written.
func (s *State) Equal(o *State) bool {
	return s.Phase == o.Phase && s.Incident == o.Incident &&
		s.Level == o.Level && s.Rank == o.Rank && s.Before == o.Before &&
		s.Reason == o.Reason && s.Trouble == o.Trouble &&
		s.Since.Equal(o.Since) && s.FiredAt.Equal(o.FiredAt) && s.LevelAt.Equal(o.LevelAt) &&
		s.ClearSince.Equal(o.ClearSince) && s.MissingSince.Equal(o.MissingSince) &&
		s.LateClock == o.LateClock && maps.EqualFunc(s.Clocks, o.Clocks, time.Time.Equal) &&
		s.Last.equal(o.Last) && s.Flap.equal(o.Flap) && s.Levels.equal(o.Levels) && s.Pulse.equal(o.Pulse)
}

func (p *Past) equal(o *Past) bool {
	if p == nil || o == nil {
		return p == o
	}
	return p.Began.Equal(o.Began) && p.Ended.Equal(o.Ended) && p.Incident == o.Incident && p.Rank == o.Rank && p.Earlier.equal(o.Earlier)
}

func (f *FlapState) equal(o *FlapState) bool {
	if f == nil || o == nil {
		return f == o
	}
	return f.On == o.On && f.Incident == o.Incident &&
		slices.EqualFunc(f.Changes, o.Changes, time.Time.Equal)
}

// Worst returns how a monitor with many alerts stands: the worst of their
// phases.
func Worst(phases ...Phase) Phase {
	order := [...]int{Inactive: 0, Errored: 1, Pending: 2, NoData: 3, Recovering: 4, Firing: 5}
	worst := Inactive
	for _, p := range phases {
		if order[p] > order[worst] {
			worst = p
		}
	}
	return worst
}
