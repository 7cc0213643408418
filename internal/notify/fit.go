package notify

import "cmp"

// fit makes of a row that waits what is so now: it is about the level that
// stands, as far as that is its receiver's. What may have been delivered, and
// what is over, stays as it is.
func (d *draft) fit(r *Row) *Row {
	a := d.openAlert(r)
	if a == nil || !a.Phase.Told() || a.Rank < 1 || r.Batch != "" || r.Ends() || d.runEvery(r.Monitor) > 0 || d.v.Outranked {
		return r
	}
	kind, rank := d.fitting(a, r)
	r = d.ownLevel(a, r)
	level := d.level(a.Monitor, rank)
	stands := ""
	if above := d.level(a.Monitor, a.Rank); a.Rank > rank && above != nil && kind.posted() {
		stands = above.Name
	}
	if level == nil || kind == r.Kind && rank == r.Rank && stands == r.Snapshot.StandsLevel {
		return r
	}
	r = d.edit(r)
	if r.Escalated && rank != r.Rank {
		r.Step = cmp.Or(r.Step, r.Snapshot.Level)
	}
	if r.Step == level.Name {
		r.Step = ""
	}
	if rank != r.Rank {
		before := r.Snapshot
		r.Snapshot = a.Snapshot
		r.Snapshot.PreviousLevel, r.Snapshot.State, r.Snapshot.Reason = before.PreviousLevel, before.State, before.Reason
		if r.Snapshot.Since.IsZero() {
			r.Snapshot.Since = before.Since
		}
		level.Describe(&r.Snapshot)
	}
	r.Kind, r.Rank = kind, rank
	r.Snapshot.StandsLevel, r.Snapshot.StandsTold = "", nil
	own := d.editThread(r.Alert, r.Receiver)
	if own.Rank = rank; stands != "" {
		d.standsAbove(a, r)
	}
	return r
}

// ownLevel makes of a step of an escalation that waits, of a level that was
// left meanwhile, the news of the level that stands, which is its receiver's
// anyway. The step wasn't taken.
func (d *draft) ownLevel(a *Alert, r *Row) *Row {
	if told, _ := d.toldOf([]*Row{r}); told || !r.Escalated || a.Rank >= d.stepRank(r) || !d.ofLevel(r, a.Rank) {
		return r
	}
	d.untake(r)
	r = d.edit(r)
	r.Escalated, r.Step = false, ""
	return r
}

// posted says whether a row of a kind says what stands if that is higher than
// its level.
func (k RowKind) posted() bool { return k == Firing || k == Repeat || k == Rise || k == Stable }

// fitting is the kind and the level that a row has now. Where nothing fits they
// are its own: it is for others to drop it.
func (d *draft) fitting(a *Alert, r *Row) (RowKind, int) {
	told, rank := d.toldOf([]*Row{r})
	switch r.Kind {
	case Firing:
		if !told {
			return Firing, d.fittingFirst(a, r)
		}
	case Rise, Fall:
		return d.fittingChange(a, r, rank)
	case Repeat:
		own := d.hears(a, d.thread(r.Alert, r.Receiver))
		if r.Escalated {
			own = max(own, min(d.stepRank(r), a.Rank))
		}
		switch {
		case own == 0:
		case told && own > rank && own == a.Rank:
			return Rise, own
		default:
			return Repeat, own
		}
	case Flapping, Missing, Stable:
		switch {
		case a.Rank <= rank || d.subscribed(a, r.Receiver, a.Rank) || a.levelless():
			return r.Kind, a.Rank
		case !told && r.Escalated:
			return Firing, d.fittingFirst(a, r)
		case !told:
			return r.Kind, a.Rank
		}
		if own := d.hears(a, d.thread(r.Alert, r.Receiver)); own > 0 {
			return r.Kind, own
		}
	case FlappingLevels:
		if !told && r.Escalated && !d.subscribed(a, r.Receiver, a.Rank) {
			return Firing, d.fittingFirst(a, r)
		}
		return r.Kind, a.Rank
	}
	return r.Kind, r.Rank
}

// fittingFirst is the level of what tells first of an incident: the one that
// stands or, for a step of an escalation, the highest that is the receiver's.
func (d *draft) fittingFirst(a *Alert, r *Row) int {
	if !r.Escalated || a.Rank < d.stepRank(r) {
		if d.subscribed(a, r.Receiver, a.Rank) {
			return a.Rank
		}
		return r.Rank
	}
	for rank := a.Rank; rank > d.stepRank(r); rank-- {
		if d.subscribed(a, r.Receiver, rank) {
			return rank
		}
	}
	return d.stepRank(r)
}

// fittingChange is a change from the level that was told to the one that
// stands, or to the highest below it that is the receiver's.
func (d *draft) fittingChange(a *Alert, r *Row, told int) (RowKind, int) {
	if a.Rank < told {
		return Fall, a.Rank
	}
	for rank := a.Rank; rank > told; rank-- {
		if d.subscribed(a, r.Receiver, rank) {
			return Rise, rank
		}
	}
	if r.Ack != nil && !r.Escalated {
		return Acked, told
	}
	return r.Kind, told
}
