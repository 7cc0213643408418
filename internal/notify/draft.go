package notify

import (
	"cmp"
	"slices"
	"time"
)

// index finds the records of a [View] by alert. It is made once for a View.
type index struct {
	rows    map[string]*Row
	byAlert map[string][]*Row
	threads map[string][]*Thread
}

func (v *View) indexed() *index {
	if v.index != nil {
		return v.index
	}
	x := &index{
		rows:    make(map[string]*Row, len(v.Rows)),
		byAlert: make(map[string][]*Row),
		threads: make(map[string][]*Thread),
	}
	for _, r := range v.Rows {
		if r.Live() {
			x.rows[r.ID] = r
			x.byAlert[r.Alert] = append(x.byAlert[r.Alert], r)
		}
	}
	for _, t := range v.Threads {
		x.threads[t.Alert] = append(x.threads[t.Alert], t)
	}
	for _, ts := range x.threads {
		slices.SortFunc(ts, func(a, b *Thread) int { return cmp.Compare(a.Receiver, b.Receiver) })
	}
	v.index = x
	return x
}

// draft is a plan in the making. It lies over the View: what it changes it
// copies first, and what it reads are its own copies where there are any.
type draft struct {
	v   *View
	x   *index
	now time.Time

	rows    map[string]*Row
	threads map[ThreadKey]*Thread
	clocks  map[string]*Clock
	acks    map[string]*Ack
	plan    Plan
	mutes   mutes

	// heads are the next rows of each receiver's chains of an alert, the oldest
	// incident first; see [draft.inOrder]. behind is what comes after a message
	// to a fallback, by its id.
	heads  map[ThreadKey][]*Row
	behind map[string][]*Row
	// willing are repeats that are due by themselves and wait for their group:
	// if that is told something they go along.
	willing map[GroupKey][]func() *Row
	// trying are rows that were tried and wait for their next attempt: they go
	// along as well.
	trying []*Row
	order  map[[2]string]bool
}

func newDraft(v *View, now time.Time) *draft {
	return &draft{
		v: v, x: v.indexed(), now: now.Round(0).UTC(),
		rows: map[string]*Row{}, threads: map[ThreadKey]*Thread{}, clocks: map[string]*Clock{}, acks: map[string]*Ack{},
		heads: map[ThreadKey][]*Row{}, behind: map[string][]*Row{}, willing: map[GroupKey][]func() *Row{},
	}
}

// wake makes sure that somebody looks again at t.
func (d *draft) wake(t time.Time) {
	if t.After(d.now) && (d.plan.Next.IsZero() || t.Before(d.plan.Next)) {
		d.plan.Next = t
	}
}

// edit returns the plan's own copy of a row, which will be written.
func (d *draft) edit(r *Row) *Row {
	if own, ok := d.rows[r.ID]; ok {
		return own
	}
	own := r.clone()
	d.addRow(own)
	return own
}

func (d *draft) addRow(r *Row) {
	d.rows[r.ID] = r
	d.plan.Rows = append(d.plan.Rows, r)
}

// current returns the newest version of a row.
func (d *draft) current(r *Row) *Row {
	if own, ok := d.rows[r.ID]; ok {
		return own
	}
	return r
}

// live returns the live rows of an alert, the plan's own among them, in the
// order of their chains.
func (d *draft) live(alertKey string) []*Row {
	var out []*Row
	for _, r := range d.x.byAlert[alertKey] {
		if r = d.current(r); r.Live() {
			out = append(out, r)
		}
	}
	for _, r := range d.plan.Rows {
		if r.Alert == alertKey && r.Live() && d.x.rows[r.ID] == nil {
			out = append(out, r)
		}
	}
	slices.SortStableFunc(out, func(a, b *Row) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.Receiver, b.Receiver), cmp.Compare(a.Seq, b.Seq))
	})
	return out
}

// chain returns the live rows of one incident and receiver, in order.
func (d *draft) chain(alertKey, incident, receiver string) []*Row {
	var out []*Row
	for _, r := range d.live(alertKey) {
		if r.Incident == incident && r.Receiver == receiver {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b *Row) int { return cmp.Compare(a.Seq, b.Seq) })
	return out
}

// thread returns what a receiver knows of an alert, or nil.
func (d *draft) thread(alertKey, receiver string) *Thread {
	key := ThreadKey{alertKey, receiver}
	if own, ok := d.threads[key]; ok {
		return own
	}
	return d.v.Threads[key]
}

// editThread returns the plan's own copy of a thread, which will be written.
func (d *draft) editThread(alertKey, receiver string) *Thread {
	key := ThreadKey{alertKey, receiver}
	if own, ok := d.threads[key]; ok {
		return own
	}
	own := &Thread{V: RecordVersion, Alert: alertKey, Receiver: receiver}
	if t := d.v.Threads[key]; t != nil {
		*own = *t
	}
	d.threads[key] = own
	d.plan.Threads = append(d.plan.Threads, own)
	return own
}

// threadsOf returns the threads of an alert, the plan's own among them.
func (d *draft) threadsOf(alertKey string) []*Thread {
	var out []*Thread
	for _, t := range d.x.threads[alertKey] {
		out = append(out, d.thread(t.Alert, t.Receiver))
	}
	for _, t := range d.plan.Threads {
		if t.Alert == alertKey && d.v.Threads[t.Key()] == nil {
			out = append(out, t)
		}
	}
	return out
}

// about is what a new row is about.
type about struct {
	alert, monitor, incident string
	firedAt                  time.Time
	snapshot                 Snapshot
}

func (a *Alert) about() about {
	return about{alert: a.Key, monitor: a.Monitor, incident: a.Incident, firedAt: a.FiredAt, snapshot: a.Snapshot}
}

// queue adds a row for a receiver and moves its thread on.
func (d *draft) queue(a about, receiver string, kind RowKind, rank int) *Row {
	t := d.editThread(a.alert, receiver)
	if t.Incident != a.incident {
		*t = Thread{
			V: RecordVersion, Alert: t.Alert, Receiver: t.Receiver,
			Incident: a.incident, FiredAt: a.firedAt, ToldAt: t.ToldAt, TriedAt: t.TriedAt,
		}
	}
	t.Seq++
	t.Rank, t.Held, t.Muted = rank, "", nil
	r := d.newRow(a, receiver, kind, rank, t.Seq)
	if old := d.x.rows[r.ID]; old != nil && d.current(old).Live() && old.begun() {
		return d.edit(old) // decided again: the store had lost the decision, and not who tells of it
	}
	if own := d.acks[a.incident]; own != nil && r.Opens() {
		r.AckEnded = own.Author
	}
	d.addRow(r)
	return r
}

func (d *draft) newRow(a about, receiver string, kind RowKind, rank, seq int) *Row {
	r := &Row{
		V: RecordVersion, Incident: a.incident, Alert: a.alert, Monitor: a.monitor, Receiver: receiver,
		Seq: seq, Kind: kind, Rank: rank, Created: d.now, Snapshot: a.snapshot,
	}
	if level := d.level(a.monitor, rank); level != nil {
		level.Describe(&r.Snapshot)
	}
	if r.Snapshot.Since.IsZero() {
		r.Snapshot.Since = a.firedAt
	}
	r.ID = r.makeID()
	return r
}

// level returns the route of a rank, or nil if the configuration has none.
func (d *draft) level(monitor string, rank int) *LevelRoute {
	routing := d.v.Config.Monitors[monitor]
	if routing == nil || rank < 1 || rank > len(routing.Levels) {
		return nil
	}
	return &routing.Levels[rank-1]
}

// grouping returns how a receiver's rows of a monitor become messages, or nil
// if each incident is a message of its own, as in version 1.
func (d *draft) grouping(receiver, monitor string) *Group {
	cfg := d.v.Config.Receivers[receiver]
	if cfg == nil || !cfg.Group.on() || d.runEvery(monitor) > 0 {
		return nil
	}
	return &cfg.Group
}

func (d *draft) runEvery(monitor string) time.Duration {
	if routing := d.v.Config.Monitors[monitor]; routing != nil {
		return routing.RunEvery
	}
	return 0
}

// finish takes a row out of the outbox.
func (d *draft) finish(r *Row, outcome Outcome, reason string) *Row {
	r = d.edit(r)
	r.Outcome, r.Reason, r.Settled, r.Claim = outcome, reason, d.now, nil
	return r
}

// drop is finish for a row that isn't told, and says so in the history.
func (d *draft) drop(r *Row, outcome Outcome, reason string) {
	if r.Undelivered != nil && outcome == Dropped {
		d.standDown(r)
	}
	d.finish(r, outcome, reason)
	d.note(r, WhatNotTold, reason)
}

// hold keeps a row for later, and says why in the history unless it did.
func (d *draft) hold(r *Row, reason string, muted bool) {
	if r.Held == reason && r.Muted == muted {
		return
	}
	r = d.edit(r)
	r.Held, r.Muted = reason, muted
	d.note(r, WhatNotTold, reason)
}

func (d *draft) note(r *Row, what, reason string) {
	d.plan.History = append(d.plan.History, Entry{
		At: d.now, Alert: r.Alert, Incident: r.Incident, Receiver: r.Receiver, Row: r.ID,
		What: what, Level: r.Snapshot.Level, Reason: reason,
	})
}
