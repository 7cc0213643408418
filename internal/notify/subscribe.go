package notify

import "slices"

// subscribed says whether a receiver is to hear of a level of an incident:
// the level's trigger notifies it, an escalation of that level came due for
// it, or it stands in for one that is. It is the one place that knows, for
// what is queued and for what goes out later alike.
func (d *draft) subscribed(a *Alert, receiver string, rank int) bool {
	if d.v.Outranked || d.v.Config.Monitors[a.Monitor] == nil {
		return true // for those to say who have the configuration that decides
	}
	return d.named(a, receiver, rank) || d.standsIn(a, receiver, rank)
}

// named says whether a level names a receiver, by itself or by an escalation
// that came due.
func (d *draft) named(a *Alert, receiver string, rank int) bool {
	return slices.Contains(d.receivers(a.Monitor, rank), receiver) || d.escalated(a, receiver, rank)
}

// standsIn says whether a receiver was told of an incident, or is to be, in
// place of another one, whom the level names.
func (d *draft) standsIn(a *Alert, receiver string, rank int) bool {
	t := d.thread(a.Key, receiver)
	if t == nil || t.Incident != a.Incident {
		return false
	}
	return slices.ContainsFunc(t.Instead, func(other string) bool { return d.named(a, other, rank) })
}

// subscribers returns those who are to hear of a level: whom it names, and
// those who have to do with the incident and are subscribed otherwise.
func (d *draft) subscribers(a about, rank int) []string {
	all := slices.Clone(d.receivers(a.monitor, rank))
	of := &Alert{Key: a.alert, Monitor: a.monitor, Incident: a.incident}
	for _, t := range d.threadsOf(a.alert) {
		if t.Incident == a.incident && !t.Over && !slices.Contains(all, t.Receiver) &&
			(d.escalated(of, t.Receiver, rank) || d.standsIn(of, t.Receiver, rank)) {
			all = append(all, t.Receiver)
		}
	}
	return all
}

// hears returns the level of an open incident that a receiver is kept posted
// about: the highest of those reached that it is subscribed to. It is 0 if
// there is none. Missing data has no level: whoever was told of the incident
// hears of it.
func (d *draft) hears(a *Alert, t *Thread) int {
	for rank := a.Rank; rank >= 1; rank-- {
		if d.subscribed(a, t.Receiver, rank) {
			return rank
		}
	}
	if t.Told && a.levelless() {
		return max(t.ToldRank, 1)
	}
	return 0
}

// unwanted returns why a row that could go isn't for its receiver any more, or
// "": an incident that is open stands at a level that isn't the receiver's,
// who was told nothing of it.
func (d *draft) unwanted(r *Row) string {
	a := d.openAlert(r)
	if r.Alert == "" || r.Ends() || r.Kind == Overflowing || r.Batch != "" || d.runEvery(r.Monitor) > 0 {
		return ""
	}
	told, _ := d.toldOf([]*Row{r})
	if why := d.stale(r, a, told); why != "" || told || a == nil {
		return why
	}
	stands := a.Rank
	if !a.Phase.Told() { // it flaps, and is down
		stands = max(r.Rank, 1)
	}
	if a.levelless() && slices.Contains(d.receivers(a.Monitor, 1), r.Receiver) {
		return ""
	}
	if r.Escalated { // a step of a level that is reached
		return ""
	}
	for _, receiver := range r.meantFor() {
		if d.subscribed(a, receiver, stands) {
			return ""
		}
	}
	level := "what stands"
	if l := d.level(a.Monitor, stands); l != nil {
		level = "the level that stands, " + l.Name + ","
	}
	return level + " is not " + r.Receiver + "'s"
}

// dropUnwanted drops a row that isn't for its receiver any more, and says
// whether it did. A step of an escalation that isn't told is one that wasn't
// taken.
func (d *draft) dropUnwanted(r *Row) bool {
	why := d.unwanted(r)
	if why == "" {
		return false
	}
	d.drop(r, Dropped, why)
	if r.Escalated {
		d.untake(r)
	}
	return true
}

// stale returns why there is nothing left to say of what a row tells somebody
// who knows of its incident, or "": that is over, or it was acknowledged.
func (d *draft) stale(r *Row, a *Alert, told bool) string {
	ack := d.ack(r.Incident)
	switch {
	case !told && a == nil && !r.OverAt.IsZero() && d.beforeWait(r, r.OverAt):
		return d.tooShort(r, r.OverAt)
	case r.Escalated && a == nil && !d.ofLevel(r, r.Rank):
		return "over before it could be told"
	case r.Escalated && a != nil && a.Phase.Told() && a.Rank < d.stepRank(r) && (told && r.Kind == Repeat || !told && !d.named(a, r.Receiver, a.Rank)):
		return "the level of the step doesn't stand"
	case r.Escalated && a != nil && !a.Phase.Told() && d.left(a, d.stepRank(r)):
		return "the level of the step was left"
	case told && a != nil && (r.Kind == Rise || r.Kind == Fall) && r.Rank == d.toldRank(r) && !r.Escalated && r.AckOver == "" && r.AckEnded == "":
		return "back at the level that was told"
	case told && a == nil && (r.Kind == Fall || r.Kind == Repeat || r.Kind == Acked || r.Kind == FlappingLevels || r.Kind == Stable):
		return "over before it could be told"
	case told && a != nil && a.Phase.Told() && a.Rank > 0 && r.Kind == Repeat && !r.Escalated && d.hears(a, d.thread(r.Alert, r.Receiver)) == 0:
		return "what stands is not " + r.Receiver + "'s"
	case r.Kind == Repeat && told && !r.News() && d.thread(r.Alert, r.Receiver).ToldAt.After(r.waitsSince()):
		return "told with others meanwhile"
	case r.Kind == Acked && !ack.Holds(d.now):
		return "the acknowledgement is over"
	case ack.Holds(d.now) && (told && r.Kind == Repeat || r.Escalated && !told && a != nil && !d.ofLevel(r, a.Rank)):
		return string(ByAck) + " by " + ack.Author
	}
	return ""
}

// ofLevel says whether a level's trigger notifies the receiver of a row, so
// that the row is for it without an escalation.
func (d *draft) ofLevel(r *Row, rank int) bool {
	return slices.Contains(d.receivers(r.Monitor, max(rank, 1)), r.Receiver)
}

// toldRank is the level that a row's receiver was told of.
func (d *draft) toldRank(r *Row) int {
	_, rank := d.toldOf([]*Row{r})
	return rank
}

// meantFor returns whom a row is for: its receiver, or those in whose place
// that is told.
func (r *Row) meantFor() []string {
	if r.Undelivered == nil {
		return []string{r.Receiver}
	}
	return r.Undelivered.Via
}

// openAlert returns the alert of a row if the row's incident is open, else
// nil.
func (d *draft) openAlert(r *Row) *Alert {
	a := d.v.Alerts[r.Alert]
	if a == nil || !a.Open() || a.Incident != r.Incident || a.Snapshot.Source == SourceOverflow {
		return nil
	}
	return a
}
