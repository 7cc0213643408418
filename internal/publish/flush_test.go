package publish

import (
	"runtime"
	"testing"
	"time"

	"github.com/go-batteries/hawkeye/internal/publish/publishtest"
	"github.com/go-batteries/hawkeye/internal/series"
	"github.com/go-batteries/hawkeye/store/memstore"
)

// TestFlushWhileATickIsCollected: what is recorded after a tick was collected,
// but before it is in the ring, is in the tick after it.
func TestFlushWhileATickIsCollected(t *testing.T) {
	t.Parallel()
	p := New(Config{
		Store: publishtest.New(memstore.WithTick(time.Second)), Registry: series.New(series.Limits{}), Logger: quiet(),
	})
	p.closer.open = 7
	stored := func(tick int64) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.ring.add(entry{tick: tick})
		p.ring.published, p.ring.newest = p.ring.closed, tick
		p.wake()
	}
	p.collecting.Lock() // tick 7 is collected
	flushed := make(chan int64, 1)
	go func() {
		tick, err := p.Flush(t.Context())
		if err != nil {
			t.Errorf("Flush() = %v", err)
		}
		flushed <- tick
	}()
	for range 10_000 { // until Flush waits
		runtime.Gosched()
	}
	stored(7)
	p.collecting.Unlock()
	for range 10_000 { // until Flush knows what it waits for
		runtime.Gosched()
	}
	for tick := int64(8); len(flushed) == 0; tick++ {
		stored(tick)
		runtime.Gosched()
	}
	if tick := <-flushed; tick < 8 {
		t.Errorf("Flush() = %d, want 8 or later, a tick that holds what was recorded before it", tick)
	}
}
