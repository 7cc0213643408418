package monitor

import (
	"net/mail"
	"strconv"
	"strings"
	"time"

	"github.com/go-batteries/hawkeye/internal/msgtmpl"
)

// The defaults of version 1.
const (
	defaultInterval = 60 * time.Second
	defaultRunEvery = 5 * time.Minute
	defaultSubject  = "{{ .metric }} error limit exceeded in {{ .service }}"
)

// legacyMonitor is a monitor as version 1 writes it.
type legacyMonitor struct {
	metric    string
	kind      Kind
	interval  time.Duration
	aggregate Aggregate
	subject   string
	triggers  []legacyTrigger
	at        place
}

type legacyTrigger struct {
	threshold     float64
	hasThreshold  bool
	runEvery      time.Duration
	subject, text string
	email         Email
	at            place
}

// version1 reads a version-1 file.
func (b *builder) version1(v value) {
	v.mapping("a version-1 file", append(b.globalFields(),
		field{"version", nothing},
		field{"monitors", func(v value) {
			v.sequence("monitors", func(item value) { b.legacy(item) })
		}},
	))
	if v.r.keys["monitors"] == nil && !v.r.broken["monitors"] {
		v.fail("monitors: is missing", "")
	}
}

// globalFields are the keys that both versions have at the top.
func (b *builder) globalFields() []field {
	return []field{
		b.global("service", &b.set.Service),
		b.global("environment", &b.set.Environment),
		b.global("from", &b.set.From),
	}
}

// legacy reads one monitor and adds a Monitor for each of its triggers.
func (b *builder) legacy(v value) {
	m := legacyMonitor{kind: Counter, interval: defaultInterval, at: place{v.r, v.path}}
	notifier := "email"
	ok := v.mapping("a version-1 monitor", []field{
		{"metric", text(&m.metric)},
		{"type", legacyKind(&m.kind)},
		{"interval", count(&m.interval, time.Second, "seconds", time.Second, maxWindow)},
		{"aggregate", unit(&m.aggregate, "an aggregate such as p95", parseAggregate)},
		{"notifier", enum(&notifier, "email")},
		{"subject", text(&m.subject)},
		{"triggers", func(v value) {
			v.sequence("triggers", func(item value) { m.triggers = append(m.triggers, readLegacyTrigger(item)) })
		}},
	})
	if ok {
		b.legacyChecks(&m)
		b.expandLegacy(&m)
	}
}

// legacyKind reads c, g, h and the long names.
func legacyKind(dst *Kind) func(value) {
	return func(v value) {
		var s string
		enum(&s, "c", "g", "h", "counter", "gauge", "histogram")(v)
		switch s {
		case "c", "counter":
			*dst = Counter
		case "g", "gauge":
			*dst = Gauge
		case "h", "histogram":
			*dst = Histogram
		}
	}
}

// count reads a number of units, such as version 1's 20 for seconds. Zero is
// the default, as if the key were absent.
func count(dst *time.Duration, one time.Duration, units string, least, most time.Duration) func(value) {
	expected := "expected a number of " + units
	return unit(dst, "a number of "+units, func(s string) (time.Duration, error) {
		n, err := parseNumber(s)
		if err != nil {
			if d, derr := parseDuration(s); derr == nil {
				return 0, &unitError{expected + " without a unit", strconv.FormatFloat(d.Seconds()/one.Seconds(), 'f', -1, 64)}
			}
			return 0, &unitError{expected, ""}
		}
		if n == 0 {
			return *dst, nil
		}
		if n < least.Seconds()/one.Seconds() || n > most.Seconds()/one.Seconds() {
			from := " more than 0 and at most "
			if least == one {
				from = " from 1 to "
			}
			return 0, &unitError{expected + "," + from + formatNumber(most.Seconds()/one.Seconds()), ""}
		}
		return time.Duration(n * float64(one)), nil
	})
}

func formatNumber(v float64) string { return msgtmpl.FormatNumber(v) }

func readLegacyTrigger(v value) legacyTrigger {
	t := legacyTrigger{runEvery: defaultRunEvery, at: place{v.r, v.path}}
	v.mapping("a version-1 trigger", []field{
		{"threshold", func(v value) {
			t.hasThreshold = true
			unit(&t.threshold, "a number", parseNumber)(v)
		}},
		{"run_every", count(&t.runEvery, time.Minute, "minutes", time.Second, maxWindow)},
		{"subject", text(&t.subject)},
		{"text", text(&t.text)},
		{"to", texts(&t.email.To)},
		{"cc", texts(&t.email.Cc)},
		{"bcc", texts(&t.email.Bcc)},
	})
	return t
}

func (b *builder) legacyChecks(m *legacyMonitor) {
	if m.metric == "" && !m.at.broken("metric") {
		b.sink.add(m.at.problem("metric", "the monitor needs a metric, the name of what is counted", ""))
	}
	if m.aggregate != "" && m.kind != Histogram {
		b.sink.add(m.at.problem("aggregate", "aggregate is for histograms (type: h); version 1 sums counters and takes the latest value of gauges", ""))
	}
	if m.aggregate == "" {
		m.aggregate = defaultAggregate(m.kind)
	}
	if len(m.triggers) == 0 && !m.at.broken("triggers") {
		b.sink.add(m.at.problem("triggers", "the monitor needs at least one trigger", ""))
	}
	for i := range m.triggers {
		t := &m.triggers[i]
		if !t.hasThreshold && !t.at.broken("threshold") {
			b.sink.add(t.at.problem("threshold", "the trigger needs a threshold", ""))
		}
		if len(t.email.To)+len(t.email.Cc)+len(t.email.Bcc) == 0 && !t.at.broken("to") && !t.at.broken("cc") && !t.at.broken("bcc") {
			b.sink.add(t.at.problem("to", "the trigger has no recipients; name them in to:, as in to: [oncall@example.com]", ""))
		}
		checkEmail(b.sink, t.email, t.at, "")
	}
}

func defaultAggregate(k Kind) Aggregate {
	switch k {
	case Gauge:
		return Last
	case Histogram:
		return "p99"
	default:
		return Sum
	}
}

// checkEmail checks the addresses of a mail; prefix leads to its keys.
func checkEmail(s *sink, e Email, at place, prefix string) {
	for _, list := range []struct {
		key       string
		addresses []string
	}{{"to", e.To}, {"cc", e.Cc}, {"bcc", e.Bcc}} {
		for i, a := range list.addresses {
			if s.full() {
				return
			}
			if problem := badAddress(a); problem != "" {
				s.add(at.problem(prefix+list.key+"["+strconv.Itoa(i)+"]", problem, ""))
			}
		}
	}
}

// badAddress says what is wrong with a mail address, "" if nothing is.
func badAddress(a string) string {
	if strings.ContainsAny(a, "\r\n") {
		return "a mail address holds no line breaks"
	}
	if _, err := mail.ParseAddress(a); err != nil {
		if strings.Contains(a, ",") && !strings.Contains(a, `"`) {
			return "expected one mail address, found " + quote(a) + "; write several as a list: [a@example.com, b@example.com]"
		}
		return "expected a mail address such as oncall@example.com, found " + quote(a)
	}
	return ""
}

// expandLegacy makes each trigger a Monitor with a Receiver of its own.
func (b *builder) expandLegacy(m *legacyMonitor) {
	for i := range m.triggers {
		t := &m.triggers[i]
		subject, subjectAt := t.subject, t.at
		if subject == "" {
			subject, subjectAt = m.subject, m.at
		}
		if subject == "" {
			subject = defaultSubject
		}
		trigger := Trigger{
			Level: "critical", Threshold: t.threshold, Repeat: t.runEvery,
			Subject: subject, Text: t.text, Pos: t.at.position(),
		}
		trigger.subject = compileTemplate(b.sink, subject, msgtmpl.Version1(), subjectAt, "subject")
		trigger.text = compileTemplate(b.sink, t.text, msgtmpl.Version1(), t.at, "text")
		mon := Monitor{
			Name: m.metric, Metric: m.metric, Kind: m.kind, MaxGroups: defaultMaxGroups,
			Aggregate: m.aggregate, Fleet: Sum, Window: m.interval, Every: defaultEvery(m.interval), Op: GreaterOrEqual,
			NoData: NoDataKeep, NoDataFor: defaultNoDataFor, Idle: NoDataOK, IdleFor: max(defaultIdleFor, m.interval), EvalError: EvalErrorKeep,
			Triggers: []Trigger{trigger}, Legacy: true, Pos: m.at.position(),
		}
		b.addLegacy(mon, t)
	}
}

// addLegacy adds a version-1 Monitor and its Receiver. Those that differ in
// nothing but the aggregate are numbered; the very same is a mistake.
func (b *builder) addLegacy(mon Monitor, t *legacyTrigger) {
	exact := mon.Key() + " " + string(mon.Aggregate)
	if first, ok := b.first[exact]; !ok {
		b.first[exact] = mon.Triggers[0].Pos
	} else if t.hasThreshold && mon.Metric != "" && !b.sink.full() {
		b.sink.add(t.at.problem("threshold", "the same metric, type, interval and threshold stand at "+first.String()+"; put the recipients together", ""))
	}
	b.twins[mon.Key()]++
	mon.ordinal = b.twins[mon.Key()] - 1
	name := mon.Key()
	mon.Notify = []string{name}
	mon.Triggers[0].Notify = mon.Notify
	b.set.Monitors = append(b.set.Monitors, mon)
	b.monitors = append(b.monitors, t.at)
	b.set.Receivers = append(b.set.Receivers, Receiver{
		Name: name, Kind: KindEmail, Email: t.email, SkipResolved: true, Legacy: true,
		Group: Group{By: []string{"monitor"}}, Pos: t.at.position(),
	})
	b.receivers = append(b.receivers, t.at)
}

// compileTemplate parses a template and reports its mistakes.
func compileTemplate(s *sink, text string, fields *msgtmpl.Type, at place, rel string) *msgtmpl.Template {
	if text == "" {
		return nil
	}
	if s.full() {
		return nil
	}
	t, err := msgtmpl.Parse(text, fields)
	if errs, ok := err.(msgtmpl.Errors); ok {
		for _, e := range errs {
			s.add(at.problemWithin(rel, e.Offset, e.Message, e.Suggestion))
		}
	}
	return t
}
