package monitor

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/go-batteries/hawkeye/internal/matcher"
	"github.com/go-batteries/hawkeye/internal/msgtmpl"
	"github.com/go-batteries/hawkeye/internal/nearest"
)

// Defaults and bounds of monitors.
const (
	defaultWindow    = time.Minute
	defaultMaxGroups = 100
	defaultNoDataFor = 2 * time.Minute
	defaultIdleFor   = 5 * time.Minute
	defaultRepeat    = 4 * time.Hour
	// defaultFlapRepeat is longer: a repeat says little new of an alert that is
	// known to flap.
	defaultFlapRepeat = 3 * defaultRepeat
	defaultPeriod     = 30 * 24 * time.Hour
	defaultInterval2  = time.Minute
	defaultBurst      = 5

	defaultFallbackAfter = 5 * time.Minute
	maxFallbackAfter     = 24 * time.Hour

	minWindow   = time.Second
	maxWindow   = 30 * 24 * time.Hour
	minStale    = 10 * time.Second // a process that has no monitors tells each 5 s when gauges were set
	minEvery    = 100 * time.Millisecond
	minRepeat   = time.Second
	minPeriod   = 24 * time.Hour
	maxPeriod   = 90 * 24 * time.Hour
	maxTriggers = 16
	maxBurst    = 100
	maxMatchers = 64
	maxTags     = 64
	maxNames    = 100
	maxNameLen  = 200
)

// Validate fills in the defaults and checks what can be checked of a monitor
// by itself: whether its receivers and mute times exist is the [Set]'s to
// say. The error is an [*Errors] whose keys begin with "Monitor".
func (m *Monitor) Validate() error {
	s := &sink{}
	checkMonitor(s, m, place{nil, "Monitor"})
	return s.err(nil)
}

// defaultEvery is 0, which is the store's tick, for windows up to 5 m.
func defaultEvery(window time.Duration) time.Duration {
	if window <= 5*time.Minute {
		return 0
	}
	return min(window/300, time.Minute)
}

func (m *Monitor) setDefaults() {
	if m.Name == "" {
		m.Name = m.Metric
	}
	if m.MaxGroups == 0 {
		m.MaxGroups = defaultMaxGroups
	}
	if m.Aggregate == "" && m.Kind != "" {
		m.Aggregate = defaultAggregate(m.Kind)
	}
	if m.Fleet == "" {
		m.Fleet = Sum
	}
	if m.Window == 0 {
		m.Window = defaultWindow
	}
	if m.Every == 0 {
		m.Every = defaultEvery(m.Window)
	}
	if m.Op == "" {
		m.Op = GreaterOrEqual
	}
	if m.NoData == "" {
		m.NoData = NoDataKeep
		if m.Idle == "" {
			m.Idle = NoDataOK
		}
	}
	if m.NoDataFor == 0 {
		m.NoDataFor = defaultNoDataFor
	}
	switch {
	case m.IdleFor != 0:
	case m.Idle == "":
		m.IdleFor = m.NoDataFor
	default:
		m.IdleFor = max(defaultIdleFor, min(m.Window, maxWindow))
	}
	if m.EvalError == "" {
		m.EvalError = EvalErrorKeep
	}
	for i := range m.Triggers {
		m.setTriggerDefaults(i)
	}
}

// repeatDefaults fills in the time between messages, and that while it flaps.
func repeatDefaults(repeat, flapping *time.Duration) {
	switch {
	case *repeat == 0:
		*repeat, *flapping = defaultRepeat, defaultFlapRepeat
	case *flapping == 0:
		*flapping = *repeat
	}
}

func (m *Monitor) setTriggerDefaults(i int) {
	t := &m.Triggers[i]
	if t.Level == "" && len(m.Triggers) <= 2 {
		t.Level = []string{"critical", "warning"}[len(m.Triggers)-1-i]
	}
	if !t.NeverRepeat {
		repeatDefaults(&t.Repeat, &t.FlapRepeat)
	}
	if t.Notify == nil {
		t.Notify = m.Notify
	}
}

// checkMonitor fills in defaults and checks a monitor of version 2 or from
// code.
func checkMonitor(s *sink, m *Monitor, at place) {
	// A Monitor from code may share its triggers with the caller.
	m.Triggers = append([]Trigger(nil), m.Triggers...)
	m.setDefaults()
	c := check{s, at}
	c.metric("metric", m.Metric, "the monitor needs a metric, the name of what is measured")
	if m.Metric != "" || m.Name != "" {
		c.name("name", m.Name)
	}
	m.where = c.matchers("where", m.Where)
	m.divideWhere = c.matchers("divide_by.where", m.DivideWhere)
	c.ranges(m)
	c.measure(m)
	c.tags("by", m.By)
	if len(m.Triggers) == 0 {
		c.fail("triggers", "the monitor needs at least one trigger", "")
	}
	c.about(&m.About)
	c.atMost("notify", "names", len(m.Notify), maxNames)
	if !c.atMost("triggers", "triggers", len(m.Triggers), maxTriggers) {
		return
	}
	levels := map[string]int{}
	for i := range m.Triggers {
		c.trigger(m, i, levels)
	}
	c.lints(m)
}

// check reports what is wrong with one value.
type check struct {
	sink *sink
	at   place
}

func (c check) fail(rel, message, suggestion string) {
	if !c.at.broken(rel) {
		c.sink.add(c.at.problem(rel, message, suggestion))
	}
}

func (c check) lint(rel, message, suggestion string) {
	if len(c.sink.lints) > maxProblems {
		return
	}
	c.sink.lint(c.at.problem(rel, message, suggestion))
}

func (c check) metric(rel, metric, absent string) {
	switch {
	case metric == "":
		c.fail(rel, absent, "")
	case len(metric) > maxNameLen || strings.ContainsFunc(metric, func(r rune) bool { return r < 0x20 || r == 0x7f }):
		c.fail(rel, "a metric's name has at most "+strconv.Itoa(maxNameLen)+" bytes and no control characters", "")
	}
}

func (c check) name(rel, name string) {
	if name == "" || len(name) > maxNameLen || strings.TrimSpace(name) != name ||
		strings.ContainsFunc(name, func(r rune) bool { return r < 0x20 || r == 0x7f }) {
		c.fail(rel, "a name has 1 to "+strconv.Itoa(maxNameLen)+" bytes, no control characters and no spaces around it", "")
	}
}

// matchers compiles a list of matchers.
func (c check) matchers(rel string, texts []string) []*matcher.Matcher {
	if !c.atMost(rel, "matchers", len(texts), maxMatchers) {
		return nil
	}
	var all []*matcher.Matcher
	for i, s := range texts {
		item := rel + "[" + strconv.Itoa(i) + "]"
		m, err := matcher.Parse(s)
		if e, ok := err.(*matcher.Error); ok {
			c.sink.add(c.at.problemWithin(item, e.Offset, e.Message, likelyMatcher(s)))
			continue
		}
		all = append(all, m)
	}
	if a, b := matcher.Contradiction(all); a != nil {
		what := a.String() + " and " + b.String() + " can't both hold"
		if a == b {
			what = a.String() + " holds for nothing"
		}
		c.lint(rel, what+", so this matches nothing", "")
	}
	return all
}

// likelyMatcher is what a misspelt matcher was meant to be.
func likelyMatcher(s string) string {
	for _, fix := range [][2]string{{"==", "="}, {"~=", "=~"}, {"<>", "!="}, {": ", "="}} {
		if fixed := strings.Replace(s, fix[0], fix[1], 1); fixed != s {
			if m, err := matcher.Parse(fixed); err == nil {
				return m.String()
			}
		}
	}
	return ""
}

// tags checks a list of tags' names.
func (c check) tags(rel string, tags []string) {
	if !c.atMost(rel, "tags", len(tags), maxTags) {
		return
	}
	seen := map[string]bool{}
	for i, t := range tags {
		item := rel + "[" + strconv.Itoa(i) + "]"
		if t == "" {
			c.fail(item, "a tag's name is empty", "")
		} else if seen[t] {
			c.fail(item, "the tag "+quote(t)+" stands here twice", "")
		}
		seen[t] = true
	}
}

// atMost checks the length of a list.
func (c check) atMost(rel, what string, n, most int) bool {
	if n > most {
		c.fail(rel, "there are "+strconv.Itoa(n)+" "+what+" here, at most "+strconv.Itoa(most)+" are allowed", "")
	}
	return n <= most
}

func (c check) between(rel string, d, least, most time.Duration) {
	if d < least || d > most {
		c.fail(rel, "expected a duration from "+formatDuration(least)+" to "+formatDuration(most), "")
	}
}

func (c check) ranges(m *Monitor) {
	c.between("window", m.Window, minWindow, maxWindow)
	if m.Every != 0 {
		c.between("every", m.Every, minEvery, 24*time.Hour)
	}
	c.between("delay", m.Delay, 0, 24*time.Hour)
	if m.StaleAfter != 0 {
		c.between("stale_after", m.StaleAfter, minStale, maxWindow)
	}
	if m.CompareTo != 0 {
		c.between("compare_to", m.CompareTo, minWindow, maxWindow)
	}
	c.between("keep_firing_for", m.KeepFiringFor, 0, maxWindow)
	c.between("no_data_for", m.NoDataFor, 0, maxWindow)
	c.between("idle_for", m.IdleFor, 0, maxWindow)
	if m.MaxGroups < 1 || m.MaxGroups > 1_000_000 {
		c.fail("max_groups", "expected a whole number from 1 to 1000000", "")
	}
}

var aggregates = []Aggregate{Sum, Rate, Avg, Min, Max, Last, Count, Change}

// parseAggregate reads an aggregate by its name.
func parseAggregate(s string) (Aggregate, error) {
	a := Aggregate(s)
	for _, known := range aggregates {
		if a == known {
			return a, nil
		}
	}
	if _, ok := a.Percentile(); ok {
		return a, nil
	}
	names := []string{"p50", "p90", "p95", "p99"}
	for _, known := range aggregates {
		names = append(names, string(known))
	}
	suggestion := nearest.Of(s, names)
	if aliases := map[string]string{"mean": "avg", "average": "avg", "median": "p50", "total": "sum", "latest": "last", "maximum": "max", "minimum": "min"}; aliases[s] != "" {
		suggestion = aliases[s]
	}
	return "", &unitError{"expected sum, rate, avg, min, max, last, count, change or a percentile such as p99", suggestion}
}

func oneOf[T ~string](c check, rel string, got T, words ...T) {
	names := make([]string, len(words))
	for i, w := range words {
		if got == w {
			return
		}
		names[i] = string(w)
	}
	c.fail(rel, "expected one of "+strings.Join(names, ", ")+", found "+quote(string(got)), nearest.Of(string(got), names))
}

// measure checks what is measured and how.
func (c check) measure(m *Monitor) {
	if m.Kind != "" {
		oneOf(c, "type", m.Kind, Counter, Gauge, Histogram, SetKind)
	}
	oneOf(c, "fleet", m.Fleet, Sum, Avg, Min, Max)
	oneOf(c, "op", m.Op, GreaterOrEqual, Greater, LessOrEqual, Less, EqualTo, NotEqualTo)
	oneOf(c, "no_data", m.NoData, NoDataKeep, NoDataOK, NoDataAlert, NoDataState, NoDataZero)
	if m.Idle != "" {
		oneOf(c, "idle", m.Idle, NoDataOK, NoDataKeep, NoDataAlert)
	}
	oneOf(c, "eval_error", m.EvalError, EvalErrorKeep, EvalErrorAlert)
	if m.Aggregate != "" {
		if _, err := parseAggregate(string(m.Aggregate)); err != nil {
			c.fail("aggregate", err.Error()+", found "+quote(string(m.Aggregate)), err.(*unitError).suggestion)
		}
	}
	_, percentile := m.Aggregate.Percentile()
	if percentile && (m.Kind == Counter || m.Kind == Gauge || m.Kind == SetKind) {
		c.fail("aggregate", "a percentile needs a histogram, this is a "+string(m.Kind), "")
	}
	if percentile && m.DivideBy != "" {
		c.fail("divide_by", "a percentile can't be divided; a ratio is of sums", "")
	}
	if m.StaleAfter != 0 && m.Kind != "" && m.Kind != Gauge {
		c.fail("stale_after", "stale_after is for gauges; a "+string(m.Kind)+" has nothing that could get stale", "")
	}
	switch {
	case m.DivideBy != "":
		c.metric("divide_by", m.DivideBy, "")
	case m.DivideWhere != nil && c.at.r == nil:
		c.fail("divide_by", "divide_by needs a metric", "")
	}
	if m.MinTotal != 0 && m.DivideBy == "" && !m.Observes() {
		c.fail("min_total", "min_total is of the divisor, or of observations; it needs divide_by, or a percentile, avg, min or max of a histogram", "")
	}
	if m.MinTotal < 0 || math.IsNaN(m.MinTotal) || math.IsInf(m.MinTotal, 0) {
		c.fail("min_total", "expected a number that is not negative", "")
	}
}

var levelName = regexp.MustCompile(`^[\p{L}\p{N}_.-]{1,40}$`)

// trigger checks one trigger. levels are those seen before.
func (c check) trigger(m *Monitor, i int, levels map[string]int) {
	t := &m.Triggers[i]
	rel := "triggers[" + strconv.Itoa(i) + "]"
	sub := check{c.sink, c.at.sub(rel)}
	switch {
	case t.Level == "":
		sub.fail("level", "of more than two triggers each needs a level, mildest first", "")
	case !levelName.MatchString(t.Level):
		sub.fail("level", "a level is a word of letters, digits and _ . -", "")
	default:
		if first, ok := levels[t.Level]; ok {
			sub.fail("level", "the level "+quote(t.Level)+" is also that of triggers["+strconv.Itoa(first)+"]; each level stands once", "")
		}
		levels[t.Level] = i
	}
	sub.numbers(m, t)
	sub.between("for", t.For, 0, maxWindow)
	if !t.NeverRepeat {
		sub.between("repeat", t.Repeat, minRepeat, maxWindow)
	}
	if len(t.Notify) == 0 {
		sub.fail("notify", "nobody is told; name receivers in notify:, here or on the monitor", "")
	}
	sub.atMost("notify", "names", len(t.Notify), maxNames)
	if !sub.atMost("escalate", "escalations", len(t.Escalate), maxTriggers) {
		return
	}
	for j, e := range t.Escalate {
		item := "escalate[" + strconv.Itoa(j) + "]"
		sub.between(item+".after", e.After, time.Second, maxWindow)
		sub.atMost(item+".notify", "names", len(e.Notify), maxNames)
		if len(e.Notify) == 0 {
			sub.fail(item+".notify", "the escalation tells nobody; name receivers in notify:", "")
		}
	}
	t.subject = compileTemplate(c.sink, t.Subject, msgtmpl.Version2(), sub.at, "subject")
	t.text = compileTemplate(c.sink, t.Text, msgtmpl.Version2(), sub.at, "text")
}

func (c check) numbers(m *Monitor, t *Trigger) {
	if math.IsNaN(t.Threshold) || math.IsInf(t.Threshold, 0) {
		c.fail("threshold", errNotFinite.Error(), "")
	}
	if t.Clear != nil && (math.IsNaN(*t.Clear) || math.IsInf(*t.Clear, 0)) {
		c.fail("clear", errNotFinite.Error(), "")
	}
	if t.Relative && m.CompareTo == 0 {
		c.fail("threshold", "a change such as +50% needs compare_to, what it is measured against", "")
	}
}
