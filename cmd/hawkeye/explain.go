package main

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/go-batteries/hawkeye/cmd/hawkeye/internal/recording"
	"github.com/go-batteries/hawkeye/internal/evaluate"
	"github.com/go-batteries/hawkeye/internal/matcher"
	"github.com/go-batteries/hawkeye/internal/monitor"
	"github.com/go-batteries/hawkeye/internal/series"
	"github.com/go-batteries/hawkeye/internal/simulate"
	"github.com/go-batteries/hawkeye/internal/testfile"
	"github.com/go-batteries/hawkeye/internal/window"
)

// explainCmd explains how alerts stand at a moment.
type explainCmd struct {
	Files   []string          `arg:"" help:"The configuration; or, without --samples, a test file."`
	At      string            `required:"" help:"When: a time such as 2026-01-05T10:00:00Z, or how long after the beginning, such as 42s." placeholder:"TIME"`
	Monitor string            `help:"Explain only this monitor."`
	Tags    map[string]string `help:"Explain only alerts with this tag." placeholder:"NAME=VALUE"`
	Match   string            `help:"Of a test file, the test with this name." placeholder:"NAME"`
	All     bool              `help:"Explain alerts that are at rest too."`
	Samples string            `short:"s" help:"Recorded samples, as of backtest." placeholder:"FILE"`
	Tick    time.Duration     `default:"1s" help:"How often the configuration is evaluated."`
	Gaps    bool              `help:"As of backtest."`
	configFlags
}

// moment is a simulation at the time that is asked for.
type moment struct {
	sim   *simulate.Simulation
	start time.Time
	tick  time.Duration
	rec   *recording.Recording // nil if the samples are something else
	trace map[string][]float64 // by alert, the latest values
}

// traced is how many values of the past are drawn.
const traced = 60

// Run explains.
func (cmd *explainCmd) Run(c *console) error {
	m := &moment{trace: make(map[string][]float64)}
	var err error
	if cmd.Samples == "" {
		err = cmd.ofTest(c, m)
	} else {
		err = cmd.ofSamples(c, m)
	}
	if err != nil {
		return err
	}
	c.cut(cmp.Or(cmd.Samples, cmd.Files[0]), m.sim.Saturated())
	explained := 0
	for _, a := range m.sim.Alerts() {
		if !cmd.wants(a) {
			continue
		}
		if explained++; explained > 1 {
			fmt.Fprintln(c.out)
		}
		m.write(c.out, a)
	}
	if explained == 0 {
		fmt.Fprintf(c.out, "no alert stands in any way at %s; --all explains those at rest\n", m.sim.Now().Format(time.DateTime))
	}
	return nil
}

func (cmd *explainCmd) wants(a *evaluate.Alert) bool {
	if cmd.Monitor != "" && a.Rule.Alert.Key != cmd.Monitor && a.Rule.Monitor.Name != cmd.Monitor {
		return false
	}
	have := a.TagMap()
	for k, v := range cmd.Tags {
		if have[k] != v {
			return false
		}
	}
	return cmd.All || cmd.Monitor != "" || !a.State.Idle()
}

func (cmd *explainCmd) ofTest(c *console, m *moment) error {
	if len(cmd.Files) != 1 {
		return fmt.Errorf("without --samples expected one test file")
	}
	data, err := os.ReadFile(cmd.Files[0])
	if err != nil {
		return err
	}
	f, err := testfile.Parse(cmd.Files[0], data)
	if err != nil {
		return told(c, err)
	}
	set, err := f.Load(cmd.options(c))
	if err != nil {
		return told(c, err)
	}
	var test *testfile.Test
	var names []string
	for i := range f.Tests {
		names = append(names, f.Tests[i].Name)
		if strings.Contains(f.Tests[i].Name, cmd.Match) {
			if test != nil {
				return fmt.Errorf("--match NAME must tell which test: %s", strings.Join(names, "; "))
			}
			test = &f.Tests[i]
		}
	}
	if test == nil {
		return fmt.Errorf("there is no test %q; there are %s", cmd.Match, strings.Join(names, "; "))
	}
	m.start, m.tick = f.Start, f.Tick
	at, err := cmd.at(m.start)
	if err != nil {
		return err
	}
	m.sim = f.Replay(test, set, at.Sub(m.start), m.note)
	return nil
}

func (cmd *explainCmd) ofSamples(c *console, m *moment) error {
	set, err := cmd.load(c, cmd.Files)
	if err != nil {
		return err
	}
	replay := replayFlags{Samples: cmd.Samples, Tick: cmd.Tick, Gaps: cmd.Gaps}
	tape, err := replay.open(c.in)
	if err != nil {
		return err
	}
	at, err := cmd.at(tape.start)
	if err != nil {
		return err
	}
	if at.Before(tape.start) || at.After(tape.end) {
		return fmt.Errorf("the samples go from %s to %s", tape.start.Format(time.RFC3339), tape.end.Format(time.RFC3339))
	}
	m.start, m.tick = tape.start, tape.tick
	m.rec, _ = tape.replay.(*recording.Recording)
	m.sim = simulate.New(simulate.Config{Set: set, Start: tape.start, Tick: tape.tick, Quiet: true})
	near := at.Add(-traced * tape.tick)
	tape.Play(m.sim, at, func() {
		if m.sim.Now().After(near) {
			m.note(m.sim)
		}
	})
	return nil
}

// at reads --at.
func (cmd *explainCmd) at(start time.Time) (time.Time, error) {
	if d, err := monitor.ParseDuration(cmd.At); err == nil {
		return start.Add(d), nil
	}
	t, err := time.Parse(time.RFC3339, cmd.At)
	if err != nil {
		return t, fmt.Errorf("--at: expected a time such as 2026-01-05T10:00:00Z or a duration such as 42s, found %q", cmd.At)
	}
	return t, nil
}

// note keeps the latest values.
func (m *moment) note(sim *simulate.Simulation) {
	for _, a := range sim.Alerts() {
		v := math.NaN()
		if a.Value.Status == window.OK {
			v = a.Value.V
		}
		trace := append(m.trace[a.Key], v)
		m.trace[a.Key] = trace[max(0, len(trace)-traced):]
	}
}

// write explains one alert.
func (m *moment) write(w io.Writer, a *evaluate.Alert) {
	e := m.sim.Explain(a)
	fmt.Fprintf(w, "%s at %s (%s after the beginning)\n", nameOf(a), e.At.Format(time.DateTime), m.since(e.At))
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "  state\t%s\n", m.state(a))
	fmt.Fprintf(t, "  value\t%s\n", valueOf(a, e.Parts))
	if line := sparkline(m.trace[a.Key]); line != "" {
		fmt.Fprintf(t, "  before\t%s (the last %d ticks)\n", line, len(m.trace[a.Key]))
	}
	for _, p := range e.Parts {
		fmt.Fprintf(t, "  window\t%s from %s to %s%s\n", p.Metric, m.since(p.From), m.since(p.To), gaps(p.Value))
		if m.rec != nil {
			m.samples(t, a, p)
		}
	}
	for _, v := range e.Verdicts {
		fmt.Fprintf(t, "  %s\t%s\n", v.Level, m.verdict(a.Rule, v))
	}
	for _, n := range e.Next {
		when := "next"
		if !n.At.IsZero() {
			when = "at " + m.since(n.At)
		}
		fmt.Fprintf(t, "  %s\t%s\n", when, n.What)
	}
	_ = t.Flush()
	for _, h := range e.History[max(0, len(e.History)-10):] {
		fmt.Fprintf(w, "    %s %s\n", m.since(h.At), strings.Join(strings.Fields(
			strings.Join([]string{h.Words(), h.Level, h.Receiver, h.Reason}, " ")), " "))
	}
}

// since writes a time as distance from the beginning.
func (m *moment) since(t time.Time) string {
	d := t.Sub(m.start)
	if d < 0 {
		return "-" + monitor.FormatDuration(-d)
	}
	return monitor.FormatDuration(d)
}

func (m *moment) state(a *evaluate.Alert) string {
	s := &a.State
	text := s.Shown().String()
	if text == "inactive" && a.Value.Status == window.Unseen {
		text = "unseen: the metric was never counted"
	}
	if s.Level != "" {
		text += " as " + s.Level
	}
	if !s.Since.IsZero() && s.Incident != "" {
		text += ", " + s.Incident + " since " + m.since(s.Since)
	}
	if s.Flapping() {
		text += ", flapping"
	}
	if s.LevelsFlap() {
		text += ", its levels flapping"
	}
	if s.Reason != "" {
		text += " (" + string(s.Reason) + ")"
	}
	return text
}

// valueOf writes the value and how it came about.
func valueOf(a *evaluate.Alert, parts []simulate.Part) string {
	mon := a.Rule.Monitor
	if b, ok := a.Beat(); ok {
		return beatOf(a, b)
	}
	switch {
	case a.Value.Status == window.Unseen:
		return "none: the metric was never counted"
	case a.Value.Status == window.Ambiguous:
		return "none: the name exists in several kinds; type: says which is meant"
	case a.Value.Status != window.OK || math.IsNaN(a.Value.V):
		return "none: there is nothing to compute one from"
	case a.Rule.Source == "slo":
		return fmt.Sprintf("the error budget burns %.4g times as fast as it may", a.Value.V)
	}
	text := quantity(mon, a.Value.V)
	if len(parts) > 1 && mon.DivideBy != "" {
		text += fmt.Sprintf(" = %.6g / %.6g", parts[0].Value.V, parts[1].Value.V)
	}
	if why := a.Waits(); why != "" {
		text += "; " + why
	}
	if !math.IsNaN(a.Compare) && mon.CompareTo > 0 {
		text += fmt.Sprintf("; %s before it was %s", monitor.FormatDuration(mon.CompareTo), quantity(mon, a.Compare))
	}
	return text
}

// beatOf writes how a heartbeat stands.
func beatOf(a *evaluate.Alert, b evaluate.Beat) string {
	heard := "it was never heard"
	if !b.Heard.IsZero() {
		heard = "heard last at " + b.Heard.Format(time.RFC3339)
	}
	if a.Value.V > 0 {
		return fmt.Sprintf("overdue for %s; due at %s; %s",
			monitor.FormatDuration(time.Duration(a.Value.V*float64(time.Second)).Round(time.Millisecond)), b.Due.Format(time.RFC3339), heard)
	}
	return "not overdue; " + heard
}

func gaps(v window.Value) string {
	if v.Complete() {
		return ""
	}
	return fmt.Sprintf(" (%d ticks unknown, %d incomplete)", v.Unknown, v.Partial)
}

// maxSeries is how many series of a window are listed.
const maxSeries = 8

// samples lists what was recorded within a window.
func (m *moment) samples(w io.Writer, a *evaluate.Alert, p simulate.Part) {
	listed := 0
	for _, s := range m.rec.Between(p.Metric, p.From, p.To) {
		if !belongs(a, p.Where, s.Tags) {
			continue
		}
		if listed++; listed > maxSeries {
			continue
		}
		sum, last := 0.0, 0.0
		for _, v := range s.Values {
			sum, last = sum+v, v
		}
		fmt.Fprintf(w, "  \t  %s: %s, sum %.6g, last %.6g\n", s.Series, counted(len(s.Values), "sample"), sum, last)
	}
	if listed > maxSeries {
		fmt.Fprintf(w, "  \t  and %d more series\n", listed-maxSeries)
	}
}

// belongs says whether a series is one of the alert's.
func belongs(a *evaluate.Alert, where []*matcher.Matcher, tags []series.Tag) bool {
	get := func(name string) string {
		for _, t := range tags {
			if t.Key == name {
				return t.Value
			}
		}
		return ""
	}
	for _, m := range where {
		if !m.Matches(get(m.Name)) {
			return false
		}
	}
	for _, t := range a.Tags {
		if get(t.Key) != t.Value {
			return false
		}
	}
	return true
}

func (m *moment) verdict(rule *evaluate.Rule, v simulate.Verdict) string {
	word := map[bool]string{true: "yes", false: "no"}[v.Breach]
	limit := string(rule.Monitor.Op) + " " + quantity(rule.Monitor, v.Limit)
	if v.Clear {
		limit += " (clear, since it fires)"
	}
	text := limit + ": " + word
	if rule.Source != "" { // its limits are in the value already
		text = "quiet"
		if v.Firing || !v.Since.IsZero() {
			text = "in breach"
		}
	}
	if v.Firing {
		text += ", fires"
	}
	if !v.Since.IsZero() {
		text += ", in breach since " + m.since(v.Since)
	}
	return text
}

// sparkline draws values in eighths of a line's height.
func sparkline(values []float64) string {
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, v := range values {
		if v == v {
			lo, hi = min(lo, v), max(hi, v)
		}
	}
	if hi < lo {
		return ""
	}
	var b strings.Builder
	for _, v := range values {
		switch {
		case v != v:
			b.WriteRune(' ')
		case hi == lo:
			b.WriteRune('▁')
		default:
			b.WriteRune([]rune("▁▂▃▄▅▆▇█")[int((v-lo)/(hi-lo)*7)])
		}
	}
	return b.String() + fmt.Sprintf(" %.4g to %.4g", lo, hi)
}
