package lifetest

import (
	"cmp"
	"slices"
	"time"
)

// step is an escalation of a level of an alert, and how far its clock is: it
// counts from the first attempt to tell a receiver of that level or a higher
// one, and neither while the alert is muted nor while it is acknowledged.
type step struct {
	rank int
	*Step

	of    *incident
	on    bool            // somebody was told of the level, or would have been
	sure  bool            // it was somebody who is to hear of it
	from  time.Duration   // since when
	left  time.Duration   // since when the level was left; -1 if it wasn't
	least time.Duration   // what has surely passed
	most  time.Duration   // what may have passed
	told  map[string]bool // whatever was said
	said  map[string]bool // as an escalation
	came  map[string]bool // whom it subscribes to the level
	due   map[string]*due
}

func newStep(rank int, s *Step) *step {
	t := &step{rank: rank, Step: s}
	t.reset(nil)
	return t
}

func (s *step) reset(inc *incident) {
	s.of, s.on, s.sure, s.left, s.least, s.most = inc, false, false, -1, 0, 0
	s.told, s.said, s.came, s.due = map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]*due{}
}

// restartSteps begins all clocks anew: an ack has run out.
func (w *watched) restartSteps() {
	for _, s := range w.steps {
		s.least, s.most = 0, 0
	}
}

// restartLow allows that the clocks begin anew.
func (w *watched) restartLow() {
	for _, s := range w.steps {
		s.least = 0
	}
}

// attempted starts the clocks of the levels up to that of which a receiver was
// told, or would have been.
func (j *judge) attempted(w *watched, p *pair, k *knowledge, rank int) {
	for _, s := range w.steps {
		if s.of != k.of || rank < s.rank {
			continue
		}
		if !s.on {
			s.on, s.from = true, j.now
		}
		s.sure = s.sure || j.subscribed(w, p, k, rank)
	}
}

// pass lets the clocks run for a tick.
func (j *judge) pass() {
	for _, w := range j.watched {
		j.passOne(w)
		w.wasMuted = w.muted
	}
}

func (j *judge) passOne(w *watched) {
	m := j.stands(w)
	for _, s := range w.steps {
		if s.of != m.incident {
			s.reset(m.incident)
		}
		if s.of == nil {
			continue
		}
		switch holds := m.fires && m.rank >= s.rank; {
		case holds && s.left >= 0 && j.now-s.left >= lookBack:
			s.reset(m.incident)
		case holds:
			s.left = -1
		case s.left < 0:
			s.left = j.now
		case j.now-s.left >= lookBack:
			s.reset(m.incident)
		}
		if !s.on {
			continue
		}
		passed := min(j.life.Tick, j.now-s.from)
		if s.sure && !w.muted && !w.wasMuted && !w.acked {
			s.least += passed
		}
		if !w.surely && !w.ackedSurely {
			s.most += passed
		}
	}
}

// isDue says whether the step may be told by now.
func (s *step) isDue(j *judge) bool {
	return s.on && s.most+j.life.Tick+j.rec.Slack >= s.After
}

// escalation judges a row that says it is one: some step of its level is due,
// and was not told before. It subscribes the receiver to the step's level. A row
// of several steps names one of them.
func (j *judge) escalation(m *Message, r *Row, w *watched, p *pair, k *knowledge) {
	rank, due, fresh := w.m.rank(cmp.Or(r.Step, r.Level)), false, false
	for _, s := range w.steps {
		if s.of != k.of || s.rank > max(rank, w.m.rank(r.Level)) || !slices.Contains(s.Notify, p.Name) || !s.isDue(j) {
			continue
		}
		s.came[p.Name] = true
		if due = true; s.rank == rank && !fresh && !s.said[p.Name] {
			fresh, s.said[p.Name] = true, m.Outcome == Delivered
		}
	}
	switch {
	case !due && !k.standsIn && !w.running(k.of, rank):
		j.fail(Escalation, m.At, w.name, p.Name, "%s is escalated before anybody was told of it", r.Level)
	case !due && !k.standsIn:
		j.fail(Escalation, m.At, w.name, p.Name, "%s is escalated before that is due", r.Level)
	case due && !fresh && !m.Repeat:
		j.fail(Escalation, m.At, w.name, p.Name, "%s is escalated twice", r.Level)
	}
}

// running says whether the clock of a level, or of a lower one, has begun.
func (w *watched) running(inc *incident, rank int) bool {
	return slices.ContainsFunc(w.steps, func(s *step) bool { return s.of == inc && s.rank <= rank && s.on })
}

// cameDue says whether an escalation of a level may have come due for a receiver
// since the level was reached.
func (j *judge) cameDue(w *watched, inc *incident, receiver string, rank int) bool {
	return w.wasEscalated(inc, receiver, rank) || slices.ContainsFunc(w.steps, func(s *step) bool {
		return s.of == inc && s.rank == rank && slices.Contains(s.Notify, receiver) && s.isDue(j)
	})
}

// wasEscalated says whether an escalation of a level came due for a receiver,
// and was told, since the level was reached.
func (w *watched) wasEscalated(inc *incident, receiver string, rank int) bool {
	return slices.ContainsFunc(w.steps, func(s *step) bool { return s.of == inc && s.rank == rank && s.came[receiver] })
}

// escalated takes note of what a receiver was told, or would have been.
func (j *judge) escalated(w *watched, inc *incident, receiver string) {
	for _, s := range w.steps {
		if s.of == inc && s.isDue(j) {
			s.told[receiver] = true
		}
	}
}

// lateSteps looks for escalations that should have been told.
func (j *judge) lateSteps(w *watched) {
	m := j.stands(w)
	for _, s := range w.steps {
		for _, p := range w.pairs {
			if s.of == nil || !slices.Contains(s.Notify, p.Name) {
				continue
			}
			d := s.due[p.Name]
			if d == nil {
				d = &due{}
				s.due[p.Name] = d
			}
			is := m.fires && m.rank >= s.rank && s.least > s.After && !s.told[p.Name]
			if d.late(j.now, is, w.muted || w.acked || j.isAway(p), j.patience(p, s.rank, d.since)) {
				j.fail(Escalation, j.now, w.name, p.Name, "%s has stood unacknowledged for %v and isn't escalated, which is due after %v", w.m.level(s.rank).Name, s.least, s.After)
			}
		}
	}
}
