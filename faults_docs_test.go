package hawkeye_test

import (
	"cmp"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestFaults makes sure that docs/faults.md has all its rows, and names only
// tests that there are.
func TestFaults(t *testing.T) {
	t.Parallel()
	const rows = 66
	doc := read(t, "docs/faults.md")
	if n := len(regexp.MustCompile(`(?m)^\| \d+ \|`).FindAllString(doc, -1)); n != rows {
		t.Errorf("%d rows, want %d", n, rows)
	}
	named := regexp.MustCompile("`(?:(\\S+) )?((?:Test|Fuzz)[A-Z]\\w*)`").FindAllStringSubmatch(doc, -1)
	if len(named) < rows {
		t.Errorf("%d tests are named, want more than there are rows", len(named))
	}
	for _, m := range named {
		dir := cmp.Or(m[1], ".")
		files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(files, func(f string) bool { return strings.Contains(read(t, f), "func "+m[2]+"(") }) {
			t.Errorf("docs/faults.md names the test %s, which is not in %s", m[2], dir)
		}
	}
}
