// Package monitor is the configuration: what to watch and whom to tell. It
// reads monitors.yaml, version 1 and version 2, and checks what comes from
// code by the same rules with the same messages. Both give a [Set], in which
// every default is filled in and every name that is referred to exists.
package monitor

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/go-batteries/hawkeye/internal/matcher"
	"github.com/go-batteries/hawkeye/internal/msgtmpl"
)

// Monitor is one alert with levels: what is measured, over which window, and
// what is done about it. The zero value of a field means its default; in a
// Monitor out of a [Set] every default is filled in.
//
// A version-1 monitor becomes one Monitor for each of its triggers, with
// Legacy set, because version 1 tells each trigger independently.
type Monitor struct {
	// Name is the identity in version 2; default: the metric's name. In
	// version 1 it is the metric's name, and [Monitor.Key] is the identity.
	Name        string
	Description string
	// Disabled keeps the monitor in the file but out of evaluation.
	Disabled bool

	// Metric is the name of the series that are measured, whatever their
	// tags unless Where says otherwise.
	Metric string
	// Kind is needed only where a name exists in several kinds.
	Kind Kind
	// Where are matchers, as in `route=~"/api/.*"`; all must hold.
	Where []string
	// By lists tags; each combination of their values is an alert.
	By []string
	// MaxGroups is how many combinations of By are kept; default 100.
	MaxGroups int

	// Aggregate is how samples become one value. The empty one means the
	// default of the kind of series that is found: sum, last or p99.
	Aggregate Aggregate
	// Fleet is how the replicas' latest values of a gauge combine; default
	// sum.
	Fleet Aggregate
	// StaleAfter, if not 0, is how long a gauge counts that isn't set again.
	StaleAfter time.Duration `json:",omitzero"`
	// DivideBy is a second metric; the value is the ratio. DivideWhere are
	// matchers for its series. While it is nil, Where holds for both sides;
	// else, be it empty, Where holds for Metric alone.
	DivideBy    string
	DivideWhere []string `json:",omitzero"`
	// MinTotal is how much of DivideBy, or how many observations, there must
	// be for a beginning: to fire, and for each rise.
	MinTotal float64
	// Window is how far back the value looks, 1 s to 30 d; default 1 m.
	Window time.Duration
	// Every is how often it is evaluated; 0 means at each of the store's
	// ticks, the default for windows up to 5 m.
	Every time.Duration
	// Delay moves the window into the past, for samples that come late.
	Delay time.Duration
	// Op compares the value with a threshold; default >=.
	Op Op
	// CompareTo, if not 0, is how long ago the window lies that relative
	// thresholds are measured against.
	CompareTo time.Duration

	// KeepFiringFor is how long a clear value must last before the end.
	KeepFiringFor time.Duration
	// NoData is what a missing value means after NoDataFor (default 2 m).
	NoData    NoData
	NoDataFor time.Duration
	// Idle is what a window means that holds nothing to compute a value from,
	// after IdleFor: NoDataOK (the default; IdleFor 5 m, or Window if that is
	// longer), NoDataKeep or NoDataAlert. If NoData is set and Idle isn't, it
	// is empty, and both are as for missing values: see [Monitor.WhenIdle].
	Idle    NoData        `json:",omitzero"`
	IdleFor time.Duration `json:",omitzero"`
	// EvalError is what a failed evaluation means.
	EvalError EvalError
	// MustExist tells once if the metric is never seen.
	MustExist bool

	// Notify are the receivers of triggers that name none.
	Notify []string
	// Triggers are the levels, mildest first; at least one.
	Triggers []Trigger
	About
	// Unit is for messages: percent, seconds, bytes, or any text.
	Unit string

	// Legacy says that the monitor is a trigger of a version-1 file.
	Legacy bool
	// Pos is where it was written.
	Pos Position `json:"-"`

	ordinal     int
	where       []*matcher.Matcher
	divideWhere []*matcher.Matcher
}

// Trigger is one level of a monitor.
type Trigger struct {
	// Level is a name; default: warning and critical if there are two
	// triggers, critical if there is one.
	Level string
	// Threshold is compared with the value. A percentage is a fraction, a
	// duration is in seconds, a size in bytes.
	Threshold float64
	// Relative says that Threshold is a change against Monitor.CompareTo:
	// 0.5 is half as much again, -0.3 is three tenths less.
	Relative bool
	// Clear, if set, is the threshold while the trigger fires.
	Clear *float64
	// For is how long the value must be in breach; default 0.
	For time.Duration
	// Repeat is the time between messages while it lasts; default 4 h.
	Repeat time.Duration
	// FlapRepeat is that time while the alert flaps: Repeat, or 12 h by
	// default. Validate fills it in.
	FlapRepeat time.Duration
	// NeverRepeat makes the first message the only one before the end.
	NeverRepeat bool
	// Notify are names of receivers; default: Monitor.Notify.
	Notify []string
	// Escalate tells further receivers of what nobody acknowledged.
	Escalate []Escalation
	// Subject and Text are templates; empty means the default ones.
	Subject, Text string
	// Pos is where it was written.
	Pos Position `json:"-"`

	subject, text *msgtmpl.Template
}

// Escalation tells further receivers when a trigger has been firing for After.
type Escalation struct {
	After  time.Duration
	Notify []string
}

// Matchers returns Where, compiled. It is nil before the Monitor was
// validated.
func (m *Monitor) Matchers() []*matcher.Matcher { return m.where }

// AtOnce is what a file calls 0s where a Monitor's 0 stands for the default:
// longer than nothing, and shorter than any tick.
const AtOnce = time.Nanosecond

// WhenIdle returns what an idle window means, after how long.
func (m *Monitor) WhenIdle() (NoData, time.Duration) {
	if m.Idle == "" {
		return m.NoData, m.IdleFor
	}
	return m.Idle, m.IdleFor
}

// Observes says whether the value may be one that observations come to, and
// not how many they are: a histogram's percentile, mean, least or greatest.
func (m *Monitor) Observes() bool {
	if m.Kind != "" && m.Kind != Histogram {
		return false
	}
	_, percentile := m.Aggregate.Percentile()
	return percentile || m.Aggregate == "" && m.Kind == Histogram || m.Aggregate == Avg || m.Aggregate == Min || m.Aggregate == Max
}

// DivideMatchers returns the matchers for the series of DivideBy, compiled.
func (m *Monitor) DivideMatchers() []*matcher.Matcher {
	if m.DivideWhere == nil {
		return m.where
	}
	return m.divideWhere
}

// SubjectTemplate returns the checked template of the subject, nil if the
// trigger has none of its own.
func (t *Trigger) SubjectTemplate() *msgtmpl.Template { return t.subject }

// TextTemplate returns the checked template of the text, nil if the trigger
// has none of its own.
func (t *Trigger) TextTemplate() *msgtmpl.Template { return t.text }

// Key returns the identity of the monitor's alert state, without the group:
// the name in version 2, "metric/type/interval/threshold/ordinal" in version
// 1, where ordinal tells apart what is otherwise the same.
func (m *Monitor) Key() string {
	if !m.Legacy || len(m.Triggers) == 0 {
		return m.Name
	}
	return strings.Join([]string{
		m.Metric,
		string(m.Kind),
		strconv.FormatFloat(m.Window.Seconds(), 'f', -1, 64),
		strconv.FormatFloat(m.Triggers[0].Threshold, 'f', -1, 64),
		strconv.Itoa(m.ordinal),
	}, "/")
}

// Kind is a kind of series, as files spell it. The empty one is any.
type Kind string

// The kinds of series.
const (
	Counter   Kind = "counter"
	Gauge     Kind = "gauge"
	Histogram Kind = "histogram"
	SetKind   Kind = "set"
)

// Aggregate is how the samples of a window become one value: one of the
// constants, or pN for the percentile N, such as p99.9.
type Aggregate string

// The aggregates other than percentiles.
const (
	Sum    Aggregate = "sum"
	Rate   Aggregate = "rate"
	Avg    Aggregate = "avg"
	Min    Aggregate = "min"
	Max    Aggregate = "max"
	Last   Aggregate = "last"
	Count  Aggregate = "count"
	Change Aggregate = "change"
)

// Percentile returns the quantile that a pN asks for, 0.999 for p99.9, and
// whether it is one.
func (a Aggregate) Percentile() (q float64, ok bool) {
	digits, ok := strings.CutPrefix(string(a), "p")
	if !ok || digits == "" || strings.Trim(digits, "0123456789.") != "" {
		return 0, false
	}
	p, err := strconv.ParseFloat(digits, 64)
	if err != nil || p <= 0 || p >= 100 {
		return 0, false
	}
	// Divide the decimal, not the rounded quotient: p99.9 is 0.999.
	return math.Round(p*1e6) / 1e8, true
}

// Op is a comparison.
type Op string

// The comparisons.
const (
	GreaterOrEqual Op = ">="
	Greater        Op = ">"
	LessOrEqual    Op = "<="
	Less           Op = "<"
	EqualTo        Op = "=="
	NotEqualTo     Op = "!="
)

// Holds says whether value op threshold. NaN never does.
func (o Op) Holds(value, threshold float64) bool {
	if math.IsNaN(value) || math.IsNaN(threshold) {
		return false
	}
	switch o {
	case Greater:
		return value > threshold
	case LessOrEqual:
		return value <= threshold
	case Less:
		return value < threshold
	case EqualTo:
		return value == threshold
	case NotEqualTo:
		return value != threshold
	default:
		return value >= threshold
	}
}

// NoData is what a missing value means.
type NoData string

// What a missing value can mean.
const (
	NoDataKeep  NoData = "keep"
	NoDataOK    NoData = "ok"
	NoDataAlert NoData = "alert"
	NoDataState NoData = "nodata"
	NoDataZero  NoData = "zero"
)

// EvalError is what a failed evaluation means.
type EvalError string

// What a failed evaluation can mean.
const (
	EvalErrorKeep  EvalError = "keep"
	EvalErrorAlert EvalError = "alert"
)
