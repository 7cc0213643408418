package notify

import (
	"slices"
	"time"

	"github.com/go-batteries/hawkeye/internal/alert"
)

// OnEvents queues what an evaluation brought for the receivers of one alert:
// part of the agent's commit. a is the alert after the step, whether it fires
// or not, with a Snapshot; v holds the ledger before it. The history gets
// each event, and why it isn't told if it isn't.
func OnEvents(v *View, a *Alert, events []alert.Event, now time.Time) Plan {
	d := newDraft(v, now)
	for i := range events {
		d.record(a, &events[i])
		d.event(a, &events[i])
	}
	return d.plan
}

// Unended returns the incidents of an alert that somebody was told of, or is
// being told of, and that have no end, for [alert.Input].
func Unended(v *View, alertKey string) []alert.Told {
	var out []alert.Told
	over := make(map[string]bool)
	add := func(incident string, firedAt time.Time) {
		told := alert.Told{Incident: incident, FiredAt: firedAt}
		if !slices.Contains(out, told) {
			out = append(out, told)
		}
	}
	x := v.indexed()
	for _, t := range x.threads[alertKey] {
		over[t.Incident] = over[t.Incident] || t.Over
		if t.Told && !t.Over {
			add(t.Incident, t.FiredAt)
		}
	}
	// Of what is being sent the ledger may have lost the thread.
	for _, r := range x.byAlert[alertKey] {
		if r.begun() && r.Opens() && !over[r.Incident] && !r.Snapshot.Since.IsZero() {
			add(r.Incident, r.Snapshot.Since)
		}
	}
	return out
}

func (d *draft) record(a *Alert, e *alert.Event) {
	reason := string(e.Reason)
	if e.Flapping && e.Kind.Told() {
		reason = "not told: the alert flaps"
	}
	if e.Passed {
		reason = "told in sum: it happened in a gap"
	}
	d.plan.History = append(d.plan.History, Entry{
		At: e.At, Alert: a.Key, Incident: e.Incident, What: string(e.Kind), Level: e.Level, Reason: reason, Value: Number(e.Value),
	})
}

func (d *draft) event(a *Alert, e *alert.Event) {
	about := d.eventAbout(a, e)
	if e.Flapping && !e.Passed {
		d.whileFlapping(about, e)
	}
	if e.Flapping || e.Passed {
		return
	}
	if e.Reason == alert.ReasonOverflow {
		d.overflows(about, e)
		return
	}
	switch e.Kind {
	case alert.Fired:
		d.fired(about, e.To, max(e.Times, 1))
	case alert.Rose:
		d.rose(about, e.To)
	case alert.Fell:
		d.fell(about, e.To)
	case alert.Resolved:
		d.resolved(about, max(e.From, 1))
	case alert.WentMissing:
		d.missing(about, e.To)
	case alert.FlapsNow:
		d.flaps(about, max(e.From, e.To, 1))
	case alert.FlapsNoMore:
		d.stable(about, e.To)
	case alert.LevelsFlap:
		d.levelsFlap(about, e.To)
	}
}

// whileFlapping tells of a level that is higher than what is known of an
// incident that flaps: that it comes and goes says nothing of how bad it gets.
// It is told once a level, since its falls aren't told.
func (d *draft) whileFlapping(a about, e *alert.Event) {
	if e.Kind != alert.Fired && e.Kind != alert.Rose && e.Kind != alert.Fell || d.runEvery(a.monitor) > 0 {
		return
	}
	d.ackEnds(a.monitor, a.alert, a.incident, e.To)
	for _, receiver := range d.subscribers(a, e.To) {
		t := d.thread(a.alert, receiver)
		if t == nil || t.Rank < e.To || !d.tried(t, a.incident) { // what failed for good comes as a repeat
			d.informOf(a, receiver, e.To)
		}
	}
}

// eventAbout is the alert as the event found it.
func (d *draft) eventAbout(a *Alert, e *alert.Event) about {
	ab := a.about()
	ab.incident, ab.firedAt = e.Incident, e.FiredAt
	s := &ab.snapshot
	s.Level, s.Reason, s.At, s.Measured = e.Level, string(e.Reason), e.At, time.Time{}
	s.Incomplete, s.Late = e.Incomplete, e.Late
	s.State = stateAfter(e)
	if e.HasValue {
		s.Value = Number(e.Value)
	}
	s.HasValue = e.HasValue
	if !e.FiredAt.IsZero() {
		s.Since = e.FiredAt
	}
	if before := d.level(a.Monitor, e.From); before != nil && e.To > 0 && e.From != e.To {
		s.PreviousLevel = before.Name
	}
	return ab
}

// stateAfter is how the alert stands for its receivers.
func stateAfter(e *alert.Event) string {
	switch {
	case e.Kind == alert.Resolved, e.Kind == alert.FlapsNoMore && e.To == 0:
		return "resolved"
	case e.Kind == alert.WentMissing:
		return "nodata"
	}
	return "firing"
}

// overflows tells once that a monitor has more groups than it keeps. It has
// no end: nobody waits for one.
func (d *draft) overflows(a about, e *alert.Event) {
	if e.Kind != alert.Fired {
		return
	}
	for _, receiver := range d.receivers(a.monitor, 1) {
		d.queue(a, receiver, Overflowing, 1)
		d.editThread(a.alert, receiver).Over = true
	}
}

// receivers returns whom a rank tells.
func (d *draft) receivers(monitor string, rank int) []string {
	level := d.level(monitor, rank)
	if level == nil {
		return nil
	}
	return level.Receivers
}

// knows says whether a receiver was told of the incident, or will be.
func (d *draft) knows(a about, receiver string) bool {
	t := d.thread(a.alert, receiver)
	if t == nil || t.Incident != a.incident || t.Over {
		return false
	}
	return t.Told || len(d.chain(a.alert, a.incident, receiver)) > 0
}

func (d *draft) fired(a about, rank, times int) {
	for _, receiver := range d.receivers(a.monitor, rank) {
		switch {
		case d.absorb(a, receiver):
		case d.knows(a, receiver):
			d.plan.History = append(d.plan.History, Entry{
				At: d.now, Alert: a.alert, Incident: a.incident, Receiver: receiver,
				What: WhatNotTold, Level: a.snapshot.Level, Reason: "goes on with an incident that was told",
			})
		default:
			d.queue(a, receiver, Firing, rank).Breaches = times
		}
	}
}

// absorb counts a breach of a version-1 monitor in a row that waits already.
func (d *draft) absorb(a about, receiver string) bool {
	if d.runEvery(a.monitor) == 0 {
		return false
	}
	for _, r := range d.live(a.alert) {
		if r.Receiver != receiver || r.Claim != nil || r.Batch != "" || r.Kind != Firing && r.Kind != Repeat {
			continue
		}
		r = d.edit(r)
		r.Breaches++
		r.Snapshot = a.snapshot
		// The row stays with its incident; the thread follows the newest one,
		// so that repeats are about what fires. It has no row of its own.
		t := d.editThread(a.alert, receiver)
		*t = Thread{
			V: RecordVersion, Alert: t.Alert, Receiver: t.Receiver, Incident: a.incident,
			FiredAt: a.firedAt, Rank: r.Rank, ToldAt: t.ToldAt, TriedAt: t.TriedAt,
		}
		d.note(r, WhatNotTold, "waits with the breach before it")
		return true
	}
	return false
}

func (d *draft) rose(a about, rank int) {
	d.ackEnds(a.monitor, a.alert, a.incident, rank)
	for _, receiver := range d.subscribers(a, rank) {
		switch t := d.thread(a.alert, receiver); {
		case t != nil && t.Incident == a.incident && t.Over:
			d.plan.History = append(d.plan.History, Entry{
				At: d.now, Alert: a.alert, Incident: a.incident, Receiver: receiver,
				What: WhatNotTold, Level: a.snapshot.Level, Reason: "learnt after the end of the incident",
			})
		case d.knows(a, receiver):
			d.queue(a, receiver, Rise, rank)
		default:
			d.firstHeard(a, receiver, rank)
		}
	}
}

// firstHeard tells a receiver that knows nothing of an incident of a level. If
// that is its own because of an escalation, the message says so.
func (d *draft) firstHeard(a about, receiver string, rank int) {
	of := &Alert{Key: a.alert, Monitor: a.monitor, Incident: a.incident}
	d.queue(a, receiver, Firing, rank).Escalated = d.byStep(of, receiver, rank)
}

// fell tells those who were told of a higher level, and those of the level it
// fell to who know nothing yet, or only of a lower one.
func (d *draft) fell(a about, rank int) {
	for _, t := range d.threadsOf(a.alert) {
		if t.Rank > rank && d.knows(a, t.Receiver) {
			d.queue(a, t.Receiver, Fall, rank)
		}
	}
	d.inform(a, rank)
}

// inform tells those who are subscribed to a level and know nothing of the
// incident yet, or only of a lower level.
func (d *draft) inform(a about, rank int) {
	for _, receiver := range d.subscribers(a, rank) {
		d.informOf(a, receiver, rank)
	}
}

func (d *draft) informOf(a about, receiver string, rank int) {
	switch {
	case !d.knows(a, receiver):
		d.firstHeard(a, receiver, rank)
	case d.thread(a.alert, receiver).Rank < rank:
		d.queue(a, receiver, Rise, rank)
	}
}

// resolved queues the end for everybody who has something of the incident,
// told or outstanding.
func (d *draft) resolved(a about, rank int) {
	for _, t := range d.threadsOf(a.alert) {
		if t.Incident != a.incident || t.Over {
			continue
		}
		switch {
		case !d.tellsEnds(a.monitor, t.Receiver):
			for _, r := range d.chain(a.alert, a.incident, t.Receiver) {
				if r.Claim == nil && d.runEvery(a.monitor) == 0 {
					d.edit(r).OverAt = a.snapshot.At
				}
			}
		case d.knows(a, t.Receiver):
			d.end(a, t, Resolved, max(t.Rank, 1))
		default:
			d.plan.History = append(d.plan.History, Entry{
				At: d.now, Alert: a.alert, Incident: a.incident, Receiver: t.Receiver,
				What: WhatNotTold, Level: a.snapshot.Level, Reason: "the end of a firing that was not told",
			})
		}
		d.editThread(a.alert, t.Receiver).Over = true
	}
}

// end queues a row after which there is no more to tell.
func (d *draft) end(a about, t *Thread, kind RowKind, rank int) {
	// A row before it that may have been delivered says so when it is merged
	// or settled.
	told := t.Told
	d.queue(a, t.Receiver, kind, rank).Told = told
}

func (d *draft) tellsEnds(monitor, receiver string) bool {
	cfg := d.v.Config.Receivers[receiver]
	return d.runEvery(monitor) == 0 && cfg != nil && !cfg.SkipResolved
}

// missing tells those who know of the incident, or the mildest level's
// receivers if nobody does: that data is missing says nothing of how bad it
// is.
func (d *draft) missing(a about, rank int) {
	for _, t := range d.threadsOf(a.alert) {
		if d.knows(a, t.Receiver) {
			d.queue(a, t.Receiver, Missing, max(t.Rank, 1))
		}
	}
	if rank > 0 {
		return
	}
	for _, receiver := range d.receivers(a.monitor, 1) {
		if !d.knows(a, receiver) {
			d.queue(a, receiver, Missing, 1)
		}
	}
}

// flaps tells everybody who is kept posted about the incident, and the level's
// receivers, that there will be no message for each change. Who was told of a
// higher level only waits for the end.
func (d *draft) flaps(a about, rank int) {
	of := &Alert{Key: a.alert, Monitor: a.monitor, Incident: a.incident, Rank: rank}
	for _, t := range d.threadsOf(a.alert) {
		switch {
		case !d.knows(a, t.Receiver):
		case d.hears(of, t) > 0:
			d.queue(a, t.Receiver, Flapping, max(min(t.Rank, rank), 1))
		default:
			d.editThread(a.alert, t.Receiver).FlapsUntold = true
		}
	}
	for _, receiver := range d.receivers(a.monitor, rank) {
		if !d.knows(a, receiver) {
			d.queue(a, receiver, Flapping, rank)
		}
	}
}

// levelsFlap tells everybody who knows of the incident, and the receivers of
// the level that stands from now on, that there will be no message for each
// change.
func (d *draft) levelsFlap(a about, rank int) {
	d.ackEnds(a.monitor, a.alert, a.incident, rank)
	for _, t := range d.threadsOf(a.alert) {
		if d.knows(a, t.Receiver) {
			d.queue(a, t.Receiver, FlappingLevels, rank)
		}
	}
	for _, receiver := range d.receivers(a.monitor, rank) {
		if !d.knows(a, receiver) {
			d.queue(a, receiver, FlappingLevels, rank)
		}
	}
}

// stable tells those who were told of flapping how it stands: rank 0 is the
// end.
func (d *draft) stable(a about, rank int) {
	for _, t := range d.threadsOf(a.alert) {
		if t.Incident != a.incident || t.Over {
			continue
		}
		switch {
		case !d.knows(a, t.Receiver):
		case !t.FlapsUntold:
			d.end(a, t, Stable, rank)
		case rank == 0:
			d.end(a, t, Resolved, max(t.Rank, 1))
		case t.Rank > rank:
			d.queue(a, t.Receiver, Fall, rank)
		}
		own := d.editThread(a.alert, t.Receiver)
		own.Over, own.FlapsUntold = rank == 0, false
	}
	if rank > 0 {
		d.inform(a, rank)
	}
}
