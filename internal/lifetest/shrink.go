package lifetest

import (
	"slices"
	"time"
)

// Shrink returns a life in which less happens and that still fails: fails runs
// one and says so. It takes away what it can, one after the other.
func Shrink(l *Life, fails func(*Life) bool) *Life {
	for smaller := true; smaller; {
		smaller = false
		for at := 0; at < len(cuts(l)); {
			next := l.clone()
			if cuts(l)[at](next) && fails(next) {
				l, smaller = next, true // what comes next has moved up
				continue
			}
			at++
		}
	}
	return l
}

// clone copies a life deeply.
func (l *Life) clone() *Life {
	c := *l
	c.Receivers, c.Inhibit = slices.Clone(l.Receivers), slices.Clone(l.Inhibit)
	c.Silences, c.Acks, c.Outages = slices.Clone(l.Silences), slices.Clone(l.Acks), slices.Clone(l.Outages)
	c.Monitors, c.Courses = slices.Clone(l.Monitors), slices.Clone(l.Courses)
	for i := range c.Monitors {
		c.Monitors[i].Levels = slices.Clone(c.Monitors[i].Levels)
		for k := range c.Monitors[i].Levels {
			c.Monitors[i].Levels[k].Escalate = slices.Clone(c.Monitors[i].Levels[k].Escalate)
		}
	}
	for i := range c.Courses {
		c.Courses[i].Parts = slices.Clone(c.Courses[i].Parts)
	}
	return &c
}

// cuts are the ways in which a life may be made smaller, the boldest first.
// Each returns false if there was nothing to cut.
func cuts(l *Life) []func(*Life) bool {
	var out []func(*Life) bool
	add := func(cut func(*Life) bool) { out = append(out, cut) }
	for i := range l.Monitors {
		add(func(l *Life) bool { return l.dropMonitor(l.Monitors[i].Name) })
	}
	for i := range l.Courses {
		if len(l.Courses[i].Parts) > 0 {
			add(func(l *Life) bool { l.Courses[i].Parts = nil; return true })
		}
	}
	for i := range l.Silences {
		add(func(l *Life) bool { l.Silences = slices.Delete(l.Silences, i, i+1); return true })
	}
	for i := range l.Acks {
		add(func(l *Life) bool { l.Acks = slices.Delete(l.Acks, i, i+1); return true })
	}
	for i := range l.Outages {
		add(func(l *Life) bool { l.Outages = slices.Delete(l.Outages, i, i+1); return true })
	}
	for i := range l.Inhibit {
		add(func(l *Life) bool { l.Inhibit = slices.Delete(l.Inhibit, i, i+1); return true })
	}
	for i := range l.Receivers {
		add(func(l *Life) bool { r := &l.Receivers[i]; had := r.Group != Group{}; r.Group = Group{}; return had })
		add(func(l *Life) bool { r := &l.Receivers[i]; had := r.Fallback != ""; r.Fallback = ""; return had })
		add(func(l *Life) bool { r := &l.Receivers[i]; had := r.NoEnds; r.NoEnds = false; return had })
	}
	for i := range l.Monitors {
		add(func(l *Life) bool { m := &l.Monitors[i]; had := m.Keep > 0; m.Keep = 0; return had })
		add(func(l *Life) bool { m := &l.Monitors[i]; had := m.Night; m.Night = false; return had })
		for k := range l.Monitors[i].Levels {
			for s := range l.Monitors[i].Levels[k].Escalate {
				add(func(l *Life) bool {
					level := &l.Monitors[i].Levels[k]
					level.Escalate = slices.Delete(level.Escalate, s, s+1)
					return true
				})
			}
			add(func(l *Life) bool {
				level := &l.Monitors[i].Levels[k]
				had := len(level.Notify) > 1
				level.Notify = level.Notify[:1]
				return had
			})
			add(func(l *Life) bool {
				level := &l.Monitors[i].Levels[k]
				had := level.For > 0
				level.For = 0
				return had
			})
		}
	}
	for i := range l.Courses {
		for k := range l.Courses[i].Parts {
			add(func(l *Life) bool {
				c := &l.Courses[i]
				c.Parts = slices.Delete(c.Parts, k, k+1)
				return true
			})
			add(func(l *Life) bool {
				p := &l.Courses[i].Parts[k]
				had := p.Down > 0
				p.Up, p.Down, p.Low = 0, 0, 0
				return had
			})
		}
	}
	add(func(l *Life) bool { return l.shorten() })
	return out
}

func (l *Life) dropMonitor(name string) bool {
	if len(l.Monitors) < 2 {
		return false
	}
	l.Monitors = slices.DeleteFunc(l.Monitors, func(m Monitor) bool { return m.Name == name })
	l.Courses = slices.DeleteFunc(l.Courses, func(c Course) bool { return c.Alert.Monitor == name })
	l.Acks = slices.DeleteFunc(l.Acks, func(a Ack) bool { return a.Alert.Monitor == name })
	l.Inhibit = slices.DeleteFunc(l.Inhibit, func(i Inhibit) bool { return i.Source == name || i.Target == name })
	l.Silences = slices.DeleteFunc(l.Silences, func(s Silence) bool { return s.Name == "monitor" && s.Value == name })
	return true
}

// shorten ends a life sooner.
func (l *Life) shorten() bool {
	if l.Calm < 10*time.Minute {
		return false
	}
	l.Calm = (l.Calm - 5*time.Minute).Truncate(time.Minute)
	l.End = l.Calm + 30*time.Minute
	for i := range l.Courses {
		c := &l.Courses[i]
		c.Parts = slices.DeleteFunc(c.Parts, func(p Part) bool { return p.From >= l.Calm })
		c.Parts = append(c.Parts, Part{From: l.Calm})
	}
	for i := range l.Outages {
		o := &l.Outages[i]
		o.To = min(o.To, l.Calm)
	}
	return true
}
