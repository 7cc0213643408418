package lifetest

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// small is a life of one alert: warning from 1m to 20m, critical for a minute
// of it, and warning once more from 21m40s to 23m20s.
func small() *Life {
	return &Life{
		Tick: time.Second, Calm: 25 * time.Minute, End: 40 * time.Minute,
		Receivers: []Receiver{{Name: "team"}, {Name: "boss"}, {Name: "chief"}},
		Monitors: []Monitor{{Name: "m", Levels: []Level{
			{Name: "warning", Repeat: 10 * time.Minute, Notify: []string{"team"}, Escalate: []Step{{5 * time.Minute, []string{"chief"}}}},
			{Name: "critical", Repeat: 10 * time.Minute, Notify: []string{"boss"}},
		}}},
		Courses: []Course{{Name{Monitor: "m"}, []Part{
			{From: 60 * time.Second, High: 1}, {From: 120 * time.Second, High: 2}, {From: 180 * time.Second, High: 1},
			{From: 1200 * time.Second}, {From: 1300 * time.Second, High: 1}, {From: 1400 * time.Second},
		}}},
	}
}

// said is a message of one row.
func said(seconds float64, to, kind, level, incident string) Message {
	at := time.Duration(seconds * float64(time.Second))
	return Message{At: at, To: to, Rows: []Row{{
		ID: strings.Join([]string{incident, kind, level, to, at.String()}, "."), Alert: "m", Incident: incident, Kind: kind, Level: level,
		Ends: kind == "resolved",
	}}}
}

// right is what is to be told of it.
func right() *Record {
	escalated := said(361, "chief", "firing", "warning", "i1")
	escalated.Rows[0].Escalated = true
	return &Record{
		Alerts: map[string]Name{"m": {Monitor: "m"}},
		Messages: []Message{
			said(61, "team", "firing", "warning", "i1"),
			said(121, "boss", "firing", "critical", "i1"),
			said(181, "boss", "fall", "warning", "i1"),
			escalated,
			said(661, "team", "repeat", "warning", "i1"),
			said(961, "chief", "repeat", "warning", "i1"),
			said(1201, "team", "resolved", "warning", "i1"),
			said(1201, "boss", "resolved", "warning", "i1"),
			said(1201, "chief", "resolved", "warning", "i1"),
			said(1301, "team", "firing", "warning", "i2"),
			said(1401, "team", "resolved", "warning", "i2"),
		},
		History: []Entry{{At: 61 * time.Second, Alert: "m", Incident: "i1", What: "fired"}, {At: 1301 * time.Second, Alert: "m", Incident: "i2", What: "fired"}},
	}
}

// TestJudge shows that each rule bites: of what is right it says nothing, of
// what is wrong in one thing it says what.
func TestJudge(t *testing.T) {
	t.Parallel()
	without := func(n int) func(*Life, *Record) {
		return func(_ *Life, r *Record) { r.Messages = slices.Delete(r.Messages, n, n+1) }
	}
	with := func(m ...Message) func(*Life, *Record) {
		return func(_ *Life, r *Record) { r.Messages = append(r.Messages, m...) }
	}
	later := func(n int, by time.Duration) func(*Life, *Record) {
		return func(_ *Life, r *Record) { r.Messages[n].At += by }
	}
	escalated := func(seconds float64, to, level string) Message {
		m := said(seconds, to, "firing", level, "i1")
		m.Rows[0].Escalated = true
		return m
	}
	for _, c := range []struct {
		name   string
		change func(*Life, *Record)
		want   Rule // empty: nothing is wrong
		text   string
	}{
		{"nothing", func(*Life, *Record) {}, "", ""},
		{"another's level", with(said(400, "boss", "repeat", "warning", "i1")), Theirs, "isn't its own"},
		{"a level that doesn't stand", with(said(400, "boss", "repeat", "critical", "i1")), Theirs, "doesn't stand"},
		{"a level that never was another's", with(said(100, "boss", "firing", "critical", "i1")), Theirs, "doesn't stand"},
		{"a fall to whom nothing was told", without(1), Theirs, "was told nothing before"},
		{"shown beside others", func(_ *Life, r *Record) { r.Messages[0].Standing = []string{"m"} }, Theirs, "told nothing"},
		{"no firing", without(0), Prompt, "warning stands"},
		{"a late rise", later(1, 20*time.Second), Prompt, "critical stands"},
		{"a rise as late as it may be", later(1, 14*time.Second), "", ""},
		{"no repeat", without(4), Repeats, "it heard nothing"},
		{"a repeat too soon", later(4, -time.Minute), Repeats, "told again"},
		{"no escalation", func(_ *Life, r *Record) {
			r.Messages = slices.DeleteFunc(r.Messages, func(m Message) bool { return m.To == "chief" })
		}, Escalation, "isn't escalated"},
		{"an escalation too soon", later(3, -time.Minute), Escalation, "before that is due"},
		{"an escalation before anything else", with(escalated(61, "chief", "warning")), Escalation, "before that is due"},
		{"an escalation to somebody else", with(escalated(400, "team", "warning")), Escalation, "before that is due"},
		{"escalated twice", with(escalated(400, "chief", "warning")), Escalation, "escalated twice"},
		{"no end", without(6), Ends, "isn't told"},
		{"an end of what goes on", with(said(300, "team", "resolved", "warning", "i1")), Ends, "it goes on"},
		{"an end of what was not told", with(said(1401, "boss", "resolved", "warning", "i2")), Ends, "was told nothing"},
		{"an unknown incident", with(said(400, "team", "repeat", "warning", "i3")), Ends, "doesn't explain"},
		{"the same twice", func(_ *Life, r *Record) { r.Messages[4].Rows[0].ID = r.Messages[0].Rows[0].ID }, Once, "told twice"},
		{"the end twice", with(said(1202, "team", "resolved", "warning", "i1")), Once, "the end is told twice"},
		{"the end after the next beginning", later(6, 110*time.Second), Order, "before the end"},
		{"in a silence", silenced("monitor", 10*time.Minute, time.Minute*2), Mutes, "while it is muted"},
		{"a silence of something else", silenced("host", 10*time.Minute, time.Minute*2), "", ""},
		{"after a silence that kept it back", func(l *Life, r *Record) {
			silenced("monitor", 10*time.Minute, 2*time.Minute)(l, r)
			r.Messages[4].At = 12 * time.Minute
		}, "", ""},
		{"a flood after a silence", func(l *Life, r *Record) {
			silenced("monitor", 30*time.Second, 30*time.Second)(l, r)
			for range 8 {
				r.Messages = append(r.Messages, Message{At: 60 * time.Second, To: "team"})
			}
		}, Mutes, "9 messages"},
		{"a repeat of what is acknowledged", acked(5 * time.Minute), Acks, "though it is acknowledged"},
		{"an ack that runs out without a word", func(l *Life, r *Record) {
			l.Acks = []Ack{{At: 200 * time.Second, For: 2 * time.Minute, Alert: Name{Monitor: "m"}}}
			without(3)(l, r)
			without(4)(l, r)
			without(6)(l, r)
		}, Acks, "isn't reminded"},
		{"no fallback", func(l *Life, r *Record) {
			l.Receivers[0].Fallback, l.Monitors[0].Levels[0].Escalate = "chief", nil
			l.Outages = []Outage{{Receiver: "team", Span: Span{30 * time.Second, 30 * time.Minute}}}
			r.Messages[0].Outcome = Failed
			r.Messages = slices.DeleteFunc(r.Messages, func(m Message) bool { return m.To == "chief" })
		}, Fallbacks, "its fallback hears nothing"},
		{"a message a second", func(_ *Life, r *Record) {
			for i := range 40 {
				r.Messages = append(r.Messages, said(float64(200+i), "team", "firing", "warning", "i1"))
			}
		}, Noise, "messages within"},
		{"decisions without end", func(_ *Life, r *Record) { r.Broken = "they don't come to rest" }, Rest, "come to rest"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l, r := small(), right()
			c.change(l, r)
			slices.SortStableFunc(r.Messages, func(a, b Message) int { return int(a.At - b.At) })
			got := Judge(l, r)
			for _, v := range got {
				if v.Rule == c.want && strings.Contains(v.Text, c.text) {
					return
				}
			}
			if c.want != "" || len(got) > 0 {
				t.Errorf("Judge found %v, want %q of %q", got, c.text, c.want)
			}
		})
	}
}

func silenced(name string, at, lasts time.Duration) func(*Life, *Record) {
	return func(l *Life, _ *Record) { l.Silences = []Silence{{at, lasts, name, "m"}} }
}

func acked(at time.Duration) func(*Life, *Record) {
	return func(l *Life, _ *Record) { l.Acks = []Ack{{At: at, Alert: Name{Monitor: "m"}}} }
}

// TestShrink: what has nothing to do with a failure is taken away.
func TestShrink(t *testing.T) {
	t.Parallel()
	l := Shrink(New(4), func(l *Life) bool {
		return slices.ContainsFunc(l.Courses, func(c Course) bool {
			return slices.ContainsFunc(c.Parts, func(p Part) bool { return p.High == 2 })
		})
	})
	parts := 0
	for _, c := range l.Courses {
		parts += len(c.Parts)
	}
	if parts != 1 || len(l.Monitors) != 1 || len(l.Silences)+len(l.Acks)+len(l.Outages) > 0 {
		t.Errorf("left is more than it needs:\n%s", l)
	}
}

// TestNew: a seed makes one life, and another one another.
func TestNew(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	for seed := range uint64(300) {
		l := New(seed)
		if text := New(seed).String(); text != l.String() {
			t.Errorf("seed %d makes two lives", seed)
		}
		seen[l.String()] = true
	}
	if len(seen) != 300 {
		t.Errorf("300 seeds make %d lives", len(seen))
	}
}
