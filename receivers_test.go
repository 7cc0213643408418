package hawkeye_test

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-batteries/hawkeye"
	"github.com/go-batteries/hawkeye/store/memstore"
)

// telling is a file with a monitor that fires at 10 errors within 10 minutes
// and notifies all its receivers, which are sent to at their name.
func telling(receivers ...string) string {
	file := "version: 2\nreceivers:\n"
	for _, name := range receivers {
		file += "  " + name + ": {email: {to: [" + name + "@example.com]}, group: {interval: 1s}}\n"
	}
	return file + "monitors:\n  - {name: errors, metric: errors, window: 10m, notify: [" + strings.Join(receivers, ", ") + "], triggers: [{threshold: 10}]}\n"
}

func firedFor(name string) string { return name + "@example.com: [critical] errors in shop (test)" }
func endedFor(name string) string { return name + "@example.com: [ended] errors in shop (test)" }

// unreachable lets mails to a receiver fail while it is set.
func (b *mailbox) unreachable(name string) *atomic.Bool {
	down := new(atomic.Bool)
	down.Store(true)
	b.fail = func(_ int, cfg hawkeye.MailerConfig) error {
		if down.Load() && slices.Contains(cfg.Recipients, name+"@example.com") {
			return errors.New("421 try later")
		}
		return nil
	}
	return down
}

func wantNoDeadLetters(t *testing.T, h *hawkeye.Hawkeye) {
	t.Helper()
	if s := h.Stats(); s.DeadLetters != 0 || s.Outbox != 0 {
		t.Errorf("%d dead letters and %d messages in the outbox, want none", s.DeadLetters, s.Outbox)
	}
}

// A receiver is renamed while its mail is tried again and again: the new one
// is told, and the end as well.
func TestReceiverIsRenamedWhileItsMailFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		f.box.unreachable("team")
		older := f.startN(2, telling("team"))
		count(older[0].Hawkeye, "errors", 10)
		after(10 * tick)
		newer := f.start(telling("boss"))
		after(4 * tick)
		for _, r := range older {
			f.stop(r)
		}
		after(6 * tick)
		want(t, "after the deploy", f.box.lines(), firedFor("boss"))
		after(11 * time.Minute)
		want(t, "of the end", f.box.lines(), endedFor("boss"))
		wantNoDeadLetters(t, newer.Hawkeye)
	})
}

// A deploy goes back and forth between files that notify different receivers:
// each is told once while it fires, and who is there is told of the end.
func TestDeployThatChangesReceivers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		feeder := f.start(telling("team", "chat"), hawkeye.WithoutAgent(), hawkeye.WithoutNotifier())
		older := f.startN(2, telling("team", "chat"))
		count(feeder.Hawkeye, "errors", 10)
		after(4 * tick)
		want(t, "before", f.box.lines(), firedFor("chat"), firedFor("team"))
		for i := range 4 {
			newer := f.startN(2, telling("chat", "boss"))
			if i == 0 {
				want(t, "after the first deploy", f.box.lines(), firedFor("boss"))
			}
			for _, r := range older {
				f.stop(r)
			}
			after(5 * tick)
			older = f.startN(2, telling("team", "chat"))
			f.stop(newer[0])
			f.kill(newer[1])
			after(20 * tick)
		}
		want(t, "after going back and forth", f.box.lines())
		after(11 * time.Minute)
		want(t, "of the end", f.box.lines(), endedFor("chat"), endedFor("team"))
		wantNoDeadLetters(t, older[0].Hawkeye)
	})
}

// A notifier with the older file leaves alone what is for a receiver that only
// the newer one has.
func TestOlderNotifierLeavesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		old := f.start(telling("team"), hawkeye.WithoutAgent())
		agent := f.startN(1, telling("team", "pager"), hawkeye.WithoutNotifier())[0]
		count(agent.Hawkeye, "errors", 10)
		after(time.Minute)
		want(t, "by the older notifier", f.box.lines(), firedFor("team"))
		if s := agent.Stats(); s.DeadLetters != 0 || s.Outbox != 1 {
			t.Errorf("%d dead letters and %d messages in the outbox, want 0 and 1", s.DeadLetters, s.Outbox)
		}
		began := time.Now()
		f.stop(old)
		if took := time.Since(began); took > 2*tick {
			t.Errorf("Shutdown took %v, want no wait for what only others can send", took)
		}
		f.startN(1, telling("team", "pager"), hawkeye.WithoutAgent())
		want(t, "by the newer one", f.box.lines(), firedFor("pager"))
		wantNoDeadLetters(t, agent.Hawkeye)
	})
}

// What can't be sent now keeps nobody from shutting down, where it is kept for
// others.
func TestShutdownWhileMailsFail(t *testing.T) {
	t.Parallel()
	leave := func(t *testing.T, h *hawkeye.Hawkeye) (took time.Duration, err error) {
		ctx, cancel := context.WithTimeout(context.Background(), 8*time.Second)
		defer cancel()
		began := time.Now()
		err = h.Shutdown(ctx)
		return time.Since(began), err
	}
	t.Run("others are there", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			f := newFleet(t)
			down := f.box.unreachable("team")
			r := f.startN(2, telling("team"))
			count(r[0].Hawkeye, "errors", 10)
			after(40 * tick)
			r[0].down = true
			if took, err := leave(t, r[0].Hawkeye); err != nil || took > 2*tick {
				t.Errorf("Shutdown() = %v after %v, want nil within %v", err, took, 2*tick)
			}
			down.Store(false)
			after(10 * tick)
			want(t, "by the other one", f.box.lines(), firedFor("team"))
		})
	})
	t.Run("the last one of a fleet", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			f := newFleet(t)
			down := f.box.unreachable("team")
			r := f.startN(1, telling("team"))[0]
			count(r.Hawkeye, "errors", 10)
			after(40 * tick)
			r.down = true
			if took, err := leave(t, r.Hawkeye); err == nil || took > 2*tick {
				t.Errorf("Shutdown() = %v after %v, want within %v an error that says what is left", err, took, 2*tick)
			}
			down.Store(false)
			f.startN(1, telling("team"))
			after(10 * tick)
			want(t, "by the next one", f.box.lines(), firedFor("team"))
		})
	})
	for _, durable := range []bool{true, false} {
		name := map[bool]string{true: "alone, with a state file", false: "alone, with nothing that outlives it"}[durable]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				opts := []memstore.Option{memstore.WithLogger(quiet())}
				if durable {
					opts = append(opts, memstore.WithStateFile(filepath.Join(t.TempDir(), "state")))
				}
				box := &mailbox{}
				down := box.unreachable("team")
				h := start(t, telling("team"), box, hawkeye.WithStore(newMemory(t, opts...)))
				after(tick)
				count(h, "errors", 10)
				after(time.Minute)
				time.AfterFunc(2*time.Second, func() { down.Store(false) })
				took, err := leave(t, h)
				if durable {
					if err == nil || took > tick {
						t.Errorf("Shutdown() = %v after %v, want within %v an error that says what is left", err, took, tick)
					}
					return
				}
				want(t, "when the server is back", box.lines(), firedFor("team"))
				if err != nil {
					t.Errorf("Shutdown() = %v, want nil", err)
				}
			})
		})
	}
}

// A handle that reads a new file hands over as a fleet does.
func TestReloadHandsOverWhatARemovedReceiverWasNotTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, box, write := reloading(t, telling("team", "chat"))
		defer stop(t, h)
		down := box.unreachable("team")
		count(h, "errors", 10)
		after(10 * time.Second)
		want(t, "before", box.lines(), firedFor("chat"))
		write(telling("boss", "chat"))
		after(10 * time.Second)
		want(t, "with the new file", box.lines(), firedFor("boss"))
		write(telling("team", "chat", "boss"))
		after(time.Minute)
		want(t, "while the first one is back, and its mails fail", box.lines())
		down.Store(false)
		after(10 * time.Second)
		want(t, "when they don't any more", box.lines(), firedFor("team"))
		after(11 * time.Minute)
		want(t, "of the end", box.lines(), endedFor("boss"), endedFor("chat"), endedFor("team"))
	})
}
