package hawkeye

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/go-batteries/hawkeye/internal/monitor"
)

// Monitor is one alert with levels, from code: each field says what the same
// key of a version-2 monitors.yaml says (docs/monitors.md has each with its
// range), and both give the same thing. A zero field means its default. A
// mistake in it is an error of [New], which names it as WithMonitors[i].
type Monitor struct {
	// Name is its identity: alert state is kept by it through every edit.
	// Default: Metric.
	Name        string
	Description string
	// Disabled keeps it out of evaluation.
	Disabled bool
	// Metric is the name of the series that are measured, whatever their
	// tags unless Where says otherwise.
	Metric string
	// Type is counter, gauge, histogram or set; needed only where the name
	// exists in several kinds.
	Type string
	// Where holds matchers such as `method="POST"` or `route=~"/api/.*"`.
	Where []string
	// By lists tags: each combination of their values is an alert.
	By []string
	// MaxGroups is how many combinations of By are kept; default 100.
	MaxGroups int
	// Aggregate is sum, rate, avg, min, max, last, count, change, or pN such
	// as p99. Default: sum of a counter, last of a gauge, p99 of a histogram.
	Aggregate string
	// Fleet is how the replicas' latest values of a gauge combine: sum (the
	// default), avg, min or max.
	Fleet string
	// DivideBy is a second metric; the value is the ratio.
	DivideBy string
	// MinTotal is how much of DivideBy there must be for a verdict.
	MinTotal float64
	// Window is how far back the value looks, 1 s to 30 d; default 1 m.
	Window time.Duration
	// Every is how often it is evaluated. Default: the Store's tick for
	// windows up to 5 m, then a 300th of the window, at most 1 m.
	Every time.Duration
	// Delay moves the window into the past, for samples that come late.
	Delay time.Duration
	// Op compares the value with a threshold; default ">=".
	Op string
	// CompareTo is how long ago the window lies that relative thresholds are
	// measured against.
	CompareTo time.Duration
	// KeepFiringFor is how long a clear value must last before the end.
	KeepFiringFor time.Duration
	// NoData is what a missing value means after NoDataFor (default 2 m):
	// keep (the default), ok, alert, nodata or zero.
	NoData    string
	NoDataFor time.Duration
	// EvalError is what a failed evaluation means: keep (the default) or
	// alert.
	EvalError string
	// MustExist tells once if the metric is never seen.
	MustExist bool
	// Notify are the receivers of triggers that name none.
	Notify []string
	// Triggers are its levels, mildest first; at least one.
	Triggers []Trigger
	// MuteTimes are names of mute times; see [Rules].
	MuteTimes []string
	// Labels go into every message, and silences and groups know them.
	Labels             map[string]string
	Runbook, Dashboard string
	// Unit is for messages: percent, seconds, bytes, or any text.
	Unit string
}

// Trigger is one level of a [Monitor].
type Trigger struct {
	// Level is its name; default: critical, or warning and critical if there
	// are two.
	Level string
	// Threshold is compared with the value. With Relative it is a change
	// against Monitor.CompareTo: 0.5 is half as much again.
	Threshold float64
	Relative  bool
	// Clear, if set, is the threshold while the trigger fires.
	Clear *float64
	// For is how long the value must be in breach; default 0: at once.
	For time.Duration
	// Repeat is the time between messages while it lasts; default 4 h.
	// NeverRepeat makes the first one the only one before the end.
	Repeat      time.Duration
	NeverRepeat bool
	// Notify are names of receivers; see [WithReceiver]. To are recipients
	// of mails instead, for a trigger with a receiver of its own.
	Notify, To []string
	// Escalate tells further receivers of what nobody acknowledged.
	Escalate []Escalation
	// Subject and Text are templates; default: a subject and a text that say
	// what was measured.
	Subject, Text string
}

// Escalation tells further receivers when a [Trigger] has fired for After.
type Escalation struct {
	After  time.Duration
	Notify []string
}

// Receiver is somebody to tell; see [WithReceiver].
type Receiver struct {
	// To, Cc and Bcc are recipients of mails through the [MailingService].
	To, Cc, Bcc []string
	// GroupBy lists tags and labels: alerts that agree in them share a
	// message. Default: monitor. GroupWait is how long the first message
	// waits for more (default 0), GroupInterval the least time between two
	// (default 1 m).
	GroupBy                  []string
	GroupWait, GroupInterval time.Duration
	// SkipResolved leaves out the message about the end.
	SkipResolved bool
	// Fallback is the receiver that is told when this one fails for good.
	Fallback string
}

// Rules are what a version-2 file says beside monitors and receivers.
type Rules struct {
	SLOs       []SLO
	Heartbeats []Heartbeat
	Inhibit    []Inhibit
	// MuteTimes are by the name that monitors use. One contains what any of
	// its periods contains.
	MuteTimes map[string][]MutePeriod
	// Generation says which of two configurations in a fleet is newer, while
	// a new version is rolled out: the higher one decides. 0 leaves it to the
	// files, and else to which one the fleet has seen for the shorter time.
	Generation int64
}

// SLO is an objective: the share of good events over a period. It fires as a
// ticket or a page when its error budget burns too fast, judged over pairs of
// windows (see docs/monitors.md).
type SLO struct {
	Name, Description string
	Disabled          bool
	// Objective is a fraction, 0.999 for 99.9 %.
	Objective float64
	// Period is what the objective is over; default 30 d.
	Period time.Duration
	// Bad and Total are counters. Or Total is a histogram, and Good says
	// which of its values are good, as in "<= 300ms".
	Bad, Total, Good string
	Where, By        []string
	// MinTotal is how many events there must be for a verdict.
	MinTotal float64
	// Page and Ticket are receivers for a fast and a slow burn.
	Page, Ticket       []string
	Repeat             time.Duration
	MuteTimes          []string
	Labels             map[string]string
	Runbook, Dashboard string
}

// Heartbeat is a dead man's switch: it fires when a metric isn't counted for
// ExpectEvery and Grace.
type Heartbeat struct {
	// Name is its identity; default: Metric.
	Name, Description  string
	Disabled           bool
	Metric             string
	Where              []string
	ExpectEvery, Grace time.Duration
	// Level is its severity; default critical.
	Level              string
	Notify             []string
	Repeat             time.Duration
	MuteTimes          []string
	Labels             map[string]string
	Runbook, Dashboard string
}

// Inhibit keeps alerts that match Target from being told while one that
// matches Source fires and has the same values of the tags in Equal.
type Inhibit struct{ Source, Target, Equal []string }

// MutePeriod is a part of each day, on some days; the empty one is always.
type MutePeriod struct {
	// From and To are times of day such as "22:00"; To is exclusive, and if
	// it is before From the period crosses midnight. Both empty: all day.
	From, To string
	Weekdays []time.Weekday
	// DaysOfMonth are such as "1", "-1" (the last) or "1:5".
	DaysOfMonth []string
	Months      []time.Month
	// Location is where the clock hangs; default UTC.
	Location *time.Location
}

// WithReceiver adds somebody to tell, whom monitors name in Notify; see
// [WithConfigFile].
func WithReceiver(name string, r Receiver) Option {
	return optionFunc(func(c *config) {
		c.code.Receivers = append(c.code.Receivers, monitor.Receiver{
			Name: name, Kind: monitor.KindEmail, Email: monitor.Email{To: r.To, Cc: r.Cc, Bcc: r.Bcc},
			Group:        monitor.Group{By: r.GroupBy, Wait: r.GroupWait, Interval: r.GroupInterval},
			SkipResolved: r.SkipResolved, Fallback: r.Fallback,
		})
	})
}

// WithRules adds what a file says beside monitors and receivers; see
// [WithConfigFile].
func WithRules(r Rules) Option {
	return optionFunc(func(c *config) {
		for _, s := range r.SLOs {
			c.addSLO(s)
		}
		for _, h := range r.Heartbeats {
			c.code.Heartbeats = append(c.code.Heartbeats, monitor.Heartbeat{
				Name: h.Name, Description: h.Description, Disabled: h.Disabled, Metric: h.Metric, Where: h.Where,
				ExpectEvery: h.ExpectEvery, Grace: h.Grace, Level: h.Level, Notify: h.Notify, Repeat: h.Repeat,
				MuteTimes: h.MuteTimes, Labels: h.Labels, Runbook: h.Runbook, Dashboard: h.Dashboard,
			})
		}
		for _, i := range r.Inhibit {
			c.code.Inhibits = append(c.code.Inhibits, monitor.Inhibit{Source: i.Source, Target: i.Target, Equal: i.Equal})
		}
		for _, name := range slices.Sorted(maps.Keys(r.MuteTimes)) {
			c.addMuteTime(name, r.MuteTimes[name])
		}
		c.code.Generation = max(c.code.Generation, r.Generation)
	})
}

func (c *config) addSLO(s SLO) {
	o := monitor.SLO{
		Name: s.Name, Description: s.Description, Disabled: s.Disabled,
		Objective: s.Objective, Period: s.Period, Bad: s.Bad, Total: s.Total,
		Where: s.Where, By: s.By, MinTotal: s.MinTotal, Page: s.Page, Ticket: s.Ticket, Repeat: s.Repeat,
		MuteTimes: s.MuteTimes, Labels: s.Labels, Runbook: s.Runbook, Dashboard: s.Dashboard,
	}
	if s.Good != "" {
		good, err := monitor.ParseGood(s.Good)
		if err != nil {
			c.problem(fmt.Sprintf("WithRules: SLOs[%d].Good", len(c.code.SLOs)), err.Error())
		}
		o.Good = &good
	}
	c.code.SLOs = append(c.code.SLOs, o)
}

func (c *config) addMuteTime(name string, periods []MutePeriod) {
	m := monitor.MuteTime{Name: name}
	for i := range periods {
		period, err := periods[i].internal()
		if err != nil {
			c.problem(fmt.Sprintf("WithRules: MuteTimes[%q][%d]", name, i), err.Error())
		}
		m.Periods = append(m.Periods, period)
	}
	c.code.MuteTimes = append(c.code.MuteTimes, m)
}

// WithConfig adds the content of a file of monitors, such as an embedded one;
// name stands for it in messages. See [WithConfigFile].
func WithConfig(name string, data []byte) Option {
	return optionFunc(func(c *config) {
		c.sources = append(c.sources, monitor.Source{Name: name, Data: data})
	})
}

func (p *MutePeriod) internal() (out monitor.Period, err error) {
	out = monitor.Period{Weekdays: p.Weekdays, Months: p.Months, Location: p.Location}
	switch {
	case p.From == "" && p.To == "":
	case p.From == "" || p.To == "":
		return out, fmt.Errorf("From and To go together; without both it is the whole day")
	case p.From == p.To:
		return out, fmt.Errorf("From and To are the same time; leave both out for the whole day")
	default:
		if out.From, err = monitor.ParseClock(p.From); err != nil {
			return out, fmt.Errorf("From: %w", err)
		}
		if out.To, err = monitor.ParseClock(p.To); err != nil {
			return out, fmt.Errorf("To: %w", err)
		}
	}
	for _, text := range p.DaysOfMonth {
		days, err := monitor.ParseDays(text)
		if err != nil {
			return out, fmt.Errorf("DaysOfMonth: %w", err)
		}
		out.DaysOfMonth = append(out.DaysOfMonth, days)
	}
	return out, nil
}

// load reads the files and checks them together with what is from code, and
// returns the sum of what it read. Files that can't be read don't hide what is
// wrong in the others.
func (c *config) load() (set *monitor.Set, loaded [32]byte, err error) {
	files, unread := monitor.Read(c.files...)
	set, err = c.check(files)
	if err = errors.Join(unread, err); err != nil {
		return nil, loaded, fmt.Errorf("%w:\n%w", ErrInvalidConfig, err)
	}
	return set, sum(files), nil
}

// parse checks the content of files together with what is from code.
func (c *config) parse(files []monitor.Source) (*monitor.Set, error) {
	set, err := c.check(files)
	if err != nil {
		return nil, fmt.Errorf("%w:\n%w", ErrInvalidConfig, err)
	}
	return set, nil
}

func (c *config) check(files []monitor.Source) (*monitor.Set, error) {
	opts := c.code
	for i := range c.monitors {
		m, receivers := c.monitors[i].internal(i)
		opts.Monitors = append(opts.Monitors, m)
		opts.Receivers = append(opts.Receivers, receivers...)
	}
	return opts.Parse(append(files[:len(files):len(files)], c.sources...)...)
}

// internal returns the monitor as package monitor has it, and a receiver for
// each trigger that names its recipients.
func (m *Monitor) internal(i int) (monitor.Monitor, []monitor.Receiver) {
	out := monitor.Monitor{
		Name: m.Name, Description: m.Description, Disabled: m.Disabled,
		Metric: m.Metric, Kind: monitor.Kind(m.Type), Where: m.Where, By: m.By, MaxGroups: m.MaxGroups,
		Aggregate: monitor.Aggregate(m.Aggregate), Fleet: monitor.Aggregate(m.Fleet),
		DivideBy: m.DivideBy, MinTotal: m.MinTotal, Window: m.Window, Every: m.Every, Delay: m.Delay,
		Op: monitor.Op(m.Op), CompareTo: m.CompareTo, KeepFiringFor: m.KeepFiringFor,
		NoData: monitor.NoData(m.NoData), NoDataFor: m.NoDataFor, EvalError: monitor.EvalError(m.EvalError),
		MustExist: m.MustExist, Notify: m.Notify, MuteTimes: m.MuteTimes,
		Labels: m.Labels, Runbook: m.Runbook, Dashboard: m.Dashboard, Unit: m.Unit,
	}
	var receivers []monitor.Receiver
	for j := range m.Triggers {
		t := &m.Triggers[j]
		trigger := monitor.Trigger{
			Level: t.Level, Threshold: t.Threshold, Relative: t.Relative, Clear: t.Clear, For: t.For,
			Repeat: t.Repeat, NeverRepeat: t.NeverRepeat, Notify: t.Notify, Subject: t.Subject, Text: t.Text,
		}
		for _, e := range t.Escalate {
			trigger.Escalate = append(trigger.Escalate, monitor.Escalation{After: e.After, Notify: e.Notify})
		}
		if len(t.To) > 0 {
			name := fmt.Sprintf("WithMonitors[%d].Triggers[%d]", i, j)
			receivers = append(receivers, monitor.Receiver{
				Name: name, Kind: monitor.KindEmail, Email: monitor.Email{To: t.To}, Pos: monitor.Position{File: name},
			})
			trigger.Notify = append(trigger.Notify[:len(trigger.Notify):len(trigger.Notify)], name)
		}
		out.Triggers = append(out.Triggers, trigger)
	}
	return out, receivers
}

// firstOf returns the first of values that isn't zero.
func firstOf[T comparable](values ...T) T {
	var zero T
	for _, v := range values {
		if v != zero {
			return v
		}
	}
	return zero
}

// executable names the running program, for services that have no name.
func executable() string {
	path, err := os.Executable()
	if err != nil {
		return "hawkeye"
	}
	return strings.TrimSuffix(filepath.Base(path), ".exe")
}
