package monitor

import (
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/go-batteries/hawkeye/internal/matcher"
)

// shortNoData is how long a value may be missing because something restarts.
const shortNoData = 30 * time.Second

// lints reports what is allowed in a monitor but hardly meant.
func (c check) lints(m *Monitor) {
	if m.Every > m.Window {
		c.lint("every", "the window ("+formatDuration(m.Window)+") is shorter than every ("+formatDuration(m.Every)+"), so some samples are never looked at", "")
	}
	if m.CompareTo > 0 && m.CompareTo < m.Window {
		c.lint("compare_to", "the window before overlaps the one that it is compared with; compare_to is usually at least the window", "")
	}
	c.lintDivisor(m)
	c.lintFilling(m)
	if m.StaleAfter > 0 && m.NoData == NoDataKeep {
		c.lint("stale_after", "what is stale is missing, and with no_data: keep that changes nothing; no_data says what it means", "")
	}
	if m.NoData != NoDataKeep && m.NoDataFor < shortNoData {
		c.lint("no_data_for", "no_data_for ("+formatDuration(m.NoDataFor)+") is shorter than a restart may take ("+formatDuration(shortNoData)+
			"): short gaps count, too, but for values whose processes are gone, which are always waited for that long", "")
	}
	if m.Fleet != Sum && m.Kind != "" && m.Kind != Gauge {
		c.lint("fleet", "fleet is for gauges; it changes nothing for a "+string(m.Kind), "")
	}
	for i := range m.Triggers {
		t := &m.Triggers[i]
		sub := check{c.sink, c.at.sub("triggers[" + strconv.Itoa(i) + "]")}
		sub.lintClear(m.Op, t)
		if !t.NeverRepeat && t.Repeat < m.Every {
			sub.lint("repeat", "repeat ("+formatDuration(t.Repeat)+") is shorter than every ("+formatDuration(m.Every)+")", "")
		}
		for j := i + 1; j < len(m.Triggers); j++ {
			if hides(m.Op, t, &m.Triggers[j]) {
				sub.lint("threshold", "this level is never reached by itself: "+m.Triggers[j].Level+" fires as early; triggers are written mildest first", "")
				break
			}
		}
	}
}

// longFilling is how long a window may be before it is worth a word that it
// has to fill first.
const longFilling = 5 * time.Minute

// lintFilling reports a falling threshold that is without a verdict for long.
func (c check) lintFilling(m *Monitor) {
	if m.Op == GreaterOrEqual || m.Op == Greater || m.Window <= longFilling || !m.sums() || m.onlyChanges() {
		return
	}
	c.lint("window", "with "+string(m.Op)+" there is no verdict before the window ("+formatDuration(m.Window)+") has filled since the first sample: of a new metric or group, "+
		"and after each start of a process that keeps its counts in memory without a state file", "")
}

// onlyChanges says whether all thresholds are changes, which take longer than
// the window to compare anyway.
func (m *Monitor) onlyChanges() bool {
	for i := range m.Triggers {
		if !m.Triggers[i].Relative {
			return false
		}
	}
	return true
}

// sums says whether the value may be what comes together over the window.
func (m *Monitor) sums() bool {
	switch {
	case m.DivideBy != "":
		return false
	case m.Kind == Gauge:
		return m.Aggregate == Change || m.Aggregate == Rate
	case m.Kind == SetKind:
		return true
	case m.Aggregate == "":
		return m.Kind != Histogram
	case m.Aggregate == Avg:
		return m.Kind == Counter
	}
	return m.Aggregate == Sum || m.Aggregate == Count || m.Aggregate == Rate || m.Aggregate == Change && m.Kind != Histogram
}

// lintDivisor reports a ratio of the same series on both sides.
func (c check) lintDivisor(m *Monitor) {
	if m.DivideBy == "" || m.DivideBy != m.Metric || !sameMatchers(m.where, m.DivideMatchers()) {
		return
	}
	switch {
	case m.DivideWhere == nil && len(m.Where) > 0:
		c.lint("divide_by", "where holds for both sides of the same metric, so the ratio is always 100%; as a mapping, divide_by is of all of it",
			"divide_by: {metric: "+m.Metric+"}")
	default:
		c.lint("divide_by", "both sides are the same series, so the ratio is always 100%; where: chooses those of the metric, divide_by: {metric: ..., where: [...]} those it is divided by", "")
	}
}

// sameMatchers says whether two lists choose the same series, as far as their
// texts tell.
func sameMatchers(a, b []*matcher.Matcher) bool {
	texts := func(list []*matcher.Matcher) []string {
		all := make([]string, len(list))
		for i, m := range list {
			all[i] = m.String()
		}
		slices.Sort(all)
		return slices.Compact(all)
	}
	return slices.Equal(texts(a), texts(b))
}

// lintClear reports a clear threshold on the wrong side, with which an alert
// would end while it is in breach, or an equality, which has no sides.
func (c check) lintClear(op Op, t *Trigger) {
	if t.Clear == nil {
		return
	}
	switch op {
	case EqualTo, NotEqualTo:
		c.lint("clear", "clear has no meaning with "+string(op), "")
	case GreaterOrEqual, Greater:
		if *t.Clear > t.Threshold {
			c.lint("clear", "clear is above the threshold; with "+string(op)+" it belongs below it", "")
		}
	default:
		if *t.Clear < t.Threshold {
			c.lint("clear", "clear is below the threshold; with "+string(op)+" it belongs above it", "")
		}
	}
}

// hides says whether severe always fires when mild does.
func hides(op Op, mild, severe *Trigger) bool {
	if mild.Relative != severe.Relative || severe.For > mild.For || math.IsNaN(mild.Threshold) {
		return false
	}
	switch op {
	case GreaterOrEqual, Greater:
		return severe.Threshold <= mild.Threshold
	case LessOrEqual, Less:
		return severe.Threshold >= mild.Threshold
	default:
		return severe.Threshold == mild.Threshold
	}
}
