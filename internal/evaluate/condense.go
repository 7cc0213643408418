package evaluate

import "github.com/go-batteries/hawkeye/internal/alert"

// Condense makes one thing to tell of all that happened to an alert during a
// catch-up: how it stands now, and how often it fired. What is left out is
// marked, and stays for the history. Version-1 monitors have run_every for
// that and are left alone.
func (c *Change) Condense() {
	if c.Alert.Rule == nil || c.Alert.Rule.Monitor.Legacy || len(c.Events) < 2 {
		return
	}
	fired, last, ended := 0, -1, -1
	for i := range c.Events {
		switch e := &c.Events[i]; e.Kind {
		case alert.Fired:
			fired, last = fired+1, i
		case alert.Resolved:
			ended = i
		}
	}
	s := &c.Alert.State
	before, after := c.Before.Phase.Told(), s.Phase.Told()
	switch {
	case !after && ended < 0, fired == 0 && after:
		c.condenseLevels()
	case before && after: // it fires as it was told, be it again
		c.pass(-1, -1)
		s.Incident, s.Since, s.FiredAt = c.Before.Incident, c.Before.Since, c.Before.FiredAt
		c.level(s.Rank)
	case before: // the end of what was told
		c.pass(ended, -1)
		e := &c.Events[ended]
		e.Incident, e.From, e.Since, e.FiredAt = c.Before.Incident, c.Before.Rank, c.Before.Since, c.Before.FiredAt
	default:
		keepEnd := -1
		if !after {
			keepEnd = ended
		}
		c.pass(last, keepEnd)
		e := &c.Events[last]
		e.Times = fired
		if after {
			e.To, e.Level = s.Rank, s.Level
		}
	}
}

// condenseLevels leaves the sum of the changes of level within an incident.
func (c *Change) condenseLevels() {
	c.pass(-1, -1)
	c.level(c.Alert.State.Rank)
}

// level adds the one change of level that all of them come to.
func (c *Change) level(to int) {
	from := c.Before.Rank
	if from == to || !c.Before.Phase.Told() || !c.Alert.State.Phase.Told() {
		return
	}
	e := c.Events[len(c.Events)-1]
	e.Kind, e.Passed, e.From, e.To = alert.Rose, false, from, to
	if to < from {
		e.Kind = alert.Fell
	}
	e.Incident, e.Level = c.Alert.State.Incident, c.Alert.State.Level
	e.Since, e.FiredAt = c.Alert.State.Since, c.Alert.State.FiredAt
	c.Events = append(c.Events, e)
}

// pass marks what is told in sum: everything that receivers would hear of, but
// for two.
func (c *Change) pass(keep, also int) {
	for i := range c.Events {
		e := &c.Events[i]
		if i == keep || i == also {
			continue
		}
		switch e.Kind {
		case alert.Fired, alert.Rose, alert.Fell, alert.Resolved:
			e.Passed = true
		}
	}
}
