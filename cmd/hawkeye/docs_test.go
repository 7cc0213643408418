package main

import (
	"regexp"
	"strings"
	"testing"

	"github.com/go-batteries/hawkeye/cmd/hawkeye/internal/recording"
)

// TestDocs reads the samples that docs/testing.md shows, and looks in the docs
// for every command and flag that an example uses.
func TestDocs(t *testing.T) {
	t.Parallel()
	testing := string(read(t, "../../docs/testing.md"))
	var lines []string
	for _, m := range regexp.MustCompile(`(?m)^    (\{"time.*\})$`).FindAllStringSubmatch(testing, -1) {
		lines = append(lines, m[1])
	}
	rec, err := recording.Read("docs", strings.NewReader(strings.Join(lines, "\n")))
	if err != nil || rec.Series() != 3 || rec.Values != 6 {
		t.Errorf("Read of the docs' samples = %+v, %v, want 6 values of 3 series", rec, err)
	}
	monitors := string(read(t, "../../docs/monitors.md"))
	for _, command := range []string{"check", "test", "backtest", "explain", "preview", "schema", "upgrade", "generate"} {
		help := invoke(t, command, "--help").out
		if !strings.Contains(monitors, "| `"+command) {
			t.Errorf("docs/monitors.md doesn't explain %s", command)
		}
		for _, m := range regexp.MustCompile("hawkeye "+command+`[^\n`+"`"+`]*`).FindAllString(testing, -1) {
			for _, flag := range regexp.MustCompile(` (--[a-z]+|-[a-z])\b`).FindAllStringSubmatch(m, -1) {
				if !strings.Contains(help, flag[1]) {
					t.Errorf("%q: there is no flag %s", m, flag[1])
				}
			}
		}
	}
}
