package message

import (
	"fmt"
	"math"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-batteries/hawkeye/internal/monitor"
	"github.com/go-batteries/hawkeye/internal/notify"
)

// told renders a message about rows of a monitor without texts of its own.
func told(t *testing.T, m *notify.Message, rows ...*notify.Row) Text {
	t.Helper()
	m.Receiver, m.Rows = "team", rows
	return renderer(t, "", "").Render(m, at)
}

func rowWith(change func(r *notify.Row)) *notify.Row {
	r := row()
	r.Monitor, r.Snapshot.Compare, r.Snapshot.Total = "no longer configured", nil, nil
	change(r)
	return r
}

// What is told can be told apart by the subject alone.
func TestSubjects(t *testing.T) {
	t.Parallel()
	const name = "errors {route=/pay}"
	tests := map[string]func(r *notify.Row){
		"[critical] " + name + " in shop (prod)":                   func(*notify.Row) {},
		"[critical] " + name + " rose from warning in shop (prod)": func(r *notify.Row) { r.Kind = notify.Rise },
		"[warning] " + name + " fell from critical in shop (prod)": func(r *notify.Row) {
			r.Kind, r.Snapshot.Level, r.Snapshot.PreviousLevel = notify.Fall, "warning", "critical"
		},
		"[critical] " + name + " still firing in shop (prod)":                          func(r *notify.Row) { r.Kind = notify.Repeat },
		"[critical] " + name + " escalated in shop (prod)":                             func(r *notify.Row) { r.Escalated = true },
		"[critical] " + name + " rose from warning, escalated in shop (prod)":          func(r *notify.Row) { r.Kind, r.Escalated = notify.Rise, true },
		"[critical] " + name + " reminder in shop (prod)":                              func(r *notify.Row) { r.Kind, r.Escalated = notify.Repeat, true },
		"[critical] " + name + " changes to and fro in shop (prod)":                    func(r *notify.Row) { r.Kind = notify.FlappingLevels },
		"[no data] " + name + " in shop (prod)":                                        func(r *notify.Row) { r.Kind = notify.Missing },
		"[no data] " + name + " still firing in shop (prod)":                           func(r *notify.Row) { r.Kind, r.Snapshot.State = notify.Repeat, "nodata" },
		"[ended] " + name + " in shop (prod)":                                          func(r *notify.Row) { r.Kind = notify.Resolved },
		"[fired and ended] " + name + " in shop (prod)":                                func(r *notify.Row) { r.Kind, r.Both = notify.Resolved, true },
		"[flapping] " + name + " in shop (prod)":                                       func(r *notify.Row) { r.Kind = notify.Flapping },
		"[stable] " + name + " in shop (prod)":                                         func(r *notify.Row) { r.Kind = notify.Stable },
		"[acknowledged] " + name + " in shop (prod)":                                   func(r *notify.Row) { r.Kind = notify.Acked },
		"[undelivered] a message to boss in shop (prod)":                               func(r *notify.Row) { r.Kind, r.Undelivered = notify.Undelivers, &notify.Undelivered{Receiver: "boss"} },
		"[critical] " + name + " reminder in shop (prod)" + "\x00 an ack that is over": func(r *notify.Row) { r.Kind, r.AckOver = notify.Repeat, "ann" },
	}
	for want, change := range tests {
		want, _, _ = strings.Cut(want, "\x00")
		if got := told(t, &notify.Message{}, rowWith(change)).Subject; got != want {
			t.Errorf("subject = %q, want %q", got, want)
		}
	}
}

func TestSentences(t *testing.T) {
	t.Parallel()
	number := func(v float64) *notify.Number { n := notify.Number(v); return &n }
	ago := func(d time.Duration) time.Time { return at.Add(-d) }
	tests := map[string]struct {
		change  func(r *notify.Row, m *notify.Message)
		want    []string
		without []string
	}{
		"numerator and denominator": {func(r *notify.Row, _ *notify.Message) {
			r.Snapshot.Part, r.Snapshot.Total, r.Snapshot.DivideBy, r.Snapshot.Unit = number(100), number(400), "http.requests", "percent"
		}, []string{"http.errors is 25% over 1m; the limit is >= 20%.", "100 of 400: http.errors / http.requests."}, nil},
		"where it rose from": {func(r *notify.Row, _ *notify.Message) { r.Kind = notify.Rise }, []string{"It rose from warning."}, nil},
		"since when":         {func(*notify.Row, *notify.Message) {}, []string{"Since 2026-03-01 11:59:00 UTC, for 1m."}, []string{"Next:", "By now"}},
		"from when to when": {func(r *notify.Row, _ *notify.Message) { r.Kind, r.Snapshot.Value = notify.Resolved, 0.1 }, []string{
			"it ended after 1m (http.errors is 0.1 over 1m; the limit is >= 0.2).", "From 2026-03-01 11:59:00 UTC to 12:00:00 UTC."}, []string{"Since"}},
		"what comes next": {func(r *notify.Row, m *notify.Message) {
			m.Coming = map[string]*notify.Coming{r.ID: {Repeat: at.Add(4 * time.Hour), Steps: []notify.Step{
				{Receivers: []string{"boss", "chief"}, At: at.Add(15 * time.Minute)}, {Receivers: []string{"nobody"}},
			}}}
		}, []string{"Next: you are told again at 16:00:00 UTC unless it ends; boss, chief at 12:15:00 UTC unless somebody acknowledges it."}, []string{"nobody"}},
		"what comes tomorrow": {func(r *notify.Row, m *notify.Message) {
			m.Coming = map[string]*notify.Coming{r.ID: {Repeat: at.Add(24 * time.Hour)}}
		}, []string{"Next: you are told again at 2026-03-02 12:00:00 UTC unless it ends."}, nil},
		"held back, and worse by now": {func(r *notify.Row, m *notify.Message) {
			r.Snapshot.Since, r.Snapshot.At = ago(time.Hour), ago(time.Hour)
			m.Now = map[string]*notify.Snapshot{"errors": {Value: 0.31, HasValue: true, Level: "critical"}}
		}, []string{"http.errors was 0.25 over 1m at 11:00:00 UTC; the limit is >= 0.2.", "By now it is 0.31.", "Since 2026-03-01 11:00:00 UTC, for 1h."}, []string{" is 0.25"}},
		"held back, and without a value by now": {func(r *notify.Row, m *notify.Message) {
			r.Snapshot.At = ago(time.Minute)
			m.Now = map[string]*notify.Snapshot{"errors": {}}
		}, []string{"http.errors was 0.25", "By now there is no value."}, nil},
		"held back, and nobody knows": {func(r *notify.Row, _ *notify.Message) { r.Snapshot.At = ago(time.Minute) }, []string{"http.errors was 0.25"}, []string{"By now"}},
		"a moment ago is now":         {func(r *notify.Row, _ *notify.Message) { r.Snapshot.At = ago(5 * time.Second) }, []string{"http.errors is 0.25"}, nil},
		"a repeat of an old value": {func(r *notify.Row, _ *notify.Message) {
			r.Kind, r.Snapshot.At, r.Snapshot.Measured = notify.Repeat, time.Time{}, ago(4*time.Hour)
		}, []string{"still: http.errors was 0.25 over 1m at 08:00:00 UTC"}, nil},
		"a repeat of the value of now": {func(r *notify.Row, m *notify.Message) {
			r.Kind, r.Snapshot.Measured, m.Fresh = notify.Repeat, ago(time.Minute), map[string]bool{r.ID: true}
		}, []string{"still: http.errors is 0.25 over 1m; the limit is >= 0.2; for 1m now."}, nil},
		"what fires by hysteresis": {func(r *notify.Row, _ *notify.Message) { r.Kind, r.Snapshot.Value = notify.Repeat, 0.15 },
			[]string{"is 0.15 over 1m; the limit is >= 0.2, and >= 0.1 while it fires"}, nil},
		"what recovers": {func(r *notify.Row, _ *notify.Message) {
			r.Kind, r.Snapshot.Value, r.Snapshot.Clear = notify.Repeat, 0.15, nil
		},
			[]string{"is 0.15 over 1m; the limit is >= 0.2, and for now it is clear"}, nil},
		"an end just below": {func(r *notify.Row, _ *notify.Message) {
			r.Kind, r.Snapshot.Value, r.Snapshot.Unit = notify.Resolved, 0.1999996, "percent"
		},
			[]string{"(http.errors is 19.99996% over 1m; the limit is >= 20%)"}, []string{"is 20%;"}},
		"an end for another reason": {func(r *notify.Row, _ *notify.Message) {
			r.Kind, r.Snapshot.Reason = notify.Resolved, "no samples of http.errors for 5m"
		},
			[]string{"it ended after 1m: no samples of http.errors for 5m."}, []string{"the limit"}},
		"an SLO": {func(r *notify.Row, _ *notify.Message) {
			s := &r.Snapshot
			s.Source, s.Op, s.Value, s.Threshold, s.Objective, s.Period, s.Long, s.Short = "slo", ">", 761.904762, 14.4, number(0.999), 30*24*time.Hour, time.Hour, 5*time.Minute
		}, []string{"the error budget burns 762 times as fast as it may; the limit is > 14.4 times.", "The objective is 99.9% over 30d; the windows are 1h and 5m."}, nil},
		"a heartbeat": {func(r *notify.Row, _ *notify.Message) {
			s := &r.Snapshot
			s.Source, s.Value, s.Due, s.Heard = "heartbeat", 90, ago(31*time.Minute), ago(25*time.Hour)
		}, []string{"nothing was heard of http.errors since 2026-02-28 11:00:00 UTC, it is 1m 30s overdue; it was due at 11:29:00 UTC."}, nil},
		"a heartbeat that is due this very moment": {func(r *notify.Row, _ *notify.Message) { r.Snapshot.Source, r.Snapshot.Value = "heartbeat", 1e-9 },
			[]string{"it is overdue; "}, []string{"µs", "1e-09"}},
		"a heartbeat that never came": {func(r *notify.Row, _ *notify.Message) {
			r.Snapshot.Source, r.Snapshot.Value, r.Snapshot.Due = "heartbeat", 60, ago(time.Minute)
		}, []string{"nothing was heard of http.errors, it is 1m overdue; it was due at 11:59:00 UTC."}, nil},
		"a heartbeat that is back": {func(r *notify.Row, _ *notify.Message) {
			r.Kind, r.Snapshot.Source, r.Snapshot.Value, r.Snapshot.Heard = notify.Resolved, "heartbeat", 0, at
		}, []string{"it ended after 1m (http.errors was heard at 12:00:00 UTC; it must be heard in time)."}, nil},
		"a heartbeat that may be later by now": {func(r *notify.Row, _ *notify.Message) {
			r.Kind, r.Snapshot.Source, r.Snapshot.Value, r.Snapshot.Heard = notify.Resolved, "heartbeat", 0, ago(time.Hour)
		}, []string{"http.errors isn't overdue any more"}, []string{"was heard at"}},
		"what hawkeye says about itself": {func(r *notify.Row, _ *notify.Message) {
			*r = notify.Row{ID: "b", Incident: "b", Kind: notify.Blind, Created: ago(time.Second)}
		}, []string{"The store does not answer.", "At 2026-03-01 11:59:59 UTC."}, nil},
		"a level that stands above": {func(r *notify.Row, _ *notify.Message) {
			r.Kind, r.Snapshot.StandsLevel, r.Snapshot.StandsSince, r.Snapshot.StandsTold = notify.Repeat, "page", ago(time.Hour), []string{"boss"}
		}, []string{"It is page since 11:00, of which boss was notified."}, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := &notify.Message{}
			got := told(t, m, rowWith(func(r *notify.Row) { tt.change(r, m) }))
			for _, want := range tt.want {
				if !strings.Contains(got.Body, want) {
					t.Errorf("the body is\n%s\nwant %q in it", got.Body, want)
				}
			}
			for _, not := range tt.without {
				if strings.Contains(got.Body, not) {
					t.Errorf("the body is\n%s\nwant no %q in it", got.Body, not)
				}
			}
		})
	}
}

// Below a text of the monitor's own stands what it can't know, but not below
// one of version 1.
func TestFooterOfOwnTexts(t *testing.T) {
	t.Parallel()
	r := row()
	r.Kind = notify.Rise
	got := renderer(t, "", "look at the runbook").Render(&notify.Message{Receiver: "team", Rows: []*notify.Row{r}}, at).Body
	if !strings.Contains(got, "look at the runbook\n\nIt rose from warning.\nSince 2026-03-01 11:59:00 UTC, for 1m.\n") {
		t.Errorf("the body is %q, want the time below the text", got)
	}
	set, err := monitor.Parse("m.yaml", []byte("version: 1\nmonitors:\n  - {metric: m, triggers: [{threshold: 3, text: old, to: a@example.com}]}\n"))
	if err != nil {
		t.Fatal(err)
	}
	r = row()
	r.Monitor = set.Monitors[0].Key()
	if got := New(set, "shop", "prod").Render(&notify.Message{Receiver: "team", Rows: []*notify.Row{r}}, at).Body; got != "shop\nSLA breached in prod\n\nold\n" {
		t.Errorf("the body of version 1 is %q, want it as it always was", got)
	}
}

func TestStandingAlerts(t *testing.T) {
	t.Parallel()
	m := &notify.Message{Standing: []*notify.Alert{{Snapshot: notify.Snapshot{
		Name: "errors", Level: "warning", Tags: map[string]string{"route": "/a"}, Since: at.Add(-time.Hour),
	}}}}
	if got := told(t, m, rowWith(func(*notify.Row) {})).Body; !strings.Contains(got, "- errors {route=/a}: warning since 11:00:00 UTC\n") {
		t.Errorf("the body is %q, want the other alert with its level and time", got)
	}
}

var said = regexp.MustCompile(`http\.errors is (\S+) over 1m; the limit is (>=|<=|==|!=|>|<) ([^;,).\s]+(?:\.\d[^;,).\s]*)?)`)

// TestWordsAgreeWithTheVerdict renders random values in plain numbers and
// percentages and reads the sentence again: whoever reads it comes to the same
// verdict. (Package figure does so for all units.)
func TestWordsAgreeWithTheVerdict(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 1))
	r := renderer(t, "", "")
	read := func(s string) float64 {
		s, of := strings.TrimSuffix(s, "%"), 1.0
		v, err := strconv.ParseFloat(s, 64)
		if err != nil {
			t.Fatalf("%q is no number (seed %d)", s, seed)
		}
		return v * of
	}
	for range 5000 {
		threshold := []float64{0.2, 0.5, 0.999, 0.99999, 1, 3, 20, 1e6}[rnd.IntN(8)]
		value := threshold * (1 + math.Exp(-rnd.Float64()*30)*float64(rnd.IntN(3)-1))
		op := []string{">=", ">", "<=", "<", "==", "!="}[rnd.IntN(6)]
		breached := monitor.Op(op).Holds(value, threshold)
		row := rowWith(func(r *notify.Row) {
			s := &r.Snapshot
			s.Op, s.Value, s.Threshold, s.Clear, s.Unit = op, notify.Number(value), notify.Number(threshold), nil, []string{"", "percent"}[rnd.IntN(2)]
			if !breached {
				r.Kind = notify.Resolved
			}
		})
		body := r.Render(&notify.Message{Receiver: "team", Rows: []*notify.Row{row}}, at).Body
		m := said.FindStringSubmatch(body)
		if m == nil {
			t.Fatalf("the body %q doesn't say what the value is (seed %d)", body, seed)
		}
		if got := monitor.Op(m[2]).Holds(read(m[1]), read(m[3])); got != breached {
			t.Fatalf("%v %s %v is %t, and the words say %t: %s (seed %d)", value, op, threshold, breached, got, fmt.Sprint(m), seed)
		}
	}
}
