package monitor

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func mustParse(t *testing.T, text string) *Set {
	t.Helper()
	set, err := corpusOptions().Parse(Source{"monitors.yaml", []byte(text)})
	if err != nil {
		t.Fatalf("Parse: %v", err)
	}
	return set
}

func TestVersion1Expands(t *testing.T) {
	t.Parallel()
	set, err := Options{}.Load("../../testdata/monitors.yaml")
	if err != nil {
		t.Fatal(err)
	}
	type row struct {
		Key, Subject, Text string
		Kind               Kind
		Aggregate          Aggregate
		Window, Repeat     time.Duration
		To, Cc             []string
	}
	var got []row
	for i := range set.Monitors {
		m := &set.Monitors[i]
		tr := &m.Triggers[0]
		r := set.Receiver(tr.Notify[0])
		if r == nil || !r.SkipResolved || !m.Legacy || !r.Legacy || len(m.Triggers) != 1 {
			t.Fatalf("monitor %d = %+v with receiver %+v, want a version-1 one with a receiver of its own", i, m, r)
		}
		got = append(got, row{m.Key(), tr.Subject, tr.TextTemplate().String(), m.Kind, m.Aggregate, m.Window, tr.Repeat, r.Email.To, r.Email.Cc})
	}
	want := []row{
		{"http.response.400/counter/20/3/0", "4xx errors exceeded", "Threshold breached for first degree sla. {{ .count }}", Counter, Sum, 20 * time.Second, 5 * time.Minute, []string{"oncall@example.com"}, nil},
		{"http.response.400/counter/20/20/0", "4xx errors exceeded", "Threshold breached for second degree sla. {{ .count }}", Counter, Sum, 20 * time.Second, 10 * time.Minute, []string{"lead@example.com"}, nil},
		{"queue.depth/gauge/60/1000/0", defaultSubject, "{{ .count }} jobs wait in {{ .service }} ({{ .environment }}),\n{{ .exceeded_by }} more than there should be.\n", Gauge, Last, time.Minute, 5 * time.Minute, []string{"oncall@example.com"}, []string{"lead@example.com"}},
		{"http.request.duration/histogram/60/0.5/0", "{{ .service }} is slow", "p95 is {{ .count | humanizeDuration }}, more than {{ .threshold | humanizeDuration }}.", Histogram, "p95", time.Minute, 15 * time.Minute, []string{"On call <oncall@example.com>"}, nil},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("monitors differ (-want +got):\n%s", diff)
	}
}

func TestVersion2Values(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/good/v2_issue.yaml")
	if err != nil {
		t.Fatal(err)
	}
	set := mustParse(t, string(data))
	m := &set.Monitors[0]
	if m.Window != time.Minute || m.KeepFiringFor != time.Minute || m.MinTotal != 20 || len(m.Matchers()) != 3 {
		t.Errorf("monitor = %+v", m)
	}
	warning, critical := m.Triggers[0], m.Triggers[1]
	if warning.Threshold != 0.02 || *warning.Clear != 0.01 || warning.For != 30*time.Second || !cmp.Equal(warning.Notify, []string{"chat"}) {
		t.Errorf("warning = %+v", warning)
	}
	if critical.Threshold != 0.2 || critical.Repeat != 10*time.Minute || critical.Escalate[0].After != 15*time.Minute {
		t.Errorf("critical = %+v", critical)
	}
	if got := set.Receiver("chat").Settings["webhook_url"]; got != "https://hooks.example.com/T0/very-secret" {
		t.Errorf("webhook_url = %v, want the variable's value", got)
	}
	if got := set.Receiver("boss").Email; !cmp.Equal(got, Email{To: []string{"team@example.com"}, Cc: []string{"team@example.com"}, Bcc: []string{}}) {
		t.Errorf("boss = %+v, want the merged mapping", got)
	}
	if got := set.Monitors[1].Triggers[0]; got.Threshold != -0.5 || !got.Relative || *got.Clear != -0.3 || !got.NeverRepeat {
		t.Errorf("relative trigger = %+v", got)
	}
	if got := set.Monitors[1].Where; !cmp.Equal(got, []string{`"odd tag"="a \"b\""`, `region="eu"`}) {
		t.Errorf("where = %q", got)
	}
	memory := set.Monitors[3].Triggers
	if memory[0].Level != "warning" || memory[0].Threshold != 1.5*(1<<30) || memory[1].Threshold != 1<<31 || memory[0].Repeat != 4*time.Hour {
		t.Errorf("memory = %+v", memory)
	}
	if o := set.SLOs[0]; o.Objective != 0.999 || !cmp.Equal(o.Ticket, []string{"chat"}) {
		t.Errorf("SLO = %+v", o)
	}
	if g := set.SLOs[1].Good; g.Op != LessOrEqual || g.Value != 0.3 {
		t.Errorf("good = %+v", g)
	}
	if set.Generation != 7 || set.Version != 2 || set.From != "hawkeye@example.com" {
		t.Errorf("set = %d %d %q", set.Generation, set.Version, set.From)
	}
}

func TestSeveralSources(t *testing.T) {
	t.Parallel()
	receivers := Source{"receivers.yaml", []byte("version: 2\nfrom: a@example.com\nreceivers: {team: {email: {to: [t@example.com]}}}\n")}
	monitors := Source{"monitors.yaml", []byte("version: 2\nmonitors:\n  - {metric: a, notify: [team, pager], triggers: [{threshold: 1}]}\n")}
	legacy := Source{"old.yaml", []byte("monitors:\n  - {metric: a, triggers: [{threshold: 1, to: o@example.com}]}\n")}
	o := Options{
		Receivers: []Receiver{{Name: "pager", Kind: "custom"}},
		Monitors:  []Monitor{{Metric: "b", Notify: []string{"team"}, Triggers: []Trigger{{Threshold: 5}}}},
	}
	set, err := o.Parse(receivers, monitors, legacy)
	if err != nil {
		t.Fatalf("Parse: %v", err)
	}
	var keys []string
	for i := range set.Monitors {
		keys = append(keys, set.Monitors[i].Key()+" "+set.Monitors[i].Pos.String())
	}
	want := []string{"a monitors.yaml:3:5", "a/counter/60/1/0 old.yaml:2:5", "b WithMonitors[0]"}
	if diff := cmp.Diff(want, keys); diff != "" {
		t.Errorf("monitors differ (-want +got):\n%s", diff)
	}
	if o.Monitors[0].Triggers[0].Level != "" {
		t.Error("Parse changed the monitors it was given")
	}
	other := Source{"other.yaml", []byte("version: 2\nfrom: b@example.com\nmonitors:\n  - {metric: a, notify: [team], triggers: [{threshold: 1}]}\n")}
	_, err = o.Parse(receivers, monitors, other)
	for _, want := range []string{"from is something else at receivers.yaml:2:7", `the name "a" stands twice; the first is at monitors.yaml:3:5`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Parse = %v, want it to say %q", err, want)
		}
	}
}

func TestMonitorsFromCode(t *testing.T) {
	t.Parallel()
	bad := -1.0
	o := Options{Monitors: []Monitor{{
		Metric: "a", Window: time.Millisecond, Op: "=>", KeepFiringFor: -1, Where: []string{"x==y"},
		Triggers: []Trigger{{Threshold: 1}, {Threshold: 2, Clear: &bad, Notify: []string{"nobody"}, Text: "{{ .valeu }}"}},
	}}}
	_, err := o.Parse()
	var errs *Errors
	if !errors.As(err, &errs) {
		t.Fatalf("Parse = %v, want *Errors", err)
	}
	var got []string
	for _, p := range errs.Problems {
		got = append(got, p.Key)
		if p.Line != 0 || p.File != "" {
			t.Errorf("problem %v has a place in a file", p)
		}
	}
	want := []string{
		"WithMonitors[0].Where[0]", "WithMonitors[0].Window", "WithMonitors[0].KeepFiringFor", "WithMonitors[0].Op",
		"WithMonitors[0].Triggers[0].Notify", "WithMonitors[0].Triggers[1].Text", "WithMonitors[0].Triggers[1].Notify[0]",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("problems differ (-want +got):\n%s\n%v", diff, err)
	}
	m := Monitor{Metric: "a", Triggers: []Trigger{{Notify: []string{"x"}}}}
	if err := m.Validate(); err != nil || m.Window != time.Minute || m.Triggers[0].Level != "critical" {
		t.Errorf("Validate = %v, %+v", err, m)
	}
}

// TestCodeAndFileAgree writes one monitor in both ways.
func TestCodeAndFileAgree(t *testing.T) {
	t.Parallel()
	clear := 0.01
	receivers := []Receiver{{Name: "team", Email: Email{To: []string{"t@example.com"}}}}
	code, err := Options{Receivers: receivers, Monitors: []Monitor{{
		Name: "api", Metric: "errors", Where: []string{`method="POST"`}, By: []string{"route"}, DivideBy: "requests", MinTotal: 20,
		Window: time.Hour, Notify: []string{"team"}, About: About{Labels: map[string]string{"team": "payments"}},
		Triggers: []Trigger{{Threshold: 0.02, Clear: &clear, For: time.Minute, Text: "{{ .value | percent }}"}},
	}}}.Parse()
	if err != nil {
		t.Fatal(err)
	}
	file, err := Options{Receivers: receivers}.Parse(Source{"m.yaml", []byte(`
version: 2
monitors:
  - {name: api, metric: errors, where: {method: POST}, by: [route], divide_by: requests, min_total: 20, window: 1h,
     notify: [team], labels: {team: payments}, triggers: [{threshold: 2%, clear: 1%, for: 1m, text: "{{ .value | percent }}"}]}
`)})
	if err != nil {
		t.Fatal(err)
	}
	if code.Hash != file.Hash {
		t.Errorf("the hashes differ:\n%+v\n%+v", code.Monitors, file.Monitors)
	}
}

func TestHash(t *testing.T) {
	t.Parallel()
	base := "version: 2\nreceivers: {t: {email: {to: [t@example.com]}}}\nmute_times: {n: {from: 22:00, to: 07:00, location: Europe/Berlin}}\nmonitors:\n  - {metric: a, notify: [t], triggers: [{threshold: 1}]}\n"
	hash := mustParse(t, base).Hash
	if same := mustParse(t, "# a comment\n"+base).Hash; same != hash || len(hash) != 32 {
		t.Errorf("a comment changes the hash from %s to %s", hash, same)
	}
	for _, edit := range [][2]string{{"threshold: 1", "threshold: 2"}, {"Europe/Berlin", "Europe/Paris"}, {"t@example.com", "u@example.com"}, {"07:00", "08:00"}} {
		if mustParse(t, strings.Replace(base, edit[0], edit[1], 1)).Hash == hash {
			t.Errorf("changing %s to %s doesn't change the hash", edit[0], edit[1])
		}
	}
}

func TestLoad(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("b.yaml", "monitors:\n  - {metric: b, triggers: [{threshold: 1, to: o@example.com}]}\n")
	write("a.yaml", "monitors:\n  - {metric: a, triggers: [{threshold: 1, to: o@example.com}]}\n")
	write("big.yml", strings.Repeat("#", MaxFileBytes+1))
	set, err := Options{}.Load(filepath.Join(dir, "[ab].yaml"), filepath.Join(dir, "b.yaml"))
	if err != nil || len(set.Monitors) != 2 || set.Monitors[0].Metric != "a" || len(set.Files) != 2 {
		t.Errorf("Load = %+v, %v, want a and b, each once", set, err)
	}
	write("a_test.yaml", "no: configuration\n")
	write(".hidden.yaml", "no: configuration\n")
	if err := os.Mkdir(filepath.Join(dir, "empty"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "folder.yaml"), 0o700); err != nil {
		t.Fatal(err)
	}
	if names, err := expand(dir); err != nil || len(names) != 3 || filepath.Base(names[2]) != "big.yml" {
		t.Errorf("expand(folder) = %q, %v, want a.yaml, b.yaml and big.yml", names, err)
	}
	for _, tt := range []struct{ pattern, want string }{
		{"none.yaml", "no such file"}, {"*.json", "no file matches"}, {"[", "syntax error"}, {"empty", "holds no .yaml or .yml file"}, {"big.yml", "at most 1048576"},
	} {
		if _, err := (Options{}).Load(filepath.Join(dir, tt.pattern)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Load(%q) = %v, want %q", tt.pattern, err, tt.want)
		}
	}
}

// TestHostileFiles reads what is made to take long. Each is a mistake that is
// told in few words; the bound on the time is a guard against a hang, and the
// log has what it took.
func TestHostileFiles(t *testing.T) {
	t.Parallel()
	fill := func(head, part, tail string) string {
		return head + strings.Repeat(part, (MaxFileBytes/8-len(head)-len(tail))/len(part)) + tail
	}
	team := "version: 2\nreceivers: {t: {email: {to: [t@example.com]}}}\n"
	many := func(n int, format string) string {
		var b strings.Builder
		for i := 0; i < n; i++ {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	files := map[string]string{
		"unknown keys":       fill("version: 1\nmonitors:\n", "  - {x: 1, metrik: y}\n", ""),
		"one line":           fill("version: 1\nmonitors: [", "{x: 1},", "]\n"),
		"quotes":             fill("version: 1\nmonitors: [", `"","a",`, "]\n"),
		"brackets":           fill("version: 1\nmonitors: ", "[", "\n"),
		"tags":               fill("version: 1\nmonitors: [", "!a 1,", "]\n"),
		"templates":          fill("version: 1\nmonitors:\n", "  - {metric: a, triggers: [{threshold: 1, text: '{{ .nope }}{{ .nopf }}{{ if }}', to: a}]}\n", ""),
		"bad template":       "version: 1\nmonitors:\n  - {metric: a, triggers: [{threshold: 1, to: a@example.com, text: '" + strings.Repeat("{{ .nope }}", 1400) + "'}]}\n",
		"variables":          fill(team+"from: \"", "${A}", "\"\n"),
		"x keys":             team + many(30_000, "x-%d: 1\n") + "monitors: 1\n",
		"receiver kinds":     team + "monitors: 1\nreceiver: 1\n" + "x-r: {a: {" + many(30_000, "k%d: {}, ") + "}}\n",
		"kinds":              "version: 2\nreceivers: {t: {" + many(30_000, "k%d: {}, ") + "}}\n",
		"unknown receivers":  "version: 2\nreceivers: {" + many(9_000, "name-of-receiver-%d: {email: {to: [t@example.com]}}, ") + "}\nmonitors:\n  - {metric: a, triggers: [{threshold: 1}], notify: [" + many(10_000, "name-of-a-receiver-%d, ") + "]}\n",
		"merged mappings":    "version: 2\nx-a: &a {" + many(20_000, "k%d: 1, ") + "}\ndefaults:\n  <<: [" + strings.Repeat("*a, ", 100_000) + "]\nmonitors: 1\n",
		"matchers":           team + "monitors:\n  - {metric: a, notify: [t], triggers: [{threshold: 1}], where: [" + strings.Repeat("'a=~\".{900}\"', ", 20_000) + "]}\n",
		"nested merge":       "version: 1\nmonitors:\n  - &m\n    <<: [*m, *m, *m]\n    metric: a\n",
		"long key":           "version: 2\nreceivers: {" + strings.Repeat("k", 400_000) + ": {email: {to: [" + strings.Repeat("a, ", 100_000) + "]}}}\n",
		"aliased recipients": "version: 1\nx: &x [" + strings.Repeat("a,", 1000) + "]\nmonitors: [" + strings.Repeat("{metric: a, triggers: [{threshold: 1, to: *x}]},", 10_000) + "]\n",
		"hundred megabytes":  strings.Repeat("a: *a\n", 100<<20/6),
	}
	for name, text := range files {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			start := time.Now()
			_, err := corpusOptions().Parse(Source{"m.yaml", []byte(text)})
			took := time.Since(start)
			var errs *Errors
			if !errors.As(err, &errs) || len(errs.Problems) > maxProblems+1 || len(err.Error()) > 200_000 {
				t.Errorf("Parse tells %d bytes, want an error of bounded size", len(fmt.Sprint(err)))
			}
			t.Logf("%d bytes read in %v", len(text), took.Round(time.Millisecond))
			if took > time.Minute {
				t.Errorf("Parse took %v, want it bounded", took)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/good/*.yaml", "testdata/bad/*.yaml", "testdata/lint/*.yaml"} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, name := range names {
			data, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		set, err := corpusOptions().Parse(Source{"m.yaml", data})
		var errs *Errors
		switch {
		case err == nil && set.Hash == "":
			t.Fatal("a Set without a hash")
		case err != nil && !errors.As(err, &errs):
			t.Fatalf("Parse = %#v, want *Errors", err)
		case err == nil:
			return
		}
		lines := strings.Count(string(data), "\n") + 1
		for _, p := range errs.Problems {
			if p.Message == "" || p.Line > lines || p.Line > 0 && p.Col < 1 || strings.ContainsAny(p.Snippet+p.Key, "\x1b\x00\n") {
				t.Fatalf("bad problem %+v", p)
			}
		}
	})
}
