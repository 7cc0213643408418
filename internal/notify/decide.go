package notify

import (
	"cmp"
	"slices"
	"time"
)

// Decide says what to send now, what to write with that, and when to look
// again. It creates repeats and escalations that are due, merges and holds
// rows, and claims what is sent. The shell calls it when the ledger, the
// configuration or a claim changed, and at [Plan.Next]. It costs time in the
// number of live rows and firing alerts.
func Decide(v *View, now time.Time) Plan {
	d := newDraft(v, now)
	if now.Before(v.HoldUntil) {
		d.wake(v.HoldUntil)
		return d.plan
	}
	d.repeats()
	chains := d.chains()
	var ready []*Row
	for _, chain := range chains {
		if d.kept(chain[0].Alert) {
			continue
		}
		if d.v.Config.Receivers[chain[0].Receiver] == nil {
			d.astray(chain)
			continue
		}
		r := d.head(chain)
		d.heads[chain[0].threadKey()] = append(d.heads[chain[0].threadKey()], d.foremost(chain, r)...)
		if r == nil {
			continue
		}
		r = d.fit(d.current(r))
		d.overdue(r)
		if d.due(d.current(r)) {
			ready = append(ready, d.current(r))
		}
	}
	d.send(ready)
	return d.plan
}

func (d *draft) kept(alertKey string) bool { return d.v.Kept != nil && d.v.Kept(alertKey) }

// chains returns the live rows of each incident and receiver in their order,
// the oldest chain first.
func (d *draft) chains() [][]*Row {
	type key struct{ alert, incident, receiver string }
	at := make(map[key]int)
	var out [][]*Row
	add := func(r *Row) {
		k := key{r.Alert, r.Incident, r.Receiver}
		i, ok := at[k]
		if !ok {
			i = len(out)
			at[k] = i
			out = append(out, nil)
		}
		out[i] = append(out[i], r)
	}
	for _, r := range d.v.Rows {
		if r = d.current(r); r.Live() {
			add(r)
		}
	}
	for _, r := range d.plan.Rows {
		if d.x.rows[r.ID] == nil && r.Live() {
			add(r)
		}
	}
	for _, chain := range out {
		slices.SortFunc(chain, func(a, b *Row) int { return cmp.Compare(a.Seq, b.Seq) })
	}
	slices.SortFunc(out, func(a, b []*Row) int { return byAge(a[0], b[0]) })
	return out
}

func byAge(a, b *Row) int {
	return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.Alert, b.Alert), endsFirst(a, b),
		cmp.Compare(a.Incident, b.Incident), cmp.Compare(a.Receiver, b.Receiver), cmp.Compare(a.Seq, b.Seq))
}

// endsFirst puts the end of an incident before what is told of another one.
func endsFirst(a, b *Row) int {
	if a.Incident == b.Incident || a.Ends() == b.Ends() {
		return 0
	}
	if a.Ends() {
		return -1
	}
	return 1
}

// due says whether a row, the next of its chain, may be told now as far as
// the row itself goes. If not it is held, or dropped.
func (d *draft) due(r *Row) bool {
	if d.now.Before(r.NextAttempt) {
		d.wake(r.NextAttempt)
		d.trying = append(d.trying, r)
		return false
	}
	return d.heard(r) && d.runEveryOver(r)
}

// heard says whether nothing mutes the row. The end of what was told is
// heard always.
func (d *draft) heard(r *Row) bool {
	if r.Ends() && !r.Both {
		return true
	}
	mute := d.muteOf(r.Alert, r.Monitor, &r.Snapshot)
	switch {
	case mute != nil && r.Both:
		d.drop(r, Dropped, "came and went while "+mute.Reason())
		return false
	case mute != nil:
		d.hold(r, mute.Reason(), true)
		return false
	case r.Muted && r.Alert != "" && !r.Both && !d.open(r):
		d.drop(r, Dropped, "came and went while "+r.Held)
		return false
	case r.Muted:
		r = d.edit(r)
		r.Muted, r.Held, r.Released = false, "", parseMute(r.Held)
	}
	return true
}

// open says whether the incident that the row tells of goes on, be it that it
// flaps and happens to be down.
func (d *draft) open(r *Row) bool { return d.fires(r) || d.openAlert(r) != nil }

// fires says whether what the row tells of still fires.
func (d *draft) fires(r *Row) bool {
	a := d.v.Alerts[r.Alert]
	if a == nil || !a.Phase.Told() {
		return false
	}
	return a.Incident == r.Incident || d.runEvery(r.Monitor) > 0
}

// runEveryOver says whether run_every allows the row: nothing before it is on
// its way, and the last message was long enough ago.
func (d *draft) runEveryOver(r *Row) bool {
	every := d.runEvery(r.Monitor)
	if every == 0 || r.Attempts > 0 || r.Alert == "" {
		return true
	}
	for _, other := range d.live(r.Alert) {
		if other.Receiver == r.Receiver && other.ID != r.ID && byAge(other, r) < 0 {
			d.hold(r, "run_every: the message before it is on its way", false)
			return false
		}
	}
	t := d.thread(r.Alert, r.Receiver)
	if t == nil || t.ToldAt.IsZero() || !d.now.Before(t.ToldAt.Add(every)) {
		return true
	}
	at := t.ToldAt.Add(every)
	d.wake(at)
	d.hold(r, "run_every: not before "+stamp(at), false)
	return false
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.999Z") }
