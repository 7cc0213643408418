package upgrade

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/go-batteries/hawkeye/internal/monitor"
	"github.com/go-batteries/hawkeye/internal/series"
	"github.com/go-batteries/hawkeye/internal/simulate"
)

var update = flag.Bool("update", false, "write the golden files of testdata anew")

// TestFiles upgrades files and compares with the golden ones beside them.
// What comes out must load without a doubt.
func TestFiles(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(names) == 0 {
		t.Fatalf("found no files, %v", err)
	}
	for _, name := range append(names, "../../../../testdata/monitors.yaml") {
		t.Run(filepath.Base(name), func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			r, err := File(name, data)
			if err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", strings.TrimSuffix(filepath.Base(name), ".yaml")+".golden")
			if *update {
				if err := os.WriteFile(golden, []byte(r.Text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), r.Text); diff != "" {
				t.Errorf("File (-want +got):\n%s", diff)
			}
			set, err := monitor.Parse("upgraded.yaml", []byte(r.Text))
			if err != nil {
				t.Fatalf("what comes out doesn't load: %v", err)
			}
			if set.Version != 2 || len(set.Lints) > 0 {
				t.Errorf("what comes out is version %d with the doubts %v", set.Version, set.Lints)
			}
		})
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	var errs *monitor.Errors
	if _, err := File("m.yaml", []byte("version: 1\nmoniters: []\n")); !errors.As(err, &errs) {
		t.Errorf("File of a broken file = %v, want its mistakes", err)
	}
}

// TestVersion2 sees that what is written out changes nothing, and that all is
// written out that can be.
func TestVersion2(t *testing.T) {
	t.Parallel()
	names, _ := filepath.Glob("../../../../internal/*/testdata/*/*.yaml")
	names = append(names, "testdata/idle.yaml", "../../../../testdata/api-errors.yaml")
	tried := 0
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		env := monitor.Options{Kinds: []string{"slack"}, LookupEnv: func(string) (string, bool) { return "keep", true }}
		before, err := env.Parse(monitor.Source{Name: "m.yaml", Data: data})
		if err != nil || before.Version != 2 {
			continue
		}
		tried++
		r, err := File(name, data)
		if err != nil {
			continue // it has variables
		}
		after, err := env.Parse(monitor.Source{Name: "m.yaml", Data: []byte(r.Text)})
		if err != nil {
			t.Errorf("%s: what comes out doesn't load: %v\n%s", name, err, r.Text)
			continue
		}
		for i := range after.Monitors {
			was, is := &before.Monitors[i], &after.Monitors[i]
			policy, wait := was.WhenIdle()
			gotPolicy, gotWait := is.WhenIdle()
			if policy != gotPolicy || wait != gotWait && policy != monitor.NoDataKeep {
				t.Errorf("%s: %s: idle %s %v became %s %v", name, was.Name, policy, wait, gotPolicy, gotWait)
			}
			if is.Idle == "" && policy != monitor.NoDataState && policy != monitor.NoDataZero && !strings.Contains(strings.Join(r.Notes, ""), "No idle is written") {
				t.Errorf("%s: no idle is written for %s:\n%s", name, is.Name, r.Text)
			}
		}
		if again, err := File(name, []byte(r.Text)); err != nil || again.Text != r.Text {
			t.Errorf("%s: a second time changes it again, %v:\n%s", name, err, again.Text)
		}
	}
	if tried < 10 {
		t.Errorf("tried %d files of version 2, want more", tried)
	}
}

const both = `version: 1
monitors:
  - metric: http.response.400
    interval: 20
    triggers:
      - {threshold: 3, run_every: 5, to: [oncall@example.com], text: "{{ .count }} of {{ .threshold }}"}
      - {threshold: 20, run_every: 10, to: [lead@example.com], text: "{{ .count }}"}
`

// TestSameBehaviour plays random breaches, each longer than run_every or far
// from the next, through a file and through what it is upgraded to: the same
// people hear at the same times.
func TestSameBehaviour(t *testing.T) {
	t.Parallel()
	r, err := File("m.yaml", []byte(both))
	if err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(2) {
		var samples []float64
		rng := rand.New(rand.NewPCG(seed, 1))
		for range 8 {
			value := []float64{1, 5}[rng.IntN(2)] // 20 or 100 within the window
			samples = append(samples, slices.Repeat([]float64{0}, 1200+rng.IntN(600))...)
			samples = append(samples, slices.Repeat([]float64{value}, 60+rng.IntN(2000))...)
		}
		one, two := told(t, both, samples), told(t, r.Text, samples)
		if len(one) < 8 {
			t.Errorf("seed %d: only %d messages", seed, len(one))
		}
		if diff := cmp.Diff(one, two); diff != "" {
			t.Errorf("seed %d: messages (-version 1 +version 2):\n%s", seed, diff)
		}
	}
}

// told returns who is told when.
func told(t *testing.T, text string, samples []float64) (lines []string) {
	t.Helper()
	set, err := monitor.Parse("m.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	start := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
	sim := simulate.New(simulate.Config{Set: set, Start: start, Quiet: true, OnMessage: func(m *simulate.Message) {
		lines = append(lines, fmt.Sprint(m.At.Sub(start), set.Receiver(m.Receiver).Email.To))
	}})
	catalog := simulate.NewCatalog()
	counter := catalog.Series(series.KindCounter, "http.response.400", nil)
	p := sim.Process("p", catalog)
	for _, v := range samples {
		p.Record(counter, v)
		p.Publish(false)
		sim.Step()
	}
	return lines
}
