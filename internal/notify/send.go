package notify

import (
	"cmp"
	"maps"
	"slices"
)

// bundle is rows that may become one message.
type bundle struct {
	key   GroupKey
	group *Group // nil: no grouping
	rows  []*Row
	// bound says that the rows were one message before, which may have been
	// delivered: they go as they were, and at once.
	bound string
	// unwanted rows are not for their receiver any more: they are dropped when
	// they could go, and keep the others' time from being theirs.
	unwanted bool
	// news says that there is something in it that its receiver doesn't know,
	// beyond that it goes though its group may not send anything yet.
	news, beyond bool
	// released is the mute whose end lets rows of many groups go together.
	released *Mute
}

// send puts the rows that may be told now into messages, and claims them.
func (d *draft) send(ready []*Row) {
	busy := d.busyGroups()
	room := make(map[string]int)
	for _, b := range d.bundles(ready) {
		b.rows = slices.DeleteFunc(b.rows, func(r *Row) bool { return d.current(r).Claim != nil }) // carried by another one
		if len(b.rows) == 0 || b.group != nil && (busy[b.key] || !d.groupDue(b)) {
			continue
		}
		if b.unwanted {
			for _, r := range b.rows {
				d.dropUnwanted(r)
			}
			continue
		}
		if d.complete(b); len(b.rows) == 0 {
			continue
		}
		receiver := b.key.Receiver
		left, ok := room[receiver]
		if !ok {
			left = d.capacity(receiver)
		}
		if left <= 0 {
			d.holdAll(b.rows, "the receiver is busy")
			for _, r := range b.rows {
				d.tryNow(r) // what it doesn't take counts as tried
			}
			continue
		}
		room[receiver] = left - 1
		busy[b.key] = true
		for _, r := range b.rows {
			busy[d.groupKey(r)] = true
		}
		d.claim(b)
	}
}

func (d *draft) capacity(receiver string) int {
	if d.v.Capacity == nil {
		return len(d.v.Rows) + len(d.plan.Rows)
	}
	return d.v.Capacity(receiver)
}

// busyGroups are those of which a message is under way.
func (d *draft) busyGroups() map[GroupKey]bool {
	busy := make(map[GroupKey]bool)
	for _, r := range d.v.Rows {
		if r = d.current(r); r.Live() && r.Claim != nil {
			busy[d.groupKey(r)] = true
		}
	}
	return busy
}

// bundles sorts rows into those that go together, what was tried before
// first.
func (d *draft) bundles(ready []*Row) []*bundle {
	type id struct {
		key      GroupKey
		bound    string
		unwanted bool
	}
	at := make(map[id]*bundle)
	var out []*bundle
	for _, r := range ready {
		id := id{d.groupKey(r), r.Batch, d.unwanted(r) != ""}
		b := at[id]
		if b == nil {
			b = &bundle{key: id.key, group: d.groupOf(r), bound: r.Batch, unwanted: id.unwanted}
			at[id] = b
			out = append(out, b)
		}
		b.rows = append(b.rows, r)
	}
	slices.SortStableFunc(out, func(a, b *bundle) int { return -cmp.Compare(a.bound, b.bound) })
	return d.release(out)
}

// complete adds to a message what belongs into it or must not come after it.
func (d *draft) complete(b *bundle) {
	b.rows = d.inOrder(b.rows)
	if len(b.rows) == 0 || b.group == nil && b.released == nil || b.bound != "" {
		return
	}
	b.rows = append(b.rows, d.inOrder(d.triedBefore(b))...)
	for _, repeat := range d.willing[b.key] {
		b.rows = append(b.rows, repeat())
	}
	delete(d.willing, b.key)
}

// triedBefore returns the rows of a group that wait for their next attempt:
// one message takes them all.
func (d *draft) triedBefore(b *bundle) []*Row {
	var out []*Row
	for _, r := range d.trying {
		r = d.current(r)
		in := slices.ContainsFunc(b.rows, func(other *Row) bool { return other.ID == r.ID })
		if in || !r.Live() || r.Claim != nil || r.Batch != "" || !d.belongs(r, b) {
			continue
		}
		if d.heard(r) && !d.dropUnwanted(d.current(r)) {
			out = append(out, d.current(r))
		}
	}
	return out
}

// belongs says whether a row goes with the message of a bundle.
func (d *draft) belongs(r *Row, b *bundle) bool {
	if b.released != nil {
		return r.Receiver == b.key.Receiver && r.Released != nil && *r.Released == *b.released
	}
	return d.groupOf(r) != nil && d.groupKey(r) == b.key
}

func (d *draft) holdAll(rows []*Row, reason string) {
	for _, r := range rows {
		d.hold(r, reason, false)
	}
}

// tryNow takes note that it is tried to deliver a row.
func (d *draft) tryNow(r *Row) {
	d.clockAttempt(r)
	if r.FirstTried.IsZero() && r.News() {
		d.edit(r).FirstTried = d.now
	}
}

// claim makes a message of a bundle.
func (d *draft) claim(b *bundle) {
	slices.SortStableFunc(b.rows, byAge)
	m := Message{
		ID: cmp.Or(b.bound, b.rows[0].ID), Receiver: b.key.Receiver, Group: b.key,
		Recipients: b.rows[0].Recipients, Over: map[string]bool{}, News: b.news, Beyond: b.beyond,
	}
	for _, r := range b.rows {
		r = d.edit(r)
		d.tryNow(r)
		d.carryAck(r)
		r.Claim = &Claim{Writer: d.v.Self, Message: m.ID, At: d.now, Length: d.v.Config.Retry.claim()}
		r.Held, r.Muted = "", false
		m.MaybeRepeat = m.MaybeRepeat || r.Uncertain || r.FellBack
		if r.Alert != "" && r.Opens() && !d.open(r) {
			m.Over[r.ID] = true
		}
		// A copy: what is sent must not change with the ledger's record.
		m.Rows = append(m.Rows, r.clone())
	}
	if b.group != nil {
		m.Standing = d.standing(b)
		m.GroupBy = make(map[string]string, len(b.group.By))
		for _, name := range b.group.By {
			m.GroupBy[name] = b.rows[0].Snapshot.Label(name)
		}
		m.Next = d.usedUp(b)
	}
	m.Firing, m.Released, m.Since = m.firing(), b.released, m.since()
	d.present(&m)
	d.plan.Send = append(d.plan.Send, m)
}

// firing counts the alerts of a message that fire.
func (m *Message) firing() int {
	alerts := make(map[string]bool, len(m.Rows)+len(m.Standing))
	for _, r := range m.Rows {
		if r.Alert != "" && !r.Ends() && !m.Over[r.ID] {
			alerts[r.Alert] = true
		}
	}
	for _, a := range m.Standing {
		alerts[a.Key] = true
	}
	return len(alerts)
}

// standing returns the alerts of a group that fire, were told, and have no
// row in the message: it shows the group whole.
func (d *draft) standing(b *bundle) []*Alert {
	news := make(map[string]bool)
	for _, r := range b.rows {
		if !r.Ends() {
			news[r.Alert] = true
		}
	}
	var out []*Alert
	for _, key := range slices.Sorted(maps.Keys(d.v.Alerts)) {
		a := d.v.Alerts[key]
		t := d.thread(key, b.key.Receiver)
		if news[key] || !a.Phase.Told() || t == nil || !t.Told || t.Over || t.Incident != a.Incident {
			continue
		}
		if groupValues(b.group, &a.Snapshot) == b.key.Values && d.muteOf(key, a.Monitor, &a.Snapshot) == nil {
			out = append(out, a)
		}
	}
	return out
}
