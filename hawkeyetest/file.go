package hawkeyetest

import (
	"os"
	"testing"

	"github.com/go-batteries/hawkeye/internal/monitor"
	"github.com/go-batteries/hawkeye/internal/testfile"
)

// RunFile runs the tests of a file as `hawkeye test` does (see
// docs/testing.md), each as a subtest of its name, on the very code that runs
// in production. Variables in the configuration come from the file, then from
// the environment.
func RunFile(t *testing.T, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	file, err := testfile.Parse(path, data)
	if err != nil {
		t.Fatal(err)
	}
	set, err := file.Load(monitor.Options{LookupEnv: os.LookupEnv})
	if err != nil {
		t.Fatal(err)
	}
	for _, result := range file.Run(set) {
		t.Run(result.Test.Name, func(t *testing.T) {
			for _, f := range result.Failures {
				t.Errorf("%s:%d: %s", path, f.Line, f.Text)
			}
		})
	}
}
