package hawkeye_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-batteries/hawkeye"
	"github.com/go-batteries/hawkeye/store"
)

// distant is a link over which each call takes a while, and which counts the
// commits that were stored and those that came too late.
type distant struct {
	link
	delay              time.Duration
	commits, conflicts *atomic.Int64
}

func (d *distant) Commit(ctx context.Context, c store.Commit) (store.Cursor, error) {
	time.Sleep(d.delay / 2)
	at, err := d.link.Commit(ctx, c)
	time.Sleep(d.delay / 2)
	switch {
	case err == nil:
		d.commits.Add(1)
	case errors.Is(err, store.ErrConflict):
		d.conflicts.Add(1)
	}
	return at, err
}

func (d *distant) Changes(ctx context.Context, after store.Cursor) (store.Changes, error) {
	time.Sleep(d.delay)
	return d.link.Changes(ctx, after)
}

// Hundreds of groups come and go at once, each a mail of its own, over a Store
// that takes its time. What else happens is told as soon as ever, and the
// mails take few commits.
func TestStormDelaysNobodyElse(t *testing.T) {
	t.Parallel()
	for name, delay := range map[string]time.Duration{"near": 20 * time.Millisecond, "far": 100 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { stormOver(t, delay) })
		})
	}
}

func stormOver(t *testing.T, delay time.Duration) {
	f := newFleet(t)
	var commits, conflicts atomic.Int64
	config := strings.Replace(errorsFile, "monitors:\n", `  each: {email: {to: [each@example.com]}, group: {by: [user]}}
monitors:
  - {name: many, metric: many, type: counter, window: 3s, by: [user], max_groups: 1000, notify: [each], triggers: [{threshold: 5}]}
`, 1)
	for range 3 {
		d := &distant{link: link{fleet: f}, delay: delay, commits: &commits, conflicts: &conflicts}
		f.start(config, hawkeye.WithStore(d))
	}
	after(6 * tick)
	const groups = 500
	for i := range groups {
		f.all[i%3].Count("many", 5, hawkeye.T("user", fmt.Sprint("user-", i)))
	}
	commits.Store(0)
	conflicts.Store(0)
	// When the first mails are under way the groups end, too.
	after(4 * tick)
	if n := f.box.count(); n == 0 || n > groups*3/4 {
		t.Fatalf("%d mails after 4 ticks, want some and not most", n)
	}
	count(f.all[0].Hawkeye, "errors", 10)
	after(3 * tick)
	if lines := strings.Join(f.box.lines(), "\n"); !strings.Contains(lines, fired) {
		t.Error("the other breach wasn't told after 3 ticks")
	}
	for i := 0; i < 90 && len(f.box.ids()) < groups; i++ {
		after(tick)
	}
	after(5 * tick)
	sent := int64(0)
	for id, n := range f.box.ids() {
		sent += int64(n)
		if n > 1 {
			t.Errorf("%d mails have the id %s", n, id)
		}
	}
	if commits.Load() > sent || conflicts.Load() > sent/2 {
		t.Errorf("%d mails took %d commits and %d that came too late, want fewer than %d and %d",
			sent, commits.Load(), conflicts.Load(), sent, sent/2)
	}
}
