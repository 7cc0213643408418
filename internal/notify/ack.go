package notify

import (
	"cmp"
	"time"
)

// Ack says that somebody looks after an incident: a record of the ledger.
// Until it expires, repeats and escalation stop. It is for the level at which
// it was given, and those below.
type Ack struct {
	V        int    `json:"v"`
	Incident string `json:"incident"`
	Author   string `json:"author"`
	Comment  string `json:"comment,omitempty"`
	// Level and Rank are what it was given at. Without them, from a version
	// before, it is for any level.
	Level string    `json:"level,omitempty"`
	Rank  int       `json:"rank,omitempty"`
	At    time.Time `json:"at"`
	// Until is when it expires; zero is never.
	Until time.Time `json:"until,omitzero"`
	// Sticky says that a rise beyond its level doesn't end it.
	Sticky bool `json:"sticky,omitempty"`
	// Ended is when a rise did.
	Ended time.Time `json:"ended,omitzero"`
}

// Holds says whether the ack is in force.
func (a *Ack) Holds(now time.Time) bool {
	return a != nil && a.Ended.IsZero() && !now.Before(a.At) && (a.Until.IsZero() || now.Before(a.Until))
}

// ranOut says whether it expired by its time.
func (a *Ack) ranOut(now time.Time) bool {
	return a != nil && a.Ended.IsZero() && !a.Until.IsZero() && !now.Before(a.Until)
}

// AckRank returns the rank that an ack of an alert is for: the level that
// stands or, while it flaps and is down, the highest that was told.
func AckRank(v *View, a *Alert) int {
	rank := a.Rank
	for _, t := range v.indexed().threads[a.Key] {
		if a.Rank == 0 && t.Incident == a.Incident && t.Told {
			rank = max(rank, t.ToldRank)
		}
	}
	return rank
}

// unreminded returns whose ack ran out while something else muted an alert, so
// that its receiver wasn't reminded, or "".
func (d *draft) unreminded(a *Alert, t *Thread) string {
	ack := d.ack(a.Incident)
	if t.Muted.Kind == ByAck || !ack.ranOut(d.now) || t.AckedBy != ack.Author || !t.TriedAt.Before(ack.Until) || !d.subscribed(a, t.Receiver, a.Rank) {
		return ""
	}
	return ack.Author
}

// ack returns the ack of an incident, or nil.
func (d *draft) ack(incident string) *Ack {
	if own := d.acks[incident]; own != nil {
		return own
	}
	return d.v.Acks[incident]
}

// ackEnds ends an ack that doesn't reach up to a rank. Messages that are
// queued from then on say so, and so do those that wait.
func (d *draft) ackEnds(monitor, alertKey, incident string, rank int) {
	ack := d.ack(incident)
	if !ack.Holds(d.now) || ack.Sticky || ack.Rank == 0 || rank <= d.rankOf(monitor, ack.Level, ack.Rank) {
		return
	}
	ended := *ack
	ended.Ended = d.now
	d.acks[incident] = &ended
	d.plan.Acks = append(d.plan.Acks, &ended)
	level := d.level(monitor, rank)
	reason := "of " + ack.Author
	if level != nil {
		reason += ": it rose to " + level.Name
	}
	d.plan.History = append(d.plan.History, Entry{
		At: d.now, Alert: alertKey, Incident: incident, What: WhatAckOver, Level: cmp.Or(ack.Level, "?"), Reason: reason,
	})
	for _, r := range d.live(alertKey) {
		if r.Incident == incident && r.Rank >= rank && r.Opens() && r.Claim == nil {
			d.edit(r).AckEnded = ack.Author
		}
	}
}

// rankOf is the rank of a level by its name, else what it was.
func (d *draft) rankOf(monitor, name string, rank int) int {
	if routing := d.v.Config.Monitors[monitor]; routing != nil {
		for i := range routing.Levels {
			if routing.Levels[i].Name == name {
				return i + 1
			}
		}
	}
	return rank
}

// carryAck lets a row that is about to be told say that somebody looks after its
// incident, if its receiver wasn't told that yet.
func (d *draft) carryAck(r *Row) {
	t, ack := d.thread(r.Alert, r.Receiver), d.ack(r.Incident)
	if t == nil || t.Incident != r.Incident || !t.Told || r.Ends() || r.Ack != nil || r.Batch != "" || d.runEvery(r.Monitor) > 0 {
		return
	}
	if ack.Holds(d.now) && t.AckedBy != ack.Author {
		r.Ack = ack
	}
}

// tellAcked lets those who were notified know, once, that somebody looks after
// an incident.
func (d *draft) tellAcked(a *Alert, t *Thread) {
	ack := d.ack(a.Incident)
	if !ack.Holds(d.now) || !t.Told || t.AckedBy == ack.Author {
		return
	}
	r := d.queue(a.about(), t.Receiver, Acked, max(t.ToldRank, 1))
	r.Ack = ack
	d.editThread(a.Key, t.Receiver).AckedBy = ack.Author
}
