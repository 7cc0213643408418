package hawkeye

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-batteries/hawkeye/internal/monitor"
)

// Monitor is one alert, from code: what the same keys of a version-2
// monitors.yaml say (docs/monitors.md has each with its range). A zero field
// means its default. A mistake in it is an error of [New], which names it as
// WithMonitors[i].
type Monitor struct {
	// Name is its identity: alert state is kept by it through every edit.
	// Default: Metric.
	Name        string
	Description string
	// Metric is the name of the series that are measured, whatever their
	// tags unless Where says otherwise.
	Metric string
	// Type is counter, gauge or histogram; needed only where the name exists
	// in several kinds.
	Type string
	// Where holds matchers such as `method="POST"` or `route=~"/api/.*"`.
	Where []string
	// By lists tags: each combination of their values is an alert.
	By []string
	// Aggregate is sum, rate, avg, min, max, last, count, change, or pN such
	// as p99. Default: sum of a counter, last of a gauge, p99 of a histogram.
	Aggregate string
	// Window is how far back the value looks, 1 s to 30 d; default 1 m.
	Window time.Duration
	// Op compares the value with a threshold; default ">=".
	Op string
	// KeepFiringFor is how long a clear value must last before the end.
	KeepFiringFor time.Duration
	// Triggers are its levels, mildest first; at least one.
	Triggers []Trigger
	// Labels go into every message.
	Labels map[string]string
}

// Trigger is one level of a [Monitor].
type Trigger struct {
	// Level is its name; default: critical, or warning and critical if there
	// are two.
	Level     string
	Threshold float64
	// Clear, if set, is the threshold while the trigger fires.
	Clear *float64
	// For is how long the value must be in breach; default 0: at once.
	For time.Duration
	// Repeat is the time between messages while it lasts; default 4 h.
	Repeat time.Duration
	// To are the recipients of its mails.
	To []string
	// Subject and Text are templates; default: a subject and a text that say
	// what was measured.
	Subject, Text string
}

// load reads the files and checks them together with the monitors from code.
func (c *config) load() (*monitor.Set, error) {
	opts := monitor.Options{}
	for i := range c.monitors {
		m, receivers := c.monitors[i].internal(i)
		opts.Monitors = append(opts.Monitors, m)
		opts.Receivers = append(opts.Receivers, receivers...)
	}
	set, err := opts.Load(c.files...)
	if err != nil {
		return nil, fmt.Errorf("%w:\n%w", ErrInvalidConfig, err)
	}
	return set, nil
}

// internal returns the monitor as package monitor has it, and a receiver for
// each trigger that names its recipients.
func (m *Monitor) internal(i int) (monitor.Monitor, []monitor.Receiver) {
	out := monitor.Monitor{
		Name: m.Name, Description: m.Description, Metric: m.Metric, Kind: monitor.Kind(m.Type),
		Where: m.Where, By: m.By, Aggregate: monitor.Aggregate(m.Aggregate), Window: m.Window,
		Op: monitor.Op(m.Op), KeepFiringFor: m.KeepFiringFor, Labels: m.Labels,
		Pos: monitor.Position{File: fmt.Sprintf("WithMonitors[%d]", i)},
	}
	var receivers []monitor.Receiver
	for j := range m.Triggers {
		t := &m.Triggers[j]
		at := monitor.Position{File: fmt.Sprintf("WithMonitors[%d].Triggers[%d]", i, j)}
		trigger := monitor.Trigger{
			Level: t.Level, Threshold: t.Threshold, Clear: t.Clear, For: t.For, Repeat: t.Repeat,
			Subject: t.Subject, Text: t.Text, Pos: at,
		}
		if len(t.To) > 0 {
			r := monitor.Receiver{Name: at.File, Kind: "email", Email: monitor.Email{To: t.To}, Pos: at}
			receivers = append(receivers, r)
			trigger.Notify = []string{r.Name}
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
