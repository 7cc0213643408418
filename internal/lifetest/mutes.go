package lifetest

import (
	"fmt"
	"slices"
	"time"
)

// ack is one that may be in force.
type ack struct {
	Ack
	of   *incident
	rank int
	over bool
	// unsure says that it was given in the moment in which the alert fired, and
	// so maybe before.
	unsure bool
	// ranOut is when its time was over while the alert fired; 0 if it wasn't.
	ranOut time.Duration
	stood  int // the level that stood then
}

// note takes note of what mutes and acknowledges each alert now.
func (j *judge) note() {
	j.incidents()
	for _, w := range j.watched {
		before := w.mutes
		w.wasMuted = w.wasMuted || w.muted
		w.mutes, w.surely = j.mutedBy(w)
		w.muted = len(w.mutes) > 0
		for _, mute := range before {
			if !slices.Contains(w.mutes, mute) {
				w.freed = j.now
			}
		}
		j.noteAcks(w)
	}
	for _, r := range j.life.Receivers {
		if o := j.life.Away(r.Name, j.now); o != nil && !o.Permanent {
			j.away[r.Name] = j.now
		}
	}
}

// mutedBy returns what may mute an alert now, and whether it surely is muted,
// whatever level a message is about.
func (j *judge) mutedBy(w *watched) (by []string, surely bool) {
	for i := range j.life.Silences {
		s := &j.life.Silences[i]
		if !(Span{s.At, s.At + s.For}).Has(j.now) {
			continue
		}
		switch {
		case s.Name == "level" && w.m.rank(s.Value) > 0:
			by = append(by, fmt.Sprint("silence ", i))
		case s.Name == "monitor" && s.Value == w.m.Name, s.Name == "host" && s.Value == w.name.Host:
			by, surely = append(by, fmt.Sprint("silence ", i)), true
		}
	}
	if w.m.Night && j.life.Night.Has(j.now) {
		by, surely = append(by, "night"), true
	}
	for _, i := range j.life.Inhibit {
		for _, source := range j.watched {
			if i.Target != w.m.Name || i.Source != source.m.Name || i.SameHost && source.name.Host != w.name.Host {
				continue
			}
			if j.stood(source, func(m *moment) bool { return m.fires }) {
				by = append(by, source.name.String())
				surely = surely || !j.stood(source, func(m *moment) bool { return !m.fires })
			}
		}
	}
	return by, surely
}

func (j *judge) noteAcks(w *watched) {
	m := j.stands(w)
	w.acked, w.ackedSurely = false, false
	for _, a := range w.acks {
		switch {
		case a.At > j.now || a.over:
			continue
		case a.of == nil: // it has just been given
			then := w.at(a.At, j.life.Tick)
			if then.incident == nil || then.incident != m.incident {
				a.over = true
				continue
			}
			a.of, a.rank, a.unsure = then.incident, then.rank, a.At-then.incident.from <= j.rec.Slack
			for _, other := range w.acks {
				if other != a && other.of == a.of {
					other.over = true // this one takes its place
				}
			}
		case a.of != m.incident:
			a.over = true
		case a.For > 0 && j.now >= a.At+a.For && a.unsure:
			a.over, w.freed = true, j.now
			w.restartLow()
		case a.For > 0 && j.now >= a.At+a.For:
			a.over, a.ranOut, a.stood, w.freed = true, j.now, m.rank, j.now
			w.restartSteps()
		case m.rank > a.rank && !a.Sticky:
			a.over, w.freed = true, j.now
			w.restartLow()
		}
		if !a.over {
			w.acked, w.ackedSurely = true, j.now > a.At+j.rec.Slack && !a.unsure
		}
	}
}

// floods looks at what the end of each mute released.
func (j *judge) floods() {
	ends := func(at time.Duration) {
		const most = 7 // five groups, an escalation, and what happened to break
		count := map[string]int{}
		for i := range j.rec.Messages {
			m := &j.rec.Messages[i]
			if m.At >= at && m.At <= at+j.life.Tick+j.rec.Slack && m.Outcome == Delivered {
				count[m.To]++
			}
		}
		for receiver, n := range count {
			if n > most {
				j.fail(Mutes, at, Name{}, receiver, "the end of a mute makes %d messages", n)
			}
		}
	}
	for _, s := range j.life.Silences {
		ends(s.At + s.For)
	}
	if j.life.Night != (Span{}) {
		ends(j.life.Night.To)
	}
}
