package notify

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"

	"github.com/go-batteries/hawkeye/internal/alert"
	"github.com/go-batteries/hawkeye/internal/matcher"
)

// elsewhere are the cases about messages that this package doesn't decide, or
// decides otherwise on purpose, with the reason.
var elsewhere = map[string]string{
	"G03": "nobody pushes alerts that could stop being refreshed: an end is a clear evaluation, and told at once",
	"G13": "there is one ledger, compared before it is set, and no log to merge: package store",
	"H11": "mute times: package monitor",
	"H12": "mute times: package monitor",
}

// otherwise are cases that run, with another expectation than the case's own.
var otherwise = map[string]string{
	"G06": "a reload changes nothing, group timers included: they are in the ledger. The second message comes one interval after the first",
	"G09": "nothing is sent just to clear a log",
	"H09": "a breach that was never told is told when its silence is cancelled by hand; only what was told before is not told again",
}

type notifyCase struct {
	ID    string
	Route struct {
		GroupBy        []string `yaml:"group_by"`
		GroupWait      float64  `yaml:"group_wait"`
		GroupInterval  float64  `yaml:"group_interval"`
		RepeatInterval float64  `yaml:"repeat_interval"`
		StartDelay     float64  `yaml:"start_delay"`
	}
	Inhibit yaml.Node
	Pushes  []struct {
		T       float64
		Alerts  []string
		Resolve []string
	}
	Silences []struct {
		SetAt    float64 `yaml:"set_at"`
		From, To float64
		Match    map[string]string
	}
	Expect []expected
}

type expected struct {
	Window           [2]float64
	Firing, Resolved []string
}

// loadCases returns the cases about messages; their shapes differ.
func loadCases(t *testing.T) map[string]yaml.Node {
	t.Helper()
	data, err := os.ReadFile("../alert/testdata/alert_cases.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Cases []yaml.Node }
	if err := yaml.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	out := make(map[string]yaml.Node)
	for _, node := range file.Cases {
		var head struct{ ID string }
		if err := node.Decode(&head); err != nil {
			t.Fatal(err)
		}
		if strings.ContainsAny(head.ID[:1], "GHJ") || head.ID == "C06" || head.ID == "E01" || head.ID == "F01" {
			out[head.ID] = node
		}
	}
	return out
}

var runners = map[string]func(*testing.T, yaml.Node){
	"C06": testFailedSends, "E01": testResend, "F01": testF01,
	"G01": testTimeline, "G05": testTimeline, "G06": testTimeline, "G07": testTimeline, "G09": testDedup,
	"G10": testExactRepeats, "G11": testReplicas,
	"H01": testTimeline, "H02": testTimeline, "H04": testTimeline, "H06": testSilenceTimeline,
	"H07": testSilenceEdits, "H09": testDowntime,
	"J01": testJ01, "J02": testJ02, "J03": testJ03, "J04": testJ04, "J05": testJ05, "J06": testJ06, "J07": testJ07,
	"J08": testJ08, "J09": testJ09, "J10": testJ10, "J11": testJ11, "J12": testJ12, "J13": testJ13,
}

func TestConformance(t *testing.T) {
	t.Parallel()
	cases := loadCases(t)
	for id, node := range cases {
		if elsewhere[id] != "" {
			continue
		}
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			run := runners[id]
			if run == nil {
				t.Fatalf("case %s is neither run nor listed as decided elsewhere", id)
			}
			run(t, node)
		})
	}
	for id := range runners {
		if _, ok := cases[id]; !ok {
			t.Errorf("%s has a test, but is no case", id)
		}
	}
	for id := range elsewhere {
		if _, ok := cases[id]; !ok || runners[id] != nil {
			t.Errorf("%s is listed as decided elsewhere, but is no case, or has a test", id)
		}
	}
	for id := range otherwise {
		if runners[id] == nil {
			t.Errorf("%s is listed as decided otherwise, but has no test", id)
		}
	}
}

func decode[T any](t *testing.T, node yaml.Node, into T) T {
	t.Helper()
	if err := node.Decode(into); err != nil {
		t.Fatal(err)
	}
	return into
}

// world is one receiver as the case's route wants it.
func (c *notifyCase) world(t *testing.T) *world {
	by := c.Route.GroupBy
	w := newWorld(t, oneLevel(secs(c.Route.RepeatInterval), &Receiver{
		Name: "r", Group: Group{By: by, Wait: secs(c.Route.GroupWait), Interval: secs(c.Route.GroupInterval)},
	}))
	if !c.Inhibit.IsZero() {
		var rules []struct {
			Source, Target map[string]string
			Equal          []string
		}
		if err := c.Inhibit.Decode(&rules); err != nil {
			t.Fatal(err)
		}
		for _, r := range rules {
			w.cfg.Inhibit = append(w.cfg.Inhibit, Inhibit{Source: equals(t, r.Source), Target: equals(t, r.Target), Equal: r.Equal})
		}
	}
	return w
}

func equals(t *testing.T, labels map[string]string) []*matcher.Matcher {
	var out []*matcher.Matcher
	for name, value := range labels {
		out = append(out, mustMatch(t, fmt.Sprintf("%s=%q", name, value)))
	}
	return out
}

// put sets an alert called name/zone.
func (w *world) put(name string, value float64) {
	alertname, zone, _ := strings.Cut(name, "/")
	w.set("m", name, value, "alertname", alertname, "zone", zone)
}

func testTimeline(t *testing.T, node yaml.Node) {
	c := decode(t, node, &notifyCase{})
	w := c.world(t)
	if c.Route.StartDelay > 0 {
		w.hold = epoch.Add(secs(c.Route.StartDelay))
	}
	for _, p := range c.Pushes {
		w.at(p.T, func() {
			for _, name := range p.Alerts {
				w.put(name, 9)
			}
			for _, name := range p.Resolve {
				w.put(name, 0)
			}
		})
	}
	for _, s := range c.Silences {
		w.at(s.SetAt, func() {
			for name, value := range s.Match {
				w.silence(s.From, s.To, name+"="+value)
			}
		})
	}
	want := c.Expect
	switch c.ID {
	case "G06":
		want[1].Window = [2]float64{8, 8.5}
	case "H02": // its want: no end of what was never told
		want[1].Resolved = []string{"JobDown/aa"}
	}
	end := 60.0
	if len(want) > 0 {
		end = want[len(want)-1].Window[1]
	}
	w.run(end)
	checkTimeline(t, w, want)
}

func checkTimeline(t *testing.T, w *world, want []expected) {
	t.Helper()
	if len(w.delivered) != len(want) {
		t.Fatalf("%d messages, want %d:\n%s", len(w.delivered), len(want), block(w.lines()))
	}
	for i, e := range want {
		d := &w.delivered[i]
		if d.at < secs(e.Window[0]) || d.at > secs(e.Window[1]) {
			t.Errorf("message %d at %v, want it in %v", i, d.at, e.Window)
		}
		firing, resolved := d.told()
		slices.Sort(e.Firing)
		slices.Sort(e.Resolved)
		if !slices.Equal(firing, e.Firing) || !slices.Equal(resolved, e.Resolved) {
			t.Errorf("message %d: firing %v, resolved %v; want %v, %v", i, firing, resolved, e.Firing, e.Resolved)
		}
	}
}

// testDedup puts receivers' knowledge and what is new into the ledger, and
// asks whether there is a message.
func testDedup(t *testing.T, node yaml.Node) {
	c := decode(t, node, &struct {
		Expect []struct {
			Log              yaml.Node
			Repeat           string
			Firing, Resolved []int
			SendResolved     *bool `yaml:"send_resolved"`
			Send             bool
			Note             string
		}
	}{})
	for i, row := range c.Expect {
		var log struct {
			Firing, Resolved []int
			Age              string
		}
		if row.Log.Value != "none" {
			if err := row.Log.Decode(&log); err != nil {
				t.Fatal(err)
			}
		}
		if row.Note != "" {
			continue // see otherwise
		}
		repeat, _ := time.ParseDuration(row.Repeat)
		w := newWorld(t, oneLevel(repeat, &Receiver{
			Name: "r", SkipResolved: row.SendResolved != nil && !*row.SendResolved,
			Group: Group{By: []string{"monitor"}, Interval: time.Second},
		}))
		name := func(n int) string { return fmt.Sprint("a", n) }
		for _, n := range slices.Concat(log.Firing, log.Resolved) {
			w.put(name(n), 9)
		}
		w.turn()
		for _, n := range log.Resolved {
			w.put(name(n), 0)
		}
		w.now = w.now.Add(2 * time.Second)
		w.turn()
		told := len(w.delivered)
		if log.Age == "unknown" { // Alertmanager's log lost the time: ours has no such state
			w.threads = map[ThreadKey]*Thread{}
			w.states = map[string]alertState{}
		}
		age, _ := time.ParseDuration(log.Age)
		w.now = w.now.Add(age)
		for _, n := range row.Resolved {
			w.put(name(n), 0)
		}
		for _, n := range row.Firing {
			w.put(name(n), 9)
		}
		for _, n := range log.Firing {
			if !slices.Contains(row.Firing, n) && row.Log.Value != "none" && !slices.Contains(row.Resolved, n) {
				w.put(name(n), 0)
			}
		}
		w.turn()
		if got := len(w.delivered) > told; got != row.Send {
			t.Errorf("row %d: sent %v, want %v:\n%s", i, got, row.Send, block(w.lines()))
		}
	}
}

// testExactRepeats is the want of G10: each repeat by its own time, bound only
// by the least time between messages of the group.
func testExactRepeats(t *testing.T, _ yaml.Node) {
	for _, row := range []struct{ interval, repeat, want float64 }{
		{300, 540, 540}, {300, 300, 300}, {60, 15, 60}, {2, 3, 3}, {2, 2, 2}, {2, 1, 2}, {5, 6, 6},
	} {
		w := newWorld(t, oneLevel(secs(row.repeat), &Receiver{
			Name: "r", Group: Group{By: []string{"monitor"}, Wait: secs(1), Interval: secs(row.interval)},
		}))
		w.put("a", 9)
		w.run(1 + 3*row.want)
		var got []time.Duration
		for _, d := range w.delivered {
			got = append(got, d.at)
		}
		want := []time.Duration{secs(1), secs(1 + row.want), secs(1 + 2*row.want), secs(1 + 3*row.want)}
		if !slices.Equal(got, want) {
			t.Errorf("interval %v, repeat %v: sent at %v, want %v", row.interval, row.repeat, got, want)
		}
	}
}

// testReplicas lets three notifiers decide on the same view: one commit is
// applied, and the others decide again on what it left.
func testReplicas(t *testing.T, node yaml.Node) {
	c := decode(t, node, &notifyCase{})
	w := c.world(t)
	w.at(1, func() { w.put("test1", 9) })
	w.run(1.5)
	w.now = epoch.Add(secs(2))
	winner := Decide(w.view(), w.now)
	w.apply(winner)
	for range 2 {
		if p := Decide(w.view(), w.now); len(p.Send) != 0 || !p.Empty() {
			t.Errorf("another replica sends %d messages too", len(p.Send))
		}
	}
	for i := range winner.Send {
		w.send(winner.Send[i])
	}
	w.run(100)
	checkTimeline(t, w, c.Expect)
}

func testSilenceTimeline(t *testing.T, _ yaml.Node) {
	hour := func(h float64) time.Time { return epoch.Add(time.Duration(h * float64(time.Hour))) }
	s := &Snapshot{Tags: map[string]string{"foo": "bar"}}
	n := 0
	add := func(now time.Time, from, to float64, matchers ...string) *Silence {
		n++
		silence, err := NewSilence(Silence{Matchers: matchers, Start: hour(from), End: hour(to)}, now, func() string { return fmt.Sprint("s", n) })
		if err != nil {
			t.Fatal(err)
		}
		return silence
	}
	muted := func(at float64, silences ...*Silence) string {
		for _, silence := range silences {
			if silence.Active(hour(at)) && silence.Matches(s) {
				return silence.ID
			}
		}
		return ""
	}
	s1 := add(hour(0), 0, 1.0/12, "foo=baz")
	s2 := add(hour(0), 0, 1.0/12, "foo=bar")
	for _, step := range []struct {
		at       float64
		silences []*Silence
		want     string
	}{{0, []*Silence{s1}, ""}, {0, []*Silence{s1, s2}, "s2"}, {1, []*Silence{s1, s2}, ""}} {
		if got := muted(step.at, step.silences...); got != step.want {
			t.Errorf("at %vh: muted by %q, want %q", step.at, got, step.want)
		}
	}
	edited, err := s2.Edit(Silence{Matchers: s2.Matchers, Start: hour(2), End: hour(4)}, hour(1), func() string { return "s2b" })
	if err != nil || len(edited) != 2 {
		t.Fatalf("edit of an expired silence: %v, %v; want the old one and a new one", edited, err)
	}
	s3 := add(hour(3), 4, 6, "foo=~b..")
	for _, step := range []struct {
		at   float64
		want string
	}{{1, ""}, {3, "s2b"}, {5, s3.ID}} {
		if got := muted(step.at, s1, edited[0], edited[1], s3); got != step.want {
			t.Errorf("at %vh: muted by %q, want %q", step.at, got, step.want)
		}
	}
}

func testSilenceEdits(t *testing.T, node yaml.Node) {
	c := decode(t, node, &struct {
		Expect []struct {
			Edit   string
			SameID *bool `yaml:"same_id"`
			Error  bool
			Result string
		}
	}{})
	ids := 0
	newID := func() string { ids++; return fmt.Sprint("s", ids) }
	now := epoch.Add(time.Hour)
	active, err := NewSilence(Silence{Matchers: []string{"a=b"}, Start: epoch, End: epoch.Add(4 * time.Hour), Comment: "x"}, epoch, newID)
	if err != nil {
		t.Fatal(err)
	}
	pending, err := NewSilence(Silence{Matchers: []string{"a=b"}, Start: epoch.Add(2 * time.Hour), End: epoch.Add(4 * time.Hour)}, epoch, newID)
	if err != nil {
		t.Fatal(err)
	}
	edits := map[string]func(*Silence){
		"comment": func(s *Silence) { s.Comment = "y" }, "extend end": func(s *Silence) { s.End = s.End.Add(time.Hour) },
		"matchers": func(s *Silence) { s.Matchers = []string{"a=c"} }, "zero end": func(s *Silence) { s.End = time.Time{} },
		"move start of an active silence": func(s *Silence) { s.Start = s.Start.Add(time.Minute) },
	}
	for _, row := range c.Expect {
		edit := edits[row.Edit]
		switch {
		case edit != nil:
			change := *active
			edit(&change)
			got, err := active.Edit(change, now, newID)
			if (err != nil) != row.Error {
				t.Errorf("%s: error %v, want one: %v", row.Edit, err, row.Error)
			}
			if err == nil && (len(got) == 1 && got[0].ID == active.ID) != *row.SameID {
				t.Errorf("%s: silences %v, want the same id: %v", row.Edit, got, *row.SameID)
			}
			if len(got) == 2 && got[0].Active(now) {
				t.Errorf("%s: the old silence is still active", row.Edit)
			}
		case row.Edit == "expire pending":
			if got := pending.Expire(now); !got.Start.Equal(now) || !got.End.Equal(now) {
				t.Errorf("%s: %v to %v, want %s", row.Edit, got.Start, got.End, row.Result)
			}
		case row.Edit == "expire active":
			if got := active.Expire(now); !got.Start.Equal(epoch) || !got.End.Equal(now) {
				t.Errorf("%s: %v to %v, want %s", row.Edit, got.Start, got.End, row.Result)
			}
		case row.Edit == "create with past start":
			got, err := NewSilence(Silence{Matchers: []string{"a=b"}, Start: epoch, End: now.Add(time.Hour)}, now, newID)
			if err != nil || !got.Start.Equal(now) {
				t.Errorf("%s: %v, %v; want %s", row.Edit, got, err, row.Result)
			}
		default:
			t.Errorf("unknown edit %q", row.Edit)
		}
	}
	if !active.Active(now) {
		t.Error("the silence that was edited has changed")
	}
}

func testDowntime(t *testing.T, _ yaml.Node) {
	for _, row := range []struct {
		name                  string
		before, during, atEnd bool
		cancelled             bool
		want                  []string
	}{
		{"told, ends inside", true, false, false, false, []string{"0s r: firing a", "20s r: resolved a"}},
		{"told, goes on", true, true, true, false, []string{"0s r: firing a", "1m0s r: repeat a"}},
		{"begins inside, goes on", false, true, true, false, []string{"1m0s r: firing a"}},
		{"begins and ends inside", false, true, false, false, nil},
		{"told, cancelled by hand", true, true, true, true, []string{"0s r: firing a"}},
	} {
		w := newWorld(t, oneLevel(time.Hour, &Receiver{Name: "r"}))
		value := map[bool]float64{true: 9}
		w.at(0, func() { w.set("m", "a", value[row.before]) })
		w.at(10, func() { w.silence(10, 60, "monitor=m") })
		w.at(20, func() { w.set("m", "a", value[row.during]) })
		w.at(50, func() { w.set("m", "a", value[row.atEnd]) })
		if row.cancelled {
			w.at(55, func() { w.silences[0] = w.silences[0].Expire(w.now) })
		}
		w.run(100)
		if got := w.lines(); !slices.Equal(got, row.want) {
			t.Errorf("%s: delivered\n%swant\n%s", row.name, block(got), block(row.want))
		}
	}
}

// testResend decides only at the evaluations of the case.
func testResend(t *testing.T, node yaml.Node) {
	c := decode(t, node, &struct {
		Evals []struct {
			T, V float64
			Sent int
		}
	}{})
	w := newWorld(t, oneLevel(2*time.Second, &Receiver{Name: "r"}))
	w.rules["m"].Op = alert.Greater
	for _, e := range c.Evals {
		before := len(w.delivered)
		w.now = epoch.Add(secs(e.T))
		w.set("m", "a", e.V)
		w.turn()
		if got := len(w.delivered) - before; got != e.Sent {
			t.Errorf("at %vs: %d messages, want %d", e.T, got, e.Sent)
		}
	}
}

// testFailedSends is C06's want: the end, too, is tried again.
func testFailedSends(t *testing.T, node yaml.Node) {
	c := decode(t, node, &struct {
		Values        []string
		ProviderFails []bool `yaml:"provider_fails"`
	}{})
	w := newWorld(t, oneLevel(time.Hour, &Receiver{Name: "r"}))
	w.rules["m"].Levels[0].For, w.rules["m"].KeepFiringFor = time.Minute, time.Minute
	w.answer = func(_ string, at time.Duration, _ *Message) Result {
		if i := int(at / time.Minute); i < len(c.ProviderFails) && c.ProviderFails[i] {
			return Result{Kind: Temporary, Error: "fails"}
		}
		return Result{}
	}
	for i, v := range c.Values {
		value := map[string]float64{"F": 9}[v]
		w.at(float64(60*i), func() { w.set("m", "a", value) })
	}
	w.run(1000)
	if len(w.delivered) != 2 || w.delivered[0].m.Rows[0].Kind != Firing || w.delivered[1].m.Rows[0].Kind != Resolved {
		t.Fatalf("delivered %v, want one firing and one end", w.lines())
	}
	if at := w.delivered[0].at; at < 4*time.Minute || at > 4*time.Minute+5*time.Second {
		t.Errorf("firing at %v, want it when the provider is back at 4m", at)
	}
}

func testF01(t *testing.T, node yaml.Node) {
	c := decode(t, node, &struct {
		Values []float64
		Expect struct{ Notify []*string }
	}{})
	w := newWorld(t, levels())
	var got []string
	for i, v := range c.Values {
		before := len(w.delivered)
		w.now = epoch.Add(time.Duration(i) * 20 * time.Second)
		w.set("m", "a", v)
		w.turn()
		line := ""
		for _, d := range w.delivered[before:] {
			line += string(d.m.Rows[0].Kind) + ">" + d.m.Receiver + " "
		}
		got = append(got, strings.TrimSpace(line))
	}
	want := []string{"", "firing>chat", "firing>team", "", "fall>team", "resolved>chat resolved>team"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
	for i, n := range c.Expect.Notify {
		if (n != nil) != (got[i] != "") {
			t.Errorf("value %v: told %q, the case says otherwise", c.Values[i], got[i])
		}
	}
}
