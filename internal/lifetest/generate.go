package lifetest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// New returns the life of a seed.
func New(seed uint64) *Life {
	g := &generator{rng: rand.New(rand.NewPCG(seed, 1)), life: &Life{Seed: seed}}
	l := g.life
	l.Tick = pick(g, time.Second, time.Second, 5*time.Second)
	l.Calm = time.Duration(30+g.rng.IntN(60)) * time.Minute
	if l.Tick > time.Second {
		l.Calm *= 3
	}
	l.End = l.Calm + 30*time.Minute
	g.receivers()
	if g.chance(3) {
		from := g.some(l.Calm).Truncate(time.Minute)
		l.Night = Span{from, from + time.Duration(5+g.rng.IntN(40))*time.Minute}
	}
	for i := range 1 + g.rng.IntN(3) {
		g.monitor(fmt.Sprint("m", i))
	}
	if len(l.Monitors) > 1 && g.chance(3) {
		l.Inhibit = append(l.Inhibit, Inhibit{Source: "m0", Target: "m1", SameHost: l.Monitors[0].Hosts > 0 && l.Monitors[1].Hosts > 0 && g.chance(2)})
	}
	g.events()
	return l
}

type generator struct {
	rng  *rand.Rand
	life *Life
}

func (g *generator) chance(oneIn int) bool { return g.rng.IntN(oneIn) == 0 }

func pick[T any](g *generator, of ...T) T { return of[g.rng.IntN(len(of))] }

// some returns a time below a bound, in whole seconds.
func (g *generator) some(below time.Duration) time.Duration {
	return time.Duration(g.rng.Int64N(int64(below))).Truncate(time.Second)
}

func (g *generator) receivers() {
	names := []string{"team", "boss", "chief", "desk"}[:2+g.rng.IntN(3)]
	for i, name := range names {
		r := Receiver{Name: name}
		switch g.rng.IntN(6) {
		case 0:
			r.Group = Group{By: "host"}
		case 1:
			r.Group = Group{By: pick(g, "monitor", "host"), Wait: pick(g, 0, 10*time.Second, time.Minute), Interval: pick(g, 20*time.Second, 2*time.Minute, 5*time.Minute)}
		}
		if i+1 < len(names) && g.chance(3) {
			r.Fallback = names[i+1]
		}
		r.NoEnds = g.chance(12)
		g.life.Receivers = append(g.life.Receivers, r)
	}
}

// notify returns one or two of the receivers.
func (g *generator) notify() []string {
	all := g.life.Receivers
	first := g.rng.IntN(len(all))
	names := []string{all[first].Name}
	if g.chance(3) {
		names = append(names, all[(first+1)%len(all)].Name)
	}
	return names
}

func (g *generator) monitor(name string) {
	m := Monitor{Name: name, Keep: pick(g, 0, 0, 30*time.Second, 2*time.Minute), Night: g.life.Night != (Span{}) && g.chance(2)}
	if g.chance(3) {
		m.Hosts = pick(g, 2, 3, 8)
	}
	names := [][]string{{"critical"}, {"warning", "critical"}, {"warning", "critical"}, {"info", "warning", "critical"}}
	for _, level := range pick(g, names...) {
		l := Level{Name: level, Repeat: pick(g, 10*time.Minute, 20*time.Minute, time.Hour), Notify: g.notify()}
		if g.chance(6) {
			l.For = 30 * time.Second
		}
		after := pick(g, 2*time.Minute, 5*time.Minute, 15*time.Minute)
		for g.chance(2) && len(l.Escalate) < 2 {
			l.Escalate = append(l.Escalate, Step{after, g.notify()})
			after *= 2
		}
		m.Levels = append(m.Levels, l)
	}
	g.life.Monitors = append(g.life.Monitors, m)
}

// events makes what happens until it is calm.
func (g *generator) events() {
	l := g.life
	for i := range l.Monitors {
		m := &l.Monitors[i]
		for host := range max(m.Hosts, 1) {
			name := Name{Monitor: m.Name}
			if m.Hosts > 0 {
				name.Host = fmt.Sprint("h", host)
			}
			l.Courses = append(l.Courses, g.course(name, len(m.Levels)))
		}
	}
	if g.chance(3) {
		g.storm()
	}
	for range g.rng.IntN(4) {
		l.Silences = append(l.Silences, g.silence())
	}
	for range g.rng.IntN(3) {
		l.Acks = append(l.Acks, Ack{g.some(l.Calm), pick(g, 0, 10*time.Minute, 30*time.Minute), pick(g, l.Courses...).Alert, g.chance(4)})
	}
	for range g.rng.IntN(4) {
		from := g.some(l.Calm)
		l.Outages = append(l.Outages, Outage{
			Receiver:  pick(g, l.Receivers...).Name,
			Span:      Span{from, min(l.Calm, from+pick(g, 20*time.Second, 3*time.Minute, 12*time.Minute, 40*time.Minute))},
			Permanent: g.chance(6),
		})
	}
}

func (g *generator) silence() Silence {
	l := g.life
	c := pick(g, l.Courses...)
	s := Silence{At: g.some(l.Calm), For: pick(g, 2*time.Minute, 10*time.Minute, 30*time.Minute), Name: "monitor", Value: c.Alert.Monitor}
	switch {
	case g.chance(4):
		m := l.monitor(c.Alert.Monitor)
		s.Name, s.Value = "level", pick(g, m.Levels...).Name
	case c.Alert.Host != "" && g.chance(3):
		s.Name, s.Value = "host", c.Alert.Host
	}
	return s
}

// course makes a value that is calm, lasts, bounces between levels, or begins
// and ends again and again.
func (g *generator) course(name Name, levels int) Course {
	c := Course{Alert: name}
	for at := g.some(5 * time.Minute); at < g.life.Calm; {
		p := Part{From: at, High: 1 + g.rng.IntN(levels)}
		lasts := time.Duration(20+g.rng.IntN(600)) * time.Second
		switch g.rng.IntN(8) {
		case 0, 1, 2:
			p.High = 0
			lasts *= 2
		case 3: // bounces between levels
			p.Low = g.rng.IntN(p.High + 1)
			p.Up, p.Down = g.pace(), g.pace()
			lasts *= 2
		case 4: // begins and ends
			p.Up, p.Down = g.pace(), g.pace()
		case 5: // for a moment
			lasts = pick(g, 2*time.Second, 8*time.Second, 40*time.Second)
		case 6:
			lasts *= 5
		}
		c.Parts = append(c.Parts, p)
		at += lasts
	}
	c.Parts = append(c.Parts, Part{From: g.life.Calm})
	return c
}

// pace is how long a value that bounces stays.
func (g *generator) pace() time.Duration {
	return pick(g, 10*time.Second, 40*time.Second, 70*time.Second, 2*time.Minute)
}

// storm lets all alerts break within some seconds, at the same time.
func (g *generator) storm() {
	l := g.life
	at, lasts := g.some(l.Calm-20*time.Minute), time.Duration(1+g.rng.IntN(15))*time.Minute
	for i := range l.Courses {
		c := &l.Courses[i]
		from := at + g.some(15*time.Second)
		p := Part{From: from, High: 1 + g.rng.IntN(len(l.monitor(c.Alert.Monitor).Levels))}
		c.Parts = slices.DeleteFunc(c.Parts, func(p Part) bool { return p.From >= at && p.From < at+lasts+time.Minute && p.From < l.Calm })
		c.Parts = append(c.Parts, p, Part{From: from + lasts})
		slices.SortStableFunc(c.Parts, func(a, b Part) int { return int(a.From - b.From) })
	}
}
