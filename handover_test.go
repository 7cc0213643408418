package hawkeye_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-batteries/hawkeye"
	"github.com/go-batteries/hawkeye/internal/ledger"
)

// opened says whether the ledger has an epoch.
func (f *fleet) opened() bool { return !f.changes().Cursor.Epoch.IsZero() }

// The ledger is lost, and lost again while it is handed over, and a replica
// that has no copy of it starts at the worst moment. What fires was told, and
// isn't told again, and its end is told once.
func TestLedgerIsLostAgain(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		lose func(f *fleet)
	}{
		{"once", func(*fleet) {}},
		{"before it is opened", func(f *fleet) { after(1200 * time.Millisecond); f.flushAll() }},
		{"twice before it is opened", func(f *fleet) {
			after(700 * time.Millisecond)
			f.flushAll()
			after(1500 * time.Millisecond)
			f.flushAll()
		}},
		{"as soon as it is opened", func(f *fleet) {
			for !f.opened() {
				after(10 * time.Millisecond)
			}
			f.flushAll()
		}},
		{"as soon as it is opened, twice", func(f *fleet) {
			for range 2 {
				for !f.opened() {
					after(10 * time.Millisecond)
				}
				f.flushAll()
			}
		}},
	} {
		for tenth := range 10 {
			for _, later := range []time.Duration{0, 300 * time.Millisecond, 2 * tick} {
				t.Run(fmt.Sprintf("%s/%d/%v", c.name, tenth, later), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						f := newFleet(t)
						f.startN(3, fourMinutes)
						count(f.other().Hawkeye, "errors", 20)
						after(3*tick + time.Duration(tenth)*tick/10)
						want(t, "before the loss", f.box.lines(), fired)
						f.silenced()
						incident := f.incident("errors")
						f.flushAll()
						after(later)
						f.start(fourMinutes)
						c.lose(f)
						after(15 * tick)
						want(t, "after the loss", f.box.lines())
						f.wantKept("after the loss", incident)
						if tenth == 0 {
							after(4 * time.Minute)
							want(t, "when the window is over", f.box.lines(), ended)
						}
					})
				})
			}
		}
	}
}

// silenced adds a silence, which nothing but the ledger knows of.
func (f *fleet) silenced() {
	f.t.Helper()
	if _, err := f.up()[0].Silence(f.t.Context(), hawkeye.Silence{
		Matchers: []string{`monitor="another"`}, End: time.Now().Add(time.Hour), Author: "ann", Comment: "a deploy",
	}); err != nil {
		f.t.Fatalf("Silence() = %v", err)
	}
	after(2 * tick)
}

// wantKept checks that the ledger is the one that it was.
func (f *fleet) wantKept(when, incident string) {
	f.t.Helper()
	if got := f.incident("errors"); got != incident {
		f.t.Errorf("%s: the incident is %q, and was %q", when, got, incident)
	}
	for _, r := range f.up() {
		if got := r.Silences(); len(got) != 1 {
			f.t.Errorf("%s: there are the silences %+v, want the one that there was", when, got)
		}
	}
}

// incident returns that of an alert, as it is stored.
func (f *fleet) incident(alert string) string {
	f.t.Helper()
	_, rest, _ := strings.Cut(f.records()[ledger.AlertKey(alert)], `"incident":"`)
	id, _, _ := strings.Cut(rest, `"`)
	return id
}

// All who have a copy of the ledger are silent while the store comes back
// empty, for as long as their next attempt may take; a newcomer is there. It
// waits for them, and if it has waited for too short they put their copy back.
func TestNewcomerBeforeAnyElder(t *testing.T) {
	t.Parallel()
	for _, silent := range []time.Duration{0, 1, 2, 3, 4, 5, 6, 7, 8, 9} {
		for _, newcomers := range []int{1, 2} {
			t.Run(fmt.Sprintf("%ds/%d", silent, newcomers), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					f := newFleet(t)
					old := f.startN(3, fourMinutes)
					count(f.other().Hawkeye, "errors", 20)
					after(3 * tick)
					want(t, "before the outage", f.box.lines(), fired)
					f.silenced()
					incident := f.incident("errors")
					for _, r := range old {
						r.link.cut.Store(true)
					}
					after(12 * tick)
					f.flushAll()
					var fresh []*replica
					for range newcomers {
						fresh = append(fresh, f.start(fourMinutes))
					}
					after(silent*tick + tick/2)
					for _, r := range old {
						r.link.cut.Store(false)
					}
					after(15 * tick)
					want(t, "after the outage", f.box.lines())
					f.wantKept("after the outage", incident)
					if got := f.query(fresh[0]); got.Complete && got.Value != 20 {
						t.Errorf("Query() = %+v, want 20, or that it is incomplete", got)
					}
					count(fresh[0].Hawkeye, "errors", 1)
					after(30 * tick)
					f.evaluator()
					want(t, "later", f.box.lines())
					if newcomers == 1 {
						after(4 * time.Minute)
						want(t, "when the window is over", f.box.lines(), ended)
					}
				})
			})
		}
	}
}

// A ledger that was opened with less than a replica knows is said by that one.
func TestLedgerWithLessIsSaid(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		f.startN(2, fourMinutes)
		late := f.other()
		count(late.Hawkeye, "errors", 20)
		after(100 * tick)
		want(t, "before", f.box.lines(), fired)
		late.link.cut.Store(true)
		f.kill(f.evaluator())
		f.flushAll()
		f.start(fourMinutes)
		after(50 * tick) // nobody has a copy, and it is too late to put one back
		late.link.cut.Store(false)
		after(5 * tick)
		const says = "the ledger was opened anew with less than this copy has"
		if n := f.logs.count(says); n != 1 {
			t.Errorf("%q is logged %d times, want once", says, n)
		}
		wantProblem(t, "with less", late, "the store lost the ledger, and it was opened with less than this process knew")
		after(11 * time.Minute)
		wantProblem(t, "later", late, "")
	})
}

// Where all start together in an empty store one of them opens the ledger,
// after a few seconds, and what was counted before is told.
func TestFirstStartOfAFleet(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 3} {
		synctest.Test(t, func(t *testing.T) {
			f, began := newFleet(t), time.Now()
			for range n {
				count(f.start(errorsFile).Hawkeye, "errors", 10)
			}
			for f.box.count() == 0 && time.Since(began) < time.Minute {
				after(tick / 10)
			}
			if took := time.Since(began); took > 6*time.Second {
				t.Errorf("the first breach of %d replicas is told after %v, want at most 6s", n, took)
			}
			want(t, "the first breach", f.box.lines(), fired)
		})
	}
}
