package nearest

import (
	"strings"
	"testing"
)

func TestOf(t *testing.T) {
	t.Parallel()
	keys := []string{"threshold", "triggers", "to", "text", "run_every", "counter"}
	tests := []struct{ word, want string }{
		{"treshold", "threshold"},
		{"Threshold", "threshold"},
		{"thershold", "threshold"},
		{"trigger", "triggers"},
		{"runevery", "run_every"},
		{"conuter", "counter"},
		{"txt", "text"},
		{"ot", "to"},
		{"recipients", ""},
		{"xyz", ""},
		{"", ""},
		{strings.Repeat("threshold", 9), ""},
	}
	for _, tt := range tests {
		if got := Of(tt.word, keys); got != tt.want {
			t.Errorf("Of(%q) = %q, want %q", tt.word, got, tt.want)
		}
	}
}
