package hawkeye_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-batteries/hawkeye"
)

// away cuts all replicas off from the Store, or brings it back.
func (f *fleet) away(away bool) {
	for _, r := range f.all {
		r.link.cut.Store(away)
	}
}

// byRank returns the replicas in the order in which they tell while blind.
func (f *fleet) byRank() []*replica {
	sorted := append([]*replica(nil), f.all...)
	for i := range sorted {
		for j := range i {
			if sorted[i].WriterID() < sorted[j].WriterID() {
				sorted[i], sorted[j] = sorted[j], sorted[i]
			}
		}
	}
	return sorted
}

const storeBack = "ops@example.com: [store back] hawkeye sees the fleet again in shop (test)"

func TestBlindReplicaTells(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		f.startN(3, errorsFile)
		first := f.byRank()[0]
		f.away(true)
		after(20 * tick)
		want(t, "20 s without the store", f.box.lines())
		after(15 * tick)
		count(first.Hawkeye, "errors", 12)
		after(3 * tick)
		if body := f.box.body(); !strings.Contains(body, "a single replica") {
			t.Errorf("the mail says %q, want that the store is away", body)
		}
		want(t, "a breach in the first replica", f.box.lines(), fired)
		after(80 * tick)
		want(t, "while the store stays away", f.box.lines())

		f.away(false)
		after(30 * tick)
		want(t, "the store is back, and the errors are over", f.box.lines(), ended, storeBack)
		count(f.all[1].Hawkeye, "errors", 12)
		after(4 * tick)
		want(t, "the next breach", f.box.lines(), fired)
	})
}

// What fires on is told neither by the fleet when it is back, nor again by
// replicas of higher rank with another Message-ID.
func TestBlindFiringGoesOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		f.startN(5, strings.Replace(errorsFile, "window: 10s", "window: 10m", 1))
		f.away(true)
		after(40 * tick)
		for _, r := range f.all {
			count(r.Hawkeye, "errors", 12)
		}
		after(5 * tick)
		want(t, "the first replica", f.box.lines(), fired)
		after(200 * tick)
		want(t, "the second and the third", f.box.lines(), fired, fired)
		if ids := f.box.ids(); len(ids) != 1 {
			t.Errorf("the mails have %d Message-IDs, want one: %v", len(ids), ids)
		}
		f.away(false)
		after(20 * tick)
		want(t, "the store is back, and it fires on", f.box.lines(), storeBack)
		for _, a := range f.evaluator().Alerts() {
			if a.State != "firing" {
				t.Errorf("the alert is %s, want firing", a.State)
			}
		}
		after(11 * time.Minute)
		want(t, "the end", f.box.lines(), ended)
	})
}

func TestBlindKeepsWhatIsKnown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		f.startN(2, strings.Replace(errorsFile, "window: 10s", "window: 10m", 1))
		count(f.all[0].Hawkeye, "errors", 12)
		after(4 * tick)
		want(t, "before the outage", f.box.lines(), fired)
		f.away(true)
		after(40 * tick)
		for _, r := range f.all {
			count(r.Hawkeye, "errors", 12)
		}
		after(100 * tick)
		want(t, "what was known to fire", f.box.lines())
		f.away(false)
		after(10 * tick)
		want(t, "the store is back", f.box.lines())
	})
}

// A replica of rank 1 waits for its turn, and doesn't tell if the store is
// back before: then the fleet does.
func TestBlindRankWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		f.startN(2, errorsFile)
		second := f.byRank()[1]
		f.away(true)
		after(35 * tick)
		count(second.Hawkeye, "errors", 12)
		after(20 * tick)
		want(t, "before its turn", f.box.lines())
		f.away(false)
		after(10 * tick)
		want(t, "the store is back", f.box.lines(), "ops@example.com: [fired and ended] errors in shop (test)")
	})
}

// Three replicas tell, and come back one after the other, when the fleet isn't
// what it was: the return is told once.
func TestBlindReturnIsToldOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		f.startN(4, strings.Replace(errorsFile, "window: 10s", "window: 4m", 1))
		f.away(true)
		after(10 * tick)
		for _, r := range f.all {
			count(r.Hawkeye, "errors", 12)
		}
		after(170 * tick)
		want(t, "three ranks have seen a breach", f.box.lines(), fired, fired, fired)
		for _, r := range f.byRank() {
			r.link.cut.Store(false)
			after(15 * tick)
		}
		want(t, "all are back", f.box.lines(), storeBack)
	})
}

func TestBlindReceiverFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		f.box.fail = func(n int, _ hawkeye.MailerConfig) error {
			switch {
			case n == 1:
				return errCut
			case n == 2:
				panic("no mail today")
			}
			return nil
		}
		f.startN(1, errorsFile)
		f.away(true)
		after(35 * tick)
		count(f.all[0].Hawkeye, "errors", 12)
		after(time.Minute)
		want(t, "it was tried again", f.box.lines(), fired)
		f.away(false)
		after(10 * tick)
		want(t, "the end", f.box.lines(), ended, storeBack)
	})
}

func TestBlindOptions(t *testing.T) {
	t.Parallel()
	if _, err := hawkeye.New(hawkeye.WithBlindAfter(-time.Second)); err == nil || !strings.Contains(err.Error(), "WithBlindAfter") {
		t.Errorf("New(WithBlindAfter(-1s)) = %v, want an error that names the option", err)
	}
}
