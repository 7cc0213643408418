// Package lifetest makes random lives of a configuration, and judges what its
// receivers were told in them. A [Life] is a monitors.yaml and what happens:
// values, silences, acks, receivers that are away. Whoever runs it writes a
// [Record] of what users see: messages and the history. [Judge] works out by
// itself, from the values, how each alert stood, and reports what contradicts
// the rules of docs/monitors.md about who is told what, and when.
//
// Times are since the start of the life.
package lifetest

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Life is a configuration, and what happens while it runs.
type Life struct {
	Seed uint64
	Tick time.Duration
	// Calm is when everything is well again, End when the life is over.
	Calm, End time.Duration

	Receivers []Receiver
	Monitors  []Monitor
	Inhibit   []Inhibit
	// Night is when the mute time of this name holds; zero: there is none.
	Night Span

	Courses  []Course
	Silences []Silence
	Acks     []Ack
	Outages  []Outage
}

// Span is from a time up to another.
type Span struct{ From, To time.Duration }

// Has says whether a time lies in the span.
func (s Span) Has(at time.Duration) bool { return at >= s.From && at < s.To }

// Receiver is somebody to tell.
type Receiver struct {
	Name     string
	Group    Group
	Fallback string
	NoEnds   bool // send_resolved: false
}

// Group is what the file says of a receiver's messages; zero: nothing.
type Group struct {
	By             string // monitor or host
	Wait, Interval time.Duration
}

// OnPurpose says whether the file says when a group may be told.
func (g Group) OnPurpose() bool { return g.Wait > 0 || g.Interval > 0 }

// Monitor is an alert, or one for each of its hosts.
type Monitor struct {
	Name   string
	Hosts  int // 0: one alert without tags
	Levels []Level
	Keep   time.Duration // keep_firing_for
	Night  bool          // has the mute time
}

// Level is a trigger. The threshold follows from its place.
type Level struct {
	Name     string
	For      time.Duration
	Repeat   time.Duration
	Notify   []string
	Escalate []Step
}

// Step tells more receivers of what nobody acknowledged.
type Step struct {
	After  time.Duration
	Notify []string
}

// Inhibit keeps the target monitor back while the source fires.
type Inhibit struct {
	Source, Target string
	SameHost       bool
}

// Silence keeps back what has the value of a name: monitor, level or host.
type Silence struct {
	At, For     time.Duration
	Name, Value string
}

// Ack acknowledges what an alert tells of, if it fires then; until it is over
// if For is 0. A sticky one outlives a rise.
type Ack struct {
	At, For time.Duration
	Alert   Name
	Sticky  bool
}

// Outage is a time in which a receiver takes nothing, or refuses for good.
type Outage struct {
	Receiver string
	Span
	Permanent bool
}

// Name names an alert.
type Name struct {
	Monitor string
	Host    string // empty without
}

func (n Name) String() string {
	if n.Host == "" {
		return n.Monitor
	}
	return n.Monitor + "{" + n.Host + "}"
}

// Course is how the value of one alert goes.
type Course struct {
	Alert Name
	Parts []Part
}

// Part is how a value goes from a time on: High for Up, then Low for Down,
// again and again. They are ranks of levels, 0 is in breach of none.
type Part struct {
	From      time.Duration
	High, Low int
	Up, Down  time.Duration
}

// Rank returns the highest level in breach at a time.
func (c *Course) Rank(at time.Duration) int {
	i, found := slices.BinarySearchFunc(c.Parts, at, func(p Part, at time.Duration) int { return int(p.From - at) })
	if !found {
		i--
	}
	if i < 0 {
		return 0
	}
	p := &c.Parts[i]
	if p.Down == 0 || (at-p.From)%(p.Up+p.Down) < p.Up {
		return p.High
	}
	return p.Low
}

// Value is a value in breach of the levels up to a rank.
func Value(rank int) float64 { return float64(rank)*10 + 5 }

// threshold is that of the level of a rank.
func threshold(rank int) float64 { return float64(rank) * 10 }

// monitor returns the monitor of a name, or nil.
func (l *Life) monitor(name string) *Monitor {
	for i := range l.Monitors {
		if l.Monitors[i].Name == name {
			return &l.Monitors[i]
		}
	}
	return nil
}

// Away returns the outage that a receiver is in, or nil.
func (l *Life) Away(receiver string, at time.Duration) *Outage {
	for i := range l.Outages {
		if o := &l.Outages[i]; o.Receiver == receiver && o.Has(at) {
			return o
		}
	}
	return nil
}

// rank returns the place of a level, from 1, or 0.
func (m *Monitor) rank(level string) int {
	return 1 + slices.IndexFunc(m.Levels, func(l Level) bool { return l.Name == level })
}

// level returns the level of a rank.
func (m *Monitor) level(rank int) *Level { return &m.Levels[rank-1] }

// names says whether a level's trigger notifies a receiver.
func (l *Level) names(receiver string) bool { return slices.Contains(l.Notify, receiver) }

// String says what happens, for whoever looks into a violation.
func (l *Life) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d, ticks of %v, calm from %v, end at %v\n%s", l.Seed, l.Tick, l.Calm, l.End, l.Config())
	for _, c := range l.Courses {
		fmt.Fprintf(&b, "%s:", c.Alert)
		for _, p := range c.Parts {
			if p.Down == 0 {
				fmt.Fprintf(&b, " %v=%d", p.From, p.High)
			} else {
				fmt.Fprintf(&b, " %v=(%d for %v, %d for %v)", p.From, p.High, p.Up, p.Low, p.Down)
			}
		}
		b.WriteString("\n")
	}
	for _, s := range l.Silences {
		fmt.Fprintf(&b, "%v to %v: silence %s=%s\n", s.At, s.At+s.For, s.Name, s.Value)
	}
	for _, a := range l.Acks {
		fmt.Fprintf(&b, "%v: ack of %s for %v, sticky: %v\n", a.At, a.Alert, a.For, a.Sticky)
	}
	for _, o := range l.Outages {
		fmt.Fprintf(&b, "%v to %v: %s is away, permanent: %v\n", o.From, o.To, o.Receiver, o.Permanent)
	}
	return b.String()
}
