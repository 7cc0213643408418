package notify

import (
	"cmp"
	"slices"
	"time"
)

// head returns the row of a chain that is next, after it merged what can be
// told in one. It returns nil if a row of the chain is being sent, or if
// nothing of it is left to tell.
func (d *draft) head(chain []*Row) *Row {
	chain = d.unsent(chain)
	if len(chain) == 0 {
		return nil
	}
	first := chain[0]
	if first.Claim != nil {
		if d.underway(first) {
			return nil
		}
		first = d.takeOver(first)
		chain[0] = first
	}
	if slices.ContainsFunc(chain[1:], d.underway) {
		return nil // what is before it was decided again
	}
	if first.Kind == Undelivers {
		d.behind[first.ID] = chain[1:]
		return first
	}
	if first.Batch != "" && !d.bypass(chain) {
		return first
	}
	n := 1
	for n < len(chain) && chain[n].Kind != Undelivers {
		n++
	}
	return d.fold(chain[:n])
}

// foremost is what is next of a chain, be it that it is being sent.
func (d *draft) foremost(chain []*Row, head *Row) []*Row {
	if head != nil {
		return []*Row{head}
	}
	for _, r := range chain {
		if r = d.current(r); r.Live() {
			return []*Row{r}
		}
	}
	return nil
}

// inOrder sees to it that what is told of an incident is not told before what
// is still to be told of an earlier one of the same alert: that goes along, or
// the row waits for it. It also adds what comes right after a message to a
// fallback.
func (d *draft) inOrder(rows []*Row) []*Row {
	var out []*Row
	for _, r := range rows {
		before, wait := d.earlier(r, rows)
		if wait != "" {
			d.hold(r, wait, false)
			continue
		}
		end := d.endBehind(r)
		out = append(append(out, before...), d.current(r))
		if end != nil {
			out = append(out, end)
		}
	}
	return out
}

// earlier returns what is to be told before a row, of earlier incidents of its
// alert, that isn't among those that go with it; or why the row has to wait.
func (d *draft) earlier(r *Row, with []*Row) (before []*Row, wait string) {
	if r.Alert == "" || d.runEvery(r.Monitor) > 0 {
		return nil, ""
	}
	for _, other := range d.heads[r.threadKey()] {
		other = d.current(other)
		if other.Incident == r.Incident || !other.Live() || byAge(other, r) >= 0 || slices.ContainsFunc(with, func(w *Row) bool { return w.ID == other.ID }) {
			continue
		}
		const why = "waits for what goes before it"
		switch {
		case other.Claim != nil:
			return nil, why
		case !d.heard(other):
			continue // it is muted, or has just been dropped
		case other.Batch == "" && r.Batch == "":
			if d.dropUnwanted(d.current(other)) {
				continue
			}
			before = append(before, d.current(other))
		case r.Batch != "":
			// What may have been delivered goes as it was.
		default:
			if r.Held != why && d.now.Before(other.NextAttempt) {
				d.hurry(other)
			}
			return nil, why
		}
	}
	return before, ""
}

// hurry lets the rows that may be one message with r be tried now, once.
func (d *draft) hurry(r *Row) {
	for _, other := range d.v.Rows {
		if other = d.current(other); other.Live() && other.Batch == r.Batch && other.Claim == nil {
			d.edit(other).NextAttempt = d.now
		}
	}
}

// endBehind returns the end that is next after a message to a fallback: they
// go together. If nothing of that may have been delivered, it tells of the end
// itself.
func (d *draft) endBehind(r *Row) *Row {
	behind := d.behind[r.ID]
	if len(behind) == 0 {
		return nil
	}
	last := d.current(behind[len(behind)-1])
	if !last.Ends() || last.Claim != nil {
		return nil
	}
	if !last.Told && !r.begun() && r.Batch == "" && !slices.ContainsFunc(behind, (*Row).begun) {
		own := d.edit(r)
		own.Both = true
		d.merge(own, behind)
		return nil
	}
	last = d.edit(last)
	last.Told = true
	return d.fold(append(slices.Clone(behind[:len(behind)-1]), last))
}

// underway says whether a row is being sent by somebody who may still do so.
func (d *draft) underway(r *Row) bool {
	return r.Claim != nil && (d.v.Lapsed == nil || !d.v.Lapsed(r))
}

// unsent takes out what is known to be sent: it was decided again, because
// the store lost our note of it. When an end was sent, so is what it ended.
func (d *draft) unsent(chain []*Row) []*Row {
	if d.v.Sent == nil {
		return chain
	}
	over := slices.ContainsFunc(chain, func(r *Row) bool { return r.Ends() && d.v.Sent(r.ID) })
	left := chain[:0:0]
	for _, r := range chain {
		switch {
		case d.v.Sent(r.ID):
			d.drop(r, Dropped, "sent already")
			d.told(r)
		case over:
			d.drop(r, Dropped, "its end was sent already")
		default:
			left = append(left, d.current(r))
		}
	}
	return left
}

// takeOver frees a row whose writer is gone or too slow. It may have been
// delivered.
func (d *draft) takeOver(r *Row) *Row {
	r = d.edit(r)
	d.note(r, WhatTakeover, "from "+r.Claim.Writer)
	r.Uncertain, r.Batch, r.Claim = true, r.Claim.Message, nil
	return r
}

// bypass says whether an end goes past a first row that may have been
// delivered, because that one is muted and the end is not.
func (d *draft) bypass(chain []*Row) bool {
	last := chain[len(chain)-1]
	return last.Ends() && d.muteOf(chain[0].Alert, chain[0].Monitor, &chain[0].Snapshot) != nil
}

// fold makes one row of several that are next in a chain: the last one, which
// says what the others would have.
func (d *draft) fold(rows []*Row) *Row {
	last := rows[len(rows)-1]
	if d.runEvery(last.Monitor) > 0 && len(rows) == 1 {
		return last
	}
	told, rank := d.toldOf(rows)
	if len(rows) == 1 && !last.Ends() {
		if told || !last.Kind.relative() {
			return last
		}
		last = d.edit(last)
		last.Kind = Firing
		return last
	}
	if why := d.nothingLeft(rows, told, rank); why != "" {
		for _, r := range rows {
			d.finish(r, Dropped, why)
		}
		d.note(last, WhatNotTold, why)
		return nil
	}
	if len(rows) == 1 {
		return last
	}
	last = d.edit(last)
	last.Kind = netKind(rows, told, rank)
	d.merge(last, rows[:len(rows)-1])
	switch {
	case last.Ends():
		last.Told, last.Both = told, !told
	case last.Kind == Repeat && last.Ack != nil && !last.Escalated && last.AckOver == "":
		last.Kind = Acked
	}
	return last
}

// netKind is what the rows of a chain come to, for somebody who was told of a
// rank, or of nothing.
func netKind(rows []*Row, told bool, rank int) RowKind {
	last := rows[len(rows)-1]
	switch {
	case last.Ends(), last.Kind == Flapping, last.Kind == FlappingLevels, last.Kind == Missing, last.Kind == Acked && told && last.Rank == rank:
		return last.Kind
	case !told:
		return Firing
	case hasKind(rows, Stable) && !hasKind(rows, Flapping) && !slices.ContainsFunc(rows, func(r *Row) bool { return r.Escalated }):
		return Stable
	case last.Snapshot.StandsLevel != "" && last.Rank < rank:
		return Repeat
	case last.Rank > rank:
		return Rise
	case last.Rank < rank:
		return Fall
	}
	return Repeat
}

func hasKind(rows []*Row, kind RowKind) bool {
	return slices.ContainsFunc(rows, func(r *Row) bool { return r.Kind == kind })
}

// merge moves into a row what counts of those before it.
func (d *draft) merge(into *Row, rows []*Row) {
	for _, r := range rows {
		into.Also = append(append(into.Also, r.ID), r.Also...)
		into.Attempts += r.Attempts
		into.Breaches += r.Breaches
		if r.Escalated && !into.Escalated {
			into.Escalated, into.Step = true, cmp.Or(r.Step, r.Snapshot.Level)
		}
		if into.Ack == nil {
			into.Ack = r.Ack
		}
		into.AckEnded, into.AckOver = cmp.Or(into.AckEnded, r.AckEnded), cmp.Or(into.AckOver, r.AckOver)
		if into.Released == nil {
			into.Released = r.Released
		}
		into.tries(r)
		if since := r.waitsSince(); since.Before(into.waitsSince()) {
			into.Queued, into.FirstAt = since, r.beganAt()
		}
		if into.Snapshot.Since.IsZero() {
			into.Snapshot.Since = r.Snapshot.Since
		}
		if r.NextAttempt.After(into.NextAttempt) {
			into.NextAttempt = r.NextAttempt
		}
		into.Held, into.Muted = r.Held, r.Muted
		d.drop(r, Merged, "told by "+into.ID)
	}
}

// tries moves on into a row how long its receiver couldn't be told, and that a
// fallback was told in its place, unless that was of less than what it tells.
func (r *Row) tries(before *Row) {
	if before.FellBack && r.Rank > before.Rank && r.News() {
		return
	}
	r.FellBack = r.FellBack || before.FellBack
	if r.FirstTried.IsZero() || !before.FirstTried.IsZero() && before.FirstTried.Before(r.FirstTried) {
		r.FirstTried = before.FirstTried
	}
}

// toldOf says whether anything of the chain's incident was told, or may have
// been, and of which level.
func (d *draft) toldOf(rows []*Row) (told bool, rank int) {
	t := d.thread(rows[0].Alert, rows[0].Receiver)
	if t != nil && t.Incident == rows[0].Incident && t.Told {
		return true, t.ToldRank
	}
	for _, r := range rows {
		if told = told || r.Told || r.Uncertain; r.Uncertain {
			rank = r.Rank
		}
	}
	return told, rank
}

// nothingLeft returns why the rows of a chain need not be told at all, or "".
func (d *draft) nothingLeft(rows []*Row, told bool, rank int) string {
	first, last := rows[0], rows[len(rows)-1]
	switch {
	case last.Ends() && !told && len(rows) == 1 && !last.Both:
		return "its firing was not told"
	case last.Ends() && !told && first.Muted:
		return "came and went while " + first.Held
	case last.Ends() && !told && d.beforeWait(first, last.Snapshot.At):
		return d.tooShort(first, last.Snapshot.At)
	case !last.Ends() && told && last.Rank == rank && onlyLevels(rows):
		return "back at the level that was told"
	}
	return ""
}

// beforeWait says whether an incident was shorter than its group waits for
// more to tell, by the ticks in which it happened: when they were learnt of
// doesn't count.
func (d *draft) beforeWait(first *Row, over time.Time) bool {
	group := d.groupOf(first)
	return group != nil && first.Attempts == 0 && first.Opens() && over.Sub(first.beganAt()) < group.Wait
}

func (d *draft) tooShort(first *Row, over time.Time) string {
	return "over before the group's wait was: it lasted for " + over.Sub(first.beganAt()).Round(time.Millisecond).String() +
		", the wait is " + d.groupOf(first).Wait.String()
}

// onlyLevels says whether the rows tell of nothing but changes of level, be it
// that it flapped between them and is stable again.
func onlyLevels(rows []*Row) bool {
	for _, r := range rows {
		switch {
		case r.Escalated, r.AckOver != "", r.Ack != nil:
			return false
		case r.Kind == Rise, r.Kind == Fall, r.Kind == FlappingLevels:
		case r.Kind == Flapping, r.Kind == Stable && hasKind(rows, Flapping):
		default:
			return false
		}
	}
	return rows[len(rows)-1].Kind != Flapping && rows[len(rows)-1].Kind != FlappingLevels
}
