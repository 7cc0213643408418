package notify

import "time"

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
		d.settle(r, a)
	}
	if delivered {
		d.groupTold(m)
	}
}

func (d *draft) settle(r *Row, a *Attempt) {
	m, res := a.Message, &a.Result
	r = d.edit(r)
	r.Claim = nil
	r.Attempts++
	r.LastError = res.Error
	switch res.Kind {
	case Delivered:
		d.delivered(r, a)
	case Permanent:
		d.dead(r, res.Error)
	case Unknown:
		r.Uncertain, r.Batch = true, m.ID
		d.again(r, a)
	default:
		if !r.Uncertain && len(r.Recipients) == 0 {
			r.Batch = ""
		}
		d.again(r, a)
	}
}

// again plans the next attempt. All rows of a message have the same pause, so
// that they are one message again.
func (d *draft) again(r *Row, a *Attempt) {
	retry := &d.v.Config.Retry
	if age := d.now.Sub(r.Created); age >= retry.expire() {
		d.dead(r, "expired after "+age.Round(time.Second).String()+": "+r.LastError)
		return
	}
	attempts, oldest := 0, r.Created
	for _, of := range a.Message.Rows {
		attempts = max(attempts, of.Attempts+1)
		if of.Created.Before(oldest) {
			oldest = of.Created
		}
	}
	r.NextAttempt = d.now.Add(retry.pause(attempts, d.now.Sub(oldest), a.Random))
	d.note(r, WhatRetry, r.LastError)
}

// delivered writes down what a receiver knows now. Recipients that were left
// out are tried again, or are a dead letter of their own.
func (d *draft) delivered(r *Row, a *Attempt) {
	d.told(r)
	if r.FellBack {
		d.arrived(r)
	}
	if r.Alert != "" && len(a.Result.Failed) == 0 {
		d.relieve(r)
	}
	var later, never []string
	for _, f := range a.Result.Failed {
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
		d.fallback(letter, letter.Reason)
	}
	if len(later) > 0 {
		r.Recipients, r.Batch = later, a.Message.ID
		d.again(r, a)
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
	t.ToldAt = d.now
	d.triedNow(t, r)
	t.Held, t.Muted = "", nil
	if t.Incident == "" { // the store has lost the thread, and not who told of the row
		t.Incident, t.FiredAt, t.Seq, t.Rank = r.Incident, r.Snapshot.Since, r.Seq, r.Rank
	}
	// A thread without a row of its own was absorbed by this one.
	if t.Incident == r.Incident || t.Seq == 0 {
		rank := r.Rank
		if (r.Undelivered != nil || r.Snapshot.StandsLevel != "") && t.Told {
			rank = max(rank, t.ToldRank)
		}
		t.Told, t.ToldRank = true, rank
		switch {
		case r.Ack != nil:
			t.AckedBy = r.Ack.Author
		case !d.ack(r.Incident).Holds(d.now): // another one is told of again
			t.AckedBy = ""
		}
	}
	d.owe(r)
}

// triedNow notes that it was tried to tell the receiver of a thread. What is
// told late of an incident before says nothing of the one that the thread is
// about.
func (d *draft) triedNow(t *Thread, r *Row) {
	if t.Incident == r.Incident || t.Seq == 0 || d.runEvery(r.Monitor) > 0 {
		t.TriedAt = d.now
	}
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
	if !r.FellBack && !d.standIn(r) && d.fallback(r, reason) == nil {
		d.edit(r).Untold = true
	}
	if r.Alert == "" {
		return
	}
	t := d.editThread(r.Alert, r.Receiver)
	d.triedNow(t, r)
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
