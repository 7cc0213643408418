package evaluate

import (
	"slices"

	"github.com/go-batteries/hawkeye/internal/alert"
)

// Condense makes one thing to tell of all that happened to an alert during a
// catch-up: how it stands now, and how often it fired. What is left out is
// marked, and stays for the history. Version-1 monitors have run_every for
// that and are left alone.
func (c *Change) Condense() {
	var over []alert.Event // which tell of themselves alone
	c.Events = slices.DeleteFunc(c.Events, func(e alert.Event) bool {
		if e.Over {
			over = append(over, e)
		}
		return e.Over
	})
	c.condense()
	c.Events = append(over, c.Events...)
}

func (c *Change) condense() {
	if c.Alert.Rule == nil || c.Alert.Rule.Monitor.Legacy || len(c.Events) < 2 {
		return
	}
	was, is := c.Before.Flapping(), c.Alert.State.Flapping()
	switch {
	case is:
		c.condenseFlapping(was)
	case was:
		c.condenseStable()
	case c.Before.Phase.Told() && c.Alert.State.Phase.Told():
		c.condenseStanding()
	case c.Before.Phase.Told():
		c.condenseEnd()
	default:
		c.condenseNews()
	}
}

// condenseFlapping: it flaps by now, which is told unless it was before; then
// only a level that is higher than those before is.
func (c *Change) condenseFlapping(was bool) {
	s := &c.Alert.State
	flap := *s.Flap
	switch {
	case was:
		flap.Incident = c.Before.Flap.Incident
	case c.Before.Phase.Told():
		flap.Incident = c.Before.Incident
	}
	s.Flap = &flap
	if s.Incident != "" {
		s.Incident = flap.Incident
	}
	if was {
		c.pass()
		if i := c.reaches(c.highest()); i >= 0 {
			c.Events[i].Passed, c.Events[i].Incident = false, flap.Incident
		}
		return
	}
	now := c.last(alert.FlapsNow)
	c.pass(now)
	if now >= 0 {
		e := &c.Events[now]
		if e.Incident = flap.Incident; c.highest() > e.To {
			e.From = c.highest()
		}
	}
}

// condenseStable: it flaps no more. Whoever was told that it does hears how it
// stands now, whatever happened since.
func (c *Change) condenseStable() {
	s := &c.Alert.State
	stable := c.last(alert.FlapsNoMore)
	c.pass(stable)
	if stable < 0 {
		return
	}
	e := &c.Events[stable]
	e.Incident, e.To = c.Before.Flap.Incident, 0
	if s.Phase.Told() {
		s.Incident = e.Incident
		e.To, e.Level = max(s.Rank, 1), s.Level
	}
}

// condenseStanding: it fires as it was told, be it again or at another level.
// Of a higher one that it left again the history says why it isn't told.
func (c *Change) condenseStanding() {
	s := &c.Alert.State
	highest, missing := c.highest(), -1
	if s.Phase == alert.NoData && c.Before.Phase != alert.NoData {
		missing = c.last(alert.WentMissing)
	}
	c.pass(missing)
	s.Incident, s.Since, s.FiredAt = c.Before.Incident, c.Before.Since, c.Before.FiredAt
	if missing >= 0 {
		c.Events[missing].Incident = s.Incident
		return
	}
	from := c.Before.Rank
	if highest > max(from, s.Rank) {
		c.level(from, highest)
		from = highest
	}
	c.level(from, s.Rank)
}

// condenseEnd: what was told is over, whatever happened since. Those hear of it
// as well whom a higher level notifies that it reached meanwhile.
func (c *Change) condenseEnd() {
	ended, rises := c.last(alert.Resolved), c.rises(c.Before.Rank, 0)
	c.pass(ended)
	if ended < 0 {
		return
	}
	e, b := &c.Events[ended], &c.Before
	e.Incident, e.From, e.Level, e.Since, e.FiredAt = b.Incident, b.Rank, b.Level, b.Since, b.FiredAt
	c.insert(ended, rises)
}

// condenseNews: nothing was told before. The last of the incidents stands for
// all of them, with the levels that were reached: if it is over, those whom
// each notifies hear of it, else those of the level that stands.
func (c *Change) condenseNews() {
	s := &c.Alert.State
	fired, ended := c.last(alert.Fired), -1
	if !s.Phase.Told() {
		ended = c.last(alert.Resolved)
	}
	times := 0
	for i := range c.Events {
		if c.Events[i].Kind == alert.Fired {
			times++
		}
	}
	if fired < 0 { // data was missing, and may still be
		missing := -1
		if s.Phase == alert.NoData {
			missing = c.last(alert.WentMissing)
		}
		c.pass(missing)
		return
	}
	highest := c.highest()
	low := c.lowest(fired)
	rises := c.rises(low.To, fired)
	c.pass(fired, ended)
	e := &c.Events[fired]
	e.Times = times
	switch {
	case !s.Phase.Told():
		e.To, e.Level = low.To, low.Level
		if ended >= 0 {
			c.Events[ended].From = max(c.Events[ended].From, highest)
			c.insert(ended, rises)
		}
	case highest > s.Rank:
		e.Incident, e.To, e.Level = s.Incident, highest, c.Events[c.reaches(highest)].Level
		c.level(highest, s.Rank)
	default:
		e.Incident, e.To, e.Level = s.Incident, s.Rank, s.Level
	}
}

// reached says whether a level stood after an event.
func reached(e *alert.Event) bool {
	switch e.Kind {
	case alert.Fired, alert.Rose, alert.Fell, alert.LevelsFlap:
		return true
	}
	return false
}

// highest is the highest level that was reached.
func (c *Change) highest() (rank int) {
	for i := range c.Events {
		if reached(&c.Events[i]) {
			rank = max(rank, c.Events[i].To)
		}
	}
	return rank
}

// lowest is the event, from one on, at which the lowest level stood.
func (c *Change) lowest(from int) alert.Event {
	low := c.Events[from]
	for _, e := range c.Events[from:] {
		if reached(&e) && e.To < low.To {
			low = e
		}
	}
	return low
}

// reaches returns the place of the first event at which a level stood, or -1.
func (c *Change) reaches(rank int) int {
	for i := range c.Events {
		if reached(&c.Events[i]) && c.Events[i].To == rank {
			return i
		}
	}
	return -1
}

// rises are changes up to each level above a rank that was reached, in their
// order, each with the value and the time of when it was: from one event on
// if it was so then, else of what went before.
func (c *Change) rises(above, from int) (rises []alert.Event) {
	for rank := above + 1; rank <= c.highest(); rank++ {
		i := c.reaches(rank)
		if i < 0 {
			continue
		}
		e := c.Events[i]
		for _, later := range c.Events[from:] {
			if reached(&later) && later.To == rank {
				e = later
				break
			}
		}
		e.Kind, e.From, e.To, e.Flapping, e.Passed = alert.Rose, above, rank, false, false
		rises, above = append(rises, e), rank
	}
	return rises
}

// insert puts events before the one at a place, as ones of its incident.
func (c *Change) insert(at int, events []alert.Event) {
	end := &c.Events[at]
	for i := range events {
		events[i].Incident, events[i].Since, events[i].FiredAt = end.Incident, end.Since, end.FiredAt
		if events[i].At.After(end.At) { // of an incident after the one that ends
			events[i].At = end.At
		}
	}
	c.Events = slices.Insert(c.Events, at, events...)
}

// level adds the one change of level that all of them come to.
func (c *Change) level(from, to int) {
	if from == to {
		return
	}
	s, e := &c.Alert.State, c.Events[len(c.Events)-1]
	e.Kind, e.Passed, e.Flapping, e.From, e.To, e.Times = alert.Rose, false, false, from, to, 0
	if to < from {
		e.Kind = alert.Fell
	}
	e.Incident, e.Level, e.Since, e.FiredAt = s.Incident, s.Level, s.Since, s.FiredAt
	if i := c.reaches(to); to != s.Rank && i >= 0 {
		e.Level, e.Value, e.HasValue = c.Events[i].Level, c.Events[i].Value, c.Events[i].HasValue
	}
	c.Events = append(c.Events, e)
}

// last returns the place of the last event of a kind, or -1.
func (c *Change) last(kind alert.Kind) int {
	for i := len(c.Events) - 1; i >= 0; i-- {
		if c.Events[i].Kind == kind {
			return i
		}
	}
	return -1
}

// pass marks everything that receivers would hear of, but for what is kept,
// which is told even if it was one of too many changes.
func (c *Change) pass(keep ...int) {
	for i := range c.Events {
		e := &c.Events[i]
		e.Passed = e.Kind.Told()
		for _, k := range keep {
			if k == i {
				e.Passed, e.Flapping = false, false
			}
		}
	}
}
