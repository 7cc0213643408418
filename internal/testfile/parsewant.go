package testfile

import (
	"maps"
	"slices"
	"strings"

	"github.com/go-batteries/hawkeye/internal/monitor"
	"github.com/go-batteries/hawkeye/internal/nearest"
)

func readExpectation(n monitor.Node) Expectation {
	e := Expectation{Line: n.Line()}
	ok := n.Mapping("an expectation",
		monitor.Key{Name: "at", Read: monitor.Duration(&e.At, 0)},
		monitor.Key{Name: "alerts", Read: func(n monitor.Node) {
			n.Items("alerts", func(item monitor.Node) { e.Alerts = append(e.Alerts, readAlert(item)) })
		}},
	)
	if ok && n.Lacks("at") {
		n.Fail("the expectation needs at:, the time since the beginning", "")
	}
	if ok && n.Lacks("alerts") {
		n.Fail("the expectation needs alerts:; [] is none", "")
	}
	return e
}

func readAlert(n monitor.Node) WantAlert {
	var a WantAlert
	ok := n.Mapping("an alert",
		monitor.Key{Name: "monitor", Read: monitor.Text(&a.Monitor)},
		monitor.Key{Name: "tags", Read: monitor.Pairs(&a.Tags)},
		monitor.Key{Name: "state", Read: word(&a.State, states)},
		monitor.Key{Name: "level", Read: func(n monitor.Node) {
			a.HasLevel = true
			monitor.Text(&a.Level)(n)
		}},
		monitor.Key{Name: "value", Read: a.readValue},
	)
	if ok && n.Lacks("monitor") {
		n.Fail("the alert needs its monitor", "")
	}
	if ok && n.Lacks("state") {
		n.Fail("the alert needs a state: "+strings.Join(states, ", "), "")
	}
	return a
}

// readValue reads a number, "~" and a number, or "none".
func (a *WantAlert) readValue(n monitor.Node) {
	text, ok := n.Scalar("a number, a number behind a ~, or none")
	if !ok {
		return
	}
	if text == "none" {
		a.Missing = true
		return
	}
	digits, about := strings.CutPrefix(text, "~")
	v, err := monitor.ParseQuantity(digits)
	if err != nil {
		n.Fail("expected a number such as 3 or 2%, one behind a ~ if it is meant roughly, or none", "")
		return
	}
	a.Value, a.About = &v, about
}

func readMessage(n monitor.Node) WantMessage {
	m := WantMessage{Line: n.Line()}
	var row WantRow
	keys := append(rowKeys(&row),
		monitor.Key{Name: "at", Read: func(n monitor.Node) {
			m.HasAt = true
			monitor.Duration(&m.At, 0)(n)
		}},
		monitor.Key{Name: "to", Read: monitor.Text(&m.To)},
		monitor.Key{Name: "alerts", Read: func(n monitor.Node) {
			n.Items("alerts", func(item monitor.Node) {
				var row WantRow
				item.Mapping("an alert of a message", rowKeys(&row)...)
				m.Alerts = append(m.Alerts, row)
			})
		}},
		monitor.Key{Name: "subject", Read: optional(&m.Subject)},
		monitor.Key{Name: "text", Read: optional(&m.Text)},
		monitor.Key{Name: "contains", Read: monitor.Texts(&m.Contains)},
	)
	ok := n.Mapping("a message", keys...)
	if !ok {
		return m
	}
	if n.Lacks("to") {
		n.Fail("the message needs to:, its receiver", "")
	}
	own := n.Has("kind") || n.Has("monitor") || n.Has("tags") || n.Has("level")
	switch {
	case own && n.Has("alerts"):
		n.Fail("a message about several alerts has kind:, monitor:, tags: and level: within alerts:", "")
	case own:
		m.Alerts = []WantRow{row}
	}
	return m
}

func rowKeys(r *WantRow) []monitor.Key {
	words := make([]string, len(kinds))
	for i, k := range kinds {
		words[i] = string(k)
	}
	return []monitor.Key{
		{Name: "kind", Read: word(&r.Kind, words)},
		{Name: "monitor", Read: monitor.Text(&r.Monitor)},
		{Name: "level", Read: monitor.Text(&r.Level)},
		{Name: "tags", Read: monitor.Pairs(&r.Tags)},
	}
}

func optional(dst **string) func(monitor.Node) {
	return func(n monitor.Node) {
		text := ""
		monitor.Text(&text)(n)
		*dst = &text
	}
}

// word reads one of several words.
func word(dst *string, words []string) func(monitor.Node) {
	return func(n monitor.Node) {
		text, ok := n.Scalar("one of " + strings.Join(words, ", "))
		if !ok {
			return
		}
		if !slices.Contains(words, text) {
			n.Fail("expected one of "+strings.Join(words, ", "), nearest.Of(text, words))
			return
		}
		*dst = text
	}
}

func sortedKeys[T any](m map[string]T) []string { return slices.Sorted(maps.Keys(m)) }
