package hawkeye_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-batteries/hawkeye"
	"github.com/go-batteries/hawkeye/internal/bucket"
	"github.com/go-batteries/hawkeye/store"
)

// published adds up what the Store holds of the fine ticks from up to, but
// without, to, by writer; and says how many buckets those are.
func (f *fleet) published(from, to time.Time) (sums map[string]int64, buckets int) {
	f.t.Helper()
	var q []store.TickQuery
	for n := from.UnixNano() / int64(tick); n < to.UnixNano()/int64(tick); n++ {
		q = append(q, store.TickQuery{Tick: n})
	}
	answers, err := f.store().Read(f.t.Context(), q)
	if err != nil {
		f.t.Fatalf("Read() = %v", err)
	}
	sums = make(map[string]int64)
	for _, a := range answers {
		for _, b := range a.Buckets {
			var decoded bucket.Bucket
			if err := bucket.Decode(b.Data, &decoded); err != nil {
				f.t.Fatalf("Decode() = %v", err)
			}
			for _, c := range decoded.Counters {
				sums[b.Writer.String()] += c.Delta / bucket.Unit
			}
			buckets++
		}
	}
	return sums, buckets
}

// value returns what the evaluator measures for the alert errors.
func (f *fleet) value() float64 {
	f.t.Helper()
	for _, a := range f.evaluator().Alerts() {
		if a.Key == "errors" && a.Known {
			return a.Value
		}
	}
	f.t.Fatal("no value of errors")
	return 0
}

// dying is a way to the Store that breaks in the middle of a publication.
type dying struct {
	*link
	armed  atomic.Bool
	stored int // as many buckets of the next publication get through
}

func (d *dying) Publish(ctx context.Context, p store.Publication) (store.PublishReply, error) {
	if d.cut.Load() || len(p.Buckets) == 0 || !d.armed.CompareAndSwap(true, false) {
		return d.link.Publish(ctx, p)
	}
	p.Buckets = p.Buckets[:min(d.stored, len(p.Buckets))]
	_, err := d.link.Publish(ctx, p)
	d.cut.Store(true)
	return store.PublishReply{}, errors.Join(errCut, err)
}

// A follower dies at second 37 of a minute while it publishes what it has kept
// for five seconds, of which the Store gets none, some or all. An hour's
// window holds what was published, no more and no less: as measured, and by
// evaluators that come when only the folds of that minute are left.
func TestFollowerDiesWithinAMinute(t *testing.T) {
	t.Parallel()
	for _, stored := range []int{0, 2, 5} {
		t.Run(fmt.Sprintf("stored=%d", stored), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { followerDies(t, stored) })
		})
	}
}

func followerDies(t *testing.T, stored int) {
	f := newFleet(t)
	config := strings.NewReplacer("window: 10s", "window: 1h", "threshold: 10,", "threshold: 1000000,").Replace(errorsFile)
	patient := hawkeye.WithBlindAfter(2 * time.Hour)
	f.startN(3, config, patient)
	l := &link{fleet: f}
	way := &dying{link: l, stored: stored}
	dies := &replica{link: l}
	dies.Hawkeye = start(t, config, dies, hawkeye.WithStore(way), hawkeye.WithLogger(slog.New(f.logs)), patient)
	f.all = append(f.all, dies)
	minute := time.Now().Truncate(time.Minute).Add(time.Minute)
	after(time.Until(minute.Add(-20*time.Second - tick/2)))
	counted := 0
	tell := func(seconds int) { // in the middle of each tick
		for i := range seconds {
			after(tick)
			for j, r := range f.all {
				if !r.down {
					count(r.Hawkeye, "errors", 1+(i+j)%7)
					counted += 1 + (i+j)%7
				}
			}
		}
	}
	const second = 37
	tell(20 + second - 5)
	way.cut.Store(true)
	tell(5)
	before, _ := f.published(minute.Add(-time.Minute), minute.Add(time.Minute))
	way.armed.Store(true)
	way.cut.Store(false)
	for way.armed.Load() {
		after(tick / 20)
	}
	f.kill(dies)
	after(time.Until(minute.Add(second*time.Second + tick/2)))
	id := dies.WriterID()
	tell(60 - second)
	after(30 * tick) // over 1 h is measured every 12 s

	kept, _ := f.published(minute.Add(-time.Minute), minute.Add(2*time.Minute))
	if grew := kept[id] > before[id]; grew != (stored > 0) {
		t.Fatalf("the one that dies had published %d, and then %d: want more is %t", before[id], kept[id], stored > 0)
	}
	sum := int64(0)
	for _, n := range kept {
		sum += n
	}
	if got := f.value(); got != float64(sum) {
		t.Errorf("at the end of the minute the value is %v, want %d as published", got, sum)
	}
	f.kill(f.evaluator())
	after(10 * time.Minute)
	if _, n := f.published(minute, minute.Add(time.Minute)); n > 0 {
		t.Fatalf("the Store still holds %d buckets of the minute, want that they have expired", n)
	}
	want := float64(sum)
	if got := f.value(); got != want {
		t.Errorf("ten minutes after a take-over the value is %v, want %v", got, want)
	}
	f.start(config, patient)
	after(3 * tick)
	for _, leave := range []func(*replica){f.kill, f.stop} {
		leave(f.evaluator())
		after(30 * tick)
		if got := f.value(); got != want {
			t.Errorf("to an evaluator that has only folds the value is %v, want %v", got, want)
		}
	}
	t.Logf("counted %d, of which %d were never published; the value over 1 h is %v", counted, counted-int(sum), f.value())
}
