// Package testfile is the format in which people test their monitors.yaml:
// samples over virtual time, and the states and messages that they expect.
// docs/testing.md explains it. The tests run on package simulate, and so on
// the code that runs in production.
package testfile

import (
	"time"

	"github.com/go-batteries/hawkeye/internal/monitor"
	"github.com/go-batteries/hawkeye/internal/notify"
	"github.com/go-batteries/hawkeye/internal/series"
	"github.com/go-batteries/hawkeye/internal/simulate"
)

// Bounds of a file.
const (
	// MaxValues is how many values a series may have.
	MaxValues = 1_000_000
	// MaxTicks is how many ticks a test may last.
	MaxTicks = 10_000_000
)

// DefaultStart is a Monday.
var DefaultStart = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)

// DefaultService is the service's name in messages.
const DefaultService = "example"

// File is a file of tests.
type File struct {
	Name string
	// Config are the files under test, relative to the file's folder.
	Config []string
	// Start is the virtual time at which each test begins, Tick how often it
	// is judged.
	Start time.Time
	Tick  time.Duration
	// Env are variables for the files under test.
	Env                  map[string]string
	Service, Environment string
	Tests                []Test
}

// Test is samples, and what should come of them.
type Test struct {
	Name string
	Line int
	// Interval is the time between two values of a series.
	Interval time.Duration
	Series   []Series
	Silences []Silence
	Acks     []Ack
	Outages  []Outage
	// Until is when it ends; 0: when nothing is left to happen in it.
	Until  time.Duration
	Expect []Expectation
	// Messages are all messages of the test, in order, if HasMessages.
	Messages    []WantMessage
	HasMessages bool
	// MessagesLine is where they stand.
	MessagesLine int
}

// Series is the samples of one series.
type Series struct {
	Kind   series.Kind
	Metric string
	Tags   []series.Tag
	// Process is who counts; "" is the one that is there from beginning to end.
	Process string
	// From is the time of the first of Values.
	From   time.Duration
	Values []Value
	// Total says that the values of a counter are readings of which the
	// differences are counted.
	Total bool
}

// Value is one step of a series.
type Value struct {
	V     float64
	Times int // how often it is recorded; 0 is not at all
	Gone  bool
}

// Silence keeps messages back.
type Silence struct {
	At, For  time.Duration
	Matchers []string
}

// Ack says that somebody looks after an alert.
type Ack struct {
	At, For time.Duration // For 0: until the end
	Monitor string
	Tags    map[string]string
	// Sticky says that it is for any level.
	Sticky bool
	Line   int
}

// Outage is a time in which a receiver takes nothing.
type Outage struct {
	Receiver string
	From, To time.Duration
	// Permanent says that what is sent then is refused for good.
	Permanent bool
	Line      int
}

// Expectation is how alerts should stand at a time.
type Expectation struct {
	At     time.Duration
	Alerts []WantAlert
	Line   int
}

// WantAlert is how one alert should stand. Empty fields are not compared.
type WantAlert struct {
	Monitor  string
	Tags     map[string]string
	State    string
	Level    string
	Value    *float64
	About    bool // Value is meant to 2 %
	Missing  bool // there should be no value
	HasLevel bool
}

// WantMessage is a message that should be sent. Empty fields are not compared.
type WantMessage struct {
	At       time.Duration
	HasAt    bool
	To       string
	Alerts   []WantRow
	Subject  *string
	Text     *string
	Contains []string
	Line     int
}

// WantRow is what a message should tell of one alert.
type WantRow struct {
	Kind, Monitor, Level string
	Tags                 map[string]string
}

// Result is how a test went.
type Result struct {
	Test *Test
	// Failures are empty if it passed.
	Failures []Failure
	// Messages are what was sent.
	Messages []*simulate.Message
	// Saturated is how often a sample, or a sum that was looked at, was cut to
	// what a program counts at most.
	Saturated uint64
	// Took is the time on the wall.
	Took time.Duration
}

// Failure is an expectation that wasn't met.
type Failure struct {
	// Line is where it stands in the file.
	Line int
	// Text says what was expected and what was found, over several lines.
	Text string
}

// Set is the configuration under test.
type Set = monitor.Set

// kinds are the kinds of messages that a file may expect.
var kinds = []notify.RowKind{
	notify.Firing, notify.Rise, notify.Fall, notify.Repeat, notify.Missing, notify.Resolved,
	notify.Flapping, notify.Stable, notify.FlappingLevels, notify.Acked, notify.Undelivers, notify.Overflowing,
}

// states are the states of an alert that a file may expect.
var states = []string{"inactive", "pending", "firing", "recovering", "nodata", "error", "unseen"}
