package monitor

import (
	"time"

	"github.com/go-batteries/hawkeye/internal/cron"
	"github.com/go-batteries/hawkeye/internal/matcher"
)

// Set is a whole configuration, checked: the union of its files and of what
// came from code. It is not changed after it was made, and so is safe for
// concurrent use.
type Set struct {
	// Version is the highest version among the files; 2 without files.
	Version int
	// Generation, if not 0, says which of two configurations in a fleet is
	// newer: the higher one wins.
	Generation int64
	// Hash is of everything that decides: equal content, equal Hash.
	Hash string
	// Files are the names of the files, in the order given.
	Files []string

	// Service, Environment and From are the files' own, empty if they say
	// nothing.
	Service, Environment, From string
	// Location is where clocks hang that name no place of their own, and
	// whose times messages tell; nil is UTC.
	Location *time.Location `json:"-"`

	Receivers  []Receiver
	Monitors   []Monitor
	SLOs       []SLO
	Heartbeats []Heartbeat
	Inhibits   []Inhibit
	MuteTimes  []MuteTime

	// Lints are doubts: what is allowed but hardly meant.
	Lints []Problem
}

// Stale returns the names of the gauges that monitors want to know the age of.
func (s *Set) Stale() map[string]bool {
	names := make(map[string]bool)
	for i := range s.Monitors {
		if m := &s.Monitors[i]; m.StaleAfter > 0 && !m.Disabled {
			names[m.Metric] = true
			if m.DivideBy != "" {
				names[m.DivideBy] = true
			}
		}
	}
	return names
}

// Receiver is somebody to tell, and how.
type Receiver struct {
	// Name is what notify lists use. Version-1 triggers have one each.
	Name string
	// Kind is "email" or a kind that was registered.
	Kind string
	// Email is set if Kind is "email".
	Email Email
	// Settings are of the other kinds, as written, variables filled in. They
	// hold secrets.
	Settings map[string]any
	// Group is how alerts are put together into messages.
	Group Group
	// SkipResolved leaves out the message about the end.
	SkipResolved bool
	// Fallback is the receiver that is told when this one fails for good, and
	// news that couldn't be delivered for FallbackAfter; default 5 m.
	Fallback      string
	FallbackAfter time.Duration
	// Legacy says that it was made for a version-1 trigger.
	Legacy bool
	// Pos is where it was written.
	Pos Position `json:"-"`
}

// Email is the recipients of a mail.
type Email struct {
	To, Cc, Bcc []string
}

// Group puts alerts together into messages.
type Group struct {
	// By lists labels and tags, and "monitor"; alerts that agree in them
	// share a message. Default: monitor.
	By []string
	// Wait is how long the first message waits for more; default 0.
	Wait time.Duration
	// Interval is what Burst is for; default 1 m.
	Interval time.Duration
	// Burst is how many messages with news a group may send within Interval,
	// the second to fifth no sooner than 1, 2, 4 and 8 s after the one before.
	// Default: 5 if neither Wait nor Interval is given, else 1.
	Burst int
}

// SLO is an objective: the share of good events over a period.
type SLO struct {
	Name        string
	Description string
	Disabled    bool
	// Objective is a fraction, 0.999 for 99.9 %.
	Objective float64
	// Period is what the objective is over; default 30 d.
	Period time.Duration
	// Bad and Total are counters; or Total is a histogram and Good says
	// which of its values are good.
	Bad, Total string
	Good       *Good
	Where      []string
	By         []string
	// MinTotal is how many events there must be for a verdict.
	MinTotal float64
	// Page and Ticket are receivers for a fast and a slow burn.
	Page, Ticket []string
	// Repeat and FlapRepeat are as in a [Trigger].
	Repeat     time.Duration
	FlapRepeat time.Duration
	About
	Pos Position `json:"-"`

	where []*matcher.Matcher
}

// Good says which values of a histogram are good.
type Good struct {
	Op    Op
	Value float64
}

// Matchers returns Where, compiled.
func (s *SLO) Matchers() []*matcher.Matcher { return s.where }

// Heartbeat is a dead man's switch: it fires when a metric is not counted.
type Heartbeat struct {
	Name        string
	Description string
	Disabled    bool
	Metric      string
	Where       []string
	// ExpectEvery is the longest time between two signs of life, Grace how
	// much longer before anybody is told.
	ExpectEvery, Grace time.Duration
	// Schedule, instead of ExpectEvery, is when signs are due: five fields as
	// in crontab(5), by a clock in Location (nil is UTC). Early is how long
	// before that one counts.
	Schedule string         `json:",omitempty"`
	Location *time.Location `json:"-"`
	Early    time.Duration  `json:",omitempty"`
	Level    string
	Notify   []string
	// Repeat and FlapRepeat are as in a [Trigger].
	Repeat     time.Duration
	FlapRepeat time.Duration
	About
	Pos Position `json:"-"`

	where    []*matcher.Matcher
	schedule *cron.Schedule
}

// Matchers returns Where, compiled.
func (h *Heartbeat) Matchers() []*matcher.Matcher { return h.where }

// Inhibit keeps alerts that match Target from being told while one that
// matches Source fires and agrees with them in the tags of Equal.
type Inhibit struct {
	Source, Target []string
	Equal          []string
	Pos            Position `json:"-"`

	source, target []*matcher.Matcher
}

// SourceMatchers returns Source, compiled.
func (i *Inhibit) SourceMatchers() []*matcher.Matcher { return i.source }

// TargetMatchers returns Target, compiled.
func (i *Inhibit) TargetMatchers() []*matcher.Matcher { return i.target }

// Position is a place in a file, or, with Line 0, in code: File is then the
// path of the value, such as WithMonitors[0].Triggers[1].
type Position struct {
	File      string
	Line, Col int
}
