package monitor

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// version2 reads a version-2 file.
func (b *builder) version2(v value) {
	var defaults []entry
	monitors := value{}
	fields := append(b.globalFields(),
		field{"version", nothing},
		field{"location", b.location},
		field{"generation", unit(&b.set.Generation, "a whole number", func(s string) (int64, error) {
			n, err := strconv.ParseInt(s, 10, 64)
			if err != nil || n < 0 {
				return 0, &unitError{"expected a whole number that grows with each change", ""}
			}
			return max(n, b.set.Generation), nil
		})},
		field{"defaults", func(v value) { defaults = b.defaults(v) }},
		field{"monitors", func(v value) { monitors = v }},
		field{"receivers", func(v value) { b.named(v, "receivers", b.receiver) }},
		field{"mute_times", func(v value) { b.named(v, "mute times", b.muteTime) }},
		field{"slos", func(v value) { v.sequence("SLOs", b.slo) }},
		field{"heartbeats", func(v value) { v.sequence("heartbeats", b.heartbeat) }},
		field{"inhibit", func(v value) { v.sequence("inhibitions", b.inhibit) }},
	)
	v.mapping("a version-2 file", fields)
	if monitors.n != nil {
		monitors.sequence("monitors", func(item value) { b.monitor(item, defaults) })
	}
}

// named reads a mapping of names to things.
func (b *builder) named(v value, what string, read func(name string, v value)) {
	if v.n.Kind != mappingNode {
		v.expected("a mapping of names to " + what)
		return
	}
	for _, e := range v.entries(0) {
		if c, ok := v.r.visit(e.value, child(v.path, e.key.Value)); ok {
			read(e.key.Value, c)
		}
	}
}

// defaults returns the entries that stand in for what a monitor doesn't say.
// They are read once by themselves, so that a mistake is told even if every
// monitor overrides it.
func (b *builder) defaults(v value) []entry {
	var scratch Monitor
	fields := monitorFields(&scratch)
	kept := fields[:0]
	for _, f := range fields {
		if f.name != "name" {
			kept = append(kept, f)
		}
	}
	if !v.mapping("defaults", kept) {
		return nil
	}
	var known []entry
	for _, e := range v.entries(0) {
		for _, f := range kept {
			if f.name == e.key.Value {
				known = append(known, e)
			}
		}
	}
	return known
}

// monitor reads one monitor.
func (b *builder) monitor(v value, defaults []entry) {
	var m Monitor
	if !v.mappingWith(defaults, "a monitor", monitorFields(&m)) {
		return
	}
	at := place{v.r, v.path}
	m.Pos = at.position()
	for i := range m.Triggers {
		m.Triggers[i].Pos = at.sub("triggers[" + strconv.Itoa(i) + "]").position()
	}
	b.set.Monitors = append(b.set.Monitors, m)
	b.monitors = append(b.monitors, at)
}

// monitorFields are the keys of a monitor.
func monitorFields(m *Monitor) []field {
	return append(m.About.fields(), []field{
		{"name", text(&m.Name)},
		{"description", text(&m.Description)},
		{"enabled", negated(&m.Disabled)},
		{"metric", text(&m.Metric)},
		{"type", enum(&m.Kind, Counter, Gauge, Histogram, SetKind)},
		{"where", matchers(&m.Where)},
		{"by", texts(&m.By)},
		{"max_groups", whole(&m.MaxGroups, 1)},
		{"aggregate", unit(&m.Aggregate, "an aggregate such as sum", parseAggregate)},
		{"fleet", enum(&m.Fleet, Sum, Avg, Min, Max)},
		{"stale_after", duration(&m.StaleAfter, minStale)},
		{"divide_by", divisor(m)},
		{"min_total", unit(&m.MinTotal, "a number", parseNumber)},
		{"window", duration(&m.Window, minWindow)},
		{"every", duration(&m.Every, minEvery)},
		{"delay", duration(&m.Delay, 0)},
		{"op", enum(&m.Op, GreaterOrEqual, Greater, LessOrEqual, Less, EqualTo, NotEqualTo)},
		{"compare_to", duration(&m.CompareTo, minWindow)},
		{"keep_firing_for", duration(&m.KeepFiringFor, 0)},
		{"no_data", enum(&m.NoData, NoDataKeep, NoDataOK, NoDataAlert, NoDataState, NoDataZero)},
		{"no_data_for", orAtOnce(&m.NoDataFor)},
		{"idle", enum(&m.Idle, NoDataOK, NoDataKeep, NoDataAlert)},
		{"idle_for", orAtOnce(&m.IdleFor)},
		{"eval_error", enum(&m.EvalError, EvalErrorKeep, EvalErrorAlert)},
		{"must_exist", boolean(&m.MustExist)},
		{"notify", texts(&m.Notify)},
		{"triggers", func(v value) {
			m.Triggers = nil
			v.sequence("triggers", func(item value) { m.Triggers = append(m.Triggers, readTrigger(item)) })
		}},
		{"unit", text(&m.Unit)},
	}...)
}

// divisor reads the name of a metric, or {metric: ..., where: [...]}.
func divisor(m *Monitor) func(value) {
	return func(v value) {
		m.DivideBy, m.DivideWhere = "", nil
		if v.n.Kind != yaml.MappingNode {
			if s, ok := v.scalar("a metric, or a mapping such as {metric: http.requests}"); ok {
				m.DivideBy = s
			}
			return
		}
		m.DivideWhere = []string{}
		ok := v.mapping("divide_by", []field{{"metric", text(&m.DivideBy)}, {"where", matchers(&m.DivideWhere)}})
		if at := (place{v.r, v.path}); ok && m.DivideBy == "" && !at.broken("metric") {
			v.r.sink.add(at.problem("metric", "divide_by needs a metric", ""))
		}
	}
}

// orAtOnce reads a duration of which 0s isn't the default.
func orAtOnce(dst *time.Duration) func(value) {
	return func(v value) {
		d := time.Duration(-1)
		duration(&d, 0)(v)
		if d == 0 {
			d = AtOnce
		}
		if d > 0 {
			*dst = d
		}
	}
}

// negated reads enabled: into Disabled.
func negated(dst *bool) func(value) {
	return func(v value) {
		enabled := !*dst
		boolean(&enabled)(v)
		*dst = !enabled
	}
}

// matchers reads a list of matchers, or a mapping of tags to values.
func matchers(dst *[]string) func(value) {
	return func(v value) {
		*dst = []string{}
		if v.n.Kind == mappingNode {
			equalities(v, dst)
			return
		}
		v.list("matchers", func(item value) {
			if item.n.Kind == mappingNode {
				equalities(item, dst)
				return
			}
			if s, ok := item.scalar(`a matcher such as method="POST"`); ok {
				*dst = append(*dst, s)
			}
		})
	}
}

func equalities(v value, dst *[]string) {
	var m map[string]string
	pairs(&m)(v)
	for _, k := range sortedKeys(m) {
		*dst = append(*dst, equality(k, m[k]))
	}
}

func readTrigger(v value) Trigger {
	var (
		t             Trigger
		hasThreshold  bool
		clearRelative bool
	)
	ok := v.mapping("a trigger", []field{
		{"level", text(&t.Level)},
		{"threshold", func(v value) {
			hasThreshold = true
			thresholdOf(&t.Threshold, &t.Relative)(v)
		}},
		{"clear", func(v value) {
			t.Clear = new(float64)
			thresholdOf(t.Clear, &clearRelative)(v)
		}},
		{"for", duration(&t.For, 0)},
		{"repeat", repeat(&t.Repeat, &t.NeverRepeat)},
		{"notify", texts(&t.Notify)},
		{"escalate", func(v value) {
			v.sequence("escalations", func(item value) { t.Escalate = append(t.Escalate, readEscalation(item)) })
		}},
		{"subject", text(&t.Subject)},
		{"text", text(&t.Text)},
	})
	at := place{v.r, v.path}
	if ok && !hasThreshold && !at.broken("threshold") {
		v.r.sink.add(at.problem("threshold", "the trigger needs a threshold", ""))
	}
	if t.Clear != nil && hasThreshold && clearRelative != t.Relative {
		v.r.sink.add(at.problem("clear", "clear and threshold must both be changes such as +50%, or neither", ""))
	}
	return t
}

// thresholdOf reads a threshold. A sign and a percent sign make it a change
// against compare_to.
func thresholdOf(dst *float64, relative *bool) func(value) {
	return func(v value) {
		unit(dst, "a threshold", func(s string) (float64, error) {
			*relative = isChange(s)
			return parseQuantity(s)
		})(v)
	}
}

// isChange says whether a threshold is a change, such as +50% or -30%.
func isChange(s string) bool {
	s = strings.TrimSpace(s)
	return strings.HasSuffix(s, "%") && (strings.HasPrefix(s, "+") || strings.HasPrefix(s, "-"))
}

// repeat reads a duration or never.
func repeat(dst *time.Duration, never *bool) func(value) {
	return func(v value) {
		if v.n.Value == "never" {
			*never = true
			return
		}
		duration(dst, minRepeat)(v)
	}
}

func readEscalation(v value) Escalation {
	var e Escalation
	v.mapping("an escalation", []field{
		{"after", duration(&e.After, time.Second)},
		{"notify", texts(&e.Notify)},
	})
	return e
}

func (b *builder) slo(v value) {
	var (
		s    SLO
		good string
	)
	ok := v.mapping("an SLO", append(s.About.fields(), []field{
		{"name", text(&s.Name)},
		{"description", text(&s.Description)},
		{"enabled", negated(&s.Disabled)},
		{"objective", unit(&s.Objective, "a percentage such as 99.9%", parsePercent)},
		{"period", duration(&s.Period, minPeriod)},
		{"bad", text(&s.Bad)},
		{"total", text(&s.Total)},
		{"good", func(v value) {
			text(&good)(v)
			s.Good = new(Good)
			unit(s.Good, `a condition such as "<= 300ms"`, parseGood)(v)
		}},
		{"where", matchers(&s.Where)},
		{"by", texts(&s.By)},
		{"min_total", unit(&s.MinTotal, "a number", parseNumber)},
		{"notify", func(v value) { readSLONotify(v, &s) }},
		{"repeat", duration(&s.Repeat, minRepeat)},
	}...))
	if !ok {
		return
	}
	at := place{v.r, v.path}
	s.Pos = at.position()
	b.set.SLOs = append(b.set.SLOs, s)
	b.slos = append(b.slos, at)
}

// readSLONotify reads {page: [...], ticket: [...]}, or one list for both.
func readSLONotify(v value, s *SLO) {
	if v.n.Kind != mappingNode {
		texts(&s.Page)(v)
		s.Ticket = s.Page
		return
	}
	v.mapping("an SLO's notify", []field{{"page", texts(&s.Page)}, {"ticket", texts(&s.Ticket)}})
}

var goodText = regexp.MustCompile(`^\s*(<=|>=|<|>)\s*(\S.*)$`)

// parseGood reads a condition such as "<= 300ms".
func parseGood(s string) (Good, error) {
	m := goodText.FindStringSubmatch(s)
	if m == nil {
		return Good{}, &unitError{`expected a condition such as "<= 300ms"`, ""}
	}
	v, err := parseQuantity(m[2])
	return Good{Op(m[1]), v}, err
}

func (b *builder) heartbeat(v value) {
	var h Heartbeat
	ok := v.mapping("a heartbeat", append(h.About.fields(), []field{
		{"name", text(&h.Name)},
		{"description", text(&h.Description)},
		{"enabled", negated(&h.Disabled)},
		{"metric", text(&h.Metric)},
		{"where", matchers(&h.Where)},
		{"expect_every", duration(&h.ExpectEvery, time.Second)},
		{"schedule", text(&h.Schedule)},
		{"location", location(&h.Location)},
		{"early", duration(&h.Early, minEarly)},
		{"grace", duration(&h.Grace, 0)},
		{"level", text(&h.Level)},
		{"notify", texts(&h.Notify)},
		{"repeat", duration(&h.Repeat, minRepeat)},
	}...))
	if !ok {
		return
	}
	at := place{v.r, v.path}
	h.Pos = at.position()
	b.set.Heartbeats = append(b.set.Heartbeats, h)
	b.heartbeats = append(b.heartbeats, at)
}

func (b *builder) inhibit(v value) {
	var i Inhibit
	ok := v.mapping("an inhibition", []field{
		{"source", matchers(&i.Source)},
		{"target", matchers(&i.Target)},
		{"equal", texts(&i.Equal)},
	})
	if !ok {
		return
	}
	at := place{v.r, v.path}
	i.Pos = at.position()
	b.set.Inhibits = append(b.set.Inhibits, i)
	b.inhibits = append(b.inhibits, at)
}
