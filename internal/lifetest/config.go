package lifetest

import (
	"fmt"
	"strings"
	"time"
)

// Start is when a life starts, a Monday.
var Start = time.Date(2026, 1, 5, 6, 0, 0, 0, time.UTC)

// Config returns the life's monitors.yaml.
func (l *Life) Config() string {
	var b strings.Builder
	b.WriteString("version: 2\nfrom: hawkeye@example.com\nreceivers:\n")
	for _, r := range l.Receivers {
		fmt.Fprintf(&b, "  %s: {email: {to: [%s@example.com]}%s}\n", r.Name, r.Name, r.keys())
	}
	if l.Night != (Span{}) {
		fmt.Fprintf(&b, "mute_times: {night: {from: %q, to: %q}}\n", clock(l.Night.From), clock(l.Night.To))
	}
	if len(l.Inhibit) > 0 {
		b.WriteString("inhibit:\n")
	}
	for _, i := range l.Inhibit {
		equal := ""
		if i.SameHost {
			equal = ", equal: [host]"
		}
		fmt.Fprintf(&b, "  - {source: ['monitor=%q'], target: ['monitor=%q']%s}\n", i.Source, i.Target, equal)
	}
	b.WriteString("monitors:\n")
	for i := range l.Monitors {
		l.Monitors[i].write(&b)
	}
	return b.String()
}

func clock(at time.Duration) string { return Start.Add(at).Format("15:04") }

func (r *Receiver) keys() string {
	s := ""
	if r.Group != (Group{}) {
		s += ", group: {"
		var keys []string
		if r.Group.By != "" {
			keys = append(keys, "by: ["+r.Group.By+"]")
		}
		if r.Group.Wait > 0 {
			keys = append(keys, "wait: "+r.Group.Wait.String())
		}
		if r.Group.Interval > 0 {
			keys = append(keys, "interval: "+r.Group.Interval.String())
		}
		s += strings.Join(keys, ", ") + "}"
	}
	if r.Fallback != "" {
		s += ", fallback: " + r.Fallback
	}
	if r.NoEnds {
		s += ", send_resolved: false"
	}
	return s
}

func (m *Monitor) write(b *strings.Builder) {
	fmt.Fprintf(b, "  - name: %s\n    metric: %s\n    type: gauge\n", m.Name, m.Name)
	if m.Hosts > 0 {
		b.WriteString("    by: [host]\n")
	}
	if m.Keep > 0 {
		fmt.Fprintf(b, "    keep_firing_for: %v\n", m.Keep)
	}
	if m.Night {
		b.WriteString("    mute_times: [night]\n")
	}
	b.WriteString("    triggers:\n")
	for i := range m.Levels {
		l := &m.Levels[i]
		fmt.Fprintf(b, "      - {level: %s, threshold: %v, repeat: %v, notify: [%s]", l.Name, threshold(i+1), l.Repeat, strings.Join(l.Notify, ", "))
		if l.For > 0 {
			fmt.Fprintf(b, ", for: %v", l.For)
		}
		if len(l.Escalate) > 0 {
			b.WriteString(", escalate: [")
			for j, s := range l.Escalate {
				if j > 0 {
					b.WriteString(", ")
				}
				fmt.Fprintf(b, "{after: %v, notify: [%s]}", s.After, strings.Join(s.Notify, ", "))
			}
			b.WriteString("]")
		}
		b.WriteString("}\n")
	}
}
