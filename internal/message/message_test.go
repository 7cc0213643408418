package message

import (
	"fmt"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/go-batteries/hawkeye/internal/monitor"
	"github.com/go-batteries/hawkeye/internal/notify"
)

var at = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func number(v float64) *notify.Number {
	n := notify.Number(v)
	return &n
}

// row is a firing of a monitor of which everything is known.
func row() *notify.Row {
	return &notify.Row{
		ID: "i1.critical.1.team", Incident: "i1", Alert: "errors", Monitor: "errors", Receiver: "team", Kind: notify.Firing, Rank: 2,
		Snapshot: notify.Snapshot{
			Name: "errors", Metric: "http.errors", Service: "shop", Environment: "prod", Level: "critical", PreviousLevel: "warning",
			Op: ">=", Threshold: 0.2, Clear: number(0.1), Value: 0.25, HasValue: true, Total: number(400), Compare: number(0.05),
			Window: time.Minute, Tags: map[string]string{"route": "/pay"}, Labels: map[string]string{"team": "x"},
			Since: at.Add(-time.Minute), At: at,
		},
	}
}

func renderer(t *testing.T, subject, text string) *Renderer {
	t.Helper()
	return rendererIn(t, nil, subject, text)
}

func rendererIn(t *testing.T, loc *time.Location, subject, text string) *Renderer {
	t.Helper()
	set, err := monitor.Options{
		Location:  loc,
		Receivers: []monitor.Receiver{{Name: "team", Kind: monitor.KindEmail, Email: monitor.Email{To: []string{"team@example.com"}}}},
		Monitors: []monitor.Monitor{{Name: "errors", Metric: "http.errors", Notify: []string{"team"}, Triggers: []monitor.Trigger{
			{Level: "warning", Threshold: 0.1}, {Level: "critical", Threshold: 0.2, Subject: subject, Text: text},
		}}},
	}.Parse()
	if err != nil {
		t.Fatal(err)
	}
	return New(set, "shop", "prod")
}

func TestFieldsAreThere(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		".value": "0.25", ".threshold": "0.2", ".clear": "0.1", ".compare_value": "0.05", ".total": "400", ".op": ">=",
		".level": "critical", ".previous_level": "warning", ".state": "firing", ".monitor": "errors", ".metric": "http.errors",
		".tags.route": "/pay", ".labels.team": "x", ".window": "1m", ".duration": "1m", ".incident": "i1", ".receiver": "team",
		".service": "shop", ".environment": "prod", ".occurrences": "1", ".firing": "1", ".resolved": "0", ".maybe_dup": "false",
		".started": "2026-03-01 11:59:00 UTC", ".now": "2026-03-01 12:00:00 UTC", ".ended": "n/a", ".incomplete": "false",
	}
	for field, want := range tests {
		got := renderer(t, "", "{{ "+field+" }}").Render(&notify.Message{Receiver: "team", Rows: []*notify.Row{row()}}, at)
		if !strings.Contains(got.Body, "\n"+want+"\n") {
			t.Errorf("%s in the body is %q, want %q", field, got.Body, want)
		}
	}
}

func TestTimesAreThoseOfTheLocation(t *testing.T) {
	t.Parallel()
	tokyo, err := time.LoadLocation("Asia/Tokyo")
	if err != nil {
		t.Fatal(err)
	}
	r := rendererIn(t, tokyo, "", `{{ .started }}, {{ date "15:04" .now }}, {{ date "15:04" .started "UTC" }}, {{ since .started }}`)
	got := r.Render(&notify.Message{Receiver: "team", Rows: []*notify.Row{row()}}, at)
	if want := "2026-03-01 20:59:00 JST, 21:00, 11:59, 1m"; !strings.Contains(got.Body, want) {
		t.Errorf("the body in Tokyo is %q, want %q in it", got.Body, want)
	}
}

func TestDefaultTexts(t *testing.T) {
	t.Parallel()
	with := func(change func(r *notify.Row)) *notify.Row {
		r := row()
		r.Monitor = "no longer configured"
		change(r)
		return r
	}
	tests := map[string]struct {
		row           *notify.Row
		subject, text string
	}{
		"firing": {with(func(r *notify.Row) { r.Snapshot.Compare = nil }), "[critical] errors {route=/pay} in shop (prod)",
			"http.errors is 0.25 over 1m; the limit is >= 0.2."},
		"in percent": {with(func(r *notify.Row) { r.Snapshot.Unit = "percent" }), "[critical] errors {route=/pay} in shop (prod)",
			"http.errors is 25% over 1m, before it was 5%; the limit is >= 20%."},
		"in bytes": {with(func(r *notify.Row) { r.Snapshot.Unit, r.Snapshot.Value, r.Snapshot.Compare = "bytes", 3<<20, nil }), "", "3MiB over 1m"},
		"an SLO": {with(func(r *notify.Row) { r.Snapshot.Source, r.Snapshot.Value, r.Snapshot.Threshold = "slo", 15, 14.4 }), "",
			"the error budget burns 15 times as fast as it may; the limit is >= 14.4 times."},
		"a heartbeat": {with(func(r *notify.Row) { r.Snapshot.Source, r.Snapshot.Value = "heartbeat", 90 }), "",
			"nothing was heard of http.errors for 1m, it is 1m 30s overdue"},
		"too many groups": {with(func(r *notify.Row) { r.Kind, r.Snapshot.Value, r.Snapshot.Tags = notify.Overflowing, 100, nil }),
			"[too many groups] errors in shop (prod)", "more groups than the 100 that it keeps"},
		"removed": {with(func(r *notify.Row) { r.Kind, r.Snapshot.Reason = notify.Resolved, "monitor removed" }),
			"[ended] errors {route=/pay} in shop (prod)", "it ended after 1m: monitor removed."},
		"no data":  {with(func(r *notify.Row) { r.Kind = notify.Missing }), "[no data] errors {route=/pay} in shop (prod)", "there is no data for it."},
		"no value": {with(func(r *notify.Row) { r.Snapshot.HasValue = false }), "", "no value; the limit is >= 0.2."},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := renderer(t, "", "").Render(&notify.Message{Receiver: "team", Rows: []*notify.Row{tt.row}}, at)
			if tt.subject != "" && got.Subject != tt.subject {
				t.Errorf("subject = %q, want %q", got.Subject, tt.subject)
			}
			if !strings.Contains(got.Body, tt.text) {
				t.Errorf("body = %q, want %q in it", got.Body, tt.text)
			}
		})
	}
}

// A template that fails never loses the message.
func TestTemplateThatFails(t *testing.T) {
	t.Parallel()
	huge := strings.Repeat("{{ range .alerts }}"+strings.Repeat("x", 1000)+"{{ end }}", 15)
	m := &notify.Message{Receiver: "team"}
	for range 100 {
		m.Rows = append(m.Rows, row())
	}
	got := renderer(t, "", huge).Render(m, at)
	if got.Problem == "" || !strings.Contains(got.Body, "http.errors is 0.25") || !strings.Contains(got.Body, "own template failed") {
		t.Errorf("problem = %q, body = %.300q, want the default text with the mistake", got.Problem, got.Body)
	}
}

func TestNothingBreaksAHeader(t *testing.T) {
	t.Parallel()
	for _, evil := range []string{"a\r\nBcc: x@example.com", "a\nb", "a\rb", "a\u2028b", "a\x00b", strings.Repeat("ä", 5000), "\x1b[2J"} {
		r := row()
		r.Snapshot.Tags["route"] = evil
		r.Snapshot.Name = "errors" + evil
		for name, subject := range map[string]string{"own": "{{ .tags.route }} {{ .monitor }}", "default": ""} {
			got := renderer(t, subject, "").Render(&notify.Message{Receiver: "team", Rows: []*notify.Row{r}}, at)
			if strings.ContainsFunc(got.Subject, func(c rune) bool { return c < ' ' || c == 0x7f || c == '\u2028' }) || len(got.Subject) > 1000 || got.Subject == "" {
				t.Errorf("%s subject of %.20q = %q, want one line", name, evil, got.Subject)
			}
			if strings.ContainsAny(got.MessageID+got.Thread, " \r\n") {
				t.Errorf("Message-ID = %q, thread %q, want no white space", got.MessageID, got.Thread)
			}
		}
	}
}

// A storm makes a message of thousands of rows. What it costs to render must
// grow with their number, not with its square.
func TestCostGrowsWithTheRows(t *testing.T) { // not parallel: allocations are counted for the process
	r := renderer(t, "", "{{ .tags.route }} {{ .firing }}")
	allocs := func(rows int) float64 {
		m := &notify.Message{Receiver: "team"}
		for i := range rows {
			row := row()
			row.Alert = fmt.Sprint("errors", i)
			m.Rows = append(m.Rows, row)
		}
		if got := r.Render(m, at); strings.Count(got.Body, fmt.Sprintf("\n/pay %d\n", rows)) != rows {
			t.Fatalf("the body of %d rows is %.200q, want each row's text", rows, got.Body)
		}
		return testing.AllocsPerRun(1, func() { r.Render(m, at) })
	}
	if few, many := allocs(50), allocs(500); many > 20*few {
		t.Errorf("rendering 50 rows allocates %.0f times and 500 rows %.0f times, want about ten times as often", few, many)
	}
}

func TestVisible(t *testing.T) {
	t.Parallel()
	if got, want := visible("a\u009b31m\u202eb\u2066c\u2069 ü\nעברית\u200f"), "a31mbc ü\nעברית\u200f"; got != want {
		t.Errorf("visible() = %q, want %q", got, want)
	}
}
