package monitor

import (
	"slices"
	"strconv"

	"github.com/go-batteries/hawkeye/internal/matcher"
	"github.com/go-batteries/hawkeye/internal/nearest"
)

// fromCode adds what came from code.
func (b *builder) fromCode() {
	for i, m := range b.options.Monitors {
		at := place{nil, "WithMonitors[" + strconv.Itoa(i) + "]"}
		m.Legacy, m.Pos = false, at.position()
		b.set.Monitors = append(b.set.Monitors, m)
		b.monitors = append(b.monitors, at)
	}
	for _, r := range b.options.Receivers {
		at := inCode(r.Pos, "WithReceiver("+quote(r.Name)+")")
		r.Pos = at.position()
		b.set.Receivers = append(b.set.Receivers, r)
		b.receivers = append(b.receivers, at)
	}
	for i, o := range b.options.SLOs {
		at := inCode(o.Pos, "WithRules.SLOs["+strconv.Itoa(i)+"]")
		o.Pos = at.position()
		b.set.SLOs = append(b.set.SLOs, o)
		b.slos = append(b.slos, at)
	}
	for i, h := range b.options.Heartbeats {
		at := inCode(h.Pos, "WithRules.Heartbeats["+strconv.Itoa(i)+"]")
		h.Pos = at.position()
		b.set.Heartbeats = append(b.set.Heartbeats, h)
		b.heartbeats = append(b.heartbeats, at)
	}
	for i, in := range b.options.Inhibits {
		at := inCode(in.Pos, "WithRules.Inhibit["+strconv.Itoa(i)+"]")
		in.Pos = at.position()
		b.set.Inhibits = append(b.set.Inhibits, in)
		b.inhibits = append(b.inhibits, at)
	}
	for _, m := range b.options.MuteTimes {
		at := inCode(m.Pos, "WithRules.MuteTimes["+quote(m.Name)+"]")
		m.Pos = at.position()
		b.set.MuteTimes = append(b.set.MuteTimes, m)
		b.mutes = append(b.mutes, at)
	}
	b.set.Generation = max(b.set.Generation, b.options.Generation)
	if b.set.Location == nil {
		b.set.Location = b.options.Location
	}
}

// inCode is the place of what came from code.
func inCode(pos Position, otherwise string) place {
	if pos.File != "" {
		otherwise = pos.File
	}
	return place{nil, otherwise}
}

// hang gives clocks that name no place the one of the Set.
func (b *builder) hang() {
	for i := range b.set.Heartbeats {
		if h := &b.set.Heartbeats[i]; h.Schedule != "" && h.Location == nil {
			h.Location = b.set.Location
		}
	}
	for i := range b.set.MuteTimes {
		m := &b.set.MuteTimes[i]
		m.Periods = slices.Clone(m.Periods) // which may be the caller's
		for j := range m.Periods {
			if m.Periods[j].Location == nil {
				m.Periods[j].Location = b.set.Location
			}
		}
	}
}

// check fills in defaults and checks the Set.
func (b *builder) check() {
	b.hang()
	for i := range b.set.Monitors {
		if m := &b.set.Monitors[i]; !m.Legacy {
			checkMonitor(b.sink, m, b.monitors[i])
			for j := range m.Triggers {
				m.Triggers[j].Pos = b.monitors[i].sub("triggers[" + strconv.Itoa(j) + "]").position()
			}
		}
	}
	for i := range b.set.Receivers {
		checkReceiver(b.sink, &b.set.Receivers[i], b.receivers[i])
	}
	for i := range b.set.SLOs {
		checkSLO(b.sink, &b.set.SLOs[i], b.slos[i])
	}
	for i := range b.set.Heartbeats {
		checkHeartbeat(b.sink, &b.set.Heartbeats[i], b.heartbeats[i])
	}
	for i := range b.set.Inhibits {
		checkInhibit(b.sink, &b.set.Inhibits[i], b.inhibits[i])
	}
	b.unique()
	b.references()
	if len(b.sink.problems) == 0 {
		b.unreachableTags()
	}
	if len(b.sink.problems) == 0 && len(b.set.Monitors)+len(b.set.SLOs)+len(b.set.Heartbeats) == 0 {
		b.sink.lint(Problem{Message: "nothing is watched: there are no monitors, SLOs or heartbeats"})
	}
}

func checkReceiver(s *sink, r *Receiver, at place) {
	if r.Legacy {
		return
	}
	c := check{s, at}
	c.name("name", r.Name)
	if len(r.Group.By) == 0 {
		r.Group.By = []string{"monitor"}
	}
	r.Group.setDefaults()
	if r.Fallback != "" && r.FallbackAfter == 0 {
		r.FallbackAfter = defaultFallbackAfter
	}
	c.tags("group.by", r.Group.By)
	c.between("group.wait", r.Group.Wait, 0, maxWindow)
	c.between("group.interval", r.Group.Interval, minRepeat, maxWindow)
	if r.Group.Burst < 1 || r.Group.Burst > maxBurst {
		c.fail("group.burst", "expected a whole number from 1 to 100", "")
	}
	if r.Fallback == "" && r.FallbackAfter != 0 {
		c.fail("fallback_after", "there is no fallback: to be told after that", "")
	}
	if r.Fallback != "" {
		c.between("fallback_after", r.FallbackAfter, minRepeat, maxFallbackAfter)
	}
	if r.Kind == "" && at.r == nil && len(r.Email.To)+len(r.Email.Cc)+len(r.Email.Bcc) > 0 {
		r.Kind = KindEmail
	}
	if r.Kind != KindEmail {
		return
	}
	if len(r.Email.To)+len(r.Email.Cc)+len(r.Email.Bcc) == 0 {
		c.fail("email", "the receiver has no recipients; name them as in email: {to: [team@example.com]}", "")
	}
	checkEmail(s, r.Email, at, "email.")
}

// setDefaults fills in how often a group may be told. Whoever says how long to
// wait or how far apart messages are gets one at a time.
func (g *Group) setDefaults() {
	if g.Burst == 0 {
		g.Burst = defaultBurst
		if g.Wait != 0 || g.Interval != 0 {
			g.Burst = 1
		}
	}
	if g.Interval == 0 {
		g.Interval = defaultInterval2
	}
}

func checkSLO(s *sink, o *SLO, at place) {
	c := check{s, at}
	if o.Period == 0 {
		o.Period = defaultPeriod
	}
	repeatDefaults(&o.Repeat, &o.FlapRepeat)
	c.name("name", o.Name)
	c.metric("total", o.Total, "the SLO needs a total: a counter of all events, or a histogram with good:")
	switch {
	case o.Objective == 0:
		c.fail("objective", "the SLO needs an objective, such as 99.9%", "")
	case o.Objective >= 1 && o.Objective < 100:
		c.fail("objective", "expected a percentage below 100%", strconv.FormatFloat(o.Objective, 'f', -1, 64)+"%")
	case o.Objective < 0 || o.Objective >= 1:
		c.fail("objective", "expected a percentage above 0% and below 100%", "")
	}
	switch {
	case o.Bad == "" && o.Good == nil:
		c.fail("bad", "the SLO needs bad: (a counter of bad events) or good: (a condition on a histogram)", "")
	case o.Bad != "" && o.Good != nil:
		c.fail("good", "bad: and good: exclude each other", "")
	}
	c.between("period", o.Period, minPeriod, maxPeriod)
	c.between("repeat", o.Repeat, minRepeat, maxWindow)
	if o.MinTotal < 0 {
		c.fail("min_total", "expected a number that is not negative", "")
	}
	o.where = c.matchers("where", o.Where)
	c.tags("by", o.By)
	c.about(&o.About)
	c.atMost("notify", "names", max(len(o.Page), len(o.Ticket)), maxNames)
	if len(o.Page)+len(o.Ticket) == 0 {
		c.fail("notify", "nobody is told; name receivers, as in notify: {page: [team]}", "")
	}
}

func checkInhibit(s *sink, i *Inhibit, at place) {
	c := check{s, at}
	if len(i.Source) == 0 {
		c.fail("source", `the inhibition needs a source, as in source: ['monitor="db-down"']`, "")
	}
	if len(i.Target) == 0 {
		c.fail("target", `the inhibition needs a target, as in target: ['monitor=~"api-.*"']`, "")
	}
	i.source = c.matchers("source", i.Source)
	i.target = c.matchers("target", i.Target)
	c.tags("equal", i.Equal)
}

// unique reports names that stand twice. Monitors, SLOs and heartbeats share
// one space, because silences and states know them by name.
func (b *builder) unique() {
	alerts := map[string]Position{}
	for i := range b.set.Monitors {
		if m := &b.set.Monitors[i]; !m.Legacy {
			b.once(alerts, m.Name, "the name", b.monitors[i], m.Pos)
		}
	}
	for i := range b.set.SLOs {
		b.once(alerts, b.set.SLOs[i].Name, "the name", b.slos[i], b.set.SLOs[i].Pos)
	}
	for i := range b.set.Heartbeats {
		b.once(alerts, b.set.Heartbeats[i].Name, "the name", b.heartbeats[i], b.set.Heartbeats[i].Pos)
	}
	receivers := map[string]Position{}
	for i := range b.set.Receivers {
		if r := &b.set.Receivers[i]; !r.Legacy {
			b.once(receivers, r.Name, "a receiver", b.receivers[i], r.Pos)
		}
	}
	mutes := map[string]Position{}
	for i := range b.set.MuteTimes {
		b.once(mutes, b.set.MuteTimes[i].Name, "a mute time", b.mutes[i], b.set.MuteTimes[i].Pos)
	}
}

func (b *builder) once(seen map[string]Position, name, what string, at place, pos Position) {
	if name == "" {
		return
	}
	first, twice := seen[name]
	if !twice {
		seen[name] = pos
		return
	}
	rel := "name"
	if what != "the name" {
		rel = ""
	}
	b.sink.add(at.problem(rel, what+" "+quote(name)+" stands twice; the first is at "+first.String(), ""))
}

// references reports receivers and mute times that don't exist.
func (b *builder) references() {
	var receivers, mutes []string
	for i := range b.set.Receivers {
		if !b.set.Receivers[i].Legacy {
			receivers = append(receivers, b.set.Receivers[i].Name)
		}
	}
	for i := range b.set.MuteTimes {
		mutes = append(mutes, b.set.MuteTimes[i].Name)
	}
	slices.Sort(receivers)
	slices.Sort(mutes)
	known := names{"receiver": receivers, "mute time": mutes}
	for i := range b.set.Monitors {
		if m := &b.set.Monitors[i]; !m.Legacy {
			b.monitorReferences(m, b.monitors[i], known)
		}
	}
	for i := range b.set.SLOs {
		o := &b.set.SLOs[i]
		for _, list := range [][]string{o.Page, o.Ticket} {
			b.known("receiver", known, list, b.slos[i], "notify")
		}
		b.known("mute time", known, o.MuteTimes, b.slos[i], "mute_times")
	}
	for i := range b.set.Heartbeats {
		b.known("receiver", known, b.set.Heartbeats[i].Notify, b.heartbeats[i], "notify")
		b.known("mute time", known, b.set.Heartbeats[i].MuteTimes, b.heartbeats[i], "mute_times")
	}
	for i := range b.set.Receivers {
		r := &b.set.Receivers[i]
		if r.Fallback != "" {
			b.known("receiver", known, []string{r.Fallback}, b.receivers[i], "fallback")
		}
		if r.Fallback == r.Name && r.Name != "" {
			b.sink.add(b.receivers[i].problem("fallback", "a receiver can't be its own fallback", ""))
		}
	}
}

func (b *builder) monitorReferences(m *Monitor, at place, known names) {
	b.known("receiver", known, m.Notify, at, "notify")
	b.known("mute time", known, m.MuteTimes, at, "mute_times")
	for j := range m.Triggers {
		t := &m.Triggers[j]
		rel := "triggers[" + strconv.Itoa(j) + "]."
		if !sameSlice(t.Notify, m.Notify) {
			b.known("receiver", known, t.Notify, at, rel+"notify")
		}
		for k, e := range t.Escalate {
			b.known("receiver", known, e.Notify, at, rel+"escalate["+strconv.Itoa(k)+"].notify")
		}
	}
}

// sameSlice says whether a is b, not just equal to it.
func sameSlice(a, b []string) bool {
	return len(a) == len(b) && len(a) > 0 && &a[0] == &b[0]
}

// names are what exists, by what it is, sorted.
type names map[string][]string

// known reports those of list that aren't among the names of their kind.
func (b *builder) known(what string, known names, list []string, at place, rel string) {
	for i, name := range list {
		item := rel + "[" + strconv.Itoa(i) + "]"
		if rel == "fallback" {
			item = rel
		}
		if _, found := slices.BinarySearch(known[what], name); found || b.sink.full() {
			continue
		}
		message := "unknown " + what + " " + quote(name)
		if len(known[what]) == 0 {
			message += "; there are none"
		} else {
			message += "; there are " + some(known[what])
		}
		b.sink.add(at.problem(item, message, nearest.Of(name, known[what])))
	}
}

// always are the tags that every alert has.
var always = []string{"monitor", "level", "metric", "service", "environment", "state"}

// unreachableTags reports tags in group.by and equal, and matchers of
// inhibitions, that no alert can have.
func (b *builder) unreachableTags() {
	byReceiver := map[string]map[string]bool{}
	all := map[string]bool{}
	add := func(receivers []string, tags ...[]string) {
		for _, list := range append(tags, always) {
			for _, t := range list {
				all[t] = true
				for _, r := range receivers {
					if byReceiver[r] == nil {
						byReceiver[r] = map[string]bool{}
					}
					byReceiver[r][t] = true
				}
			}
		}
	}
	for i := range b.set.Monitors {
		m := &b.set.Monitors[i]
		for j := range m.Triggers {
			add(m.Triggers[j].Notify, m.By, sortedKeys(m.Labels))
			for _, e := range m.Triggers[j].Escalate {
				add(e.Notify, m.By, sortedKeys(m.Labels))
			}
		}
	}
	for _, o := range b.set.SLOs {
		add(append(append([]string{}, o.Page...), o.Ticket...), o.By, sortedKeys(o.Labels))
	}
	for _, h := range b.set.Heartbeats {
		add(h.Notify, sortedKeys(h.Labels))
	}
	b.lintTags(byReceiver, all)
}

func (b *builder) lintTags(byReceiver map[string]map[string]bool, all map[string]bool) {
	for i := range b.set.Receivers {
		r := &b.set.Receivers[i]
		tags := byReceiver[r.Name]
		for j, t := range r.Group.By {
			if tags != nil && !tags[t] && len(b.sink.lints) <= maxProblems {
				b.sink.lint(b.receivers[i].problem("group.by["+strconv.Itoa(j)+"]",
					"no alert that is told here has the tag "+quote(t)+" (none of their monitors has it in by or labels)", nearest.Of(t, sortedKeys(tags))))
			}
		}
	}
	for i := range b.set.Inhibits {
		in := &b.set.Inhibits[i]
		for j, t := range in.Equal {
			if !all[t] && len(b.sink.lints) <= maxProblems {
				b.sink.lint(b.inhibits[i].problem("equal["+strconv.Itoa(j)+"]",
					"no alert has the tag "+quote(t)+" (no monitor has it in by or labels)", nearest.Of(t, sortedKeys(all))))
			}
		}
		b.lintMatchers(in.source, b.inhibits[i], "source", all)
		b.lintMatchers(in.target, b.inhibits[i], "target", all)
	}
}

func (b *builder) lintMatchers(ms []*matcher.Matcher, at place, rel string, all map[string]bool) {
	for i, m := range ms {
		if !all[m.Name] && !m.Matches("") && len(b.sink.lints) <= maxProblems {
			b.sink.lint(at.problem(rel+"["+strconv.Itoa(i)+"]", "no alert has the tag "+quote(m.Name)+", so this matches nothing", nearest.Of(m.Name, sortedKeys(all))))
		}
	}
}
