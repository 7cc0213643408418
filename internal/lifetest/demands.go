package lifetest

import (
	"slices"
	"time"
)

const (
	// prompt is how long news may take, gather how long a group with nothing
	// written about it gathers what comes beyond its budget.
	prompt = 15 * time.Second
	gather = time.Minute
	budget = 5
	// fallbackAfter is how long a receiver may be away before its fallback
	// hears of its news.
	fallbackAfter = 5 * time.Minute
	// restless is how many changes of an alert a receiver may be told of
	// within lookBack: not four of each kind, since then it flaps.
	restless = 12
)

// demands looks for what should have been told by now.
func (j *judge) demands() {
	for _, w := range j.watched {
		now := j.stands(w).incident
		for _, p := range w.pairs {
			j.owed(w, p)
			if p.of != now {
				p.of, p.dues = now, dues{}
			}
		}
		if now == nil {
			continue
		}
		j.lateSteps(w)
		for _, p := range w.pairs {
			j.news(w, p)
			j.again(w, p)
		}
	}
}

// isAway says whether a receiver is away, or may not be tried again yet.
func (j *judge) isAway(p *pair) bool {
	until, was := j.away[p.Name]
	if !was {
		return false
	}
	pause := time.Minute
	if inc := j.stands(p.w).incident; inc == nil || j.now-inc.from > 50*time.Minute {
		pause = 5 * time.Minute
	}
	return j.now <= until+pause+j.life.Tick+j.rec.Slack
}

// patience is how long something may take that is due since a time: what is
// grouped on purpose, and what is beyond a group's budget, waits.
func (j *judge) patience(p *pair, rank int, since time.Duration) time.Duration {
	slack := prompt + j.life.Tick + j.rec.Slack
	if p.Group.OnPurpose() {
		return p.Group.Wait + p.Group.Interval + slack
	}
	n, top := 0, 0
	for _, t := range j.groups[p.group()] {
		if t.at > since-gather {
			n, top = n+1, max(top, t.rank)
		}
	}
	if n >= budget && rank <= top {
		return gather + slack
	}
	return slack
}

// carried is how long what isn't news may take: it waits for its group.
func (j *judge) carried(p *pair) time.Duration {
	slack := prompt + j.life.Tick + j.rec.Slack
	if p.Group.OnPurpose() {
		return p.Group.Wait + p.Group.Interval + slack
	}
	return gather + slack
}

func (p *pair) group() groupKey {
	if p.Group.By == "host" {
		return groupKey{p.Name, p.w.name.Host}
	}
	return groupKey{p.Name, p.w.m.Name}
}

// news: no receiver waits for a level higher than it knows, and flapping is
// told also if it is down.
func (j *judge) news(w *watched, p *pair) {
	m := j.stands(w)
	k := p.knows(m.incident)
	knows := max(k.rank, k.tried)
	if m.flaps { // its falls aren't told, and so neither that it is as bad again
		knows = max(k.top, k.tried)
	}
	theirs := m.rank > 0 && w.m.level(m.rank).names(p.Name)
	is := theirs && (m.fires && knows < m.rank || m.flaps && knows == 0)
	blocked := w.muted || j.isAway(p)
	if p.prompt.late(j.now, is, blocked, j.patience(p, m.rank, p.prompt.since)) {
		what := "%s stands, which the receiver hasn't heard for %v"
		if m.flaps {
			what = "it flaps, up to %s, which the receiver hasn't heard for %v"
		}
		if p.prompt.since > 0 && w.freed-p.prompt.since <= j.life.Tick && w.freed >= p.prompt.since {
			what += ", since the end of a mute"
		}
		j.fail(Prompt, j.now, w.name, p.Name, what, w.m.level(m.rank).Name, j.now-p.prompt.since)
	}
	j.viaFallback(w, p, k, theirs && m.fires)
}

// viaFallback: what a receiver can't be told, its fallback is.
func (j *judge) viaFallback(w *watched, p *pair, k *knowledge, news bool) {
	if p.Fallback == "" {
		return
	}
	f := w.pair(p.Fallback)
	heard := f.knows(k.of)
	if !news {
		k.calm = j.now
	}
	waits := k.failing >= 0 && j.now-max(k.failing, k.calm) >= fallbackAfter && !k.told || k.tried > 0 && !k.told
	is := news && waits && !heard.told && heard.tried == 0
	if p.fallback.late(j.now, is, w.muted || j.isAway(f), j.carried(f)) {
		j.fail(Fallbacks, j.now, w.name, f.Name, "%s could not be told for %v, and its fallback hears nothing", p.Name, j.now-k.failing)
	}
}

// again: what is open is told again, and reminded of when an ack ran out.
func (j *judge) again(w *watched, p *pair) {
	m := j.stands(w)
	k := p.knows(m.incident)
	own := j.own(w, p, k, m.rank)
	blocked := w.muted || w.acked || j.isAway(p)
	every := w.m.level(max(own, 1)).Repeat
	for rank := own + 1; rank <= m.rank; rank++ { // it may stand in for others
		if j.subscribed(w, p, k, rank) {
			every = max(every, w.m.level(rank).Repeat)
		}
	}
	is := m.fires && k.told && own > 0 && j.now >= k.heard+every
	if p.repeat.late(j.now, is, blocked, j.carried(p)) {
		what := "it heard nothing for %v, of what it is told every %v"
		if m.bounced {
			what += ", while it changes between levels"
		}
		j.fail(Repeats, j.now, w.name, p.Name, what, j.now-k.heard, w.m.level(own).Repeat)
	}
	j.ackTold(w, p, k, blocked)
}

// ackTold: those who were notified hear once that somebody looks after it, and
// the level's receivers are reminded when that runs out.
func (j *judge) ackTold(w *watched, p *pair, k *knowledge, blocked bool) {
	m := j.stands(w)
	ranOut, given := time.Duration(0), time.Duration(0)
	for _, a := range w.acks {
		if a.of == m.incident && a.stood > 0 && w.m.level(a.stood).names(p.Name) {
			ranOut = max(ranOut, a.ranOut)
		}
		if a.of == m.incident && !a.over && given == 0 {
			given = a.At
		}
	}
	is := given > 0 && m.fires && k.told && k.first < given && k.acked == 0
	if p.looked.late(j.now, is, w.muted || j.isAway(p), j.carried(p)+p.Group.Interval) { // what it would go with may be dropped
		j.fail(Acks, j.now, w.name, p.Name, "it isn't told that somebody looks after it")
	}
	is = m.fires && ranOut > 0 && k.told && k.heard < ranOut && w.m.level(m.rank).names(p.Name)
	if p.remind.late(j.now, is, blocked, j.carried(p)) {
		j.fail(Acks, j.now, w.name, p.Name, "the ack ran out at %v, and the receiver isn't reminded", ranOut)
	}
}

// own is the highest level, of those that stand, which a receiver is kept
// posted about; 0 if there is none.
func (j *judge) own(w *watched, p *pair, k *knowledge, stands int) int {
	for rank := stands; rank > 0; rank-- {
		if w.m.level(rank).names(p.Name) || w.wasEscalated(k.of, p.Name, rank) || j.standsIn(w, p, k, rank, true) {
			return rank
		}
	}
	return 0
}

// owed: who was told of a beginning is told of the end.
func (j *judge) owed(w *watched, p *pair) {
	if j.tick > 0 {
		before := w.moments[j.tick-1].incident
		if before != nil && before != j.stands(w).incident && !p.NoEnds {
			p.owed = append(p.owed, p.knows(before))
		}
	}
	p.owed = slices.DeleteFunc(p.owed, func(k *knowledge) bool {
		if k.ended || !k.told && j.now > k.of.to+2*lookBack {
			return true
		}
		if k.end.late(j.now, k.told, j.isAway(p), j.carried(p)) {
			j.fail(Ends, j.now, w.name, p.Name, "the end, at %v, isn't told", k.of.to)
			return true
		}
		return false
	})
}

// end: nobody hears of an end before it, without the beginning, or after the
// beginning of the next incident.
func (j *judge) end(m *Message, r *Row, w *watched, p *pair, k *knowledge) {
	switch {
	case j.stood(w, func(now *moment) bool { return now.incident == k.of }) && !j.stood(w, func(now *moment) bool { return now.incident != k.of }):
		j.fail(Ends, m.At, w.name, p.Name, "an end is told, and it goes on")
	case k.ended && !m.Repeat && r.Was == "":
		j.fail(Once, m.At, w.name, p.Name, "the end is told twice")
	case !k.told && !r.Both && !m.Repeat && r.Was == "" && k.tried == 0:
		j.fail(Ends, m.At, w.name, p.Name, "the end is told of what it was told nothing")
	case r.Both && !j.wasTheirs(w, p, k):
		j.fail(Theirs, m.At, w.name, p.Name, "it is told that something fired and ended which reached no level of its own")
	}
	for inc, later := range p.know {
		if inc.from > k.of.from && later.told && !later.ended {
			j.fail(Order, m.At, w.name, p.Name, "the end of what fired at %v is told after the beginning of what fired at %v", k.of.from, inc.from)
		}
	}
	k.ended = true
}

func (j *judge) wasTheirs(w *watched, p *pair, k *knowledge) bool {
	for rank := 1; rank <= k.of.top; rank++ {
		if j.subscribed(w, p, k, rank) {
			return true
		}
	}
	return p.escalates(w, k.of.top)
}

// overtakes looks for an earlier incident that the receiver believes to be
// open.
func (p *pair) overtakes(j *judge, m *Message, k *knowledge) {
	for inc, earlier := range p.know {
		if inc.from < k.of.from && earlier.told && !earlier.ended && !p.NoEnds {
			j.fail(Order, m.At, p.w.name, p.Name, "what fired at %v is told before the end of what fired at %v", k.of.from, inc.from)
		}
	}
}

// counted bounds what a receiver is sent.
func (j *judge) counted(m *Message, rank int) {
	seen := map[groupKey]bool{}
	for i := range m.Rows {
		w := j.alert(m.Rows[i].Alert)
		if w == nil {
			continue
		}
		p := w.pair(m.To)
		if g := p.group(); !seen[g] {
			seen[g] = true
			j.groups[g] = append(j.groups[g], told{m.At, rank})
			j.budgeted(m, w, p)
		}
		n := 0
		for _, at := range p.changes {
			if at > m.At-lookBack {
				n++
			}
		}
		if n > restless && m.Outcome == Delivered {
			j.fail(Noise, m.At, w.name, p.Name, "it is told of %d changes within %v", n, lookBack)
		}
	}
}

// budgeted bounds the messages of a group: its budget for news, as much for
// what is none, and one for each level, in each of the two intervals that a
// minute may see. A receiver that takes nothing is tried again and again.
func (j *judge) budgeted(m *Message, w *watched, p *pair) {
	if j.isAway(p) || m.Outcome != Delivered {
		return
	}
	n, most := 0, 2*(2*budget+len(w.m.Levels))
	for _, t := range j.groups[p.group()] {
		if t.at > m.At-gather {
			n++
		}
	}
	if n > most {
		j.fail(Noise, m.At, w.name, p.Name, "its group makes %d messages within %v", n, gather)
	}
}
