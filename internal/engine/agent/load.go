package agent

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
func (a *Agent) load(ctx context.Context) (*evaluate.Evaluator, error) {
	if err := a.follow(ctx); err != nil {
		return nil, fmt.Errorf("follow the ledger: %w", err)
	}
	if turned := a.mirror.Turned(); turned != a.resets {
		a.resets = turned
		a.cfg.Sent.Invalidate()
	}
	head, commit, ok, err := a.mirror.Head()
	if err != nil && (commit != a.awaited || !ledger.Orphanable(err)) {
		return nil, errNotLeader // await says why
	}
	if !ok {
		head.Tick = a.cfg.Clock.NowTick() - 1
		if first := a.cfg.Follower.FirstTick(); first > 0 {
			head.Tick = min(head.Tick, first)
		}
		head.Born = head.Tick
	}
	a.head, a.born, a.configs, a.left = commit, head.Born, nil, make(map[string]bool)
	a.pinned = a.cfg.Current.Load()
	a.feed.SetQueries(a.pinned.Plan.Queries)
	if commit != a.awaited && head.Writer != a.cfg.Writer() && a.cfg.Traits.Shared && !failpoint.On("split") {
		return nil, errNotLeader // and we hadn't heard yet
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
	if a.feed.Reopen(0); head.Config == a.pinned.Set.Hash && a.cfg.Traits.Shared { // what another configuration judged stays as it is
		a.feed.Reopen(head.Open)
	}
	if err := a.feed.SeekTo(ctx, head.Tick); err != nil {
		return nil, fmt.Errorf("load windows: %w", err)
	}
	ev := evaluate.New(evaluate.Config{
		Plan: a.pinned.Plan, Handles: a.handles(), States: states, Born: head.Born,
		NewID:  func() string { return store.NewID().String() },
		Told:   a.told,
		KindOf: a.KindOf,
	})
	ev.Recall(a.feed.Engine(), evaluate.Tick{N: head.Tick, End: a.cfg.Clock.End(head.Tick)})
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
func (a *Agent) letOthersRecollect(ctx context.Context, ok bool) error {
	tick := a.cfg.Traits.Tick
	wait := sentlog.RecollectFor(tick) - time.Since(a.mirror.TurnedAt())
	if !ok || wait <= 0 || !a.cfg.Traits.Shared || failpoint.On("split") {
		return nil
	}
	tx := a.mirror.Begin()
	head, there := a.mirror.Get(ledger.HeadKey)
	if !there || head.Commit != a.head {
		return errFenced
	}
	tx.Touch(head)
	attempt, cancel := context.WithTimeout(ctx, ledger.CommitTimeout)
	defer cancel()
	if err := a.mirror.Commit(attempt, tx); err != nil {
		if errors.Is(err, store.ErrConflict) {
			return errFenced
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
		return errFenced
	}
	return nil
}

// told returns the incidents of an alert that somebody was told of and that
// have no end: by the ledger, and by what is known to have been sent although
// the ledger has lost it.
func (a *Agent) told(key string) []alert.Told {
	if a.stepView == nil {
		a.stepView = a.view()
	}
	view := a.stepView
	told := notify.Unended(view, key)
	if !a.cfg.Traits.Shared {
		return told
	}
	for _, sent := range a.cfg.Sent.Told(key) {
		if !slices.Contains(told, sent) && !outlived(view, key, sent) {
			told = append(told, sent)
		}
	}
	return told
}

// KindOf returns the kind of series that a stored alert was of.
func (a *Agent) KindOf(key string) string {
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

func (a *Agent) view() *notify.View {
	v := a.book.View()
	v.Config = a.pinned.Routes
	return v
}

// StateOf returns how an alert stands for this process, if it evaluates.
func (a *Agent) StateOf(key string) (alert.State, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.evaluator == nil {
		return alert.State{}, false
	}
	if e := a.evaluator.Alert(key); e != nil {
		return e.State, true
	}
	return alert.State{}, false
}

// Loaded is the last tick that this process found in its windows when it began
// to evaluate; tick if it doesn't.
func (a *Agent) Loaded(tick int64) int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.evaluator == nil {
		return tick
	}
	return min(a.evaluator.Loaded(), tick)
}
