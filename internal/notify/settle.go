package notify

import (
	"slices"
	"time"
)

// Result is how an attempt went.
type Result struct {
	Kind  ResultKind
	Error string
	// Failed, with Delivered, are recipients that were left out.
	Failed []RecipientFailure
}

// ResultKind is how an attempt went.
type ResultKind uint8

// How an attempt can go.
const (
	Delivered ResultKind = iota
	Temporary            // known not to be delivered: try again
	Permanent            // never will be
	Unknown              // may have been delivered: too late, answer lost
)

// RecipientFailure is one recipient whom a delivered message didn't reach.
type RecipientFailure struct {
	Address   string
	Permanent bool
	Error     string
}

// Attempt is a message that was handed over, and how that went. Random, in
// [0, 1), is the jitter.
type Attempt struct {
	Message *Message
	Result  Result
	Random  float64
}

// Settle is [SettleAll] of one attempt.
func Settle(v *View, m *Message, res Result, now time.Time, random float64) Plan {
	return SettleAll(v, []Attempt{{m, res, random}}, now)
}

// SettleAll writes down how attempts to send messages went; v is the ledger as
// it is by now. Rows whose claim was taken over meanwhile belong to whoever
// has them, and those of an alert that a newer version keeps to that: of them
// only what was delivered is written down.
func SettleAll(v *View, attempts []Attempt, now time.Time) Plan {
	d := newDraft(v, now)
	for i := range attempts {
		d.attempted(&attempts[i])
	}
	return d.plan
}

func (d *draft) attempted(a *Attempt) {
	m, delivered := a.Message, a.Result.Kind == Delivered
	for _, told := range m.Rows {
		r := d.x.rows[told.ID]
		if r != nil {
			r = d.current(r)
		}
		if r == nil || r.Claim == nil || r.Claim.Writer != d.v.Self || r.Claim.Message != m.ID || d.kept(told.Alert) {
			if delivered {
				d.plan.Sent = append(append(d.plan.Sent, told.ID), told.Also...)
			}
			continue
		}
		d.settle(r, m, a.Result, a.Random)
	}
	if delivered {
		d.groupTold(m)
	}
}

func (d *draft) settle(r *Row, m *Message, res Result, random float64) {
	r = d.edit(r)
	r.Claim = nil
	r.Attempts++
	r.LastError = res.Error
	switch res.Kind {
	case Delivered:
		d.delivered(r, m, res, random)
	case Permanent:
		d.dead(r, res.Error)
	case Unknown:
		r.Uncertain, r.Batch = true, m.ID
		d.again(r, random)
	default:
		if !r.Uncertain && len(r.Recipients) == 0 {
			r.Batch = ""
		}
		d.again(r, random)
	}
}

func (d *draft) again(r *Row, random float64) {
	retry := &d.v.Config.Retry
	age := d.now.Sub(r.Created)
	if age >= retry.expire() {
		d.dead(r, "expired after "+age.Round(time.Second).String()+": "+r.LastError)
		return
	}
	r.NextAttempt = d.now.Add(retry.pause(r.Attempts, age, random))
	d.note(r, WhatRetry, r.LastError)
}

// delivered writes down what a receiver knows now. Recipients that were left
// out are tried again, or are a dead letter of their own.
func (d *draft) delivered(r *Row, m *Message, res Result, random float64) {
	d.told(r)
	var later, never []string
	for _, f := range res.Failed {
		r.LastError = f.Error
		if f.Permanent {
			never = append(never, f.Address)
		} else {
			later = append(later, f.Address)
		}
	}
	if len(never) > 0 {
		letter := r.clone()
		letter.ID += "!" + never[0]
		letter.Recipients, letter.Outcome, letter.Reason, letter.Settled = never, Dead, r.LastError, d.now
		d.addRow(letter)
		d.note(letter, WhatDead, r.LastError)
		d.fallback(letter)
	}
	if len(later) > 0 {
		r.Recipients, r.Batch = later, m.ID
		d.again(r, random)
		return
	}
	d.finish(r, Sent, "")
	d.plan.Sent = append(append(d.plan.Sent, r.ID), r.Also...)
	d.note(r, WhatTold, string(r.Kind))
}

// told moves the receiver's thread on, and tells the ends that wait behind
// the row that they are due.
func (d *draft) told(r *Row) {
	if r.Alert == "" {
		return
	}
	t := d.editThread(r.Alert, r.Receiver)
	t.ToldAt, t.TriedAt = d.now, d.now
	t.Held, t.Muted = "", nil
	// A thread without a row of its own was absorbed by this one.
	if t.Incident == r.Incident || t.Seq == 0 {
		t.Told, t.ToldRank = true, r.Rank
	}
	d.owe(r)
}

// owe marks the ends behind a row that was told or may have been.
func (d *draft) owe(r *Row) {
	for _, next := range d.chain(r.Alert, r.Incident, r.Receiver) {
		if next.Seq > r.Seq && next.Ends() && !next.Told {
			d.edit(next).Told = true
		}
	}
}

// dead makes a row a dead letter, and tells the fallback. An end that has
// nothing to end any more is dropped.
func (d *draft) dead(r *Row, reason string) {
	d.finish(r, Dead, reason)
	d.note(r, WhatDead, reason)
	d.fallback(r)
	if r.Alert == "" {
		return
	}
	t := d.editThread(r.Alert, r.Receiver)
	t.TriedAt = d.now
	if r.Uncertain {
		if t.Incident == r.Incident {
			t.Told, t.ToldRank = true, r.Rank
		}
		d.owe(r)
		return
	}
	chain := d.chain(r.Alert, r.Incident, r.Receiver)
	if len(chain) == 1 && chain[0].Ends() && !chain[0].Told {
		d.drop(chain[0], Dropped, "its firing could not be told: "+reason)
	}
}

// fallback tells the receiver's fallback what could not be told, and why. It
// will be told of the end as well, if what failed was a firing.
func (d *draft) fallback(r *Row) {
	cfg := d.v.Config.Receivers[r.Receiver]
	if cfg == nil || cfg.Fallback == "" {
		return
	}
	u := &Undelivered{Row: r.ID, Receiver: r.Receiver, Kind: r.Kind, Recipients: r.Recipients, Error: r.Reason}
	if r.Undelivered != nil {
		u.Row, u.Receiver, u.Kind = r.Undelivered.Row, r.Undelivered.Receiver, r.Undelivered.Kind
		u.Via = slices.Clone(r.Undelivered.Via)
	}
	u.Via = append(u.Via, r.Receiver)
	if slices.Contains(u.Via, cfg.Fallback) {
		return
	}
	d.undelivered(r, u, cfg.Fallback)
}

// undelivered queues for a fallback what a row could not tell.
func (d *draft) undelivered(r *Row, u *Undelivered, fallback string) {
	row := d.newRow(r.about(), fallback, Undelivers, r.Rank, 1)
	row.ID, row.Undelivered = u.Row+"~"+fallback, u
	if r.Alert != "" {
		d.inFallback(r, row)
	}
	d.addRow(row)
}

func (r *Row) about() about {
	return about{alert: r.Alert, monitor: r.Monitor, incident: r.Incident, firedAt: r.Snapshot.Since, snapshot: r.Snapshot}
}

// inFallback moves the fallback's thread on, unless it is busy with a newer
// incident of the alert.
func (d *draft) inFallback(r, row *Row) {
	t := d.thread(r.Alert, row.Receiver)
	if t != nil && t.Incident != r.Incident && t.FiredAt.After(r.Snapshot.Since) {
		return
	}
	known := t != nil && t.Incident == r.Incident
	own := d.editThread(r.Alert, row.Receiver)
	if !known {
		*own = Thread{
			V: RecordVersion, Alert: r.Alert, Receiver: row.Receiver, Incident: r.Incident,
			FiredAt: r.Snapshot.Since, Rank: r.Rank, ToldAt: own.ToldAt, TriedAt: own.TriedAt,
			Over: r.Ends() || !d.incidentLives(r),
		}
	}
	own.Seq++
	row.Seq = own.Seq
}

// incidentLives says whether the end of the row's incident is still to come.
func (d *draft) incidentLives(r *Row) bool {
	t := d.thread(r.Alert, r.Receiver)
	return t != nil && t.Incident == r.Incident && !t.Over
}

// groupTold, for a message of a group, starts the group's interval, and counts the standing alerts as
// told again: the message showed them.
func (d *draft) groupTold(m *Message) {
	if m.GroupBy == nil {
		return
	}
	d.plan.Groups = append(d.plan.Groups, &GroupState{
		V: RecordVersion, Receiver: m.Group.Receiver, Values: m.Group.Values, SentAt: d.now,
	})
	for _, a := range m.Standing {
		if t := d.thread(a.Key, m.Receiver); t != nil && t.Incident == a.Incident && !t.Over {
			own := d.editThread(a.Key, m.Receiver)
			own.ToldAt, own.TriedAt, own.Held = d.now, d.now, ""
		}
	}
}
