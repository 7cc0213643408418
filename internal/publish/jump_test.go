package publish

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-batteries/hawkeye/internal/bucket"
	"github.com/go-batteries/hawkeye/internal/publish/publishtest"
	"github.com/go-batteries/hawkeye/store/memstore"
)

// What the Store's clock skips while this process is awake isn't said to be
// empty: only who slept knows that nothing was counted.
func TestSkippedTicksAreUnknown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := publishtest.New(memstore.WithTick(time.Second))
		p := start(t, s, nil)
		hits := p.reg.Counter("hits")
		time.Sleep(5500 * time.Millisecond)
		before := p.Clock().NowTick()
		s.SetOffset(time.Minute)
		for range 40 {
			hits.Inc()
			time.Sleep(100 * time.Millisecond)
		}
		flush(t, p)
		p.stop()
		now := p.Clock().NowTick()
		made, counted := 0, int64(0)
		for _, writers := range stored(t, s, before, now) {
			if b := writers[p.Writer()]; b != nil {
				made++
				for _, c := range b.Counters {
					counted += c.Delta
				}
			}
		}
		// A tick before the jump, five after it, and two for the slew.
		if skipped := now - before; skipped < 60 || made < 4 || made > 8 {
			t.Errorf("%d buckets are made while the clock went on by %d ticks, want those of the ticks in which time passed", made, skipped)
		}
		if counted != 40*bucket.Unit {
			t.Errorf("%v hits are stored, want 40", float64(counted)/bucket.Unit)
		}
	})
}
