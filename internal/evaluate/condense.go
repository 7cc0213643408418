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

// condenseFlapping: it flaps by now, which is told unless it was before.
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
		return
	}
	now := c.last(alert.FlapsNow)
	c.pass(now)
	if now >= 0 {
		c.Events[now].Incident = flap.Incident
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
func (c *Change) condenseStanding() {
	s := &c.Alert.State
	missing := -1
	if s.Phase == alert.NoData && c.Before.Phase != alert.NoData {
		missing = c.last(alert.WentMissing)
	}
	c.pass(missing)
	s.Incident, s.Since, s.FiredAt = c.Before.Incident, c.Before.Since, c.Before.FiredAt
	if missing >= 0 {
		c.Events[missing].Incident = s.Incident
		return
	}
	c.level(c.Before.Rank, s.Rank)
}

// condenseEnd: what was told is over, whatever happened since.
func (c *Change) condenseEnd() {
	ended := c.last(alert.Resolved)
	c.pass(ended)
	if ended < 0 {
		return
	}
	e, b := &c.Events[ended], &c.Before
	e.Incident, e.From, e.Level, e.Since, e.FiredAt = b.Incident, b.Rank, b.Level, b.Since, b.FiredAt
}

// condenseNews: nothing was told before. The last of the incidents stands for
// all of them.
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
	c.pass(fired, ended)
	e := &c.Events[fired]
	e.Times = times
	if s.Phase.Told() {
		e.Incident, e.To, e.Level = s.Incident, s.Rank, s.Level
	}
}

// level adds the one change of level that all of them come to.
func (c *Change) level(from, to int) {
	if from == to {
		return
	}
	s, e := &c.Alert.State, c.Events[len(c.Events)-1]
	e.Kind, e.Passed, e.Flapping, e.From, e.To = alert.Rose, false, false, from, to
	if to < from {
		e.Kind = alert.Fell
	}
	e.Incident, e.Level, e.Since, e.FiredAt = s.Incident, s.Level, s.Since, s.FiredAt
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
