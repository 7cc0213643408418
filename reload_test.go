package hawkeye_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-batteries/hawkeye"
)

// errorsOver is a version-2 file with one monitor.
func errorsOver(threshold string) string {
	return `version: 2
receivers: {team: {email: {to: [team@example.com]}}}
monitors:
  - {name: errors, metric: errors, window: 10m, notify: [team], triggers: [{threshold: ` + threshold + `}]}
`
}

const (
	teamCritical = "team@example.com: [critical] errors in shop (test)"
	teamAgain    = "team@example.com: [critical] errors still firing in shop (test)"
	teamEnded    = "team@example.com: [ended] errors in shop (test)"
)

// reloading runs a handle on a file that the test may rewrite.
func reloading(t *testing.T, text string, opts ...hawkeye.Option) (*hawkeye.Hawkeye, *mailbox, func(string)) {
	t.Helper()
	box := &mailbox{}
	path := writeConfig(t, text)
	h := start(t, "version: 1\nmonitors: []\n", box, append(opts, hawkeye.WithConfigFile(path))...)
	return h, box, func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func healthNames(h *hawkeye.Hawkeye, problem string) bool {
	return slices.ContainsFunc(problemsOf(h, "configuration_refused"), func(p hawkeye.Problem) bool { return strings.Contains(p.Text, problem) })
}

func TestReload(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		text  string
		count int
		write string
		after int
		mails []string
	}{
		"a lower threshold fires":                    {text: errorsOver("10"), count: 5, write: errorsOver("3"), mails: []string{teamCritical}},
		"a higher threshold ends what fires":         {text: errorsOver("3"), count: 5, write: errorsOver("10"), mails: []string{teamCritical, teamEnded}},
		"the same content changes nothing":           {text: errorsOver("3"), count: 5, write: errorsOver("3") + "# a comment\n", mails: []string{teamCritical}},
		"another text doesn't tell again":            {text: errorsOver("3"), count: 5, write: strings.Replace(errorsOver("3"), "threshold: 3", "threshold: 3, text: oh", 1), mails: []string{teamCritical}},
		"raising for doesn't demote":                 {text: errorsOver("3"), count: 5, write: strings.Replace(errorsOver("3"), "threshold: 3", "threshold: 3, for: 1h", 1), mails: []string{teamCritical}},
		"a monitor that is removed ends its alert":   {text: errorsOver("3"), count: 5, write: strings.NewReplacer("name: errors", "name: others", "metric: errors", "metric: others").Replace(errorsOver("3")), mails: []string{teamCritical, teamEnded}},
		"a mistake leaves the old one in force":      {text: errorsOver("3"), write: "version: 2\nmonitors: [{metric: errors, tresholds: 3}]\n", after: 5, mails: []string{teamCritical}},
		"an empty file leaves the old one in force":  {text: errorsOver("3"), write: "", after: 5, mails: []string{teamCritical}},
		"a level that is added above rises to there": {text: errorsOver("3"), count: 50, write: strings.Replace(errorsOver("3"), "{threshold: 3}", "{level: critical, threshold: 3}, {level: fatal, threshold: 40}", 1), mails: []string{teamCritical, "team@example.com: [fatal] errors rose from critical in shop (test)"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h, box, write := reloading(t, tt.text)
				defer stop(t, h)
				count(h, "errors", tt.count)
				after(5 * time.Second)
				write(tt.write)
				after(5 * time.Second)
				count(h, "errors", tt.after)
				after(2 * time.Minute)
				want(t, "in all", box.lines(), tt.mails...)
			})
		})
	}
}

func TestReloadTellsOfMistakes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, _, write := reloading(t, errorsOver("3"))
		defer stop(t, h)
		write(strings.Replace(errorsOver("3"), "threshold", "treshold", 1))
		if err := h.Reload(t.Context()); !errors.Is(err, hawkeye.ErrInvalidConfig) || !strings.Contains(err.Error(), "did you mean threshold") {
			t.Errorf("Reload() = %v, want %v with a suggestion", err, hawkeye.ErrInvalidConfig)
		}
		if !healthNames(h, "treshold") {
			t.Errorf("Health() = %+v, want the mistake", h.Health())
		}
		write(errorsOver("4"))
		if err := h.Reload(t.Context()); err != nil {
			t.Errorf("Reload() of a good file = %v", err)
		}
		if healthNames(h, "treshold") {
			t.Errorf("Health() = %+v, want no mistake any more", h.Health())
		}
	})
}

func TestReloadOfAFileThatIsGone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		box := &mailbox{}
		path := writeConfig(t, errorsOver("3"))
		h := start(t, "version: 1\nmonitors: []\n", box, hawkeye.WithConfigFile(path))
		defer stop(t, h)
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		after(5 * time.Second)
		if !healthNames(h, "no such file") {
			t.Errorf("Health() = %+v, want the file that is gone", h.Health())
		}
		count(h, "errors", 5)
		after(1900 * time.Millisecond)
		want(t, "by the old configuration", box.lines(), teamCritical)
		if err := os.WriteFile(path, []byte(errorsOver("3")), 0o600); err != nil {
			t.Fatal(err)
		}
		after(5 * time.Second)
		if healthNames(h, "no such file") {
			t.Errorf("Health() = %+v, want no problem once it is back", h.Health())
		}
	})
}

// Kubernetes mounts a ConfigMap as symbolic links, and swaps the directory
// that they lead through. The times of the files don't change.
func TestReloadAfterASymlinkSwap(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		long := time.Unix(1_000_000_000, 0)
		for name, text := range map[string]string{"..1": errorsOver("100"), "..2": errorsOver("3")} {
			if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(dir, name, "monitors.yaml")
			if err := errors.Join(os.WriteFile(file, []byte(text), 0o600), os.Chtimes(file, long, long)); err != nil {
				t.Fatal(err)
			}
		}
		link, path := filepath.Join(dir, "..data"), filepath.Join(dir, "monitors.yaml")
		if err := errors.Join(os.Symlink("..1", link), os.Symlink("..data/monitors.yaml", path)); err != nil {
			t.Fatal(err)
		}
		box := &mailbox{}
		h := start(t, "version: 1\nmonitors: []\n", box, hawkeye.WithConfigFile(path))
		defer stop(t, h)
		count(h, "errors", 5)
		after(5 * time.Second)
		want(t, "before", box.lines())
		if err := errors.Join(os.Symlink("..2", link+"_tmp"), os.Rename(link+"_tmp", link)); err != nil {
			t.Fatal(err)
		}
		after(5 * time.Second)
		want(t, "after the swap", box.lines(), teamCritical)
	})
}

func TestWithoutReload(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, box, write := reloading(t, errorsOver("100"), hawkeye.WithoutReload())
		defer stop(t, h)
		count(h, "errors", 5)
		write(errorsOver("3"))
		after(10 * time.Second)
		want(t, "of a file that isn't looked at", box.lines())
		if err := h.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		after(time.Second)
		want(t, "after Reload", box.lines(), teamCritical)
	})
}

func TestReloadAfterShutdown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, _, _ := reloading(t, errorsOver("3"))
		stop(t, h)
		if err := h.Reload(t.Context()); !errors.Is(err, hawkeye.ErrShutdown) {
			t.Errorf("Reload() = %v, want %v", err, hawkeye.ErrShutdown)
		}
	})
}
