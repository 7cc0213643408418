package hawkeye_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-batteries/hawkeye"
	"github.com/go-batteries/hawkeye/store"
	"github.com/go-batteries/hawkeye/store/memstore"
)

// narrow is a way to the fleet's ledger with ticks of another width, which lie
// beside those of the others as they do in Redis.
type narrow struct {
	*link
	samples *memstore.Store
}

func (n *narrow) Traits() store.Traits {
	t := n.link.Traits()
	t.Tick = n.samples.Traits().Tick
	return t
}

func (n *narrow) Publish(ctx context.Context, p store.Publication) (store.PublishReply, error) {
	there, err := n.link.Publish(ctx, store.Publication{Writer: p.Writer})
	if err != nil {
		return there, err
	}
	reply, err := n.samples.Publish(ctx, p)
	reply.Ledger = there.Ledger
	return reply, err
}

func (n *narrow) Read(ctx context.Context, q []store.TickQuery) ([]store.TickBuckets, error) {
	return n.samples.Read(ctx, q)
}

// wantProblem fails unless a replica has just the one problem that begins so,
// or none if it is empty.
func wantProblem(t *testing.T, when string, r *replica, problem string) {
	t.Helper()
	got := r.Health().Problems
	if problem == "" && len(got) > 0 || problem != "" && (len(got) != 1 || !strings.HasPrefix(got[0], problem)) {
		t.Errorf("%s: Health has the problems %q, want %q", when, got, problem)
	}
}

// A replica with another tick joins a fleet, outlives it, and has no part in
// it: whoever comes after it with the right tick finds the time that it is.
func TestTwoTicks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		wide := f.startN(2, errorsFile)
		other := f.start(errorsFile, hawkeye.WithStore(&narrow{
			link: &link{fleet: f}, samples: newMemory(t, memstore.WithTick(tick/5)),
		}))
		after(3 * tick)
		refused := "the fleet under this prefix has ticks of 1s, and this process of 200ms"
		wantProblem(t, "beside a fleet", other, refused)
		f.wantEvaluator("one has another tick", wide...)
		for _, r := range wide {
			f.stop(r)
		}
		after(40 * tick)
		count(other.Hawkeye, "errors", 20)
		after(5 * tick)
		wantProblem(t, "when the fleet is gone", other, refused)
		if n := f.logs.count("ERROR this process has no part"); n != 1 {
			t.Errorf("the log says %d times that it has no part, want once", n)
		}
		want(t, "of what it counts", f.box.lines())
		later := f.start(errorsFile)
		after(6 * tick)
		f.wantEvaluator("the right tick is back", later)
		wantProblem(t, "with the right tick", later, "")
		if ahead := time.Until(later.Stats().EvaluatedTick); ahead.Abs() > 5*tick {
			t.Errorf("evaluated up to %v from now, want up to now", ahead)
		}
		if _, err := later.Silence(t.Context(), silenceFor(time.Hour, "monitor=none")); err != nil {
			t.Errorf("Silence() = %v", err)
		}
		count(later.Hawkeye, "errors", 10)
		after(4 * tick)
		want(t, "of a breach", f.box.lines(), fired)
	})
}

// A head that no clock can have led to is not followed, and what its writer
// may have meant is not guessed.
func TestLedgerFarAhead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		r := f.startN(1, errorsFile)[0]
		before := f.records()["head"]
		f.put(map[string]string{"head": fmt.Sprintf(`{"tick":%d}`, time.Now().Unix()*5)})
		joined := f.start(errorsFile)
		after(20 * tick)
		wantProblem(t, "far ahead", r, "the ledger is of tick ")
		wantProblem(t, "far ahead", joined, "the ledger is of tick ")
		f.put(map[string]string{"head": before})
		after(10 * tick)
		f.evaluator()
		wantProblem(t, "when it is as it was", r, "")
		if ahead := time.Until(r.Stats().EvaluatedTick); ahead.Abs() > 5*tick {
			t.Errorf("evaluated up to %v from now, want up to now", ahead)
		}
	})
}

// A head of a version that didn't know of widths and services is as ours are.
func TestHeadOfAnOlderVersion(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		f.startN(2, errorsFile)
		const said = `,"width":1000000000,"service":"shop (test)"}`
		older := strings.Replace(f.records()["head"], said, "}", 1)
		f.put(map[string]string{"head": older})
		after(10 * tick)
		f.wantHealth("")
		if head := f.records()["head"]; strings.Contains(older, "shop") || !strings.HasSuffix(head, said) {
			t.Errorf("the head was made %s, and is %s, want one that says whose it is again", older, head)
		}
	})
}

const ofAnother = `the ledger under this prefix is that of the service "shop (test)", and this is "beta (test)"`

// Two services share a prefix: the ledger stays that of the first, also when
// its evaluator dies and when the store was away; the other one has no part in
// it, until nobody of the first is left.
func TestTwoServices(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		shop := f.startN(2, errorsFile)
		beta := f.start(olderFile, hawkeye.WithService("beta", "test"))
		breach := func(when string) {
			t.Helper()
			count(f.up()[0].Hawkeye, "errors", 10)
			count(beta.Hawkeye, "old", 10)
			after(5 * tick)
			want(t, when, f.box.lines(), fired)
			wantProblem(t, when, beta, ofAnother)
			after(15 * tick)
			want(t, when+", its end", f.box.lines(), ended)
			after(5 * time.Minute) // or the next one would be flapping
		}
		after(8 * tick)
		wantProblem(t, "beside another service", shop[0], "")
		breach("beside another service")
		if _, err := beta.Silence(t.Context(), silenceFor(time.Hour, "monitor=errors")); err == nil || !strings.Contains(err.Error(), ofAnother) {
			t.Errorf("Silence() = %v, want why it is refused", err)
		}
		configs := 0
		for key := range f.records() {
			if strings.HasPrefix(key, "c/") {
				configs++
			}
		}
		if configs != 1 {
			t.Errorf("%d configurations are in the ledger, want that of its service alone", configs)
		}
		f.kill(f.evaluator())
		after(10 * tick)
		f.wantEvaluator("one of it is left", shop...)
		breach("one of it is left")
		f.away(true)
		after(30 * tick)
		f.away(false)
		after(10 * tick)
		f.wantEvaluator("the store was away", shop...)
		breach("the store was away")
		if n := f.logs.count("ERROR this process has no part"); n != 1 {
			t.Errorf("the log says %d times that it has no part, want once", n)
		}
		if n := beta.tries.Load(); n > 0 {
			t.Errorf("it sent %d mails", n)
		}
		f.kill(f.evaluator())
		after(40 * tick)
		f.wantEvaluator("nobody of the first is left", beta)
		wantProblem(t, "nobody of the first is left", beta, "")
		count(beta.Hawkeye, "old", 10)
		after(5 * tick)
		want(t, "as the only one", f.box.lines(), strings.Replace(oldFired, "shop", "beta", 1))
	})
}

// What one service has to tell isn't told by another one, whose configuration
// it isn't, and doesn't keep that from shutting down.
func TestServiceTellsItsOwn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		shop := f.startN(1, errorsFile, hawkeye.WithoutNotifier())[0]
		beta := f.startN(1, errorsFile, hawkeye.WithService("beta", "test"))[0]
		count(shop.Hawkeye, "errors", 10)
		after(25 * tick)
		want(t, "with nobody to send it", f.box.lines())
		wantProblem(t, "with nobody to send it", shop, "nobody sends: ")
		began := time.Now()
		f.stop(beta)
		if took := time.Since(began); took > 2*tick {
			t.Errorf("Shutdown took %v, want at most two ticks", took)
		}
	})
}

// A service was there before and comes back, with a configuration that would
// win: it has no say any more.
func TestServiceThatComesBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		of, file := hawkeye.WithService("beta", "test"), "generation: 2\n"+olderFile
		first := f.startN(1, file, of)[0]
		shop := f.startN(2, errorsFile)
		f.kill(first)
		after(40 * tick)
		f.wantEvaluator("the first service is gone", shop...)
		back := f.start(file, of)
		after(10 * tick)
		wantProblem(t, "when it is back", back, `the ledger under this prefix is that of the service "shop (test)", and this is`)
		count(shop[0].Hawkeye, "errors", 10)
		after(4 * tick)
		want(t, "when it is back", f.box.lines(), fired)
		wantProblem(t, "when it is back", shop[0], "")
	})
}

// While the store is away nobody moves the head. Whoever is away last and back
// first doesn't take that for a service that is gone.
func TestOutageLeavesTheLedgerToItsService(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		shop := f.startN(1, olderFile)
		beta := f.startN(3, errorsFile, hawkeye.WithService("beta", "test"))
		for away := 17 * tick; away < 27*tick; away += tick / 2 {
			shop[0].link.cut.Store(true)
			after(2 * tick)
			f.away(true)
			after(away)
			for _, r := range beta {
				r.link.cut.Store(false)
			}
			after(2 * tick)
			f.away(false)
			after(8 * tick)
			f.wantEvaluator("the store was away for "+away.String(), shop...)
		}
	})
}

// Two services that start at the same moment: one of them is the first.
func TestTwoServicesAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		names := []string{"one", "two"}
		for _, name := range append(names, names...) {
			f.start(errorsFile, hawkeye.WithService(name, "")) // with the same file
		}
		after(10 * tick)
		var evaluates, well []int
		for i, r := range f.all {
			health := r.Health()
			if health.Evaluates {
				evaluates = append(evaluates, i)
			}
			if health.OK {
				well = append(well, i%2)
			}
		}
		if len(evaluates) != 1 || !slices.Equal(well, []int{evaluates[0] % 2, evaluates[0] % 2}) {
			t.Errorf("%v evaluate, and replicas of %v are well; want one to evaluate, and those of its service to be well", evaluates, well)
		}
	})
}

// A service is renamed, replica by replica. The old name decides as long as it
// has a replica, then the new one does, and what fires isn't told again.
func TestRenamedService(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		older := f.startN(3, olderFile)
		count(older[0].Hawkeye, "old", 10)
		after(4 * tick)
		want(t, "before the deploy", f.box.lines(), oldFired)
		var newer []*replica
		for _, r := range older {
			f.wantEvaluator("there is one of the old name", older...)
			newer = append(newer, f.start(olderFile, hawkeye.WithService("mall", "test")))
			after(5 * tick)
			f.stop(r)
			after(5 * tick)
		}
		after(30 * tick) // five leases
		f.wantEvaluator("all have the new name", newer...)
		for _, r := range newer {
			wantProblem(t, "all have the new name", r, "")
		}
		want(t, "of what fires on", f.box.lines())
		count(newer[0].Hawkeye, "errors", 10)
		after(5 * tick)
		want(t, "under the new name", f.box.lines(), "ops@example.com: [critical] errors in mall (test)")
	})
}

// In one process the width of ticks may be changed: the ledger in the state
// file goes on from the same time.
func TestStateFileOfAnotherTick(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		path, box := filepath.Join(t.TempDir(), "state"), &mailbox{}
		for i, width := range []time.Duration{time.Second, 200 * time.Millisecond, time.Second} {
			s := newMemory(t, memstore.WithTick(width), memstore.WithStateFile(path), memstore.WithLogger(quiet()))
			h := start(t, errorsFile, box, hawkeye.WithStore(s))
			after(6 * tick)
			if behind := time.Since(h.Stats().EvaluatedTick); behind.Abs() > 2*tick {
				t.Errorf("run %d: evaluated up to %v ago", i, behind)
			}
			if health := h.Health(); !health.OK {
				t.Errorf("run %d: Health() = %+v", i, health)
			}
			if err := h.Shutdown(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	})
}
