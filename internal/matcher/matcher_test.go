package matcher

import (
	"errors"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text string
		want string
		yes  []string
		no   []string
	}{
		{text: `method="POST"`, want: `method="POST"`, yes: []string{"POST"}, no: []string{"", "post", "POST "}},
		{text: ` method = POST `, want: `method="POST"`, yes: []string{"POST"}, no: []string{"GET"}},
		{text: `env!="dev"`, want: `env!="dev"`, yes: []string{"", "prod"}, no: []string{"dev"}},
		{text: `env=`, want: `env=""`, yes: []string{""}, no: []string{"x"}},
		{text: `route=~"/api/.*"`, want: `route=~"/api/.*"`, yes: []string{"/api/", "/api/x"}, no: []string{"", "/v1/api/x"}},
		{text: `route=~"a|b"`, want: `route=~"a|b"`, yes: []string{"a", "b"}, no: []string{"ab", "xa"}},
		{text: `route!~"a|b"`, want: `route!~"a|b"`, yes: []string{"", "ab"}, no: []string{"a", "b"}},
		{text: `code=~"5\d\d"`, want: `code=~"5\\d\\d"`, yes: []string{"503"}, no: []string{"403"}},
		{text: `q="say \"hi\"\n"`, want: `q="say \"hi\"\n"`, yes: []string{"say \"hi\"\n"}, no: []string{"say"}},
		{text: `http.route-2="x"`, want: `http.route-2="x"`, yes: []string{"x"}},
		{text: `"a b"="x"`, want: `"a b"="x"`, yes: []string{"x"}},
	}
	for _, tt := range tests {
		m, err := Parse(tt.text)
		if err != nil {
			t.Errorf("Parse(%q): %v", tt.text, err)
			continue
		}
		if got := m.String(); got != tt.want {
			t.Errorf("Parse(%q).String() = %s, want %s", tt.text, got, tt.want)
		}
		for _, v := range tt.yes {
			if !m.Matches(v) {
				t.Errorf("%s does not match %q", m, v)
			}
		}
		for _, v := range tt.no {
			if m.Matches(v) {
				t.Errorf("%s matches %q", m, v)
			}
		}
	}
}

func TestParseErrors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text   string
		offset int
		want   string
	}{
		{"", 0, "expected a tag's name"},
		{`="x"`, 0, "expected a tag's name"},
		{`"" = x`, 0, "name is empty"},
		{`method`, 6, "expected one of"},
		{`method POST`, 7, "expected one of"},
		{`method~"x"`, 6, "expected one of"},
		{`method=="POST"`, 6, "written =, not =="},
		{`method="POST`, 7, "never closed"},
		{`"method=x`, 0, "never closed"},
		{`a="b", c="d"`, 5, "of its own"},
		{`a=b c`, 3, "double quotes"},
		{`a=b"c`, 3, "double quotes"},
		{`a=~"("`, 3, "missing closing )"},
		{`a=~"[z-a]"`, 3, "invalid character class range"},
		{`a=~"x{2000}"`, 3, "invalid repeat count"},
		{`a=~"` + strings.Repeat("x", 1001) + `"`, 3, "1001 bytes"},
		{`a=~"` + strings.Repeat(".{999}", 20) + `"`, 3, "too large"},
	}
	for _, tt := range tests {
		_, err := Parse(tt.text)
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("Parse(%.40q) = %v, want an *Error", tt.text, err)
			continue
		}
		if e.Offset != tt.offset || !strings.Contains(e.Message, tt.want) {
			t.Errorf("Parse(%.40q) = %d %q, want %d %q", tt.text, e.Offset, e.Message, tt.offset, tt.want)
		}
	}
}

func TestContradiction(t *testing.T) {
	t.Parallel()
	tests := []struct {
		matchers []string
		want     bool
	}{
		{[]string{`a="1"`, `a="2"`}, true},
		{[]string{`a="1"`, `a!="1"`}, true},
		{[]string{`a="1"`, `a=~"2|3"`}, true},
		{[]string{`a="1"`, `a!~"1.*"`}, true},
		{[]string{`a=~"x"`, `a="y"`}, true},
		{[]string{`a!~".*"`}, true},
		{[]string{`a="1"`, `b="2"`}, false},
		{[]string{`a="1"`, `a=~"1|2"`}, false},
		{[]string{`a=~"(?i)x"`, `a="X"`}, false},
		{[]string{`a!="1"`, `a!="2"`}, false},
		{nil, false},
	}
	for _, tt := range tests {
		var ms []*Matcher
		for _, s := range tt.matchers {
			m, err := Parse(s)
			if err != nil {
				t.Fatalf("Parse(%q): %v", s, err)
			}
			ms = append(ms, m)
		}
		a, b := Contradiction(ms)
		if got := a != nil && b != nil; got != tt.want {
			t.Errorf("Contradiction(%q) = %v, %v, want one: %v", tt.matchers, a, b, tt.want)
		}
	}
}

func TestMatchesAllocatesNothing(t *testing.T) {
	m, err := Parse(`route=~"/api/v[0-9]+/.*"`)
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() { m.Matches("/api/v2/orders") }); n != 0 {
		t.Errorf("Matches allocates %v times, want 0", n)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{`a="b"`, `a!~"x.*"`, `"q\"x" =~ "\\d"`, `a=`, `é!=ü`, `a=~"((("`, "a=\"\xff\""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		m, err := Parse(text)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Offset < 0 || e.Offset > len(text) {
				t.Fatalf("Parse(%q) = %#v, want an *Error inside the text", text, err)
			}
			return
		}
		again, err := Parse(m.String())
		if err != nil || again.String() != m.String() || again.Value != m.Value || again.Name != m.Name {
			t.Fatalf("Parse(%q) = %s, which reads back as %v, %v", text, m, again, err)
		}
	})
}
