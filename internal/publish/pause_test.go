package publish

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-batteries/hawkeye/internal/publish/publishtest"
	"github.com/go-batteries/hawkeye/store/memstore"
)

// Ticks that a process was stopped in say so, those that it closed a little late
// don't.
func TestPausedTicksSayThatTheyWere(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		pause  time.Duration
		asleep bool
	}{
		"busy":    {700 * time.Millisecond, false},
		"stopped": {4 * time.Second, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := publishtest.New(memstore.WithTick(200 * time.Millisecond))
				var paused atomic.Bool
				p := start(t, s, func(c *Config) {
					c.Notes = func() [][]byte {
						if paused.Swap(false) {
							time.Sleep(tt.pause) // all of the publisher's loop stands
						}
						return nil
					}
				})
				time.Sleep(1100 * time.Millisecond)
				before := p.Clock().NowTick()
				paused.Store(true)
				time.Sleep(tt.pause + time.Second)
				flush(t, p)
				p.stop()
				asleep, awake := 0, 0
				for _, writers := range stored(t, s, before, p.Clock().NowTick()) {
					if b := writers[p.Writer()]; b != nil && b.Asleep {
						asleep++
					} else if b != nil {
						awake++
					}
				}
				if want := liveTicks; tt.asleep && (asleep < want-2 || asleep > want) || !tt.asleep && asleep > 0 || awake == 0 {
					t.Errorf("%d ticks say that they were slept through, %d that they weren't; want %d of the former: %v", asleep, awake, want, tt.asleep)
				}
			})
		})
	}
}
