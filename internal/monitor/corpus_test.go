package monitor

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files of testdata anew")

// corpusEnv is the environment of the corpus.
func corpusEnv(name string) (string, bool) {
	v, ok := map[string]string{
		"SLACK_WEBHOOK_URL": "https://hooks.example.com/T0/very-secret",
		"TEAM_MAIL":         "team@example.com",
		"EMPTY":             "",
		"NOT_A_DURATION":    "hunter2",
	}[name]
	return v, ok
}

func corpusOptions() Options {
	return Options{LookupEnv: corpusEnv, Kinds: []string{"slack"}}
}

// checkGolden compares got with the golden file beside a corpus file.
func checkGolden(t *testing.T, name, got string) {
	t.Helper()
	golden := strings.TrimSuffix(name, filepath.Ext(name)) + ".golden"
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("output for %s differs (-want +got):\n%s", name, diff)
	}
}

// goTypes are words that only a Go programmer knows.
var goTypes = regexp.MustCompile(`float64|\bint(64|32)?\b|\bbool\b|\[\]|map\[|struct|interface|yaml\.|monitor\.|strconv|time\.|nil\b|unmarshal|panic`)

// TestBadFiles reads each broken file, one mistake each, and compares what is
// told with the golden file beside it.
func TestBadFiles(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(names) < 60 {
		t.Fatalf("found %d broken files, %v, want at least 60", len(names), err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".yaml"), func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			set, err := corpusOptions().Parse(Source{filepath.Base(name), data})
			var errs *Errors
			if !errors.As(err, &errs) || set != nil {
				t.Fatalf("Parse = %v, %v, want *Errors", set, err)
			}
			for _, p := range errs.Problems {
				if goTypes.MatchString(p.Message) && !strings.Contains(p.Message, "[") && !strings.Contains(p.Message, "tags such as") {
					t.Errorf("the message names a Go type: %s", p.Message)
				}
			}
			if strings.Contains(err.Error(), "secret-") || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the message shows a secret:\n%s", err)
			}
			checkGolden(t, name, err.Error()+"\n")
		})
	}
}

// TestLintedFiles reads files that are allowed but hardly meant.
func TestLintedFiles(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob("testdata/lint/*.yaml")
	if err != nil || len(names) == 0 {
		t.Fatalf("found no files, %v", err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".yaml"), func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			set, err := corpusOptions().Parse(Source{filepath.Base(name), data})
			if err != nil {
				t.Fatalf("Parse: %v", err)
			}
			if len(set.Lints) == 0 {
				t.Error("Parse has no lints, want one")
			}
			var b strings.Builder
			for _, l := range set.Lints {
				b.WriteString(l.String() + "\n")
			}
			checkGolden(t, name, b.String())
		})
	}
}

// TestGoodFiles reads files that are right, without a lint.
func TestGoodFiles(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob("testdata/good/*.yaml")
	if err != nil || len(names) == 0 {
		t.Fatalf("found no files, %v", err)
	}
	names = append(names, "../../testdata/monitors.yaml")
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		set, err := corpusOptions().Parse(Source{name, data})
		if err != nil {
			t.Errorf("Parse(%s): %v", name, err)
			continue
		}
		for _, l := range set.Lints {
			t.Errorf("Parse(%s) has the lint %s", name, l)
		}
	}
}
