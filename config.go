package hawkeye

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/go-batteries/hawkeye/internal/monitor"
)

// WithReceiver adds somebody to tell, whom monitors name in Notify; see
// [WithConfigFile].
func WithReceiver(name string, r Receiver) Option {
	r = r.clone()
	return optionFunc(func(c *config) {
		c.code.Receivers = append(c.code.Receivers, monitor.Receiver{
			Name: name, Kind: monitor.KindEmail, Email: monitor.Email{To: r.To, Cc: r.Cc, Bcc: r.Bcc},
			Group:        monitor.Group{By: r.GroupBy, Wait: r.GroupWait, Interval: r.GroupInterval, Burst: r.GroupBurst},
			SkipResolved: r.SkipResolved, Fallback: r.Fallback, FallbackAfter: r.FallbackAfter,
		})
	})
}

// WithRules adds what a file says beside monitors and receivers; see
// [WithConfigFile].
func WithRules(r Rules) Option {
	r = r.clone()
	return optionFunc(func(c *config) {
		for _, s := range r.SLOs {
			c.addSLO(s)
		}
		for _, h := range r.Heartbeats {
			var out monitor.Heartbeat
			copyFields(&out, &h)
			c.code.Heartbeats = append(c.code.Heartbeats, out)
		}
		for _, i := range r.Inhibit {
			c.code.Inhibits = append(c.code.Inhibits, monitor.Inhibit{Source: i.Source, Target: i.Target, Equal: i.Equal})
		}
		for _, name := range slices.Sorted(maps.Keys(r.MuteTimes)) {
			c.addMuteTime(name, r.MuteTimes[name])
		}
		c.code.Generation = max(c.code.Generation, r.Generation)
		if r.Location != nil {
			c.code.Location = r.Location
		}
	})
}

func (c *config) addSLO(s SLO) {
	var o monitor.SLO
	copyFields(&o, &s, "Good")
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
	data = bytes.Clone(data)
	return optionFunc(func(c *config) {
		c.sources = append(c.sources, monitor.Source{Name: name, Data: data})
	})
}

func (p *MutePeriod) internal() (out monitor.Period, err error) {
	out = monitor.Period{Weekdays: p.Weekdays, Months: p.Months, Location: p.Location}
	switch {
	case p.From == "" && p.To == "":
	case p.From == "" || p.To == "":
		return out, errors.New("want From and To together, or neither for the whole day")
	default:
		if out.From, err = monitor.ParseClock(p.From); err != nil {
			return out, fmt.Errorf("read From: %w", err)
		}
		if out.To, err = monitor.ParseClock(p.To); err != nil {
			return out, fmt.Errorf("read To: %w", err)
		}
		if out.From == out.To {
			return out, errors.New(monitor.SameTime(out.From, len(p.Weekdays)+len(p.DaysOfMonth)+len(p.Months) > 0))
		}
	}
	for _, text := range p.DaysOfMonth {
		days, err := monitor.ParseDays(text)
		if err != nil {
			return out, fmt.Errorf("read DaysOfMonth: %w", err)
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
	// What is added is for this time: a reload may be under way beside us.
	opts.Monitors, opts.Receivers = slices.Clip(opts.Monitors), slices.Clip(opts.Receivers)
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
	out := monitor.Monitor{Kind: monitor.Kind(m.Type)}
	copyFields(&out, m, "Type", "Triggers")
	var receivers []monitor.Receiver
	for j := range m.Triggers {
		t := &m.Triggers[j]
		var trigger monitor.Trigger
		copyFields(&trigger, t, "To", "Escalate")
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

// copyFields copies the fields of one of this package's structs into those of
// package monitor that have the same names, but for those that are named. A
// field without its like is a mistake in this package, which TestCopyFields
// finds.
func copyFields(to, from any, except ...string) {
	dst, src := reflect.ValueOf(to).Elem(), reflect.ValueOf(from).Elem()
	for i := range src.NumField() {
		name := src.Type().Field(i).Name
		if slices.Contains(except, name) {
			continue
		}
		field := dst.FieldByName(name)
		field.Set(src.Field(i).Convert(field.Type()))
	}
}

// executable names the running program, for services that have no name.
func executable() string {
	path, err := os.Executable()
	if err != nil {
		return "hawkeye"
	}
	return strings.TrimSuffix(filepath.Base(path), ".exe")
}

// sum is of the names and contents of files.
func sum(sources []monitor.Source) (out [32]byte) {
	h := sha256.New()
	for _, s := range sources {
		fmt.Fprintf(h, "%q %d ", s.Name, len(s.Data))
		h.Write(s.Data)
	}
	h.Sum(out[:0])
	return out
}
