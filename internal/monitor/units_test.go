package monitor

import (
	"errors"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"
)

func TestParseDuration(t *testing.T) {
	t.Parallel()
	good := map[string]time.Duration{
		"0s": 0, "300ms": 300 * time.Millisecond, "30s": 30 * time.Second, "1h30m": 90 * time.Minute,
		"1.5d": 36 * time.Hour, "2w": 14 * 24 * time.Hour, "1w2d": 9 * 24 * time.Hour, " 5m ": 5 * time.Minute,
	}
	for text, want := range good {
		if got, err := parseDuration(text); err != nil || got != want {
			t.Errorf("parseDuration(%q) = %v, %v, want %v", text, got, err, want)
		}
	}
	bad := map[string]string{
		"": "", "5": "5s", "0": "0s", "1.5": "1.5s", "-5s": "", "5 min": "5m", "5min": "5m", "2hours": "2h", "3 Days": "3d",
		"10seconds": "10s", "20 msec": "20ms", "1M": "1m", "5y": "", "s": "", "1e3s": "", "999999w": "", "5m garbage": "", "٣s": "",
	}
	for text, want := range bad {
		got, err := parseDuration(text)
		var e *unitError
		if !errors.As(err, &e) || e.suggestion != want {
			t.Errorf("parseDuration(%q) = %v, %v, want an error that suggests %q", text, got, err, want)
		}
	}
}

func TestParseQuantity(t *testing.T) {
	t.Parallel()
	good := map[string]float64{
		"3": 3, "-2.5": -2.5, "1e3": 1000, "2%": 0.02, "99.9%": 0.999, "0.1%": 0.001, "+50%": 0.5, "-30%": -0.3,
		"300ms": 0.3, "5m": 300, "10MB": 1e7, "10kB": 1e4, "1.5GiB": 1.5 * (1 << 30), "512B": 512, "1TiB": 1 << 40,
	}
	for text, want := range good {
		if got, err := parseQuantity(text); err != nil || got != want {
			t.Errorf("parseQuantity(%q) = %v, %v, want %v", text, got, err, want)
		}
	}
	bad := map[string]string{
		"": "", "x": "", "1e400": "", "NaN": "", "Inf": "", "-Inf": "", "0x10": "", "10M": "10MB", "2 %x": "", "1,5": "1.5", "10 MB": "10MB", "%": "", "1iB": "1B", "5min": "5m",
	}
	for text, want := range bad {
		got, err := parseQuantity(text)
		if err == nil {
			t.Errorf("parseQuantity(%q) = %v, want an error", text, got)
			continue
		}
		var e *unitError
		if errors.As(err, &e) && e.suggestion != want {
			t.Errorf("parseQuantity(%q) suggests %q, want %q", text, e.suggestion, want)
		}
	}
}

func TestPercentile(t *testing.T) {
	t.Parallel()
	for a, want := range map[Aggregate]float64{"p50": 0.5, "p99.9": 0.999, "p99": 0.99, "p0.1": 0.001} {
		if got, ok := a.Percentile(); !ok || got != want {
			t.Errorf("%s.Percentile() = %v, %v, want %v", a, got, ok, want)
		}
	}
	for _, a := range []Aggregate{"p0", "p100", "p", "p-1", "p1e1", "pNaN", "sum", "P99", "p99.9.9"} {
		if got, ok := a.Percentile(); ok {
			t.Errorf("%s.Percentile() = %v, want none", a, got)
		}
	}
}

func TestOpHolds(t *testing.T) {
	t.Parallel()
	nan := (&Monitor{}).MinTotal
	nan /= nan
	for _, op := range []Op{GreaterOrEqual, Greater, LessOrEqual, Less, EqualTo, NotEqualTo} {
		if op.Holds(nan, 1) || op.Holds(1, nan) {
			t.Errorf("NaN %s 1 holds", op)
		}
		want := op == GreaterOrEqual || op == LessOrEqual || op == EqualTo
		if got := op.Holds(3, 3); got != want {
			t.Errorf("3 %s 3 = %v, want %v", op, got, want)
		}
	}
}

func TestSubstitute(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text, want string
		errs       int
	}{
		{"plain $ $x {}", "plain $ $x {}", 0},
		{"${TEAM_MAIL}", "team@example.com", 0},
		{"a${TEAM_MAIL}b", "ateam@example.comb", 0},
		{"${EMPTY}x", "x", 0},
		{"${EMPTY:-d}${NONE:-e}${NONE:-}", "de", 0},
		{"$${TEAM_MAIL}", "${TEAM_MAIL}", 0},
		{"${NONE}${NONE2}", "", 2},
		{"${TEAM_MAIL", "", 1},
		{"${}${1A}${A-B}", "", 3},
	}
	for _, tt := range tests {
		got, errs := substitute(tt.text, corpusEnv)
		if len(errs) != tt.errs || len(errs) == 0 && got.text != tt.want {
			t.Errorf("substitute(%q) = %q, %v, want %q and %d errors", tt.text, got.text, errs, tt.want, tt.errs)
		}
	}
	s, _ := substitute("ab ${TEAM_MAIL} cd $${ ef", corpusEnv)
	for offset, want := range map[int]int{0: 0, 3: 3, 10: 3, 19: 15, 20: 16, 22: 18} {
		if got := s.source(offset); got != want {
			t.Errorf("offset %d of %q comes from %d, want %d", offset, s.text, got, want)
		}
	}
}

// TestWithin looks for X in scalars of each style.
func TestWithin(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"a: one X", "a: 'it''s X'", `a: "tab\t quote\" X"`, `a: "\u00e9\x41 X"`, "a: one\n  two X\n  three",
		"a: 'one\n\n  two X'", "a: \"one \\\n  two X\"", "a: |\n  one\n    two X\n", "a: |\n\n  one\n\n\n  two X\n",
		"a: >\n  one\n  two\n\n  X three\n", "a: &n one X", "a: |+\n   größe X\n", "- a: [b, one X]", "? a\n: one X",
	} {
		f := newFile(Source{"m.yaml", []byte(text)}, &sink{})
		var doc yaml.Node
		if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
			t.Fatal(err)
		}
		n := scalarWith(&doc, 'X')
		offset := indexByte(n.Value, 'X')
		m := f.within(n, offset)
		line := []rune(f.lines[m.line-1])
		if m.col > len(line) || line[m.col-1] != 'X' {
			t.Errorf("X of %q is found at %d:%d", text, m.line, m.col)
		}
	}
}

func scalarWith(n *yaml.Node, c byte) *yaml.Node {
	if n.Kind == yaml.ScalarNode && indexByte(n.Value, c) >= 0 {
		return n
	}
	for _, sub := range n.Content {
		if found := scalarWith(sub, c); found != nil {
			return found
		}
	}
	return nil
}

func indexByte(s string, c byte) int {
	for i := range len(s) {
		if s[i] == c {
			return i
		}
	}
	return -1
}

func TestBurnWindows(t *testing.T) {
	t.Parallel()
	s := SLO{Period: defaultPeriod}
	want := []BurnWindow{
		{true, 5 * time.Minute, time.Hour, 14.4}, {true, 30 * time.Minute, 6 * time.Hour, 6},
		{false, 2 * time.Hour, 24 * time.Hour, 3}, {false, 6 * time.Hour, 72 * time.Hour, 1},
	}
	for i, w := range s.BurnWindows() {
		if w != want[i] {
			t.Errorf("window %d = %+v, want %+v", i, w, want[i])
		}
	}
	s.Period = 7 * 24 * time.Hour
	if got := s.BurnWindows()[1]; got.Long != 84*time.Minute || got.Short != 7*time.Minute {
		t.Errorf("for a week the second pair is %+v", got)
	}
}

// TestValuesOfVariablesAreNotShown: a variable is where secrets are put, also
// when it is the wrong one or ends up in the wrong place.
func TestValuesOfVariablesAreNotShown(t *testing.T) {
	t.Parallel()
	const head = "version: 2\nreceivers: {t: {email: {to: [t@example.com]}}}\n"
	for name, tt := range map[string]struct{ text, value string }{
		"recipient":        {"version: 2\nreceivers: {t: {email: {to: [\"${V}\"]}}}\nmonitors: [{metric: a, notify: [t], triggers: [{threshold: 1}]}]\n", "hunter2hunter2"},
		"part of one":      {"version: 2\nreceivers: {t: {email: {cc: [\"a b${V}\"]}}}\nmonitors: [{metric: a, notify: [t], triggers: [{threshold: 1}]}]\n", "hunter2hunter2"},
		"long":             {"version: 2\nreceivers: {t: {email: {to: [\"${V}\"]}}}\nmonitors: [{metric: a, notify: [t], triggers: [{threshold: 1}]}]\n", strings.Repeat("hunter2 ", 20)},
		"short":            {"version: 2\nreceivers: {t: {email: {to: [\"${V}\"]}}}\nmonitors: [{metric: a, notify: [t], triggers: [{threshold: 1}]}]\n", "hunt"},
		"quotes":           {"version: 2\nreceivers: {t: {email: {to: [\"${V}\"]}}}\nmonitors: [{metric: a, notify: [t], triggers: [{threshold: 1}]}]\n", `hunter2"hunter2`},
		"unknown receiver": {head + "monitors: [{metric: a, notify: [\"${V}\"], triggers: [{threshold: 1}]}]\n", "hunter2hunter2"},
		"threshold":        {head + "monitors: [{metric: a, notify: [t], triggers: [{threshold: \"${V}\"}]}]\n", "hunter2hunter2"},
		"matcher":          {head + "monitors: [{metric: a, where: [\"${V}\"], notify: [t], triggers: [{threshold: 1}]}]\n", "hunter2hunter2"},
		"level":            {head + "monitors: [{metric: a, notify: [t], triggers: [{level: \"${V}\", threshold: 1}, {level: \"${V}\", threshold: 2}]}]\n", "hunter2hunter2"},
		"template":         {head + "monitors: [{metric: a, notify: [t], triggers: [{threshold: 1, text: \"{{ .x${V} }}\"}]}]\n", "hunter2hunter2"},
	} {
		options := Options{LookupEnv: func(string) (string, bool) { return tt.value, true }}
		_, err := options.Parse(Source{"m.yaml", []byte(tt.text)})
		if err == nil {
			t.Errorf("%s: Parse = nil, want an error", name)
			continue
		}
		if strings.Contains(err.Error(), "hunt") {
			t.Errorf("%s: the error shows the value:\n%v", name, err)
		}
	}
}
