package testfile

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/go-batteries/hawkeye/internal/monitor"
)

// TestDocs runs the test file that docs/testing.md shows, and looks there for
// every key.
func TestDocs(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../../docs/testing.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(data), -1)
	if len(blocks) != 1 {
		t.Fatalf("found %d files, want 1", len(blocks))
	}
	f, err := Parse("../../testdata/of-the-docs.yaml", []byte(blocks[0][1]))
	if err != nil {
		t.Fatal(err)
	}
	set, err := f.Load(monitor.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range f.Run(set) {
		for _, failure := range r.Failures {
			t.Errorf("%d: %s", failure.Line, failure.Text)
		}
	}
	_, err = Parse("keys.yaml", []byte("zzz: 1\ntests: [{zzz: 1, series: [{zzz: 1}], silences: [{zzz: 1}], acks: [{zzz: 1}], outages: [{zzz: 1}], "+
		"expect: [{zzz: 1, alerts: [{zzz: 1}]}], messages: [{zzz: 1, alerts: [{zzz: 1}]}]}]\n"))
	if err == nil {
		t.Fatal("unknown keys are accepted")
	}
	keys := regexp.MustCompile(`its keys are (.*)`).FindAllStringSubmatch(err.Error(), -1)
	if len(keys) != 10 {
		t.Fatalf("found %d lists of keys, want 10:\n%v", len(keys), err)
	}
	for _, list := range keys {
		for key := range strings.SplitSeq(list[1], ", ") {
			if !regexp.MustCompile("[`{ ]" + key + "[`:]").Match(data) {
				t.Errorf("the key %s is not explained", key)
			}
		}
	}
}
