package publish

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-batteries/hawkeye/internal/publish/publishtest"
	"github.com/go-batteries/hawkeye/internal/series"
	"github.com/go-batteries/hawkeye/store"
	"github.com/go-batteries/hawkeye/store/memstore"
)

// named says whether the Store knows the names of all series of a registry.
func named(t *testing.T, s store.Store, r *series.Registry) bool {
	t.Helper()
	names, _ := r.Names(0)
	ids := make([]uint64, len(names))
	for i, n := range names {
		ids[i] = n.ID
	}
	known, err := s.Names(t.Context(), ids)
	if err != nil {
		t.Fatal(err)
	}
	return len(known) == len(names) && len(names) > 0
}

// Names that are lost alone are published again within two ticks, by each
// process that has some; a Store that loses them all the time isn't flooded.
func TestNamesThatAreLostAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := publishtest.New(memstore.WithTick(time.Second))
		a, b := start(t, s, nil), start(t, s, nil)
		a.reg.Counter("of.both").Inc()
		b.reg.Counter("of.both").Inc()
		b.reg.Counter("of.one").Inc()
		s.LoseNames() // from now on the Store says which set it has
		time.Sleep(10 * time.Second)
		s.LoseNames()
		time.Sleep(2 * time.Second)
		if !named(t, s, a.reg) || !named(t, s, b.reg) {
			t.Error("two ticks after the names were lost some are not there again")
		}
		s.LoseNames() // soon after: they are back as soon
		time.Sleep(3 * time.Second)
		if !named(t, s, a.reg) || !named(t, s, b.reg) {
			t.Error("three ticks after the names were lost once more some are not there again")
		}
		before := s.Calls("Publish")
		for range 60 {
			s.LoseNames()
			time.Sleep(time.Second)
		}
		// A flush a tick each, and one more for all names in five.
		if n := s.Calls("Publish") - before; n > 2*(60+60/5+2) {
			t.Errorf("%d publications in 60 ticks in which names were lost each time, want at most %d", n, 2*(60+60/5+2))
		}
		time.Sleep(6 * time.Second)
		if !named(t, s, a.reg) || !named(t, s, b.reg) {
			t.Error("names that were lost often are not there again")
		}
		a.stop()
		b.stop()
	})
}

// oneSet is a Store that never says that its set of names is another one, as
// one that loses some of it.
type oneSet struct{ *publishtest.Store }

func (s oneSet) Publish(ctx context.Context, p store.Publication) (store.PublishReply, error) {
	reply, err := s.Store.Publish(ctx, p)
	reply.Names = store.ID{1}
	return reply, err
}

// A server that takes over may lack the names that were published last, and
// have the others.
func TestRecentNamesAfterAFailure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := publishtest.New(memstore.WithTick(time.Second))
		s.LoseNames()
		p := start(t, oneSet{s}, nil)
		p.reg.Counter("old").Inc()
		time.Sleep(2 * time.Minute)
		p.reg.Counter("new").Inc()
		time.Sleep(5 * time.Second)
		s.Fail(publishtest.Always(publishtest.Refuse))
		time.Sleep(3 * time.Second)
		s.LoseNames()
		s.Fail(nil)
		time.Sleep(5 * time.Second)
		names, _ := p.reg.Names(0)
		for _, n := range names {
			known, err := s.Names(t.Context(), []uint64{n.ID})
			if isNew := strings.Contains(n.Text, "new"); err != nil || isNew != (len(known) == 1) {
				t.Errorf("after a failure Names(%q) = %v, %v, want it to be published again: %v", n.Text, known, err, isNew)
			}
		}
		p.stop()
	})
}
