package hawkeye

import (
	"context"
	"time"

	"github.com/go-batteries/hawkeye/internal/ledger"
	"github.com/go-batteries/hawkeye/internal/trouble"
	"github.com/go-batteries/hawkeye/store"
)

// keeper has a Store that is this process's alone written down soon after
// something was decided, told or known to be delivered. Without it a process
// that is killed would, after the restart, tell once more, or never, what was
// decided since the state file was last written.
type keeper struct {
	syncer store.Syncer
	watch  <-chan struct{}
	fails  *trouble.Log
}

const (
	// minKeepPause is the shortest pause between two writes.
	minKeepPause = 100 * time.Millisecond
	// keepShare is how many times as long as it took to write is the pause
	// after it, so that a large state doesn't keep the disk busy.
	keepShare = 20
)

// newKeeper returns nil for a Store that needs none.
func newKeeper(h *Hawkeye) *keeper {
	s, ok := h.store.(store.Syncer)
	if !ok || h.store.Traits().Shared {
		return nil
	}
	return &keeper{
		syncer: s,
		fails:  trouble.New(h.logger, "writing down what was decided fails", "writing down what was decided works again"),
		watch:  h.mirror.Watch(ledger.ClassRow, ledger.ClassAlert, ledger.ClassDead, ledger.ClassSilence, ledger.ClassAck),
	}
}

// run writes whenever there is something to write.
func (k *keeper) run(ctx context.Context) error {
	for {
		select {
		case <-k.watch:
		case <-ctx.Done():
			return nil
		}
		began := time.Now()
		err := k.syncer.Sync(ctx)
		if ctx.Err() != nil {
			return nil
		}
		k.fails.Note(ctx, err)
		pause(ctx, max(minKeepPause, keepShare*time.Since(began)))
	}
}
