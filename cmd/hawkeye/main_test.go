package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files of testdata anew")

// result is what a command line did.
type result struct {
	code     int
	out, err string
}

func invoke(t testing.TB, args ...string) result {
	t.Helper()
	var out, err bytes.Buffer
	code := run(args, &console{
		in: strings.NewReader(""), out: &out, err: &err,
		lookupEnv: func(string) (string, bool) { return "", false },
	})
	return result{code, out.String(), err.String()}
}

// tookTime is what no golden file can hold.
var tookTime = regexp.MustCompile(`played in \S+`)

// golden compares a result with a file of testdata.
func golden(t *testing.T, name string, r result) {
	t.Helper()
	got := "exit code " + string('0'+rune(r.code)) + "\n--- out\n" + r.out + "--- err\n" + tookTime.ReplaceAllString(r.err, "played in TIME")
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// goTypes are words that only a Go programmer knows.
var goTypes = regexp.MustCompile(`float64|\bint(64|32)?\b|\bbool\b|\[\]string|map\[string|struct|(^|\s)yaml: |cmd\.|main\.|unmarshal|panic|goroutine`)

// TestCommands runs command lines and compares all that they write.
func TestCommands(t *testing.T) {
	t.Parallel()
	const (
		bad    = "../../internal/monitor/testdata/bad/"
		config = "../../testdata/api-errors.yaml"
	)
	tests := map[string][]string{
		"check_fine":             {"check", config, "../../testdata/api-errors.yaml"},
		"check_text":             {"check", bad + "v1_many_mistakes.yaml"},
		"check_json":             {"check", "--json", bad + "v1_many_mistakes.yaml"},
		"check_github":           {"check", "--github", bad + "v1_many_mistakes.yaml"},
		"check_lint":             {"check", "testdata/lint.yaml"},
		"check_lint_strict":      {"check", "--strict", "--github", "testdata/lint.yaml"},
		"check_lint_json":        {"check", "--json", "testdata/lint.yaml"},
		"check_secret":           {"check", bad + "v2_secret_shown.yaml"},
		"check_absent":           {"check", "testdata/absent.yaml"},
		"check_absent_json":      {"check", "--json", "testdata/absent.yaml"},
		"check_each":             {"check", "--each", "--github", config, bad + "v2_zero_window.yaml", bad + "not_yaml.yaml"},
		"check_together":         {"check", config, config, "testdata/twice.yaml"},
		"test_passes":            {"test", "-v", "../../testdata/api-errors_test.yaml"},
		"test_fails":             {"test", "testdata/fails_test.yaml"},
		"test_match":             {"test", "-v", "--match", "ack", "../../testdata/api-errors_test.yaml"},
		"test_broken":            {"test", "testdata/broken_test.yaml", "testdata/absent_test.yaml"},
		"test_broken_config":     {"test", "testdata/noconfig_test.yaml"},
		"backtest":               {"backtest", config, "-s", "testdata/samples.jsonl", "-m", "--width", "60"},
		"backtest_plain_sweep":   {"backtest", config, "-s", "testdata/samples.jsonl", "--plain", "--width", "40", "--sweep", "api-errors:5%,10%,40%"},
		"backtest_factors":       {"backtest", config, "-s", "testdata/samples.jsonl", "--rows", "0", "--sweep", "api-errors"},
		"backtest_version1":      {"backtest", "../../testdata/monitors.yaml", "-s", "testdata/samples.jsonl", "--sweep", "http.response.400/counter/20/3/0:2,20"},
		"backtest_no_monitor":    {"backtest", config, "-s", "testdata/samples.jsonl", "--sweep", "api-erors:5%"},
		"backtest_no_threshold":  {"backtest", config, "-s", "testdata/samples.jsonl", "--sweep", "api-errors:five"},
		"backtest_broken":        {"backtest", config, "-s", "testdata/broken.jsonl"},
		"explain_test":           {"explain", "../../testdata/api-errors_test.yaml", "--match", "broken route", "--at", "11m"},
		"explain_samples":        {"explain", config, "-s", "testdata/samples.jsonl", "--at", "2026-01-05T10:06:00Z"},
		"explain_quiet":          {"explain", config, "-s", "testdata/samples.jsonl", "--at", "5s"},
		"explain_beyond":         {"explain", config, "-s", "testdata/samples.jsonl", "--at", "2027-01-05T10:06:00Z"},
		"explain_no_time":        {"explain", config, "-s", "testdata/samples.jsonl", "--at", "noon"},
		"explain_which_test":     {"explain", "../../testdata/api-errors_test.yaml", "--at", "1m"},
		"explain_slo":            {"explain", "testdata/slo.yaml", "-s", "testdata/samples.jsonl", "--at", "9m", "--all"},
		"preview":                {"preview", config},
		"preview_no_monitor":     {"preview", config, "--monitor", "api-error"},
		"upgrade":                {"upgrade", "../../testdata/monitors.yaml"},
		"upgrade_version2":       {"upgrade", config},
		"upgrade_broken":         {"upgrade", bad + "v1_key_typo.yaml"},
		"no_command":             {},
		"unknown_command":        {"chek"},
		"unknown_flag":           {"check", "--jsn", config},
		"generate_out_of_bounds": {"generate", "--series", "1"},
	}
	for name, args := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := invoke(t, args...)
			golden(t, name, r)
			if found := goTypes.FindString(r.err); found != "" {
				t.Errorf("a message names what only Go programmers know: %q in %s", found, r.err)
			}
		})
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"", "check", "test", "backtest", "explain", "preview", "schema", "upgrade", "generate", "version"} {
		args := strings.Fields(command + " --help")
		if r := invoke(t, args...); r.code != exitFine || !strings.Contains(r.out, "Usage: hawkeye "+command) {
			t.Errorf("hawkeye %v = %d, %q, want its usage", args, r.code, r.out)
		}
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	if r := invoke(t, "version"); r.code != exitFine || !strings.HasPrefix(r.out, "hawkeye ") {
		t.Errorf("hawkeye version = %d, %q", r.code, r.out)
	}
}

func TestJUnit(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "junit.xml")
	if r := invoke(t, "test", "testdata/fails_test.yaml", "--junit", path); r.code != exitFound {
		t.Errorf("exit code = %d, want %d", r.code, exitFound)
	}
	text := regexp.MustCompile(` time="[^"]*"`).ReplaceAllString(string(read(t, path)), ` time="T"`)
	golden(t, "junit", result{out: text})
	if r := invoke(t, "test", "testdata/fails_test.yaml", "--junit", filepath.Join(path, "below")); r.code != exitError {
		t.Errorf("exit code = %d, want %d for a file that can't be made", r.code, exitError)
	}
}

func TestPreviewFiles(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "made")
	if r := invoke(t, "preview", "../../testdata/api-errors.yaml", "-o", dir); r.code != exitFine {
		t.Fatalf("exit code = %d, %s", r.code, r.err)
	}
	names, err := filepath.Glob(filepath.Join(dir, "*.txt"))
	if err != nil || len(names) < 5 {
		t.Errorf("made the files %v, %v, want one for each message", names, err)
	}
	for _, name := range names {
		if text := string(read(t, name)); !strings.Contains(text, "Subject: [") {
			t.Errorf("%s has no subject: %s", name, text)
		}
	}
}

// TestPreviewKinds: each kind of message of each sort of alert is there.
func TestPreviewKinds(t *testing.T) {
	t.Parallel()
	tests := map[string][]string{
		"testdata/slo.yaml": {
			"more critical firing mail", "checkout ticket firing mail", "checkout page rise mail", "checkout ticket fall mail",
			"nightly critical resolved mail", "nightly critical repeat mail",
		},
		"../../testdata/monitors.yaml": {
			"http.response.400/counter/20/3/0 critical firing", "queue.depth/gauge/60/1000/0 critical repeat",
		},
		"../../testdata/api-errors.yaml": {"api-errors critical escalated boss", "api-errors warning flapping team"},
	}
	for file, names := range tests {
		r := invoke(t, "preview", file)
		for _, name := range names {
			if !strings.Contains(r.out, "=== "+name) {
				t.Errorf("preview %s has no message %q", file, name)
			}
		}
		if strings.Contains(r.out, "NaN") || strings.Contains(r.out, "<no value>") || r.code != exitFine {
			t.Errorf("preview %s = %d, with values that aren't there:\n%s%s", file, r.code, r.out, r.err)
		}
	}
	if r := invoke(t, "preview", "../../testdata/monitors.yaml"); strings.Contains(r.out, "resolved") {
		t.Errorf("version 1 tells of no end:\n%s", r.out)
	}
}

// TestUpgradeIsChecked: what upgrade writes, check likes.
func TestUpgradeIsChecked(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob(corpus + "good/v1_*.yaml")
	if err != nil || len(names) == 0 {
		t.Fatalf("found no files, %v", err)
	}
	for _, name := range append(names, "../../testdata/monitors.yaml") {
		path := filepath.Join(t.TempDir(), "v2.yaml")
		if r := invoke(t, "upgrade", name, "-o", path); r.code != exitFine || !strings.Contains(r.err, "note: ") {
			t.Errorf("upgrade %s = %d, %s", name, r.code, r.err)
		}
		if r := invoke(t, "check", "--strict", path); r.code != exitFine {
			t.Errorf("check of the upgraded %s = %d, %s%s", name, r.code, r.out, r.err)
		}
	}
}

// TestGeneratedDay plays a short day of generated samples.
func TestGeneratedDay(t *testing.T) {
	t.Parallel()
	day := invoke(t, "generate", "--duration", "2h", "--series", "20", "--seed", "3")
	if day.code != exitFine || strings.Count(day.out, "\n") != 20 {
		t.Fatalf("generate = %d, %d lines, want 20", day.code, strings.Count(day.out, "\n"))
	}
	path := filepath.Join(t.TempDir(), "day.jsonl")
	if err := os.WriteFile(path, []byte(day.out), 0o600); err != nil {
		t.Fatal(err)
	}
	r := invoke(t, "backtest", "../../testdata/api-errors.yaml", "-s", path)
	if r.code != exitFine || !strings.Contains(r.out, "144000 samples of 20 series") || !strings.Contains(r.out, "would have fired") {
		t.Errorf("backtest = %d, %s%s", r.code, r.out, r.err)
	}
	if again := invoke(t, "generate", "--duration", "2h", "--series", "20", "--seed", "3"); again.out != day.out {
		t.Error("the same seed makes other samples")
	}
}
