package notify

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// repeats queues what time alone makes due of the alerts that fire: repeats,
// escalations, and what is told again after a mute ran out. It also tells
// receivers that are new.
func (d *draft) repeats() {
	for _, key := range slices.Sorted(maps.Keys(d.v.Alerts)) {
		a := d.v.Alerts[key]
		routing := d.v.Config.Monitors[a.Monitor]
		if routing == nil || !a.Open() || a.Snapshot.Source == SourceOverflow || d.kept(key) {
			continue
		}
		if !a.Phase.Told() { // it flaps, and is down
			d.escalate(a, routing, d.quiet(a))
			continue
		}
		if !d.v.Outranked {
			d.newcomers(a)
		}
		d.ackEnds(a.Monitor, key, a.Incident, a.Rank)
		quiet := d.quiet(a)
		for _, t := range d.x.threads[key] {
			known := d.v.Config.Receivers[t.Receiver] != nil
			if known && t.Incident == a.Incident && !t.Over && !d.outstanding(a, t.Receiver, routing) {
				if routing.RunEvery == 0 {
					d.tellAcked(a, t)
				}
				d.repeat(a, routing, d.thread(t.Alert, t.Receiver), quiet)
			}
		}
		d.escalate(a, routing, quiet)
	}
}

// quiet is why nothing is repeated: a reason, and the mute if it is one.
type quiet struct {
	reason string
	mute   *Mute
}

func (d *draft) quiet(a *Alert) quiet {
	if mute := d.muteOf(a.Key, a.Monitor, &a.Snapshot); mute != nil {
		return quiet{mute.Reason(), mute}
	}
	if ack := d.ack(a.Incident); ack.Holds(d.now) {
		d.wake(ack.Until)
		mute := &Mute{ByAck, ack.Author}
		return quiet{mute.Reason(), mute}
	}
	return quiet{}
}

// outstanding says whether there is something to tell that hasn't been told.
func (d *draft) outstanding(a *Alert, receiver string, routing *Routing) bool {
	for _, r := range d.x.byAlert[a.Key] {
		if r.Receiver == receiver && (r.Incident == a.Incident || routing.RunEvery > 0) {
			return true
		}
	}
	return false
}

func (d *draft) repeat(a *Alert, routing *Routing, t *Thread, q quiet) {
	if q.reason != "" {
		if t.Told && (t.Held != q.reason || !sameMute(t.Muted, q.mute)) {
			d.holdThread(a, t, q.reason, q.mute).RepeatAt = time.Time{}
		}
		return
	}
	rank := t.Rank
	if routing.RunEvery == 0 {
		rank = d.hears(a, t)
		if rank == 0 || !t.Told && (!d.tried(t, a.Incident) || rank != a.Rank) {
			d.unmute(t) // what stands isn't for it, or it wasn't tried
			return
		}
	}
	at, over := t.TriedAt, ""
	switch {
	case t.Muted == nil:
	case !d.ranOut(t.Muted, a.Incident):
		if by := d.unreminded(a, t); by != "" {
			over, t = by, d.editThread(t.Alert, t.Receiver)
			t.Muted = &Mute{ByAck, by}
		}
	case t.Muted.Kind != ByAck:
		over = string(t.Muted.Kind)
	case d.subscribed(a, t.Receiver, a.Rank) || a.levelless():
		over = t.Muted.By
	}
	if over == "" {
		every := repeatEvery(a, routing, rank)
		if every == 0 {
			d.unmute(t)
			return
		}
		at = at.Add(every)
		next := d.notBefore(a, t.Receiver, at)
		if next.After(d.now) && !at.After(d.now) {
			d.goAlong(a, t, rank)
		}
		at = next
	}
	if d.now.Before(at) {
		d.wake(at)
		if t.Muted != nil || t.Held == "" || !t.RepeatAt.Equal(at) {
			own := d.editThread(t.Alert, t.Receiver) // no event, and so none of the history's
			own.Held, own.Muted, own.RepeatAt = "repeat not due before "+stamp(at), nil, at
		}
		return
	}
	d.repeatNow(a, routing, t, rank, over)
}

// goAlong lets a repeat that is due go with whatever its group is told before
// it may be told anything for the repeat's sake.
func (d *draft) goAlong(a *Alert, t *Thread, rank int) {
	group := d.grouping(t.Receiver, a.Monitor)
	key := GroupKey{t.Receiver, groupValues(group, &a.Snapshot)}
	d.willing[key] = append(d.willing[key], func() *Row {
		return d.repeatNow(a, d.v.Config.Monitors[a.Monitor], d.thread(t.Alert, t.Receiver), rank, "")
	})
}

// repeatNow queues a repeat, or what takes its place for a receiver that was
// told nothing.
func (d *draft) repeatNow(a *Alert, routing *Routing, t *Thread, rank int, over string) *Row {
	kind := Repeat
	if !t.Told && (routing.RunEvery == 0 || t.ToldAt.IsZero()) {
		kind = Firing
	}
	muted := t.Muted
	r := d.queue(a.about(), t.Receiver, kind, rank)
	switch {
	case over == "":
	case muted.Kind == ByAck:
		r.AckOver = over
		d.editThread(a.Key, t.Receiver).AckedBy = ""
	default:
		r.Released = muted
	}
	r.Escalated = kind == Firing && routing.RunEvery == 0 && d.byStep(a, t.Receiver, rank)
	d.standsAbove(a, r)
	return r
}

// standsAbove says on a row about a level that another one stands which is
// higher, since when, and who was told of that.
func (d *draft) standsAbove(a *Alert, r *Row) {
	if a.Rank <= r.Rank {
		return
	}
	if level := d.level(a.Monitor, a.Rank); level != nil {
		r.Snapshot.StandsLevel, r.Snapshot.StandsSince = level.Name, a.LevelAt
	}
	// It may know of a higher level, though that isn't its own.
	own := d.editThread(r.Alert, r.Receiver)
	own.Rank = max(own.Rank, own.ToldRank)
	for _, t := range d.threadsOf(a.Key) {
		if t.Incident == a.Incident && t.Told && t.ToldRank >= a.Rank && t.Receiver != r.Receiver {
			r.Snapshot.StandsTold = append(r.Snapshot.StandsTold, t.Receiver)
		}
	}
}

// tried says whether a message about an incident was delivered, or failed for
// good.
func (d *draft) tried(t *Thread, incident string) bool {
	return t != nil && t.Incident == incident && !t.TriedAt.IsZero() && !t.TriedAt.Before(t.FiredAt)
}

func repeatEvery(a *Alert, routing *Routing, rank int) time.Duration {
	if routing.RunEvery > 0 {
		return routing.RunEvery
	}
	if len(routing.Levels) == 0 {
		return 0
	}
	level := &routing.Levels[min(max(rank, 1), len(routing.Levels))-1]
	if a.Flapping {
		return level.FlapRepeat
	}
	return level.Repeat
}

// notBefore is at, or when the group may be told again, so that a repeat has
// the values of the moment at which it is sent.
func (d *draft) notBefore(a *Alert, receiver string, at time.Time) time.Time {
	group := d.grouping(receiver, a.Monitor)
	if group == nil {
		return at
	}
	state := d.v.Groups[GroupKey{receiver, groupValues(group, &a.Snapshot)}]
	if group.fresh(state, d.now) {
		return at
	}
	if next := state.next(group, false); next.After(at) {
		return next
	}
	return at
}

// holdThread writes down why a receiver hears nothing more for now.
func (d *draft) holdThread(a *Alert, t *Thread, reason string, mute *Mute) *Thread {
	own := d.editThread(t.Alert, t.Receiver)
	own.Held, own.Muted = reason, mute
	d.plan.History = append(d.plan.History, Entry{
		At: d.now, Alert: a.Key, Incident: a.Incident, Receiver: t.Receiver,
		What: WhatNotTold, Level: a.Snapshot.Level, Reason: reason,
	})
	return own
}

func (d *draft) unmute(t *Thread) {
	if t.Muted != nil || t.Held != "" {
		own := d.editThread(t.Alert, t.Receiver)
		own.Muted, own.Held = nil, ""
	}
}

func sameMute(a, b *Mute) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

// groupValues is the key of the group that an alert is in.
func groupValues(g *Group, s *Snapshot) string {
	values := make([]string, len(g.By))
	for i, name := range g.By {
		values[i] = s.Label(name)
	}
	return strings.Join(values, "\x1f")
}
