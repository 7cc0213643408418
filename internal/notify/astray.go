package notify

import (
	"slices"
	"time"

	"github.com/go-batteries/hawkeye/internal/alert"
)

// newcomers tells those whom the alert's level names and who have nothing to
// do with its incident yet: a change of the configuration brought them. Who
// was named when it fired has a thread, whatever became of the message.
func (d *draft) newcomers(a *Alert) {
	kind, rank := Firing, max(a.Rank, 1)
	switch {
	case a.Flapping:
		kind = Flapping
	case a.Phase == alert.NoData:
		kind = Missing
	}
	for _, receiver := range d.receivers(a.Monitor, rank) {
		if d.v.Config.Receivers[receiver] == nil {
			continue
		}
		t := d.thread(a.Key, receiver)
		if (t == nil || t.Incident != a.Incident) && len(d.chain(a.Key, a.Incident, receiver)) == 0 {
			d.queue(a.about(), receiver, kind, rank).Breaches = 1
		}
	}
}

// heirs returns the receivers of a level, those that the configuration has.
func (d *draft) heirs(monitor string, rank int) []string {
	return slices.DeleteFunc(slices.Clone(d.receivers(monitor, rank)), func(receiver string) bool {
		return d.v.Config.Receivers[receiver] == nil
	})
}

// astray looks after the live rows of an incident for a receiver that the
// configuration doesn't have. They are others' while another configuration
// decides, and while an alert fires whose monitor only others have; a claim
// on them stands as ever. Else they go to whom the trigger notifies now.
func (d *draft) astray(chain []*Row) {
	if chain = d.unsent(chain); len(chain) == 0 {
		return
	}
	if chain[0].Claim != nil {
		if d.v.Lapsed == nil || !d.v.Lapsed(chain[0]) {
			return
		}
	}
	if d.v.Outranked || d.others(chain[0]) {
		d.expire(chain)
		return
	}
	if chain[0].Claim != nil {
		chain[0] = d.takeOver(chain[0])
	}
	d.handOver(chain)
}

// others says whether a row is of an alert that only others evaluate.
func (d *draft) others(r *Row) bool {
	return d.v.Config.Monitors[r.Monitor] == nil && d.fires(r)
}

// expire makes dead letters of rows that nobody has sent in time.
func (d *draft) expire(chain []*Row) {
	for _, r := range chain {
		at := r.Created.Add(d.v.Config.Retry.expire())
		if d.now.Before(at) {
			d.wake(at)
			continue
		}
		d.drop(r, Dead, "expired after "+d.now.Sub(r.Created).Round(time.Second).String()+": "+unconfigured(r))
		d.edit(r).Untold = true
	}
}

func unconfigured(r *Row) string { return "receiver " + r.Receiver + " is not configured" }

// handOver takes the rows of a receiver that was removed out of the outbox.
// If it isn't known to have been told of the incident, others are: those whom
// the trigger notifies, unless they know already.
func (d *draft) handOver(chain []*Row) {
	chain = slices.DeleteFunc(chain, d.toNextFallback)
	if len(chain) == 0 {
		return
	}
	first := chain[0]
	fires := d.incidentFires(first)
	rank := first.Rank
	if fires {
		rank = max(d.v.Alerts[first.Alert].Rank, 1)
	}
	heirs := d.heirs(first.Monitor, rank)
	outcome := Dropped
	switch t := d.thread(first.Alert, first.Receiver); {
	case t != nil && t.Incident == first.Incident && t.Told:
	case len(heirs) == 0:
		outcome = Dead
	case fires:
		d.newcomers(d.v.Alerts[first.Alert])
	default:
		if r := d.fold(chain); r != nil {
			d.inherit(r, heirs)
		}
	}
	d.leaveIncident(chain)
	for _, r := range chain {
		if r = d.current(r); r.Live() {
			d.drop(r, outcome, unconfigured(r))
			d.edit(r).Untold = outcome == Dead
		}
	}
}

// incidentFires says whether the incident of a row is that of an alert that
// fires, so that it can be told anew.
func (d *draft) incidentFires(r *Row) bool {
	a := d.v.Alerts[r.Alert]
	return a != nil && a.Phase.Told() && a.Incident == r.Incident && a.Snapshot.Source != SourceOverflow
}

// inherit tells others what the row of a removed receiver says of something
// that is over, unless they know of it. A thread that is of a newer incident
// stays so.
func (d *draft) inherit(r *Row, heirs []string) {
	kind := r.Kind
	if r.Undelivered != nil {
		kind = r.Undelivered.Kind
	}
	if kind == Repeat || kind == Rise || kind == Fall {
		kind = Firing
	}
	for _, receiver := range heirs {
		t := d.thread(r.Alert, receiver)
		if t != nil && t.Incident == r.Incident {
			continue
		}
		var row *Row
		if t != nil && t.FiredAt.After(r.Snapshot.Since) {
			row = d.newRow(r.about(), receiver, kind, r.Rank, 1)
			if d.rows[row.ID] != nil || d.x.rows[row.ID] != nil {
				continue // of another one that was removed
			}
			d.addRow(row)
		} else {
			row = d.queue(r.about(), receiver, kind, r.Rank)
			d.editThread(r.Alert, receiver).Over = true
		}
		row.Both, row.Breaches, row.Escalated = row.Ends(), r.Breaches, r.Escalated
		row.Held, row.Muted = r.Held, r.Muted
	}
}

// leaveIncident makes a receiver that was removed one that never had to do
// with the incident of its rows, in case that it comes back, unless it was
// told or may have been.
func (d *draft) leaveIncident(chain []*Row) {
	first := chain[0]
	t := d.thread(first.Alert, first.Receiver)
	if t == nil || t.Incident != first.Incident || t.Told {
		return
	}
	own := d.editThread(first.Alert, first.Receiver)
	if slices.ContainsFunc(chain, func(r *Row) bool { return r.Uncertain }) {
		own.Told, own.ToldRank, own.TriedAt = true, first.Rank, d.now
		return
	}
	*own = Thread{V: RecordVersion, Alert: own.Alert, Receiver: own.Receiver, ToldAt: own.ToldAt, TriedAt: own.TriedAt}
}

// toNextFallback gives what was for a fallback that was removed to the one
// that the failed receiver has now, and says whether there is one.
func (d *draft) toNextFallback(r *Row) bool {
	if r.Undelivered == nil {
		return false
	}
	via := r.Undelivered.Via
	failed := d.v.Config.Receivers[via[len(via)-1]]
	if failed == nil || d.v.Config.Receivers[failed.Fallback] == nil || slices.Contains(via, failed.Fallback) {
		return false
	}
	u := *r.Undelivered
	u.Via = slices.Clone(via)
	d.undelivered(r, &u, failed.Fallback)
	d.drop(r, Dropped, unconfigured(r))
	return true
}
