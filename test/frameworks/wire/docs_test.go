package wire

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestDocs makes sure that each line of code in docs/http.md is one that is
// tested here, or that the gin adapter's examples run.
func TestDocs(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	tested := make(map[string]bool)
	for _, f := range append(files, "../../../hawkeyegin/example_test.go") {
		for _, line := range lines(t, f) {
			tested[line] = true
		}
	}
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(strings.Join(lines(t, "../../../docs/http.md"), "\n"), -1)
	if len(blocks) < 8 {
		t.Errorf("%d blocks of code, want at least 8", len(blocks))
	}
	for _, b := range blocks {
		for line := range strings.SplitSeq(strings.TrimSuffix(b[1], "\n"), "\n") {
			if !tested[line] {
				t.Errorf("this is not tested: %s", line)
			}
		}
	}
}

// lines returns those of a file, without what indents them.
func lines(t *testing.T, file string) (all []string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(string(text), "\n") {
		all = append(all, strings.TrimLeft(line, "\t"))
	}
	return all
}
