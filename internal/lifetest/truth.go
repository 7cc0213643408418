package lifetest

import "time"

const (
	// lookBack is the time within which bounds changes make an alert flap, or
	// its levels, and for which it must be calm to be stable.
	lookBack = 5 * time.Minute
	bounds   = 4
)

// moment is how an alert stands after a tick was judged.
type moment struct {
	raw int // the highest level that the value is in breach of
	// rank is the level that stands, also of a flapping alert that is down;
	// fires says that it does so for receivers.
	rank     int
	fires    bool
	flaps    bool
	bounced  bool // levels flap: the highest one stands
	incident *incident
}

// incident is one of an alert, from its first firing to its end.
type incident struct {
	alert    Name
	fired    []time.Duration // more than once if it flaps
	from, to time.Duration
	open     bool
	top      int // the highest level that was in breach or stood
	flapped  bool
}

// over says whether the incident has ended by then.
func (i *incident) over(at time.Duration) bool { return !i.open && at >= i.to }

// truth works out how an alert stands from its values, as docs/monitors.md has
// it, and knows nothing of the code that does so in earnest.
type truth struct {
	m    *Monitor
	name Name

	now     time.Duration
	breach  []time.Duration // by level: since when; -1 if not
	fires   bool
	rank    int
	clear   time.Duration // since when, -1 if not
	changes []time.Duration
	flaps   bool

	levels  []time.Duration // changes of level
	reached []int           // the levels that they were between
	bounced bool
	left    time.Duration // since when the value is below what stands, -1 if not

	current *incident
	all     []*incident
	moments []moment
}

func newTruth(l *Life, c *Course) *truth {
	t := &truth{m: l.monitor(c.Alert.Monitor), name: c.Alert, clear: -1, left: -1}
	for range t.m.Levels {
		t.breach = append(t.breach, -1)
	}
	for at := time.Duration(0); at < l.End; at += l.Tick {
		t.now = at + l.Tick
		raw := c.Rank(at)
		t.judge(raw)
		t.calm()
		t.moments = append(t.moments, moment{raw, t.rank, t.fires, t.flaps, t.bounced, t.current})
	}
	return t
}

func (t *truth) judge(raw int) {
	for i := range t.breach {
		switch {
		case i >= raw:
			t.breach[i] = -1
		case t.breach[i] < 0:
			t.breach[i] = t.now
		}
	}
	if raw == 0 {
		t.recover()
		return
	}
	to := t.ripe(raw)
	switch {
	case !t.fires && to > 0:
		t.fire(to)
	case t.fires:
		t.clear = -1
		if to > 0 {
			t.level(to)
		}
	}
	if c := t.current; c != nil {
		c.top = max(c.top, to, t.rank)
	}
}

// ripe returns the highest level that was in breach for long enough.
func (t *truth) ripe(raw int) int {
	for rank := raw; rank > 0; rank-- {
		if t.fires && rank <= t.rank || t.now-t.breach[rank-1] >= t.m.level(rank).For {
			return rank
		}
	}
	return 0
}

func (t *truth) fire(to int) {
	if !t.flaps {
		t.current = &incident{alert: t.name, from: t.now, open: true}
		t.all = append(t.all, t.current)
	}
	t.current.fired = append(t.current.fired, t.now)
	t.fires, t.rank, t.clear = true, to, -1
	t.change()
}

// recover is a clear value.
func (t *truth) recover() {
	if !t.fires {
		return
	}
	if t.clear < 0 {
		t.clear = t.now
	}
	if t.left < 0 {
		t.left = t.now
	}
	if t.now-t.clear < t.m.Keep {
		return
	}
	t.fires = false
	t.bounced, t.left, t.levels, t.reached = false, -1, nil, nil
	t.change()
	if !t.flaps {
		t.end()
	}
}

func (t *truth) end() {
	t.current.to, t.current.open = t.now, false
	t.current, t.rank = nil, 0
}

// change is a beginning or an end.
func (t *truth) change() {
	t.changes = append(t.changes, t.now)
	n := len(t.changes)
	if !t.flaps && n >= bounds && t.now-t.changes[n-bounds] < lookBack {
		t.flaps, t.current.flapped = true, true
	}
}

// calm ends flapping.
func (t *truth) calm() {
	if n := len(t.changes); !t.flaps || t.now-t.changes[n-1] < lookBack {
		return
	}
	t.flaps, t.changes = false, nil
	if !t.fires {
		t.end()
	}
}

// level is a value in breach that asks for a level.
func (t *truth) level(to int) {
	if t.bounced {
		switch {
		case to >= t.rank:
			t.rank, t.left = to, -1
		case t.left < 0:
			t.left = t.now
		case t.now-t.left >= lookBack:
			t.rank, t.left, t.bounced = to, -1, false
			t.levels, t.reached = nil, nil
		}
		return
	}
	if to == t.rank {
		return
	}
	t.levels, t.reached = append(t.levels, t.now), append(t.reached, max(to, t.rank))
	t.rank = to
	if n := len(t.levels); n >= bounds && t.now-t.levels[n-bounds] < lookBack {
		t.bounced = true
		for _, rank := range t.reached[n-bounds:] {
			t.rank = max(t.rank, rank)
		}
		if t.left = -1; t.rank > to {
			t.left = t.now
		}
	}
}
