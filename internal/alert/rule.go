// Package alert decides how an alert stands. It is pure: from a rule, the
// state so far, one value and the time it gives the next state and what
// happened on the way. It knows no clock, no store and no receiver; whom to
// tell, and when, is package notify's business.
package alert

import (
	"math"
	"time"
)

// Rule is what an alert is judged by. It is not changed by [Step] and may be
// replaced between two steps: an edit keeps the state and never demotes what
// fires.
type Rule struct {
	// Key is the monitor's identity; only carried along.
	Key string
	// Op compares the value with a threshold.
	Op Op
	// Levels are the levels of the one alert, mildest first; 1 to 64.
	Levels []Level
	// KeepFiringFor is how long, from the first clear evaluation on and
	// exclusive, a clear value must last before the end. 0 ends at once.
	KeepFiringFor time.Duration
	// NoData is what a missing value means once it was missing for
	// NoDataFor (inclusive). Until then it means [Keep].
	NoData    Policy
	NoDataFor time.Duration
	// Idle is what a window means that is known in full and holds nothing to
	// compute a value from, once it was like that for IdleFor (inclusive).
	// Until then it means [Keep].
	Idle    Policy
	IdleFor time.Duration
	// EvalError is what a failed evaluation means: [Keep] or [Alert].
	EvalError Policy
	// MustExist tells if the metric was not seen for NoDataFor.
	MustExist bool
	// OutageTolerance is the longest time of which nothing is known that a
	// pending alert outlives; 0 means [DefaultOutageTolerance].
	OutageTolerance time.Duration
	// Flap says when an alert flaps. The zero value never does.
	Flap Flap
}

// DefaultOutageTolerance is how long a gap in what is known may be before a
// pending alert starts from scratch.
const DefaultOutageTolerance = time.Hour

// Level is one severity of an alert.
type Level struct {
	// Name is the level's identity in the state; unique within a rule.
	Name string
	// Threshold is what the value is compared with. NaN means that the level
	// can't be judged now: nothing of it begins or ends.
	Threshold float64
	// Clear, if set, replaces Threshold while the level fires.
	Clear *float64
	// For is how long, inclusive, the value must be in breach of this level
	// before it fires. 0 fires at once.
	For time.Duration
}

// Op is a comparison, spelled as in monitors.yaml.
type Op string

// The comparisons. The empty Op is GreaterOrEqual.
const (
	GreaterOrEqual Op = ">="
	Greater        Op = ">"
	LessOrEqual    Op = "<="
	Less           Op = "<"
	EqualTo        Op = "=="
	NotEqualTo     Op = "!="
)

// Holds says whether value op threshold. NaN never does.
func (o Op) Holds(value, threshold float64) bool {
	switch o {
	case Greater:
		return value > threshold
	case LessOrEqual:
		return value <= threshold
	case Less:
		return value < threshold
	case EqualTo:
		return value == threshold
	case NotEqualTo:
		return value != threshold && !math.IsNaN(value) && !math.IsNaN(threshold)
	default:
		return value >= threshold
	}
}

// rising says whether a greater value can only be more in breach, so that a
// lower bound over the threshold is enough.
func (o Op) rising() bool {
	return o == Greater || o == GreaterOrEqual || o == ""
}

// fills says whether a verdict has to wait until the window has filled: what
// is there can only become more, which may end a breach of a falling threshold,
// and says nothing of an equality.
func (o Op) fills(kind verdictKind) bool {
	return !o.rising() && (kind == breach || o == EqualTo || o == NotEqualTo)
}

// Policy is what an evaluation without a value means.
type Policy string

// The policies. The empty one is Keep.
const (
	// Keep leaves everything as it is; the `for` clock runs on.
	Keep Policy = "keep"
	// OK counts as clear.
	OK Policy = "ok"
	// Alert counts as a breach of every level. The `for` clock of each runs
	// from the first evaluation without a value.
	Alert Policy = "alert"
	// NoDataState is a state of its own that is told and whose end is told.
	NoDataState Policy = "nodata"
	// Zero counts as the value 0.
	Zero Policy = "zero"
)

// Flap says what flapping is: at least Changes changes within LookBack, be it
// between firing and not firing or between levels that fire. It is over when
// LookBack has passed without a change, or below the level that stands.
type Flap struct {
	LookBack time.Duration
	Changes  int
}

// DefaultFlap is for monitors that don't say otherwise.
var DefaultFlap = Flap{LookBack: 5 * time.Minute, Changes: 4}

func (f Flap) on() bool { return f.LookBack > 0 && f.Changes > 0 }

// rank returns the place of the level called name, from 1, or the one that
// comes closest to rank if an edit of the file took that name away.
func (r *Rule) rank(name string, rank int) int {
	for i := range r.Levels {
		if r.Levels[i].Name == name {
			return i + 1
		}
	}
	return max(0, min(rank, len(r.Levels)))
}

func (r *Rule) levelName(rank int) string {
	if rank < 1 || rank > len(r.Levels) {
		return ""
	}
	return r.Levels[rank-1].Name
}
