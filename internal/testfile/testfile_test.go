package testfile

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/go-batteries/hawkeye/internal/monitor"
)

// TestOfTheReadme runs the tests of the configuration that the documentation
// shows.
func TestOfTheReadme(t *testing.T) {
	t.Parallel()
	name := filepath.FromSlash("../../testdata/api-errors_test.yaml")
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
}
