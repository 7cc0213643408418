package hawkeye_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-batteries/hawkeye"
	"github.com/go-batteries/hawkeye/store"
)

// fourMinutes fires at 10 errors within four minutes.
var fourMinutes = strings.Replace(errorsFile, "window: 10s", "window: 4m", 1)

// query asks a replica for the errors of the last four minutes.
func (f *fleet) query(r *replica) hawkeye.Result {
	f.t.Helper()
	got, err := r.Query(f.t.Context(), "errors", 4*time.Minute)
	if err != nil {
		f.t.Fatalf("Query() = %v", err)
	}
	return got
}

// rightOrIncomplete asks all replicas for n ticks.
func (f *fleet) rightOrIncomplete(when string, n int, want float64) {
	f.t.Helper()
	for range n {
		for _, r := range f.up() {
			if got := f.query(r); got.Complete && got.Value != want || got.Value > want {
				f.t.Errorf("%s: Query() = %v, complete, want %v, or that it is incomplete", when, got.Value, want)
				return
			}
		}
		after(tick)
	}
}

// What processes counted that are gone is published again by whoever
// evaluates, however they went, and survives the next change of the evaluator.
func TestFlushAllAfterProcessesEnded(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		how      string
		end      func(*fleet, *replica)
		complete bool // what is known of a process that was killed never is
	}{
		{"shut down", (*fleet).stop, true},
		{"killed", (*fleet).kill, false},
	} {
		for _, wait := range []time.Duration{0, 5 * tick, 15 * tick} {
			t.Run(c.how+" "+wait.String()+" before", func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					f := newFleet(t)
					f.startN(3, fourMinutes)
					for range 2 {
						r := f.other()
						count(r.Hawkeye, "errors", 10)
						after(3 * tick)
						c.end(f, r)
						f.start(fourMinutes)
					}
					after(2*tick + wait)
					want(t, "before the loss", f.box.lines(), fired)
					f.flushAll()
					f.rightOrIncomplete("after the loss", 15, 20)
					for range 2 {
						for _, r := range f.up() {
							if got := f.query(r); got.Value != 20 || got.Complete != c.complete {
								t.Errorf("Query() = %v, complete: %v, want 20, %v", got.Value, got.Complete, c.complete)
							}
						}
						f.stop(f.evaluator())
						after(5 * tick)
					}
					want(t, "after the loss, and two changes of the evaluator", f.box.lines())
					after(5 * time.Minute)
					want(t, "when the window is over", f.box.lines(), ended)
				})
			})
		}
	}
}

// All replicas are replaced one after the other, as a deploy does, and after
// each the store loses everything.
func TestFlushAllInARollingDeploy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		old := f.startN(3, fourMinutes)
		for _, r := range old {
			count(r.Hawkeye, "errors", 10)
		}
		after(3 * tick)
		want(t, "before the deploy", f.box.lines(), fired)
		for _, r := range old {
			f.start(fourMinutes)
			after(3 * tick)
			f.stop(r)
			after(3 * tick)
			f.flushAll()
			f.rightOrIncomplete("in the deploy", 8, 30)
		}
		want(t, "in the deploy", f.box.lines())
		if got := f.query(f.other()); got.Value != 30 || !got.Complete {
			t.Errorf("Query() after the deploy = %v, complete: %v, want 30, complete", got.Value, got.Complete)
		}
	})
}

// The evaluator dies together with the store's memory: what others counted who
// are gone is lost. That is known, and nothing ends by it.
func TestFlushAllAndTheEvaluatorDies(t *testing.T) {
	t.Parallel()
	for _, returns := range []time.Duration{0, 5 * tick} {
		synctest.Test(t, func(t *testing.T) {
			f := newFleet(t)
			f.startN(3, fourMinutes)
			gone := f.other()
			count(gone.Hawkeye, "errors", 20)
			after(3 * tick)
			f.stop(gone)
			after(15 * tick)
			want(t, "before the loss", f.box.lines(), fired)
			f.flushAll()
			f.kill(f.evaluator())
			after(returns)
			f.start(fourMinutes)
			f.rightOrIncomplete("after the loss", 20, 20)
			f.stop(f.evaluator())
			f.rightOrIncomplete("after the next change of the evaluator", 20, 20)
			want(t, "while it may still be so", f.box.lines())
			after(4 * time.Minute)
			want(t, "when the window is over", f.box.lines(), ended)
			if got := f.query(f.up()[0]); got.Value != 0 || !got.Complete {
				t.Errorf("Query() later = %v, complete: %v, want 0, complete", got.Value, got.Complete)
			}
		})
	}
}

// A living writer is cut off while the store loses everything: nobody forgets
// what it has counted, nor takes it for nothing.
func TestFlushAllBetweenRepublications(t *testing.T) {
	t.Parallel()
	for _, away := range []time.Duration{2 * tick, 6 * tick, 11 * tick, 20 * tick} {
		synctest.Test(t, func(t *testing.T) {
			f := newFleet(t)
			f.startN(3, fourMinutes)
			evaluator, writer := f.evaluator(), f.other()
			count(writer.Hawkeye, "errors", 20)
			after(30 * tick)
			want(t, "before", f.box.lines(), fired)
			writer.link.cut.Store(true)
			after(away)
			f.flushAll()
			f.rightOrIncomplete("while it is cut off", 5, 20)
			f.stop(evaluator)
			f.rightOrIncomplete("after a change of the evaluator", 8, 20)
			writer.link.cut.Store(false)
			after(15 * tick)
			want(t, "when the writer is back", f.box.lines())
			if got := f.query(writer); got.Value != 20 || !got.Complete {
				t.Errorf("Query() when the writer is back = %v, complete: %v, want 20, complete", got.Value, got.Complete)
			}
		})
	}
}

// A failover takes back the ledger's records of a writer, and its buckets.
func TestRollBackOfWhoPublished(t *testing.T) {
	t.Parallel()
	for _, killed := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			f := newFleet(t)
			f.startN(2, fourMinutes)
			rollBack := f.checkpoint()
			gone := f.start(fourMinutes)
			after(3 * tick)
			count(gone.Hawkeye, "errors", 20)
			after(3 * tick)
			f.stop(gone)
			after(15 * tick)
			want(t, "before the failover", f.box.lines(), fired)
			rollBack()
			if killed { // nobody holds what the writer published; the others know that it did
				after(tick + tick/2)
				f.kill(f.evaluator())
			}
			f.rightOrIncomplete("after the failover", 20, 20)
			want(t, "after the failover", f.box.lines())
			if got := f.query(f.up()[0]); !killed && (got.Value != 20 || !got.Complete) {
				t.Errorf("Query() = %v, complete: %v, want 20, complete", got.Value, got.Complete)
			}
		})
	}
}

// olderHead makes the ledger one that was written by a version that doesn't
// know of runs.
func (f *fleet) olderHead(keep bool) {
	f.t.Helper()
	records := make(map[string]string)
	for key, value := range f.records() {
		switch {
		case key == "head":
			records[key] = strings.Replace(value, `,"runs":true`, "", 1)
		case strings.HasPrefix(key, "w/") && !keep:
			records[key] = ""
		}
	}
	f.put(records)
}

// A ledger that an older version has begun, or gone on with, says who is live,
// and so who is missing after a loss. What it can't say isn't held against it.
func TestFlushAllUnderAnOlderVersion(t *testing.T) {
	t.Parallel()
	for _, keep := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			f := newFleet(t)
			f.startN(3, fourMinutes)
			gone := f.other()
			count(gone.Hawkeye, "errors", 20)
			after(3 * tick)
			want(t, "before", f.box.lines(), fired)
			f.kill(f.evaluator())
			f.olderHead(keep)
			gone.link.cut.Store(true)
			f.flushAll()
			f.start(fourMinutes)
			f.rightOrIncomplete("after the loss", 10, 20)
			want(t, "after the loss", f.box.lines())
			gone.link.cut.Store(false)
			after(10 * tick)
			if got := f.query(gone); got.Value != 20 {
				t.Errorf("Query() when the writer is back = %v, want 20", got.Value)
			}
			after(30 * tick)
			got, err := gone.Query(t.Context(), "errors", 20*tick)
			if err != nil || !got.Complete {
				t.Errorf("Query() of the time since = %+v, %v, want it to be complete", got, err)
			}
			for key := range f.records() {
				if strings.HasPrefix(key, "w/") {
					return
				}
			}
			t.Error("there are no records of writers, want those who are live to have one")
		})
	}
}

// A writer that ended under an older version's evaluator has an open run: it
// isn't waited for, nor missed in what came after it.
func TestOpenRunOfAnOlderVersion(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		f.startN(2, errorsFile)
		after(15 * tick)
		f.put(map[string]string{"w/0123456789abcdef0123456789abcdef": `{"v":1,"runs":[{"f":946684801}]}`})
		f.olderHead(true)
		after(3 * tick)
		for range 3 {
			got, err := f.up()[0].Query(t.Context(), "errors", 2*tick)
			if err != nil || !got.Complete {
				t.Errorf("Query() = %+v, %v, want it to be complete", got, err)
			}
			after(3 * tick)
		}
		if partial := f.evaluator().Stats().PartialTicks; partial > 0 {
			t.Errorf("%d ticks are partial, want none", partial)
		}
	})
}

// keepsNames is a way to a Store that can lose the names alone, as Redis can
// when their key is evicted.
type keepsNames struct {
	*link
	*nameKeeper
}

// nameKeeper is what replicas share of it.
type nameKeeper struct {
	mu    sync.Mutex // guards what follows
	known map[uint64]string
	set   store.ID
}

func (k *nameKeeper) lose() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.known, k.set = make(map[uint64]string), store.NewID()
}

func (s keepsNames) Publish(ctx context.Context, p store.Publication) (store.PublishReply, error) {
	reply, err := s.link.Publish(ctx, p)
	if err == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, n := range p.Names {
			s.known[n.ID] = n.Text
		}
		reply.Names = s.set
	}
	return reply, err
}

func (s keepsNames) Names(_ context.Context, ids []uint64) (map[uint64]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := make(map[uint64]string)
	for _, id := range ids {
		if text, ok := s.known[id]; ok {
			known[id] = text
		}
	}
	return known, nil
}

// Names are evicted, and then the evaluator changes: to a process that knows
// the names by itself, and to one that has never counted anything.
func TestNamesAreLostAlone(t *testing.T) {
	t.Parallel()
	for _, counts := range []string{"all", "one that goes on", "one that is gone"} {
		for part := range 4 {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t)
				k, file := &nameKeeper{}, errorsFile
				k.lose()
				if counts == "one that is gone" {
					file = fourMinutes
				}
				begin := func() *replica {
					l := &link{fleet: f}
					r := &replica{link: l}
					r.Hawkeye = start(t, file, r, hawkeye.WithStore(keepsNames{l, k}), hawkeye.WithLogger(quiet()))
					f.all = append(f.all, r)
					return r
				}
				for range 3 {
					begin()
				}
				after(6*tick + time.Duration(part)*tick/4)
				evaluator, writer := f.evaluator(), f.other()
				count(writer.Hawkeye, "errors", 1)
				if counts == "all" {
					count(evaluator.Hawkeye, "errors", 1)
					count(f.other().Hawkeye, "errors", 1)
				}
				after(40 * tick)
				if counts == "one that is gone" {
					count(writer.Hawkeye, "errors", 20)
					after(3 * tick)
					want(t, "before the eviction", f.box.lines(), fired)
					f.stop(writer)
				}
				k.lose()
				after(tick)
				begin()
				after(tick)
				f.stop(evaluator)
				after(5 * tick)
				if counts == "one that is gone" {
					want(t, "after a change of the evaluator", f.box.lines())
					after(4 * time.Minute)
					want(t, "when the window is over", f.box.lines(), ended)
					return
				}
				count(writer.Hawkeye, "errors", 20)
				after(5 * tick)
				want(t, "a breach after the eviction, counted by "+counts, f.box.lines(), fired)
			})
		}
	}
}
