package hawkeye

import "time"

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
	// StaleAfter is how long a gauge counts that isn't set again, 10 s to 30 d;
	// then it is missing (see NoData). Default: as long as its process lives.
	StaleAfter time.Duration
	// DivideBy is a second metric; the value is the ratio. DivideWhere are
	// matchers for its series: while it is nil, Where holds for both sides;
	// else, be it empty, Where holds for Metric alone.
	DivideBy    string
	DivideWhere []string
	// MinTotal is how much of DivideBy or, without it, how many observations
	// of a percentile, avg, min or max there must be to fire, and for each
	// rise. What fires goes on being judged by whatever there is.
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
	// keep (the default), ok, alert, nodata or zero. A NoDataFor of up to
	// Every, a nanosecond say, acts on the first evaluation without a value.
	NoData    string
	NoDataFor time.Duration
	// Idle is what a window without a single request means after IdleFor
	// (default 5 m, or Window if that is longer), of a ratio or a percentile:
	// ok (the default), keep or alert. If NoData is set and Idle isn't, both
	// are as NoData says.
	Idle    string
	IdleFor time.Duration
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
	// Summary says in one line of up to 200 characters what is wrong, for
	// messages and lists.
	Summary string
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
	// message. Default: monitor. GroupWait is how long the first message of a
	// group that was silent for GroupInterval waits for more (default 0).
	GroupBy                  []string
	GroupWait, GroupInterval time.Duration
	// GroupBurst is how many messages with news a group may send within
	// GroupInterval (default 1 m), the second to fifth no sooner than 1, 2, 4
	// and 8 s after the one before; what comes beyond is told together at the
	// end of it. From 1 to 100; default 5, or 1 if GroupWait or GroupInterval
	// is set.
	GroupBurst int
	// SkipResolved leaves out the message about the end.
	SkipResolved bool
	// Fallback is the receiver that is told when this one fails for good, and
	// news that couldn't be delivered to this one for FallbackAfter (default
	// 5 m, at least 1 s, at most a day), while that is tried on.
	Fallback      string
	FallbackAfter time.Duration
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
	// Location is where clocks hang that name no place of their own: those of
	// mute times and schedules, and the times in messages. That of a file
	// wins; default UTC.
	Location *time.Location
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
	// MinTotal is how many events there must be in both windows of a pair to
	// fire, and to rise.
	MinTotal float64
	// Page and Ticket are receivers for a fast and a slow burn.
	Page, Ticket       []string
	Repeat             time.Duration
	MuteTimes          []string
	Labels             map[string]string
	Runbook, Dashboard string
	// Summary says in one line of up to 200 characters what is wrong, for
	// messages and lists.
	Summary string
}

// Heartbeat is a dead man's switch: it fires when a metric isn't counted for
// ExpectEvery and Grace, or not until Grace after a time of Schedule.
type Heartbeat struct {
	// Name is its identity; default: Metric.
	Name, Description  string
	Disabled           bool
	Metric             string
	Where              []string
	ExpectEvery, Grace time.Duration
	// Schedule, instead of ExpectEvery, is when it is due: five fields as in
	// crontab(5), such as "0 5 * * 1-5", by a clock in Location (default UTC).
	Schedule string
	Location *time.Location
	// Early is how long before it is due a sign of life counts; 1 m or more,
	// default 1 m.
	Early time.Duration
	// Level is its severity; default critical.
	Level              string
	Notify             []string
	Repeat             time.Duration
	MuteTimes          []string
	Labels             map[string]string
	Runbook, Dashboard string
	// Summary says in one line of up to 200 characters what is wrong, for
	// messages and lists.
	Summary string
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
