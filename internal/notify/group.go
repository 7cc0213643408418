package notify

import (
	"cmp"
	"slices"
	"time"
)

// ToldLevel is a level that a group was told.
type ToldLevel struct {
	Name string `json:"name"`
	Rank int    `json:"rank,omitempty"`
}

// GroupState is when a group was told, and how often since its interval
// began: a record of the ledger. A version before writes SentAt alone, which is
// one message, at the beginning of the interval.
type GroupState struct {
	V        int       `json:"v"`
	Receiver string    `json:"receiver"`
	Values   string    `json:"values"`
	SentAt   time.Time `json:"sent_at"`
	// Began is the first message of the interval. Count are the messages with
	// news since, that one among them whatever it was, Rest those without.
	Began time.Time `json:"began,omitzero"`
	Count int       `json:"count,omitempty"`
	Rest  int       `json:"rest,omitempty"`
	// NewsAt is when there was news last.
	NewsAt time.Time `json:"news_at,omitzero"`
	// Levels are those that were told since.
	Levels []ToldLevel `json:"levels,omitempty"`
}

// Key returns what the state is found by.
func (g *GroupState) Key() GroupKey { return GroupKey{g.Receiver, g.Values} }

func (g *GroupState) began() time.Time {
	if g.Began.IsZero() {
		return g.SentAt
	}
	return g.Began
}

// ends is when a group's interval is over.
func (g *GroupState) ends(group *Group) time.Time { return g.began().Add(group.Interval) }

// next is when a group may be told next within its interval. The first news
// goes at once; the pauses after it double, and when all of the burst is used
// what is left waits for the end of the interval. What is no news has a count
// of its own, so that it doesn't take the place of news.
func (g *GroupState) next(group *Group, news bool) time.Time {
	n, last := g.Rest+1, g.SentAt
	if news {
		n, last = max(g.Count, 1), cmp.Or(g.NewsAt, g.SentAt)
	}
	end := g.ends(group)
	if n >= group.burst() {
		return end
	}
	at := last.Add(time.Second << min(n-1, 20))
	if at.After(end) {
		return end
	}
	return at
}

func (g *Group) burst() int { return max(g.Burst, 1) }

// fresh says whether a group is in no interval: what it is told begins one.
func (g *Group) fresh(state *GroupState, now time.Time) bool {
	return state == nil || !now.Before(state.ends(g))
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

// groupState returns what is known of a group, the plan's own first.
func (d *draft) groupState(key GroupKey) *GroupState {
	for _, state := range slices.Backward(d.plan.Groups) {
		if state.Key() == key {
			return state
		}
	}
	return d.v.Groups[key]
}

// groupDue says whether a group may be told now: the first of its rows has
// waited for more, or the messages before leave room for one.
func (d *draft) groupDue(b *bundle) bool {
	b.news = slices.ContainsFunc(b.rows, (*Row).News)
	if b.bound != "" || d.v.Hurry && !d.retries(b) {
		return true
	}
	state := d.v.Groups[b.key]
	due := d.firstDue(b, state)
	if !b.group.fresh(state, d.now) {
		if next := state.next(b.group, b.news); next.After(due) {
			due = next
		}
		if d.now.Before(due) && b.news && !b.unwanted && d.higher(b, state) {
			b.beyond = true
			return true
		}
	}
	if !d.now.Before(due) {
		return true
	}
	d.wake(due)
	d.holdAll(b.rows, "grouped: not before "+stamp(due))
	return false
}

// firstDue is when the first row of a bundle has waited for more. Only what
// came to a group that was silent for an interval waits.
func (d *draft) firstDue(b *bundle, state *GroupState) (due time.Time) {
	for _, r := range b.rows {
		at := r.Created
		switch {
		case r.Attempts > 0:
			at = r.NextAttempt
		case d.waits(r) && (state == nil || !r.waitsSince().Before(state.SentAt.Add(b.group.Interval))):
			at = r.waitsSince().Add(b.group.Wait)
		}
		if due.IsZero() || at.Before(due) {
			due = at
		}
	}
	return due
}

// higher says whether a bundle has news of a level that is higher than all
// that its group was told in this interval.
func (d *draft) higher(b *bundle, state *GroupState) bool {
	levels := state.Levels
	if state.Count == 0 { // a version before told something, of the mildest level at least
		levels = []ToldLevel{{Rank: 1}}
	}
	return slices.ContainsFunc(b.rows, func(r *Row) bool {
		return r.News() && r.Rank > 0 && r.Snapshot.Level != "" && !slices.ContainsFunc(levels, func(told ToldLevel) bool {
			return !d.above(r, told)
		})
	})
}

// above says whether the level of a row is higher than one that was told, by
// the order of its monitor, or of any that has both; else by their ranks.
func (d *draft) above(r *Row, told ToldLevel) bool {
	if r.Snapshot.Level == told.Name {
		return false
	}
	if routing := d.v.Config.Monitors[r.Monitor]; routing != nil {
		if rank := routing.rank(told.Name); rank > 0 {
			return r.Rank > rank
		}
	}
	order := d.levelOrder()
	switch {
	case order[[2]string{r.Snapshot.Level, told.Name}]:
		return true
	case order[[2]string{told.Name, r.Snapshot.Level}]:
		return false
	}
	return r.Rank > told.Rank
}

// levelOrder holds the pairs of levels of which the first is the higher one in
// some monitor.
func (d *draft) levelOrder() map[[2]string]bool {
	if d.order != nil {
		return d.order
	}
	d.order = make(map[[2]string]bool)
	for _, routing := range d.v.Config.Monitors {
		for i := range routing.Levels {
			for j := range i {
				d.order[[2]string{routing.Levels[i].Name, routing.Levels[j].Name}] = true
			}
		}
	}
	return d.order
}

// rank is the rank of a level by its name; 0 if there is none.
func (r *Routing) rank(name string) int {
	return 1 + slices.IndexFunc(r.Levels, func(l LevelRoute) bool { return l.Name == name })
}

// usedUp returns when the next news of a group may be told if this message is
// the last of its burst, else zero.
func (d *draft) usedUp(b *bundle) time.Time {
	if !b.news || b.beyond || b.group.burst() == 1 {
		return time.Time{}
	}
	state := d.v.Groups[b.key]
	if b.group.fresh(state, d.now) || max(state.Count, 1)+1 < b.group.burst() {
		return time.Time{}
	}
	return state.ends(b.group)
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

// groupTold, for a message of a group, counts it for the group's interval, and
// the standing alerts as told again: the message showed them.
func (d *draft) groupTold(m *Message) {
	if m.Released != nil {
		d.releaseTold(m)
	}
	if m.GroupBy == nil {
		return
	}
	d.countMessage(m.Group, m, m.Rows)
	for _, a := range m.Standing {
		if t := d.thread(a.Key, m.Receiver); t != nil && t.Incident == a.Incident && !t.Over {
			own := d.editThread(a.Key, m.Receiver)
			own.ToldAt, own.TriedAt, own.Held = d.now, d.now, ""
		}
	}
}

// countMessage counts a message that told rows of a group.
func (d *draft) countMessage(key GroupKey, m *Message, rows []*Row) {
	state := &GroupState{V: RecordVersion, Receiver: key.Receiver, Values: key.Values, Began: d.now, Count: 1}
	claimed := d.now
	if rows[0].Claim != nil {
		claimed = rows[0].Claim.At
	}
	group := d.groupOf(rows[0])
	if before := d.groupState(key); before != nil && group != nil && claimed.Before(before.ends(group)) {
		state.Began, state.Count, state.Rest = before.began(), max(before.Count, 1), before.Rest
		state.Levels, state.NewsAt = slices.Clone(before.Levels), cmp.Or(before.NewsAt, before.SentAt)
		switch {
		case m.Beyond:
		case m.News:
			state.Count++
		default:
			state.Rest++
		}
	}
	if state.SentAt = d.now; m.News || state.NewsAt.IsZero() {
		state.NewsAt = d.now
	}
	for _, r := range rows {
		told := ToldLevel{r.Snapshot.Level, r.Rank}
		if !r.Ends() && r.Rank > 0 && told.Name != "" && !slices.Contains(state.Levels, told) {
			state.Levels = append(state.Levels, told)
		}
	}
	d.plan.Groups = append(d.plan.Groups, state)
}
