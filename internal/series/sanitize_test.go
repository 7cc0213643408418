package series

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestSanitize(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 201)
	for _, tt := range []struct{ what, in, want string }{
		{"clean", "http.requests", "http.requests"},
		{"empty", "", ""},
		{"unicode", "größe.日本", "größe.日本"},
		{"as long as may be", long[:200], long[:200]},
		{"controls go", "a\x00b\nc\x1fd\x7f", "abcd"},
		{"only controls", "\x01\x02", ""},
		{"control after unicode", "é\n", "é"},
		{"invalid UTF-8", "a\xffb", "a\uFFFDb"},
		{"a run of invalid bytes", "a\xff\xfe", "a\uFFFD"},
		{"cut UTF-8", "日"[:2], "\uFFFD"},
		{"C1 controls stay", "a\u0085", "a\u0085"},
		{"too long, but not without controls", long[:200] + "\n", long[:200]},
	} {
		if got := Sanitize(tt.in, 200); got != tt.want {
			t.Errorf("%s: Sanitize(%q) = %q, want %q", tt.what, tt.in, got, tt.want)
		}
	}
}

func TestSanitizeKeepsLongTextsApart(t *testing.T) {
	t.Parallel()
	for _, prefix := range []string{strings.Repeat("x", 300), strings.Repeat("日", 100), "a" + strings.Repeat("é", 150)} {
		a, b := Sanitize(prefix+"1", 200), Sanitize(prefix+"2", 200)
		if a == b {
			t.Errorf("Sanitize of two texts that begin with %q is %q for both", prefix, a)
		}
		if len(a) > 200 || len(a) < 195 || !utf8.ValidString(a) || !strings.Contains(a, "~") {
			t.Errorf("Sanitize(%q) = %q (%d bytes), want valid UTF-8 of nearly 200 bytes with a suffix", prefix+"1", a, len(a))
		}
		if again := Sanitize(a, 200); again != a {
			t.Errorf("Sanitize(%q) = %q, want no change", a, again)
		}
	}
}
