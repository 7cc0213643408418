package testfile

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/go-batteries/hawkeye/internal/matcher"
	"github.com/go-batteries/hawkeye/internal/monitor"
	"github.com/go-batteries/hawkeye/internal/nearest"
	"github.com/go-batteries/hawkeye/internal/series"
	"github.com/go-batteries/hawkeye/internal/simulate"
)

// Parse reads a file of tests. The error is a [*monitor.Errors] with every
// mistake.
func Parse(name string, data []byte) (*File, error) {
	f := &File{Name: name, Service: DefaultService, Start: DefaultStart, Tick: simulate.DefaultTick}
	doc := monitor.Document{Needs: "config: and tests:", LookupEnv: func(string) (string, bool) { return "", false }}
	if err := doc.Read(monitor.Source{Name: name, Data: data}, f.read); err != nil {
		return nil, err
	}
	return f, nil
}

func (f *File) read(root monitor.Node) {
	ok := root.Mapping("a test file",
		monitor.Key{Name: "config", Read: monitor.Texts(&f.Config)},
		monitor.Key{Name: "start", Read: f.readStart},
		monitor.Key{Name: "tick", Read: monitor.Duration(&f.Tick, 100*time.Millisecond)},
		monitor.Key{Name: "env", Read: monitor.Pairs(&f.Env)},
		monitor.Key{Name: "service", Read: monitor.Text(&f.Service)},
		monitor.Key{Name: "environment", Read: monitor.Text(&f.Environment)},
		monitor.Key{Name: "tests", Read: func(n monitor.Node) {
			n.Items("tests", func(item monitor.Node) { f.Tests = append(f.Tests, f.readTest(item)) })
		}},
	)
	if !ok {
		return
	}
	if root.Lacks("config") {
		root.Fail("config: is missing: the monitors.yaml that is tested", "config: monitors.yaml")
	}
	if root.Lacks("tests") {
		root.Fail("tests: is missing", "")
	}
}

func (f *File) readStart(n monitor.Node) {
	text, ok := n.Scalar("a time such as 2026-01-05T00:00:00Z")
	if !ok {
		return
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil || t.Year() < 1970 || t.Year() > 2200 {
		n.Fail("expected a time such as 2026-01-05T00:00:00Z, found "+text, "")
		return
	}
	f.Start = t.UTC()
}

func (f *File) readTest(n monitor.Node) Test {
	t := Test{Line: n.Line(), Interval: f.Tick}
	ok := n.Mapping("a test",
		monitor.Key{Name: "name", Read: monitor.Text(&t.Name)},
		monitor.Key{Name: "interval", Read: monitor.Duration(&t.Interval, time.Millisecond)},
		monitor.Key{Name: "until", Read: monitor.Duration(&t.Until, time.Millisecond)},
		monitor.Key{Name: "series", Read: func(n monitor.Node) {
			n.Items("series", func(item monitor.Node) { t.Series = append(t.Series, readSeries(item)) })
		}},
		monitor.Key{Name: "silences", Read: func(n monitor.Node) {
			n.Items("silences", func(item monitor.Node) { t.Silences = append(t.Silences, readSilence(item)) })
		}},
		monitor.Key{Name: "acks", Read: func(n monitor.Node) {
			n.Items("acks", func(item monitor.Node) { t.Acks = append(t.Acks, readAck(item)) })
		}},
		monitor.Key{Name: "outages", Read: func(n monitor.Node) {
			n.Items("outages", func(item monitor.Node) { t.Outages = append(t.Outages, readOutage(item)) })
		}},
		monitor.Key{Name: "expect", Read: func(n monitor.Node) {
			n.Items("expectations", func(item monitor.Node) { t.Expect = append(t.Expect, readExpectation(item)) })
		}},
		monitor.Key{Name: "messages", Read: func(n monitor.Node) {
			t.HasMessages, t.MessagesLine = true, n.Line()
			n.Items("messages", func(item monitor.Node) { t.Messages = append(t.Messages, readMessage(item)) })
		}},
	)
	if !ok {
		return t
	}
	if t.Name == "" && n.Lacks("name") {
		n.Fail("the test needs a name", "")
	}
	if len(t.Expect) == 0 && n.Lacks("expect") && !t.HasMessages {
		n.Fail("the test expects nothing; it needs expect: or messages:", "")
	}
	if t.ticks(f.Tick) > MaxTicks {
		n.Fail("the test takes too long: more than ten million ticks of "+monitor.FormatDuration(f.Tick), "")
	}
	slices.SortStableFunc(t.Expect, func(a, b Expectation) int { return int(a.At - b.At) })
	return t
}

func readSeries(n monitor.Node) Series {
	s := Series{Kind: series.KindCounter}
	var tags map[string]string
	ok := n.Mapping("a series",
		monitor.Key{Name: "metric", Read: monitor.Text(&s.Metric)},
		monitor.Key{Name: "type", Read: func(n monitor.Node) { readKind(n, &s.Kind) }},
		monitor.Key{Name: "tags", Read: monitor.Pairs(&tags)},
		monitor.Key{Name: "process", Read: monitor.Text(&s.Process)},
		monitor.Key{Name: "from", Read: monitor.Duration(&s.From, 0)},
		monitor.Key{Name: "values", Read: func(n monitor.Node) { readValues(n, &s.Values) }},
		monitor.Key{Name: "total", Read: func(n monitor.Node) {
			s.Total = true
			readValues(n, &s.Values)
		}},
	)
	for _, k := range sortedKeys(tags) {
		s.Tags = append(s.Tags, series.Tag{Key: k, Value: tags[k]})
	}
	if !ok {
		return s
	}
	if n.Lacks("metric") {
		n.Fail("the series needs a metric", "")
	}
	switch {
	case n.Has("values") == n.Has("total"):
		n.Fail("the series needs either values: or total:", "")
	case s.Total && s.Kind != series.KindCounter:
		n.Fail("total: is for counters; a "+s.Kind.String()+" has values:", "")
	}
	return s
}

func readKind(n monitor.Node, kind *series.Kind) {
	word, ok := n.Scalar("a type")
	if !ok {
		return
	}
	var names []string
	for k := series.KindCounter; k <= series.KindSet; k++ {
		if k.String() == word {
			*kind = k
			return
		}
		names = append(names, k.String())
	}
	n.Fail("expected one of "+strings.Join(names, ", "), nearest.Of(word, names))
}

func readValues(n monitor.Node, values *[]Value) {
	one := func(n monitor.Node) {
		text, ok := n.Scalar("values such as 0+5x10")
		if !ok {
			return
		}
		more, err := Values(text)
		var bad *shorthandError
		switch {
		case errors.As(err, &bad):
			n.FailWithin(bad.offset, bad.message, "")
		case len(*values)+len(more) > MaxValues:
			n.Fail("the series has too many values", "")
		default:
			*values = append(*values, more...)
		}
	}
	if n.IsList() {
		n.Items("values", one)
		return
	}
	one(n)
}

func readSilence(n monitor.Node) Silence {
	var s Silence
	n.Mapping("a silence",
		monitor.Key{Name: "at", Read: monitor.Duration(&s.At, 0)},
		monitor.Key{Name: "for", Read: monitor.Duration(&s.For, time.Millisecond)},
		monitor.Key{Name: "matchers", Read: func(n monitor.Node) {
			if n.IsList() {
				n.Items("matchers", func(item monitor.Node) { readMatcher(item, &s.Matchers) })
				return
			}
			readMatcher(n, &s.Matchers)
		}},
	)
	if n.IsMapping() && (n.Lacks("for") || n.Lacks("matchers")) {
		n.Fail("a silence needs for: and matchers:", "")
	}
	return s
}

func readMatcher(n monitor.Node, dst *[]string) {
	text, ok := n.Scalar(`a matcher such as monitor="api-errors"`)
	if !ok {
		return
	}
	if _, err := matcher.Parse(text); err != nil {
		n.Fail(err.Error(), "")
		return
	}
	*dst = append(*dst, text)
}

func readAck(n monitor.Node) Ack {
	a := Ack{Line: n.Line()}
	n.Mapping("an ack",
		monitor.Key{Name: "at", Read: monitor.Duration(&a.At, 0)},
		monitor.Key{Name: "for", Read: monitor.Duration(&a.For, time.Millisecond)},
		monitor.Key{Name: "monitor", Read: monitor.Text(&a.Monitor)},
		monitor.Key{Name: "tags", Read: monitor.Pairs(&a.Tags)},
		monitor.Key{Name: "sticky", Read: monitor.Boolean(&a.Sticky)},
	)
	if n.IsMapping() && n.Lacks("monitor") {
		n.Fail("an ack needs the monitor that is acknowledged", "")
	}
	return a
}

func readOutage(n monitor.Node) Outage {
	o := Outage{Line: n.Line()}
	n.Mapping("an outage",
		monitor.Key{Name: "receiver", Read: monitor.Text(&o.Receiver)},
		monitor.Key{Name: "from", Read: monitor.Duration(&o.From, 0)},
		monitor.Key{Name: "to", Read: monitor.Duration(&o.To, 0)},
		monitor.Key{Name: "error", Read: func(n monitor.Node) {
			switch word, _ := n.Scalar("temporary or permanent"); word {
			case "permanent":
				o.Permanent = true
			case "temporary", "":
			default:
				n.Fail("expected temporary or permanent", nearest.Of(word, []string{"temporary", "permanent"}))
			}
		}},
	)
	if n.IsMapping() && (n.Lacks("receiver") || n.Lacks("to")) {
		n.Fail("an outage needs receiver: and to:", "")
	}
	return o
}
