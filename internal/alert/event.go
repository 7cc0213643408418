package alert

import "time"

// Kind is what happened to an alert.
type Kind string

// What can happen. Told says which of them are for receivers; all of them are
// for the history.
const (
	Began       Kind = "pending"    // in breach, but not yet for long enough
	Dropped     Kind = "dropped"    // was pending, and is clear
	Fired       Kind = "fired"      // a new incident fires
	Rose        Kind = "rose"       // to a higher level
	Fell        Kind = "fell"       // to a lower level
	Recovers    Kind = "recovering" // clear, held by keep_firing_for
	Refired     Kind = "refired"    // in breach again: the same incident goes on
	Resolved    Kind = "resolved"   // the end
	WentMissing Kind = "nodata"     // no data, and the policy says so
	Troubled    Kind = "trouble"    // the evaluation failed or had no value
	Untroubled  Kind = "untrouble"  // it has a value again
	FlapsNow    Kind = "flapping"   // too many changes: told once instead of each
	FlapsNoMore Kind = "stable"     // told once; To says how it stands
	// LevelsFlap is too many changes between From and To, which stands from
	// now on: told once.
	LevelsFlap Kind = "flapping-levels"
	Forgotten  Kind = "forgotten" // was pending before too long a gap
)

// Told says whether receivers hear of it.
func (k Kind) Told() bool {
	switch k {
	case Fired, Rose, Fell, Resolved, WentMissing, FlapsNow, FlapsNoMore, LevelsFlap:
		return true
	}
	return false
}

// Reason is why something happened, if not because of the value alone.
type Reason string

// The reasons.
const (
	ReasonNoData  Reason = "no data"
	ReasonIdle    Reason = "no samples"
	ReasonError   Reason = "evaluation failed"
	ReasonUnseen  Reason = "never seen"
	ReasonBack    Reason = "data is back"
	ReasonRemoved Reason = "monitor removed"
	ReasonGone    Reason = "no samples of this group any more"
	// ReasonOverflow is why an alert that says so fires: a monitor has more
	// groups than it keeps.
	ReasonOverflow Reason = "more groups than max_groups"
)

// Event is one thing that happened to an alert.
type Event struct {
	Kind     Kind
	Incident string
	// From and To are ranks of levels, from 1; 0 is none.
	From, To int
	// Level is the name of To, or of From if To is 0.
	Level  string
	Reason Reason
	At     time.Time
	// Since is when the incident began, FiredAt when it fired.
	Since, FiredAt time.Time
	// Value is the one that decided; 0 if there was none (HasValue false).
	Value    float64
	HasValue bool
	// Incomplete says that the value is a partial one, Late that it is of an
	// earlier tick.
	Incomplete, Late bool
	// Over, of a rise and its end, says that the incident was over before: they
	// tell of a level that was learnt too late.
	Over bool
	// Flapping says that the change is one of too many and not told by itself.
	Flapping bool
	// Passed says that it happened while a gap was caught up with, and is
	// told only in sum; Times, on the sum, is how often it fired. Both are set
	// by package evaluate.
	Passed bool
	Times  int
}
