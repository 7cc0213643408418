package testfile

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/go-batteries/hawkeye/internal/monitor"
)

// TestTold runs the files that say who is told what, and when.
func TestTold(t *testing.T) { testFiles(t, "testdata/told/*_test.yaml") }

// TestJudged runs the files that say what counts as a breach, and what as the
// end of one.
func TestJudged(t *testing.T) { testFiles(t, "testdata/judged/*_test.yaml") }

// TestMeasured runs the files that say what values are.
func TestMeasured(t *testing.T) { testFiles(t, "testdata/values/*_test.yaml") }

func testFiles(t *testing.T, pattern string) {
	t.Parallel()
	names, err := filepath.Glob(pattern)
	if err != nil || len(names) == 0 {
		t.Fatalf("found %d files, %v", len(names), err)
	}
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			f, err := Parse(name, data)
			if err != nil {
				t.Fatal(err)
			}
			set, err := f.Load(monitor.Options{})
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range f.Run(set) {
				for _, failure := range r.Failures {
					t.Errorf("%s:%d: %s: %s", name, failure.Line, r.Test.Name, failure.Text)
				}
			}
		})
	}
}
