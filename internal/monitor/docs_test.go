package monitor

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestDocs reads the files that docs/monitors.md shows, and looks there for
// every key.
func TestDocs(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../../docs/monitors.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(data), -1)
	if len(blocks) < 2 {
		t.Fatalf("found %d files, want at least 2", len(blocks))
	}
	for _, b := range blocks {
		set, err := Parse("docs/monitors.md", []byte(b[1]))
		if err != nil {
			t.Errorf("Parse: %v", err)
		} else if len(set.Lints) > 0 {
			t.Errorf("Parse has lints: %v", set.Lints)
		}
	}
	for _, f := range monitorFields(&Monitor{}) {
		if !strings.Contains(string(data), "`"+f.name+"`") {
			t.Errorf("the key %s is not explained", f.name)
		}
	}
}
