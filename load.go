package hawkeye

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-batteries/hawkeye/internal/alert"
	"github.com/go-batteries/hawkeye/internal/engine/sentlog"
	"github.com/go-batteries/hawkeye/internal/evaluate"
	"github.com/go-batteries/hawkeye/internal/failpoint"
	"github.com/go-batteries/hawkeye/internal/ledger"
	"github.com/go-batteries/hawkeye/internal/notify"
	"github.com/go-batteries/hawkeye/internal/pulse"
	"github.com/go-batteries/hawkeye/store"
)

// load makes an evaluator of what the ledger holds, its windows filled up to
// the watermark.
func (a *agent) load(ctx context.Context) (*evaluate.Evaluator, error) {
	if err := a.follow(ctx); err != nil {
		return nil, fmt.Errorf("follow the ledger: %w", err)
	}
	if turned := a.mirror.Turned(); turned != a.turned {
		a.turned = turned
		a.h.sent.Invalidate()
	}
	head, commit, ok, err := a.mirror.Head()
	if err != nil && (commit != a.awaited || !ledger.Orphanable(err)) {
		return nil, errBeaten // await says why
	}
	if !ok {
		head.Tick = a.h.clock().NowTick() - 1
		if first := a.h.follower.FirstTick(); first > 0 {
			head.Tick = min(head.Tick, first)
		}
		head.Born = head.Tick
	}
	a.head, a.born, a.configs, a.left = commit, head.Born, nil, make(map[string]bool)
	a.setup = a.h.setup()
	a.feed.SetQueries(a.setup.Plan.Queries)
	if commit != a.awaited && head.Writer != a.h.publisher.Writer() && a.h.store.Traits().Shared && !failpoint.On("split") {
		return nil, errBeaten // and we hadn't heard yet
	}
	if err := a.acquire(ctx, head); err != nil {
		return nil, err
	}
	if err := a.letOthersRecollect(ctx, ok); err != nil {
		return nil, err
	}
	a.beginRuns(head)
	states := make(map[string]alert.State)
	for key, r := range a.book.Alerts() {
		states[key] = r.State
	}
	if a.feed.Reopen(0); head.Config == a.setup.Set.Hash && a.h.store.Traits().Shared { // what another configuration judged stays as it is
		a.feed.Reopen(head.Open)
	}
	if err := a.feed.SeekTo(ctx, head.Tick); err != nil {
		return nil, fmt.Errorf("load windows: %w", err)
	}
	ev := evaluate.New(evaluate.Config{
		Plan: a.setup.Plan, Handles: a.handles(), States: states, Born: head.Born,
		NewID:  func() string { return store.NewID().String() },
		Told:   a.told,
		KindOf: a.kindOf,
	})
	ev.Recall(a.feed.Engine(), evaluate.Tick{N: head.Tick, End: a.h.clock().End(head.Tick)})
	a.mu.Lock()
	a.evaluator = ev
	a.mu.Unlock()
	return ev, nil
}

// letOthersRecollect waits after a roll-back, or when the ledger was restored,
// until the others had the time to write down what they are sending: what is
// decided again is about the incident that they tell of. Nothing is claimed in
// that time either. The head is replaced by itself, so that nobody takes it for
// one that was left.
func (a *agent) letOthersRecollect(ctx context.Context, ok bool) error {
	tick := a.h.store.Traits().Tick
	wait := sentlog.RecollectFor(tick) - time.Since(a.mirror.TurnedAt())
	if !ok || wait <= 0 || !a.h.store.Traits().Shared || failpoint.On("split") {
		return nil
	}
	tx := a.mirror.Begin()
	head, there := a.mirror.Get(ledger.HeadKey)
	if !there || head.Commit != a.head {
		return errLost
	}
	tx.Touch(head)
	attempt, cancel := context.WithTimeout(ctx, ledger.CommitTimeout)
	defer cancel()
	if err := a.mirror.Commit(attempt, tx); err != nil {
		if errors.Is(err, store.ErrConflict) {
			return errLost
		}
		return fmt.Errorf("go on after a roll-back: %w", err)
	}
	a.head = tx.ID()
	a.setWaits(true)
	defer a.setWaits(false)
	pulse.Sleep(ctx, wait)
	if err := a.follow(ctx); err != nil {
		return fmt.Errorf("follow the ledger: %w", err)
	}
	if _, commit, _, _ := a.mirror.Head(); commit != a.head {
		return errLost
	}
	return nil
}

// told returns the incidents of an alert that somebody was told of and that
// have no end: by the ledger, and by what is known to have been sent although
// the ledger has lost it.
func (a *agent) told(key string) []alert.Told {
	if a.stepView == nil {
		a.stepView = a.view()
	}
	view := a.stepView
	told := notify.Unended(view, key)
	if !a.h.store.Traits().Shared {
		return told
	}
	for _, sent := range a.h.sent.Told(key) {
		if !slices.Contains(told, sent) && !outlived(view, key, sent) {
			told = append(told, sent)
		}
	}
	return told
}

// kindOf returns the kind of series that a stored alert was of.
func (a *agent) kindOf(key string) string {
	if r, ok := a.book.Alert(key); ok {
		return r.Snapshot.Series
	}
	return ""
}

// outlived says whether the ledger knows of the incident's end, or of one
// after it.
func outlived(view *notify.View, key string, sent alert.Told) bool {
	for k, t := range view.Threads {
		if k.Alert == key && (t.Incident == sent.Incident && t.Over || t.FiredAt.After(sent.FiredAt)) {
			return true
		}
	}
	return false
}

func (a *agent) view() *notify.View {
	v := a.book.View()
	v.Config = a.setup.Routes
	return v
}
