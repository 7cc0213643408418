package alert

import (
	"math"
	"math/bits"
	"time"
)

// verdict is what one evaluation says, before the state has its say.
type verdict struct {
	kind   verdictKind
	mask   uint64 // breach: bit i-1 is the level of rank i
	open   uint64 // likewise, the levels that can't be judged now
	final  bool   // breach: levels not in mask are known to be clear
	reason Reason
}

type verdictKind uint8

const (
	hold    verdictKind = iota // nothing is known: everything stays
	clear                      // in breach of nothing
	breach                     // in breach of the levels in mask
	waiting                    // without a value, which will count as bad
	lost                       // without a value for too long
)

func (v verdict) has(rank int) bool { return v.mask&(1<<(rank-1)) != 0 }
func (v verdict) top() int          { return bits.Len64(v.mask) }

// verdict judges the input.
func (m *machine) verdict() verdict {
	switch m.in.Status {
	case StatusOK:
		return m.judge(m.in.Value)
	case StatusError:
		if m.r.EvalError == Alert {
			return m.all(breach, ReasonError)
		}
		return verdict{}
	case StatusUnseen:
		if m.s.Phase == Inactive {
			return m.unseen()
		}
	case StatusIdle:
		return m.idle()
	}
	return m.missing()
}

// judge compares a value with every level.
func (m *machine) judge(value float64) verdict {
	v := verdict{kind: clear, final: !m.in.Incomplete && !m.in.LowerBound}
	if m.in.LowerBound && !m.r.Op.rising() {
		return verdict{}
	}
	for i := range m.r.Levels {
		switch limit := m.threshold(i + 1); {
		case math.IsNaN(limit):
			v.open |= 1 << i
		case m.r.Op.Holds(value, limit):
			v.mask |= 1 << i
			v.kind = breach
		}
	}
	if m.in.Filling && m.r.Op.fills(v.kind) {
		return verdict{}
	}
	if m.in.Few && v.kind == breach {
		v = m.few(v)
	}
	v.final = v.final && !m.holds(v.open)
	if v.kind == clear && !v.final {
		return verdict{}
	}
	return v
}

// holds says whether levels that can't be judged keep the alert as it is: if
// one of those that fire is among them or, while none fires, if there are no
// others.
func (m *machine) holds(open uint64) bool {
	if m.s.Phase.Told() && m.s.Rank > 0 {
		return open&(1<<m.s.Rank-1) != 0
	}
	return open == 1<<len(m.r.Levels)-1
}

// few takes what would begin out of a breach that is made of too little: what
// doesn't fire is clear, what fires doesn't rise.
func (m *machine) few(v verdict) verdict {
	if !m.s.Phase.Told() || m.s.Rank == 0 {
		return verdict{kind: clear, final: v.final}
	}
	if v.mask &= 1<<m.s.Rank - 1; v.mask == 0 {
		v.mask = 1 << (m.s.Rank - 1)
	}
	return v
}

// threshold returns what a level's value is compared with: one that fires
// already has hysteresis.
func (m *machine) threshold(rank int) float64 {
	level := &m.r.Levels[rank-1]
	if level.Clear != nil && m.s.Phase.Told() && rank <= m.s.Rank {
		return *level.Clear
	}
	return level.Threshold
}

// missing judges a value that isn't there.
func (m *machine) missing() verdict {
	return m.without(m.r.NoData, ReasonNoData, m.lasted(m.r.NoDataFor))
}

// lasted says whether a value has been missing for long enough.
func (m *machine) lasted(wait time.Duration) bool {
	if m.in.Gone {
		wait = max(wait, GoneFor)
	}
	return !m.in.Settling && m.now.Sub(m.s.MissingSince) >= wait
}

// idle judges a window with nothing in it. Too little for a beginning is clear
// while nothing fires, and nothing at all is no more than that.
func (m *machine) idle() verdict {
	if m.in.Few && !m.s.Phase.Told() && m.r.rests() && !m.in.Incomplete {
		return verdict{kind: clear, final: true}
	}
	since := m.s.MissingSince
	return m.without(m.r.Idle, ReasonIdle, !since.IsZero() && m.now.Sub(since) >= m.r.IdleFor)
}

// without judges an evaluation without a value by a policy; long says that it
// was like that for long enough. In time of which nothing is known nothing
// acts, and nothing ends where a clear value wouldn't end it.
func (m *machine) without(p Policy, reason Reason, long bool) verdict {
	long = long && m.in.Unknown == 0
	ends := long && !m.in.Incomplete && !m.in.LowerBound
	switch p {
	case OK:
		if ends {
			return verdict{kind: clear, final: true, reason: reason}
		}
	case Zero:
		if ends {
			return m.judge(0)
		}
	case Alert:
		if long {
			return m.all(breach, reason)
		}
		return m.all(waiting, reason)
	case NoDataState:
		if long {
			return verdict{kind: lost, reason: reason}
		}
		return verdict{kind: waiting, reason: reason}
	}
	return verdict{}
}

func (m *machine) unseen() verdict {
	if m.r.MustExist && m.lasted(m.r.NoDataFor) && m.in.Unknown == 0 {
		return verdict{kind: lost, reason: ReasonUnseen}
	}
	return verdict{}
}

// all is a verdict on every level. Without a value there is no telling which
// of them would be in breach, and the policy says that it is as bad.
func (m *machine) all(kind verdictKind, reason Reason) verdict {
	return verdict{kind: kind, mask: 1<<len(m.r.Levels) - 1, reason: reason}
}

// note keeps what is wrong with the evaluation itself, and since when.
func (m *machine) note() {
	trouble := m.trouble()
	switch trouble {
	case "":
		m.s.MissingSince = time.Time{}
	case ReasonError:
	default:
		m.since(trouble)
	}
	if trouble == m.s.Trouble {
		return
	}
	m.s.Trouble = trouble
	if trouble == "" {
		m.emit(Event{Kind: Untroubled, From: m.s.Rank, To: m.s.Rank})
		return
	}
	m.emit(Event{Kind: Troubled, From: m.s.Rank, To: m.s.Rank, Reason: trouble})
}

// trouble is what is wrong with the evaluation. An idle window is no trouble
// of what is at rest, unless the policy says so.
func (m *machine) trouble() Reason {
	switch m.in.Status {
	case StatusMissing:
		return ReasonNoData
	case StatusUnseen:
		return ReasonUnseen
	case StatusError:
		return ReasonError
	case StatusIdle:
		if m.s.Phase != Inactive || !m.r.rests() {
			return ReasonIdle
		}
	}
	return ""
}

// since runs the clock of a value that isn't there. A window is idle only
// while it is known in full.
func (m *machine) since(trouble Reason) {
	since, partial := &m.s.MissingSince, trouble == ReasonIdle && (m.in.Incomplete || m.in.LowerBound)
	other := (trouble == ReasonIdle) != (m.s.Trouble == ReasonIdle) && m.s.Trouble != "" && m.s.Trouble != ReasonError
	switch {
	case partial && (other || since.IsZero()):
		*since = time.Time{}
	case other || since.IsZero():
		*since = m.now
	case partial:
		*since = since.Add(m.in.Elapsed)
	}
}
