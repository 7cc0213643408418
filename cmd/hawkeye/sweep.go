package main

import (
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/go-batteries/hawkeye/internal/monitor"
	"github.com/go-batteries/hawkeye/internal/nearest"
)

// factors are what thresholds are multiplied by if none are given.
var factors = []float64{0.25, 0.5, 0.75, 1, 1.25, 1.5, 2, 4}

// sweep is a monitor with other thresholds.
type sweep struct {
	monitor  *monitor.Monitor
	variants []variant
}

// variant is a monitor with one of the thresholds.
type variant struct {
	key        string
	thresholds []float64
	own        bool // those of the file
	monitor    monitor.Monitor
}

// planSweeps reads the --sweep flags: NAME, or NAME:1%,2%.
func planSweeps(set *monitor.Set, flags []string) ([]sweep, error) {
	var sweeps []sweep
	for _, flag := range flags {
		m, rest := findMonitor(set, flag)
		if m == nil {
			return nil, unknownMonitor(set, flag)
		}
		scale, err := scales(m, rest)
		if err != nil {
			return nil, fmt.Errorf("--sweep %s: %w", flag, err)
		}
		s := sweep{monitor: m}
		for _, f := range scale {
			s.variants = append(s.variants, variantOf(m, f))
		}
		sweeps = append(sweeps, s)
	}
	return sweeps, nil
}

// findMonitor finds the monitor that a flag begins with; names may have
// colons.
func findMonitor(set *monitor.Set, flag string) (m *monitor.Monitor, rest string) {
	for i := range set.Monitors {
		key := set.Monitors[i].Key()
		tail, ok := strings.CutPrefix(flag, key)
		if ok && (tail == "" || tail[0] == ':') && (m == nil || len(key) > len(m.Key())) {
			m, rest = &set.Monitors[i], strings.TrimPrefix(tail, ":")
		}
	}
	return m, rest
}

func unknownMonitor(set *monitor.Set, flag string) error {
	var names []string
	for i := range set.Monitors {
		names = append(names, set.Monitors[i].Key())
	}
	name, _, _ := strings.Cut(flag, ":")
	hint := "; there are " + strings.Join(names, ", ")
	if s := nearest.Of(name, names); s != "" {
		hint = "; did you mean " + s + "?"
	}
	return fmt.Errorf("there is no monitor called %q%s", name, hint)
}

// scales are what the thresholds of a monitor are multiplied by: those that
// were asked for are of its highest level.
func scales(m *monitor.Monitor, list string) ([]float64, error) {
	if m.Op == monitor.EqualTo || m.Op == monitor.NotEqualTo {
		return nil, fmt.Errorf("%s has no thresholds that could be greater or less", m.Op)
	}
	if list == "" {
		return factors, nil
	}
	top := m.Triggers[len(m.Triggers)-1].Threshold
	if top == 0 {
		return nil, fmt.Errorf("the threshold is 0, which can't be scaled")
	}
	var out []float64
	for word := range strings.SplitSeq(list, ",") {
		v, err := monitor.ParseQuantity(word)
		if err != nil {
			return nil, err
		}
		out = append(out, v/top)
	}
	if !slices.Contains(out, 1) {
		out = append(out, 1)
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// variantOf is the monitor with its thresholds multiplied.
func variantOf(m *monitor.Monitor, factor float64) variant {
	v := variant{own: factor == 1, monitor: *m}
	v.monitor.Triggers = slices.Clone(m.Triggers)
	for i := range v.monitor.Triggers {
		t := &v.monitor.Triggers[i]
		t.Threshold *= factor
		if t.Clear != nil {
			clear := *t.Clear * factor
			t.Clear = &clear
		}
		v.thresholds = append(v.thresholds, t.Threshold)
	}
	v.monitor.Name = fmt.Sprintf("%s\x00×%g", m.Name, factor)
	if v.own {
		v.key = m.Key()
		return v
	}
	if m.Legacy { // whose key is made of the threshold: it must be nobody else's
		t := &v.monitor.Triggers[0]
		t.Threshold = math.Nextafter(t.Threshold, math.Inf(1))
	}
	v.key = v.monitor.Key()
	return v
}

// variantSets spreads the monitors that are tried over at most n sets. Each
// has receivers of its own, so that none is told together with another.
func variantSets(set *monitor.Set, sweeps []sweep, n int) []*monitor.Set {
	var sets []*monitor.Set
	next := 0
	for i := range sweeps {
		for j := range sweeps[i].variants {
			v := &sweeps[i].variants[j]
			if v.own {
				continue
			}
			if len(sets) < n {
				one := *set
				one.Monitors, one.Receivers, one.SLOs, one.Heartbeats = nil, nil, nil, nil
				sets = append(sets, &one)
			}
			v.addTo(sets[next%n], set)
			next++
		}
	}
	return sets
}

// addTo adds a variant and its receivers.
func (v *variant) addTo(set, base *monitor.Set) {
	mark := "\x00" + v.key
	for _, r := range base.Receivers {
		r.Name += mark
		if r.Fallback != "" {
			r.Fallback += mark
		}
		set.Receivers = append(set.Receivers, r)
	}
	m := v.monitor
	for i := range m.Triggers {
		t := &m.Triggers[i]
		t.Notify = marked(t.Notify, mark)
		t.Escalate = slices.Clone(t.Escalate)
		for j := range t.Escalate {
			t.Escalate[j].Notify = marked(t.Escalate[j].Notify, mark)
		}
	}
	set.Monitors = append(set.Monitors, m)
}

func marked(names []string, mark string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = n + mark
	}
	return out
}

// report writes what each threshold would have cost.
func (s *sweep) report(w io.Writer, b *book) {
	fmt.Fprintf(w, "\nthresholds of %s\n", s.monitor.Key())
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	head := ""
	for i := range s.monitor.Triggers {
		head += s.monitor.Triggers[i].Level + "\t"
	}
	fmt.Fprintf(t, "%sfired\tfiring for\tmessages\t\n", head)
	most := 1
	for _, v := range s.variants {
		most = max(most, b.of(v.key).messages)
	}
	for _, v := range s.variants {
		m := b.of(v.key)
		for i, x := range v.thresholds {
			if s.monitor.Triggers[i].Relative {
				fmt.Fprintf(t, "%+.4g%%\t", x*100)
				continue
			}
			fmt.Fprintf(t, "%s\t", quantity(s.monitor, x))
		}
		mark := ""
		if v.own {
			mark = "  <- as it is"
		}
		fmt.Fprintf(t, "%d\t%s\t%d\t %s%s\n", m.fired, monitor.FormatDuration(m.firing.Round(time.Second)), m.messages,
			bar(m.messages, most), mark)
	}
	_ = t.Flush()
}

// of returns what a monitor or a variant cost.
func (b *book) of(key string) *tallyBook {
	if t := b.tried[key]; t != nil {
		return t
	}
	return &tallyBook{}
}

// bar is a line as long as n is of most.
func bar(n, most int) string {
	length := (n*20 + most - 1) / most
	return strings.Repeat("=", length)
}

// quantity writes a value as the monitor's author would.
func quantity(m *monitor.Monitor, v float64) string {
	if m.DivideBy != "" {
		return fmt.Sprintf("%.4g%%", v*100)
	}
	return fmt.Sprintf("%.6g", v)
}

func sortedKeys[T any](m map[string]T) []string { return slices.Sorted(maps.Keys(m)) }
