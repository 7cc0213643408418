package lifetest

import (
	"slices"
	"time"
)

// message looks at a message at the moment at which it is handed over.
func (j *judge) message(m *Message) {
	if m.Outcome == Delivered {
		for _, key := range m.Standing {
			j.standing(m, key)
		}
	}
	rank := 0
	for i := range m.Rows {
		r := &m.Rows[i]
		w := j.alert(r.Alert)
		if w == nil {
			continue
		}
		inc, p := j.byID[r.Incident], w.pair(m.To)
		if inc == nil || p == nil {
			j.fail(Ends, m.At, w.name, m.To, "an incident that its value doesn't explain is told: %s", r.Incident)
			continue
		}
		rank = max(rank, w.m.rank(r.Level))
		j.row(m, r, w, p, p.knows(inc))
	}
	j.counted(m, rank)
}

func (w *watched) pair(receiver string) *pair {
	for _, p := range w.pairs {
		if p.Name == receiver {
			return p
		}
	}
	return nil
}

// standing looks at an alert of which a message says that it goes on.
func (j *judge) standing(m *Message, key string) {
	w := j.alert(key)
	if w == nil {
		return
	}
	p := w.pair(m.To)
	for inc, k := range p.know {
		if k.told && j.stood(w, func(now *moment) bool { return now.incident == inc }) {
			k.heard = m.At
			return
		}
	}
	j.fail(Theirs, m.At, w.name, m.To, "it is shown beside others, of which the receiver was told nothing")
}

func (j *judge) row(m *Message, r *Row, w *watched, p *pair, k *knowledge) {
	rank := w.m.rank(r.Level)
	wasUnreached := j.unreached(p, k.of)
	if m.Outcome != Failed {
		k.failing = -1
	}
	opens := isOpening(r)
	if opens || r.Kind == "stable" || r.Kind == "fall" {
		j.attempted(w, p, k, rank)
	}
	switch {
	case m.Outcome == Failed:
		if k.failing < 0 && opens {
			k.failing = m.At
		}
		k.unreached = k.unreached || j.unreached(p, k.of)
		return
	case m.Outcome == Refused:
		k.heard, k.unreached = m.At, true
		if r.Acked {
			k.acked = m.At
		}
		if k.tried = max(k.tried, rank); r.Ends {
			k.ended = true
		}
		j.escalated(w, k.of, p.Name)
		if r.Escalated && opens {
			j.escalation(m, r, w, p, k)
		}
		return
	case r.Ends:
		j.end(m, r, w, p, k)
	case opens:
		j.opening(m, r, w, p, k)
		j.escalated(w, k.of, p.Name)
	case r.Kind == "fall" || r.Kind == "stable":
		j.fall(m, r, w, p, k)
		j.escalated(w, k.of, p.Name)
	case r.Kind == "acknowledged":
		if !k.told {
			j.fail(Theirs, m.At, w.name, p.Name, "it is told of an ack of what it was told nothing")
		}
		k.heard, k.acked = m.At, m.At
		return
	default:
		return
	}
	j.once(m, r, w, p)
	if r.Acked {
		k.acked = m.At
	}
	if k.heard = m.At; !r.Ends {
		if !k.told {
			k.first = m.At
		}
		k.told, k.rank, k.top = true, rank, max(k.top, rank)
	}
	if wasUnreached { // nobody needs to stand in for it any more
		k.reached = m.At
	}
	k.unreached = false
	if r.Kind != "repeat" && !r.Escalated && r.Kind != "undelivered" {
		p.changes = append(p.changes, m.At)
	}
}

// isOpening says whether a row tells of something that has to have an end, and
// so must be true when it is told.
func isOpening(r *Row) bool {
	switch r.Kind {
	case "firing", "rise", "repeat", "flapping", "flapping-levels", "nodata", "undelivered", "reminder":
		return !r.Ends && r.Was != "resolved"
	}
	return false
}

// opening: the level is one that the receiver is to hear of, it stands, and
// nothing keeps it back.
func (j *judge) opening(m *Message, r *Row, w *watched, p *pair, k *knowledge) {
	rank := w.m.rank(r.Level)
	p.overtakes(j, m, k)
	if r.Kind == "undelivered" {
		k.standsIn = true
	}
	if r.Over || r.Both {
		j.over(m, w, p, k)
		return
	}
	stands := j.stood(w, func(now *moment) bool {
		return now.incident == k.of && (max(now.rank, now.raw) >= rank || now.flaps && !now.fires && k.of.top >= rank)
	})
	told := k.told
	if r.Escalated && r.Kind != "undelivered" {
		j.escalation(m, r, w, p, k)
	}
	switch {
	case !stands:
		j.fail(Theirs, m.At, w.name, p.Name, "it is told of %s, which doesn't stand", r.Level)
	case told && r.Kind == "flapping-levels": // for all who were notified
	case told && r.Kind == "flapping" && rank <= k.rank: // it is a fall, too, or what it knows
	case !j.subscribed(w, p, k, rank):
		j.fail(Theirs, m.At, w.name, p.Name, "it is told of %s, which isn't its own", r.Level)
	case !told && !r.Escalated && !k.of.over(m.At) && !j.stood(w, func(now *moment) bool {
		return now.incident == k.of && (j.subscribed(w, p, k, now.rank) || j.subscribed(w, p, k, now.raw) || now.flaps && !now.fires)
	}):
		j.fail(Theirs, m.At, w.name, p.Name, "it was told nothing, and is told of %s, while what stands isn't its own", r.Level)
	}
	if j.mutedAt(w, m.At) {
		j.fail(Mutes, m.At, w.name, p.Name, "%s is told while it is muted", r.Kind)
	}
	if r.Kind == "repeat" && told {
		j.repeated(m, r, w, p, k)
	}
}

// over: of what is told so late that it is over, nobody waits for the end.
func (j *judge) over(m *Message, w *watched, p *pair, k *knowledge) {
	if !j.stood(w, func(now *moment) bool { return now.incident != k.of }) {
		j.fail(Ends, m.At, w.name, p.Name, "it is told that it is over, and it goes on")
	}
	if !j.wasTheirs(w, p, k) {
		j.fail(Theirs, m.At, w.name, p.Name, "it is told that something fired and is over which reached no level of its own")
	}
	k.ended = true
}

// escalates says whether a step of a level, or of a lower one, names the
// receiver.
func (p *pair) escalates(w *watched, rank int) bool {
	return slices.ContainsFunc(w.steps, func(s *step) bool { return s.rank <= rank && slices.Contains(s.Notify, p.Name) })
}

// mutedAt says whether an alert is surely muted at a time after the latest
// tick.
func (j *judge) mutedAt(w *watched, at time.Duration) bool {
	now := j.now
	defer func() { j.now = now }()
	j.now = at
	_, surely := j.mutedBy(w)
	if j.now = at - j.rec.Slack; surely {
		_, surely = j.mutedBy(w)
	}
	return surely
}

// repeated: a repeat isn't told before its time, unless something that kept it
// back is over, and not while somebody looks after it.
func (j *judge) repeated(m *Message, r *Row, w *watched, p *pair, k *knowledge) {
	rank := w.m.rank(r.Level)
	if rank == 0 || r.Escalated || m.Repeat {
		return
	}
	if w.ackedSurely {
		j.fail(Acks, m.At, w.name, p.Name, "%s is told again though it is acknowledged", r.Level)
	}
	every := w.m.level(rank).Repeat
	for below := 1; below < rank; below++ { // it may have been due at a lower level
		if w.m.level(below).names(p.Name) {
			every = min(every, w.m.level(below).Repeat)
		}
	}
	if since := m.At - k.heard; since+j.rec.Slack < every && w.freed < k.heard {
		j.fail(Repeats, m.At, w.name, p.Name, "%s is told again after %v, which is due after %v", r.Level, since, every)
	}
}

// subscribed says whether a receiver may hear of a level: its trigger notifies
// it, it was escalated to, or it stands in for one of these.
func (j *judge) subscribed(w *watched, p *pair, k *knowledge, rank int) bool {
	return rank > 0 && (w.m.level(rank).names(p.Name) || j.cameDue(w, k.of, p.Name, rank) || j.standsIn(w, p, k, rank, false))
}

// standsIn says whether a receiver may stand in for one that a level is for, and
// couldn't be told. It surely does if it was told so, and those between them
// couldn't be told either.
func (j *judge) standsIn(w *watched, p *pair, k *knowledge, rank int, surely bool) bool {
	if surely && !k.standsIn {
		return false
	}
	level := w.m.level(rank)
	return slices.ContainsFunc(w.pairs, func(other *pair) bool {
		names := level.names(other.Name) || slices.ContainsFunc(level.Escalate, func(s Step) bool { return slices.Contains(s.Notify, other.Name) })
		o := other.knows(k.of)
		may := k.standsIn || j.unreached(other, k.of) || o.reached >= 0 && j.now <= o.reached+j.rec.Slack
		return names && may && j.fallsBack(w, other, p, func(between *pair) bool {
			return !surely || j.unreached(between, k.of)
		})
	})
}

// unreached says whether a receiver couldn't be told of an incident, for so long
// that its fallback is.
func (j *judge) unreached(p *pair, inc *incident) bool {
	k := p.knows(inc)
	return k.unreached || k.failing >= 0 && j.now-k.failing >= fallbackAfter
}

// fallsBack says whether what one receiver isn't told comes to another, by way
// of such as are so.
func (j *judge) fallsBack(w *watched, from, to *pair, so func(*pair) bool) bool {
	for range j.life.Receivers {
		if from == nil || from.Fallback == "" || !so(from) {
			return false
		}
		if from.Fallback == to.Name {
			return true
		}
		from = w.pair(from.Fallback)
	}
	return false
}

// fall: only those hear of it who were told of more, and it is how it stands.
func (j *judge) fall(m *Message, r *Row, w *watched, p *pair, k *knowledge) {
	rank := w.m.rank(r.Level)
	if !k.told && !m.Repeat {
		j.fail(Theirs, m.At, w.name, p.Name, "it is told of a fall to %s, and was told nothing before", r.Level)
	}
	stands := rank
	if r.Stands != "" && j.subscribed(w, p, k, rank) {
		stands = w.m.rank(r.Stands)
	}
	if !j.stood(w, func(now *moment) bool { return now.incident == k.of && (now.rank == stands || now.raw == stands) }) {
		j.fail(Theirs, m.At, w.name, p.Name, "it is told of a fall to %s, which doesn't stand", r.Level)
	}
}

func (j *judge) once(m *Message, r *Row, w *watched, p *pair) {
	if r.ID == "" || m.Repeat {
		return
	}
	if j.rows[r.ID] {
		j.fail(Once, m.At, w.name, p.Name, "%s is told twice", r.ID)
	}
	j.rows[r.ID] = true
}
