package msgtmpl

import (
	"errors"
	"strings"
	"testing"
	"time"
)

var started = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func sample() map[string]any {
	return map[string]any{
		"count": 25, "threshold": 3.0, "exceeded_by": int64(22), "interval": 20,
		"metric": "http.response.400", "service": "checkout", "environment": "prod",
		"value": 0.0213, "level": "critical", "window": time.Minute,
		"started": started, "now": started.Add(65 * time.Minute), "duration": 65 * time.Minute,
		"tags":   map[string]string{"route": "/orders/{id}", "http.method": "POST"},
		"labels": map[string]string{"team": "payments"},
		"alerts": []map[string]any{{"monitor": "a", "value": 1}, {"monitor": "b", "value": 2.5}},
	}
}

func TestRender(t *testing.T) {
	t.Parallel()
	tests := []struct{ text, want string }{
		{"", ""},
		{"plain {braces}", "plain {braces}"},
		{"breached {{ .count }}", "breached 25"},
		{"{{.count}} of {{ .threshold }}, {{ .exceeded_by }} over in {{ .interval }}s", "25 of 3, 22 over in 20s"},
		{"{{ .metric | upper }}", "HTTP.RESPONSE.400"},
		{"{{ .value | percent }} of {{ .tags.route }}", "2.13% of /orders/{id}"},
		{`{{ index .tags "http.method" }}`, "POST"},
		{"[{{ .tags.absent }}]", "[]"},
		{"{{ .compare_value }} {{ .compare_value | percent }} {{ .ended }}", "n/a n/a n/a"},
		{`{{ .compare_value | default "none" }} {{ .tags.x | default "-" }}`, "none -"},
		{"{{ if gt .count 10 }}many{{ else }}few{{ end }}", "many"},
		{"{{ if lt .count 10 }}a{{ else if eq .level \"critical\" }}b{{ else }}c{{ end }}", "b"},
		{"{{ if .ended }}ended{{ else }}on{{ end }}", "on"},
		{"{{ if gt .compare_value 1 }}a{{ else }}b{{ end }}", "b"},
		{"{{ with .labels }}{{ .team }}{{ end }}", "payments"},
		{"{{ range .alerts }}{{ .monitor }}={{ .value }};{{ end }}", "a=1;b=2.5;"},
		{"{{ range .alerts }}{{ $.service }},{{ end }}", "checkout,checkout,"},
		{"{{ range .tags }}{{ . }} {{ end }}", "POST /orders/{id} "},
		{`{{ join " " .tags }}`, "http.method=POST route=/orders/{id}"},
		{"{{ .tags }}", "http.method=POST, route=/orders/{id}"},
		{"{{ .duration }} {{ .window | humanizeDuration }} {{ since .started }}", "1h 5m 1m 1h 5m"},
		{"{{ humanizeDuration 0.3 }} {{ humanizeDuration 90061 }}", "300ms 1d 1h 1m"},
		{`{{ date "15:04" .started }}`, "12:00"},
		{`{{ date "15:04 MST" .started "Asia/Tokyo" }}`, "21:00 JST"},
		{`{{ .started | date "15:04 MST" "Asia/Tokyo" }}`, "21:00 JST"},
		{`{{ date "15:04" .started "UTC" }} {{ date "15:04" .ended "Asia/Tokyo" }}`, "12:00 n/a"},
		{`{{ date "15:04" .started (replace "/" "/" "Asia/Tokyo") }}`, "21:00"},
		{"{{ humanize 1234567 }} {{ bytes 1572864 }} {{ humanize 0.00 }}", "1.235M 1.5MiB 0"},
		{"{{ round 1 2.25 }} {{ round 0 2.5 }}", "2.3 3"},
		{"{{ bytes 1048575 }} {{ humanize 999999 }} {{ humanize1024 -1048575 }} {{ bytes 999999 }}", "1MiB 1M -1M 976.6KiB"},
		{"{{ duration 0.99999 }} {{ duration 0.9994 }}", "1s 999.4ms"},
		{`{{ truncate 3 "größer" }}`, "grö…"},
		{`{{ replace "." "/" .metric }}`, "http/response/400"},
		{"{{ len .alerts }} {{ len .service }}", "2 8"},
		{"{{- /* a comment */ -}} x", "x"},
		{"{{ and .count .threshold }} {{ or .ended .count }} {{ not .count }}", "3 25 false"},
		{"{{ if and (gt .count 3) (lt .count 30) }}in{{ end }}", "in"},
		{"{{ urlquery .tags.route }}", "%2Forders%2F%7Bid%7D"},
		{"{{ index (index .alerts 1) \"monitor\" }}", "b"},
	}
	for _, tt := range tests {
		tmpl, err := Parse(tt.text, Version2())
		if strings.Contains(tt.text, "(index .alerts") {
			if err == nil {
				t.Errorf("Parse(%q): an alert is no list, want an error", tt.text)
			}
			continue
		}
		if err != nil {
			t.Errorf("Parse(%q): %v", tt.text, err)
			continue
		}
		got, err := tmpl.Render(sample())
		if err != nil || got != tt.want {
			t.Errorf("Render(%q) = %q, %v, want %q", tt.text, got, err, tt.want)
		}
	}
}

func TestParseErrors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text       string
		at         string // the error is where this stands
		want       string
		suggestion string
	}{
		{"a {{ .cuont }}", ".cuont", "unknown field .cuont", ".count"},
		{"a {{ .tresholds }}", ".tresholds", "unknown field", ".threshold"},
		{"{{ .Count }}", ".Count", "unknown field", ".count"},
		{"{{ .labels.team.x }}", ".x", "which has none", ""},
		{"{{ .count.x }}", ".x", "a field of a number", ""},
		{"{{ range .alerts }}{{ .valeu }}{{ end }}", ".valeu", "unknown field", ".value"},
		{"{{ count }}", "count", "unknown function", ".count"},
		{"{{ .value | precent }}", "precent", "unknown function", "percent"},
		{"{{ printf \"%09999999d\" 1 }}", "printf", "unknown function", ""},
		{`{{ date "15:04" .started "Europe/Berln" }}`, "\"Europe/Berln", "not in the time zone database", "\"Europe/Berlin\""},
		{`{{ date "15:04" .started "Local" }}`, "\"Local", "differs from machine to machine", ""},
		{`{{ date "15:04" "UTC" }}`, "date", "date takes a layout", ""},
		{`{{ date "15:04" "UTC" "UTC" }}`, "date", "date takes a layout", ""},
		{`{{ date "15:04" .started .ended }}`, "date", "date takes a layout", ""},
		{`{{ date "15:04" }}`, "date", "not 1 values", ""},
		{`{{ date "15:04" .count }}`, ".count", "this is a number", ""},
		{"{{ percent }}", "percent", "takes a fraction, not 0 values", ""},
		{"{{ percent .value 2 }}", "percent", "not 2 values", ""},
		{"{{ percent .service }}", ".service", "this is text", ""},
		{"{{ .service | percent }}", "percent", "this is text", ""},
		{"{{ .service .count }}", ".service", "is not a function", ""},
		{"{{ range 2000000000 }}{{ end }}", "2000000000", "range needs a list", ""},
		{"{{ range .count }}{{ end }}", ".count", "range needs a list", ""},
		{"{{ $x := .count }}", "$x", "variables", ""},
		{"{{ range $i, $e := .alerts }}{{ end }}", "$i", "variables", ""},
		{"{{ define \"a\" }}{{ template \"a\" }}{{ end }}", "define", "templates inside", ""},
		{"a{{ block \"a\" . }}x{{ end }}", "block", "templates inside", ""},
		{"{{ template \"a\" }}", "\"a\"", "templates inside", ""},
		{"x {{ .count", "{{", "never closed", ""},
		{"x {{ .count }", "{{", "never closed", ""},
		{"{{ if .count }}x", "if", "has no {{ end }}", ""},
		{"x{{ end }}", "end", "without an if", ""},
		{"x{{ else }}", "else", "without an if", ""},
		{"a\nb {{ .count } }}", "}", "unexpected", ""},
		{"a {{ }} b", "{{", "empty", ""},
		{"a {{ | }} b", "|", "unexpected", ""},
		{"{{ 'a' }}", "'a'", "is no number", ""},
		{"{{ nil }}", "nil", "", ""},
		{"{{ (.labels).team }}", ".team", "isn't allowed", ""},
		{strings.Repeat("{{if .count}}", 60) + strings.Repeat("{{end}}", 60), "", "too deeply", ""},
		{strings.Repeat("x", MaxTextBytes+1), "", "16384", ""},
		{"\xff", "", "UTF-8", ""},
	}
	for _, tt := range tests {
		_, err := Parse(tt.text, Version2())
		var errs Errors
		if !errors.As(err, &errs) || len(errs) == 0 {
			t.Errorf("Parse(%.50q) = %v, want Errors", tt.text, err)
			continue
		}
		e := errs[0]
		if tt.at != "" && !strings.HasPrefix(tt.text[e.Offset:], tt.at) {
			t.Errorf("Parse(%q) is at %q, want at %q (%s)", tt.text, tt.text[e.Offset:], tt.at, e.Message)
		}
		if !strings.Contains(e.Message, tt.want) || e.Suggestion != tt.suggestion {
			t.Errorf("Parse(%.50q) = %q, suggests %q, want %q, %q", tt.text, e.Message, e.Suggestion, tt.want, tt.suggestion)
		}
	}
}

func TestParseReportsEveryMistake(t *testing.T) {
	t.Parallel()
	_, err := Parse("{{ .cuont }} {{ .count }} {{ .mertic | uper }}", Version1())
	var errs Errors
	if !errors.As(err, &errs) || len(errs) != 3 {
		t.Fatalf("Parse = %v, want 3 mistakes", err)
	}
}

func TestVersion1KnowsOnlyItsFields(t *testing.T) {
	t.Parallel()
	for _, name := range Version1().names() {
		if _, err := Parse("{{ ."+name+" }}", Version1()); err != nil {
			t.Errorf("version 1 does not know .%s: %v", name, err)
		}
		if _, err := Parse("{{ ."+name+" }}", Version2()); err != nil {
			t.Errorf("version 2 does not know .%s of version 1: %v", name, err)
		}
	}
	if _, err := Parse("{{ .value }}", Version1()); err == nil {
		t.Error("version 1 knows .value, want an error")
	}
}

func TestRenderLimits(t *testing.T) {
	t.Parallel()
	many := make([]map[string]any, 1000)
	for i := range many {
		many[i] = map[string]any{"monitor": strings.Repeat("m", 100)}
	}
	data := map[string]any{
		"alerts":  many,
		"service": strings.Repeat("s", 60_000),
	}
	tests := []struct {
		text string
		want error
	}{
		{"{{ range .alerts }}{{ .monitor }}{{ end }}", ErrTooLong},
		{"{{ range .alerts }}{{ range $.alerts }}{{ end }}{{ end }}", ErrTooMuch},
		{`{{ replace "s" "ssssssssss" .service }}`, ErrTooLong},
		{`{{ join .service .alerts }}`, ErrTooLong},
		{`{{ range .alerts }}{{ if eq (upper $.service) "x" }}{{ end }}{{ end }}`, ErrTooMuch},
	}
	for _, tt := range tests {
		tmpl, err := Parse(tt.text, Version2())
		if err != nil {
			t.Errorf("Parse(%q): %v", tt.text, err)
			continue
		}
		if got, err := tmpl.Render(data); !errors.Is(err, tt.want) || got != "" {
			t.Errorf("Render(%q) = %d bytes, %v, want %v", tt.text, len(got), err, tt.want)
		}
	}
}

func TestRenderWrongData(t *testing.T) {
	t.Parallel()
	tmpl, err := Parse("{{ percent .value }}", Version2())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tmpl.Render(map[string]any{"value": "x"}); !errors.Is(err, ErrBadValue) {
		t.Errorf("Render of a text as a number = %v, want ErrBadValue", err)
	}
	if got, err := tmpl.Render(nil); err != nil || got != "n/a" {
		t.Errorf("Render of nothing = %q, %v, want n/a", got, err)
	}
	var none *Template
	if got, err := none.Render(nil); err != nil || got != "" {
		t.Errorf("Render of a nil Template = %q, %v, want nothing", got, err)
	}
}

func TestFormatNumber(t *testing.T) {
	t.Parallel()
	tests := []struct {
		v    float64
		want string
	}{
		{25, "25"}, {0.1 + 0.2, "0.3"}, {-0.0000001, "-1e-07"}, {1234567, "1234567"}, {1e15, "1e+15"},
		{999999999999999, "999999999999999"}, {-3.5, "-3.5"}, {0, "0"}, {100, "100"}, {1e-6, "0.000001"},
	}
	for _, tt := range tests {
		if got := FormatNumber(tt.v); got != tt.want {
			t.Errorf("FormatNumber(%v) = %q, want %q", tt.v, got, tt.want)
		}
	}
}

func TestFormatDuration(t *testing.T) {
	t.Parallel()
	tests := []struct {
		d    time.Duration
		want string
	}{
		{0, "0s"}, {time.Second, "1s"}, {90 * time.Second, "1m 30s"}, {26*time.Hour + time.Minute, "1d 2h 1m"},
		{1500 * time.Millisecond, "2s"}, {-time.Minute, "-1m"}, {250 * time.Microsecond, "250µs"},
		{-1 << 63, "-106751d 23h 47m"}, {30 * 24 * time.Hour, "30d"},
	}
	for _, tt := range tests {
		if got := FormatDuration(tt.d); got != tt.want {
			t.Errorf("FormatDuration(%d) = %q, want %q", tt.d, got, tt.want)
		}
	}
}

func FuzzTemplate(f *testing.F) {
	for _, s := range []string{
		"{{ .count }}", "{{ if gt .count 1 }}a{{ else }}b{{ end }}", "{{ range .alerts }}{{ .value | percent }}{{ end }}",
		"{{ with .tags }}{{ .route }}{{ end }}", "{{ .x.y.z", "{{/* */}}", "{{- `raw` -}}", "{{ $ }}{{ $.tags.a }}",
		"{{ break }}", "{{ range .alerts }}{{ continue }}{{ end }}", "{{ \"\\x00\" | upper }}", "{{ 1e999 }}", "{{ 1i }}", "{{ . }}", "{{ .alerts }}",
		"{{ truncate 5 .service }}{{ round 99 1e300 }}{{ humanize 1e-300 }}{{ bytes -5 }}{{ duration 1e300 }}",
	} {
		f.Add(s)
	}
	data := sample()
	f.Fuzz(func(t *testing.T, text string) {
		tmpl, err := Parse(text, Version2())
		if err != nil {
			var errs Errors
			if !errors.As(err, &errs) || len(errs) == 0 {
				t.Fatalf("Parse(%q) = %#v, want Errors", text, err)
			}
			for _, e := range errs {
				if e.Offset < 0 || e.Offset > len(text) || e.Message == "" {
					t.Fatalf("Parse(%q): bad error %+v", text, e)
				}
			}
			return
		}
		out, err := tmpl.Render(data)
		if len(out) > MaxOutputBytes || strings.Contains(out, "<no value>") && !strings.Contains(text, "no value") {
			t.Fatalf("Render(%q) = %q, %v", text, out, err)
		}
	})
}
