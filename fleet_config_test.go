package hawkeye_test

import (
	"context"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-batteries/hawkeye"
)

// A silence or an ack that is made on any replica counts on all of them.
func TestFleetSharesSilencesAndAcks(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"evaluator", "other"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t)
				f.startN(3, errorsRepeated)
				by := f.evaluator()
				if name == "other" {
					by = f.other()
				}
				id, err := by.Silence(t.Context(), silenceFor(10*time.Minute, `monitor="errors"`))
				if err != nil {
					t.Fatal(err)
				}
				after(2 * tick)
				for _, r := range f.up() {
					if s := r.Silences(); len(s) != 1 || s[0].ID != id {
						t.Errorf("Silences() = %+v, want the one with id %s on each replica", s, id)
					}
				}
				keepFiring(by.Hawkeye, time.Minute)
				want(t, "while it is silenced", f.box.lines())
				if err := f.other().ExpireSilence(t.Context(), id); err != nil {
					t.Fatal(err)
				}
				keepFiring(by.Hawkeye, time.Minute)
				want(t, "of what was never told, once the silence is ended", f.box.lines(), teamCritical)
				if err := by.Ack(t.Context(), "errors", hawkeye.AckOptions{Author: "ann"}); err != nil {
					t.Fatal(err)
				}
				keepFiring(by.Hawkeye, 20*time.Minute)
				want(t, "while somebody looks after it", f.box.lines(), "team@example.com: [acknowledged] errors in shop (test)")
			})
		})
	}
}

// Replicas take a new file one after the other: nobody is told twice, and what
// the new one says holds once the first has it.
func TestFleetReloads(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		path := writeConfig(t, errorsOver("3"))
		replicas := f.startN(3, "version: 1\nmonitors: []\n", hawkeye.WithConfigFile(path), hawkeye.WithoutReload())
		keep := func(d time.Duration) { keepFiring(replicas[1].Hawkeye, d) }
		keep(time.Minute)
		want(t, "before", f.box.lines(), teamCritical)
		text := strings.Replace(errorsOver("3"), "{threshold: 3}", "{level: critical, threshold: 3}, {level: fatal, threshold: 6}", 1)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		for i, r := range replicas {
			if err := r.Reload(context.Background()); err != nil {
				t.Fatal(err)
			}
			keep(30 * time.Second)
			if i == 0 {
				keep(time.Minute)
			}
		}
		want(t, "of the level that is new", f.box.lines(), "team@example.com: [fatal] errors rose from critical in shop (test)")
		after(15 * time.Minute)
		want(t, "of the fall and the end", f.box.lines(), "team@example.com: [critical] errors fell from fatal in shop (test)", teamEnded)
	})
}
