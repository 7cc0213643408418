// Package upgrade writes version-1 files of monitors.yaml as version 2, and
// writes out what a version-2 file leaves to a default that is another one by
// now.
package upgrade

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/go-batteries/hawkeye/internal/monitor"
)

// Result is a file as version 2.
type Result struct {
	Text string
	// Notes say what version 2 does otherwise.
	Notes []string
}

// File writes a version-1 file as version 2. Each trigger becomes a monitor,
// because version 1 tells each by itself, and each list of recipients with
// its own run_every a receiver. Comments stay with what they stood at. In a
// version-2 file it writes out `idle` where that is what `no_data` says, and
// changes nothing else. The error of a broken file is a [*monitor.Errors].
func File(name string, data []byte) (*Result, error) {
	set, err := monitor.Options{}.Parse(monitor.Source{Name: name, Data: data})
	if err != nil {
		return nil, err
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(bytes.TrimPrefix(data, []byte("\ufeff")), &doc); err != nil {
		return nil, fmt.Errorf("upgrade %s: %w", name, err)
	}
	if set.Version != 1 {
		return version2(data, &doc), nil
	}
	u := upgrader{set: set, receivers: mapping(), names: map[string]bool{}, byKey: map[string]string{}}
	root := u.root(resolved(doc.Content[0], 0))
	root.HeadComment = joined(doc.HeadComment, root.HeadComment)
	root.FootComment = joined(root.FootComment, doc.FootComment)
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	if err := enc.Encode(root); err != nil {
		return nil, fmt.Errorf("upgrade %s: %w", name, err)
	}
	return &Result{Text: spaced(out.String()), Notes: u.notes()}, nil
}

// upgrader makes the new tree.
type upgrader struct {
	set       *monitor.Set
	next      int // in set.Monitors: one for each trigger, in the order of the file
	receivers *yaml.Node
	names     map[string]bool   // of monitors and receivers
	byKey     map[string]string // receivers, by their recipients and run_every
	silent    bool              // some trigger has no text of its own
}

func (u *upgrader) root(old *yaml.Node) *yaml.Node {
	root := mapping()
	root.HeadComment = old.HeadComment
	set(root, "version", scalar("2"))
	var monitors *yaml.Node
	for i := 0; i < len(old.Content); i += 2 {
		key, value := old.Content[i], old.Content[i+1]
		switch {
		case key.Value == "version":
			comment(root, "version", key, value)
		case key.Value == "monitors":
			monitors = u.monitors(value)
			carried := *key
			root.Content = append(root.Content, text("receivers"), u.receivers, &carried, monitors)
		case value.Tag != "!!null":
			carried, literal := *key, u.literal(value)
			literal.LineComment = value.LineComment
			root.Content = append(root.Content, &carried, literal)
		}
	}
	return root
}

// monitors makes a monitor of each trigger.
func (u *upgrader) monitors(old *yaml.Node) *yaml.Node {
	list := &yaml.Node{Kind: yaml.SequenceNode, HeadComment: old.HeadComment, LineComment: old.LineComment, FootComment: old.FootComment}
	for _, m := range old.Content {
		m = resolved(m, 0)
		triggers := child(m, "triggers")
		for i, t := range triggers.Content {
			made := u.monitor(m, resolved(t, 0), i == 0)
			if i == 0 {
				made.HeadComment = joined(joined(m.HeadComment, made.HeadComment), triggers.HeadComment)
			}
			if i == len(triggers.Content)-1 {
				made.FootComment = joined(made.FootComment, m.FootComment)
			}
			list.Content = append(list.Content, made)
		}
	}
	return list
}

// monitor makes one of a trigger and the monitor it is in. What is said once
// in the old file keeps its comments the first time.
func (u *upgrader) monitor(old, trigger *yaml.Node, first bool) *yaml.Node {
	m := &u.set.Monitors[u.next]
	u.next++
	t := &m.Triggers[0]
	made := mapping()
	made.HeadComment = trigger.HeadComment
	made.FootComment = trigger.FootComment
	set(made, "name", text(u.unique(m.Metric+"-"+strconv.FormatFloat(t.Threshold, 'f', -1, 64))))
	set(made, "metric", text(m.Metric))
	set(made, "type", scalar(string(m.Kind)))
	if m.Kind == monitor.Histogram {
		set(made, "aggregate", scalar(string(m.Aggregate)))
	}
	set(made, "window", scalar(monitor.FormatDuration(m.Window)))
	one := mapping()
	set(one, "threshold", copied(child(trigger, "threshold")))
	set(one, "repeat", scalar(monitor.FormatDuration(t.Repeat)))
	set(one, "notify", flow(text(u.receiver(m))))
	subject := child(trigger, "subject")
	if empty(subject) {
		subject = child(old, "subject")
	}
	if empty(subject) {
		set(one, "subject", quoted("{{ .metric }} error limit exceeded in {{ .service }}"))
	} else {
		set(one, "subject", u.literal(subject))
	}
	if body := child(trigger, "text"); !empty(body) {
		set(one, "text", u.literal(body))
	} else {
		u.silent = true
	}
	u.comments(made, one, old, trigger, first)
	set(made, "triggers", &yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{one}})
	return made
}

// comments carries the comments of keys over to those that say the same now.
func (u *upgrader) comments(made, one, old, trigger *yaml.Node, first bool) {
	renamed := map[string]string{"interval": "window", "run_every": "repeat", "to": "notify", "cc": "notify", "bcc": "notify"}
	carry := func(from, to *yaml.Node) {
		for i := 0; i < len(from.Content); i += 2 {
			key, value := from.Content[i], from.Content[i+1]
			name := key.Value
			if r, ok := renamed[name]; ok {
				name = r
			}
			if name == "triggers" || name == "notifier" {
				to.HeadComment = joined(to.HeadComment, joined(key.HeadComment, joined(key.LineComment, value.LineComment)))
				continue
			}
			if child(to, name) == nil {
				to = one
			}
			comment(to, name, key, value)
		}
	}
	if first {
		carry(old, made)
	}
	carry(trigger, one)
}

// receiver returns the name of the receiver that stands for a trigger's
// recipients and run_every, making it if it is new.
func (u *upgrader) receiver(m *monitor.Monitor) string {
	r := u.set.Receiver(m.Triggers[0].Notify[0])
	every := monitor.FormatDuration(m.Triggers[0].Repeat)
	key := fmt.Sprintf("%q %q %q %s", r.Email.To, r.Email.Cc, r.Email.Bcc, every)
	if name, ok := u.byKey[key]; ok {
		return name
	}
	all := slices.Concat(r.Email.To, r.Email.Cc, r.Email.Bcc)
	name := u.unique(word(all[0]))
	u.byKey[key] = name
	email := mapping()
	email.Style = yaml.FlowStyle
	for _, list := range []struct {
		key string
		to  []string
	}{{"to", r.Email.To}, {"cc", r.Email.Cc}, {"bcc", r.Email.Bcc}} {
		if len(list.to) > 0 {
			var items []*yaml.Node
			for _, a := range list.to {
				items = append(items, text(strings.ReplaceAll(a, "${", "$${")))
			}
			set(email, list.key, flow(items...))
		}
	}
	group := mapping()
	group.Style = yaml.FlowStyle
	set(group, "by", flow(text("monitor")))
	set(group, "interval", scalar(every))
	made := mapping()
	set(made, "email", email)
	set(made, "group", group)
	set(made, "send_resolved", scalar("false"))
	set(u.receivers, name, made)
	return name
}

// unique returns name, with a number if it is taken.
func (u *upgrader) unique(name string) string {
	found := name
	for i := 2; u.names[found]; i++ {
		found = name + "-" + strconv.Itoa(i)
	}
	u.names[found] = true
	return found
}

// literal copies a text of version 1, which knows no variables.
func (u *upgrader) literal(n *yaml.Node) *yaml.Node {
	c := copied(resolved(n, 0))
	c.Value = strings.ReplaceAll(c.Value, "${", "$${")
	return c
}

// notes says what version 2 does otherwise.
func (u *upgrader) notes() []string {
	notes := []string{
		"The state of alerts begins anew: version 1 knows a trigger by metric, type, interval and threshold, version 2 a monitor by its name. What fires during the change is told again.",
		"A breach that came and went within run_every was told when it was over; version 2 tells of it only if it still lasts then. Without send_resolved nobody hears of its end.",
		"A monitor that changes four times within five minutes is told to be flapping, once, instead of each time.",
		"A mail's body no longer begins with \"SLA breached in <environment>\", but with the name of the service and the environment.",
	}
	if u.silent {
		notes = append(notes, "Triggers without a text get version 2's default text.")
	}
	if len(u.set.Monitors) > 1 {
		notes = append(notes, "Triggers of one metric are monitors of their own, as version 1 meant them. As levels of one monitor they would be one alert: see docs/monitors.md.")
	}
	return notes
}
