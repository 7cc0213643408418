package notify

import (
	"cmp"
	"maps"
	"slices"
	"time"
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
}

// send puts the rows that may be told now into messages, and claims them.
func (d *draft) send(ready []*Row) {
	busy := d.busyGroups()
	room := make(map[string]int)
	for _, b := range d.bundles(ready) {
		receiver := b.key.Receiver
		if b.group != nil && (busy[b.key] || !d.groupDue(b)) {
			continue
		}
		if b.unwanted {
			for _, r := range b.rows {
				d.drop(r, Dropped, d.unwanted(r))
			}
			continue
		}
		for i, r := range b.rows {
			b.rows[i] = d.fit(r)
		}
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

// groupKey returns the group of a row. Without grouping each incident is its
// own.
func (d *draft) groupKey(r *Row) GroupKey {
	group := d.groupOf(r)
	if group == nil {
		return GroupKey{r.Receiver, "\x1e" + r.Alert + "\x1e" + r.Incident}
	}
	return GroupKey{r.Receiver, groupValues(group, &r.Snapshot)}
}

// groupOf returns the grouping of a row. What hawkeye says about itself is in
// no group.
func (d *draft) groupOf(r *Row) *Group {
	if r.Alert == "" {
		return nil
	}
	return d.grouping(r.Receiver, r.Monitor)
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
		key := d.groupKey(r)
		id := id{key, r.Batch, d.unwanted(r) != ""}
		if r.Kind == Undelivers {
			id.bound = cmp.Or(r.Batch, "undelivered")
		}
		b := at[id]
		if b == nil {
			b = &bundle{key: key, group: d.groupOf(r), bound: r.Batch, unwanted: id.unwanted}
			at[id] = b
			out = append(out, b)
		}
		b.rows = append(b.rows, r)
	}
	slices.SortStableFunc(out, func(a, b *bundle) int { return -cmp.Compare(a.bound, b.bound) })
	return out
}

// groupDue says whether a group may be told now: the first of its rows has
// waited for more, and the last message was long enough ago.
func (d *draft) groupDue(b *bundle) bool {
	if b.bound != "" || d.v.Hurry && !d.retries(b) {
		return true
	}
	var due time.Time
	for _, r := range b.rows {
		at := r.Created
		switch {
		case r.Attempts > 0:
			at = r.NextAttempt
		case d.waits(r):
			at = r.waitsSince().Add(b.group.Wait)
		}
		if due.IsZero() || at.Before(due) {
			due = at
		}
	}
	if state := d.v.Groups[b.key]; state != nil {
		if next := state.SentAt.Add(b.group.Interval); next.After(due) {
			due = next
		}
	}
	if !d.now.Before(due) {
		return true
	}
	d.wake(due)
	d.holdAll(b.rows, "grouped: not before "+stamp(due))
	return false
}

// retries says whether a bundle was tried before, so that it is due when its
// rows are.
func (d *draft) retries(b *bundle) bool {
	return slices.ContainsFunc(b.rows, func(r *Row) bool { return r.Attempts > 0 })
}

// waits says whether a row waits for more: what tells first of an incident
// does, what follows doesn't.
func (d *draft) waits(r *Row) bool {
	if r.Undelivered != nil || !r.Opens() && !r.Both {
		return false
	}
	told, _ := d.toldOf([]*Row{r})
	return !told && !d.tried(d.thread(r.Alert, r.Receiver), r.Incident)
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
		Recipients: b.rows[0].Recipients, Over: map[string]bool{},
	}
	for _, r := range b.rows {
		r = d.edit(r)
		d.tryNow(r)
		r.Claim = &Claim{Writer: d.v.Self, Message: m.ID, At: d.now, Length: d.v.Config.Retry.claim()}
		r.Held, r.Muted = "", false
		m.MaybeRepeat = m.MaybeRepeat || r.Uncertain || r.FellBack
		if r.Alert != "" && r.Opens() && !d.fires(r) {
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
	}
	d.plan.Send = append(d.plan.Send, m)
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
