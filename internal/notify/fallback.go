package notify

import (
	"cmp"
	"slices"
)

// overdue tells the fallback of news that couldn't be delivered for too long,
// once, while it is still tried.
func (d *draft) overdue(r *Row) {
	cfg := d.v.Config.Receivers[r.Receiver]
	if cfg == nil || cfg.Fallback == "" || r.FellBack || r.FirstTried.IsZero() || !r.News() || d.unwanted(r) != "" {
		return
	}
	at := r.FirstTried.Add(cmp.Or(cfg.FallbackAfter, DefaultFallbackAfter))
	if d.now.Before(at) {
		d.wake(at)
		return
	}
	if d.muteOf(r.Alert, r.Monitor, &r.Snapshot) != nil {
		return
	}
	if d.standIn(r) {
		d.edit(r).FellBack = true
		return
	}
	why := cmp.Or(r.LastError, "the receiver is busy")
	if u := d.fallback(r, why); u != nil {
		u.Trying = true
		r = d.edit(r)
		r.FellBack = true
		d.note(r, WhatRetry, "told through "+cfg.Fallback+": not delivered for "+d.now.Sub(r.FirstTried).String()+": "+why)
	}
}

// fallback tells the receiver's fallback what could not be told, and why. It
// will be told of the end as well, if what failed was a firing. It returns nil
// if there is no fallback that doesn't know.
func (d *draft) fallback(r *Row, reason string) *Undelivered {
	cfg := d.v.Config.Receivers[r.Receiver]
	if cfg == nil || cfg.Fallback == "" {
		return nil
	}
	u := &Undelivered{Row: r.ID, Receiver: r.Receiver, Kind: r.Kind, Recipients: r.Recipients, Error: reason}
	if r.Undelivered != nil {
		u.Row, u.Receiver, u.Kind = r.Undelivered.Row, r.Undelivered.Receiver, r.Undelivered.Kind
		u.Via = slices.Clone(r.Undelivered.Via)
	}
	u.Via = append(u.Via, r.Receiver)
	if slices.Contains(u.Via, cfg.Fallback) {
		return nil
	}
	d.undelivered(r, u, cfg.Fallback)
	return u
}

// standIn says whether a receiver's fallback knows of the incident of a row as
// much as the row tells, by itself or in the receiver's place. From then on it
// stands in: what happens is told to it directly.
func (d *draft) standIn(r *Row) bool {
	cfg := d.v.Config.Receivers[r.Receiver]
	if cfg == nil || r.Alert == "" || len(r.Recipients) > 0 {
		return false
	}
	t := d.thread(r.Alert, cfg.Fallback)
	if t == nil || t.Incident != r.Incident || t.Rank < r.Rank && !r.Ends() {
		return false
	}
	if !t.Told && !d.willHear(r, cfg.Fallback) {
		return false
	}
	d.instead(d.editThread(r.Alert, cfg.Fallback), r)
	return true
}

// willHear says whether a receiver is still to be told of the incident of a row
// as much as the row tells, by itself or in the place of the row's receiver.
func (d *draft) willHear(r *Row, receiver string) bool {
	return slices.ContainsFunc(d.chain(r.Alert, r.Incident, receiver), func(other *Row) bool {
		return other.Opens() && other.Rank >= r.Rank && (other.Undelivered == nil || slices.Contains(other.Undelivered.Via, r.Receiver))
	})
}

// instead notes that the receiver of a thread stands in for that of a row, and
// for whom that one did.
func (d *draft) instead(own *Thread, r *Row) {
	own.Instead = slices.Clone(own.Instead)
	for _, receiver := range r.MeantFor() {
		if !slices.Contains(own.Instead, receiver) {
			own.Instead = append(own.Instead, receiver)
		}
	}
}

// relieve ends that others stand in for the receiver of a row, which was told
// of its incident itself.
func (d *draft) relieve(r *Row) {
	for _, t := range d.threadsOf(r.Alert) {
		if t.Incident != r.Incident || t.Receiver == r.Receiver || !t.standsFor(r) {
			continue
		}
		own := d.editThread(t.Alert, t.Receiver)
		own.Instead = slices.DeleteFunc(slices.Clone(own.Instead), func(name string) bool { return slices.Contains(r.MeantFor(), name) })
	}
}

func (t *Thread) standsFor(r *Row) bool { return slices.Contains(t.Instead, r.Receiver) }

// standDown takes back that a fallback stands in for a receiver, when it needn't
// be told what that one wasn't.
func (d *draft) standDown(r *Row) {
	t := d.thread(r.Alert, r.Receiver)
	if t == nil || t.Incident != r.Incident || t.Told || len(t.Instead) == 0 {
		return
	}
	own := d.editThread(r.Alert, r.Receiver)
	own.Instead = slices.DeleteFunc(slices.Clone(own.Instead), func(name string) bool { return slices.Contains(r.Undelivered.Via, name) })
}

// undelivered queues for a fallback what a row could not tell.
func (d *draft) undelivered(r *Row, u *Undelivered, fallback string) {
	rank, a := r.Rank, d.openAlert(r)
	for below := r.Rank; a != nil && below >= 1; below-- { // it may have been told of a level that isn't its own
		if d.subscribed(a, r.Receiver, below) {
			rank = below
			break
		}
	}
	row := d.newRow(r.about(), fallback, Undelivers, rank, 1)
	row.ID, row.Undelivered = u.Row+"~"+fallback, u
	row.Released = r.Released
	row.Breaches, row.Both = r.Breaches, r.Both || r.Alert != "" && a == nil && !r.Ends() && d.runEvery(r.Monitor) == 0
	if r.Alert != "" {
		d.inFallback(r, row)
	}
	d.addRow(row)
}

// arrived takes back what a fallback was to be told of a row that was
// delivered after all, unless it was told, or may have been.
func (d *draft) arrived(r *Row) {
	for _, other := range d.live(r.Alert) {
		u := other.Undelivered
		if u == nil || !u.Trying || u.Row != r.ID && !slices.Contains(r.Also, u.Row) || other.Claim != nil || other.Uncertain {
			continue
		}
		d.drop(other, Dropped, "delivered to "+r.Receiver+" after all")
	}
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
	d.instead(own, r)
	own.Seq++
	own.Rank = max(own.Rank, r.Rank)
	row.Seq = own.Seq
}

// incidentLives says whether the end of the row's incident is still to come.
func (d *draft) incidentLives(r *Row) bool {
	t := d.thread(r.Alert, r.Receiver)
	return t != nil && t.Incident == r.Incident && !t.Over
}
