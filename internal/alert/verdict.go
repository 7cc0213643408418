package alert

import (
	"math/bits"
	"time"
)

// verdict is what one evaluation says, before the state has its say.
type verdict struct {
	kind   verdictKind
	mask   uint64 // breach: bit i-1 is the level of rank i
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
		if m.r.Op.Holds(value, m.threshold(i+1)) {
			v.mask |= 1 << i
			v.kind = breach
		}
	}
	if v.kind == clear && !v.final {
		return verdict{}
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

func (m *machine) missing() verdict {
	long := m.now.Sub(m.s.MissingSince) >= m.r.NoDataFor
	switch m.r.NoData {
	case OK:
		if long {
			return verdict{kind: clear, reason: ReasonNoData}
		}
	case Zero:
		if long {
			return m.judge(0)
		}
	case Alert:
		if long {
			return m.all(breach, ReasonNoData)
		}
		return m.all(waiting, ReasonNoData)
	case NoDataState:
		if long {
			return verdict{kind: lost, reason: ReasonNoData}
		}
		return verdict{kind: waiting, reason: ReasonNoData}
	}
	return verdict{}
}

func (m *machine) unseen() verdict {
	if m.r.MustExist && m.now.Sub(m.s.MissingSince) >= m.r.NoDataFor {
		return verdict{kind: lost, reason: ReasonUnseen}
	}
	return verdict{}
}

// all is a verdict on every level. Without a value there is no telling which
// of them would be in breach, and the policy says that it is as bad.
func (m *machine) all(kind verdictKind, reason Reason) verdict {
	return verdict{kind: kind, mask: 1<<len(m.r.Levels) - 1, reason: reason}
}

// note keeps what is wrong with the evaluation itself.
func (m *machine) note() {
	var trouble Reason
	switch m.in.Status {
	case StatusMissing:
		trouble = ReasonNoData
	case StatusUnseen:
		trouble = ReasonUnseen
	case StatusError:
		trouble = ReasonError
	}
	switch m.in.Status {
	case StatusOK:
		m.s.MissingSince = time.Time{}
	case StatusMissing, StatusUnseen:
		if m.s.MissingSince.IsZero() {
			m.s.MissingSince = m.now
		}
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
