package hawkeye_test

import (
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-batteries/hawkeye"
	"github.com/go-batteries/hawkeye/store"
)

// refusing is a way to the Store on which some calls fail.
type refusing struct {
	*link
	publish, read, changes, commit, restore atomic.Bool
}

func (r *refusing) Restore(ctx context.Context, o store.Offer) error {
	if r.restore.Load() {
		return errCut
	}
	return r.link.Restore(ctx, o)
}

func (r *refusing) Publish(ctx context.Context, p store.Publication) (store.PublishReply, error) {
	if r.publish.Load() {
		return store.PublishReply{}, errCut
	}
	return r.link.Publish(ctx, p)
}

func (r *refusing) Read(ctx context.Context, q []store.TickQuery) ([]store.TickBuckets, error) {
	if r.read.Load() {
		return nil, errCut
	}
	return r.link.Read(ctx, q)
}

func (r *refusing) Changes(ctx context.Context, after store.Cursor) (store.Changes, error) {
	if r.changes.Load() {
		return store.Changes{}, errCut
	}
	return r.link.Changes(ctx, after)
}

func (r *refusing) Commit(ctx context.Context, c store.Commit) (store.Cursor, error) {
	if r.commit.Load() {
		return store.Cursor{}, errCut
	}
	return r.link.Commit(ctx, c)
}

// An outage of ten minutes, of the whole Store or a part of it, with something
// to decide and a message under way: each part of hawkeye says so at once,
// then once a minute, and once when it is over.
func TestOutageDoesNotFillTheLog(t *testing.T) {
	t.Parallel()
	const minutes = 10
	const (
		publishing  = "publishing to the store fails, ticks are kept"
		following   = "following the ledger fails"
		interrupted = "evaluation interrupted"
		reading     = "reading ticks fails"
		deciding    = "storing a decision fails, trying again"
		claiming    = "claiming messages fails"
		settling    = "storing the outcome of a message fails, trying again"
	)
	troubles := map[string]string{
		publishing:  "publishing to the store works again",
		following:   "following the ledger works again",
		interrupted: "evaluation goes on after an interruption",
		reading:     "ticks are read again",
		deciding:    "decisions are stored again",
		claiming:    "messages are claimed again",
		settling:    "outcomes of messages are stored again",
	}
	for _, c := range []struct {
		name   string
		refuse func(r *refusing, on bool)
		logged []string // what must be logged at once
	}{
		{"all of it", func(r *refusing, on bool) { r.cut.Store(on) }, []string{publishing, settling, interrupted}},
		{"flushes", func(r *refusing, on bool) { r.publish.Store(on) }, []string{publishing}},
		{"the ledger", func(r *refusing, on bool) { r.changes.Store(on); r.commit.Store(on) }, []string{settling, deciding}},
		{"commits", func(r *refusing, on bool) { r.commit.Store(on) }, []string{settling, deciding}},
		{"reading the ledger", func(r *refusing, on bool) { r.changes.Store(on) }, nil},
		{"reading samples", func(r *refusing, on bool) { r.read.Store(on) }, []string{reading}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t)
				var ways []*refusing
				var logs []*logBook
				for range 2 {
					way, book := &refusing{link: &link{fleet: f}}, &logBook{}
					f.start(errorsFile, hawkeye.WithStore(way), hawkeye.WithLogger(slog.New(book)))
					ways, logs = append(ways, way), append(logs, book)
				}
				after(6 * tick)
				f.box.block = make(chan struct{})
				count(f.all[0].Hawkeye, "errors", 12)
				after(3 * tick) // the mail is under way
				refuse := func(on bool) {
					for _, way := range ways {
						c.refuse(way, on)
					}
				}
				refuse(true)
				f.box.release()
				after(15 * tick)
				for _, fails := range c.logged {
					if n := logs[0].count(fails) + logs[1].count(fails); n < 1 || n > 2 {
						t.Errorf("15 s after it began there are %d lines %q in two replicas, want one or two", n, fails)
					}
				}
				for range minutes {
					count(f.all[0].Hawkeye, "errors", 12)
					after(time.Minute)
				}
				refuse(false)
				after(time.Minute)
				for _, book := range logs {
					for fails, works := range troubles {
						n, ends := book.count(fails), book.count(works)
						if n > minutes+1 || ends != min(n, 1) {
							t.Errorf("%q was logged %d times and its end %d times, want at most %d, and one end if there is any", fails, n, ends, minutes+1)
						}
					}
					book.mu.Lock()
					if n := len(book.lines); n > 3*(minutes+1)+12 {
						t.Errorf("%d lines:\n%s", n, strings.Join(book.lines, "\n"))
					}
					book.mu.Unlock()
				}
			})
		})
	}
}

// A store that was never reached, or has been away for long, holds up no
// shutdown; one that went a moment ago is waited for.
func TestShutdownDuringAnOutage(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name          string
		reached, away time.Duration // before and after the store goes
		back          time.Duration // after Shutdown has begun; 0 is never
		most          time.Duration
		want          string // in the error; "" is none
	}{
		{"never reached", 0, 3 * time.Second, 0, 1500 * time.Millisecond, "the store was never reached: no route to the store"},
		{"away for minutes", time.Minute, 5 * time.Minute, 0, 1500 * time.Millisecond, "the store has been away since"},
		{"away for minutes, back at the last moment", time.Minute, 5 * time.Minute, 200 * time.Millisecond, 5 * time.Second, ""},
		{"away for seconds", time.Minute, 4 * time.Second, 0, 10 * time.Second, "deadline exceeded"},
		{"away for seconds, then back", time.Minute, 4 * time.Second, 5 * time.Second, 8 * time.Second, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t)
				way := &link{fleet: f}
				way.cut.Store(tt.reached == 0)
				h := newHandle(t, hawkeye.WithStore(way), hawkeye.WithService("test", ""), hawkeye.WithoutServer(),
					hawkeye.WithConfig("monitors.yaml", []byte(errorsFile)), hawkeye.WithMailer(f.box))
				if err := h.Start(t.Context()); err != nil {
					t.Fatal(err)
				}
				after(tt.reached)
				way.cut.Store(true)
				after(tt.away)
				if tt.back > 0 {
					time.AfterFunc(tt.back, func() { way.cut.Store(false) })
				}
				ctx, cancel := inTime(10 * time.Second)
				defer cancel()
				began := time.Now()
				err := h.Shutdown(ctx)
				if took := time.Since(began); took > tt.most || (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
					t.Errorf("Shutdown() = %v after %v, want %q within %v", err, took, tt.want, tt.most)
				}
			})
		})
	}
}

// TestNothingIsEvaluated: the Store takes samples, and for some reason nothing
// can be decided. That is as bad as a Store that is away, so each replica looks
// at what it counts itself, and Health says why.
func TestNothingIsEvaluated(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		refuse func(r *refusing)
		at     time.Duration // when it begins
		health string
	}{
		{"the ledger can't be opened", func(r *refusing) { r.restore.Store(true) }, 0, "the ledger couldn't be opened"},
		{"commits are refused", func(r *refusing) { r.commit.Store(true) }, 0, ""},
		{"commits are refused, later", func(r *refusing) { r.commit.Store(true) }, time.Minute, ""},
		{"samples can't be read", func(r *refusing) { r.read.Store(true) }, time.Minute, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t)
				var all []*refusing
				for range 2 {
					way := &refusing{link: &link{fleet: f}}
					if tt.at == 0 {
						tt.refuse(way)
					}
					f.start(errorsFile, hawkeye.WithStore(way))
					all = append(all, way)
				}
				after(tt.at)
				for _, way := range all {
					tt.refuse(way)
				}
				after(25 * tick)
				if got := f.all[0].Health(); got.OK || tt.health != "" && !strings.Contains(strings.Join(got.Problems, "\n"), tt.health) {
					t.Errorf("after 25 s Health() = %+v, want a problem %q", got, tt.health)
				}
				for range 4 {
					count(f.all[0].Hawkeye, "errors", 12)
					count(f.all[1].Hawkeye, "errors", 12)
					after(5 * tick)
				}
				told := []string{fired}
				if tt.at == 0 { // nobody knows of the other, so both tell, under one Message-ID
					told = append(told, fired)
				}
				want(t, "a breach while nothing is evaluated", f.box.lines(), told...)
				for _, way := range all {
					way.commit.Store(false)
					way.read.Store(false)
					way.restore.Store(false)
				}
				after(2 * time.Minute)
				want(t, "evaluation goes on, and the errors are over", f.box.lines(), ended, storeBack)
			})
		})
	}
}

// TestPausedProcessSeesNoStandstill: what happened while it was suspended it
// hasn't looked at yet.
func TestPausedProcessSeesNoStandstill(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		f.startN(2, errorsFile)
		after(time.Minute)
		f.all[0].link.cut.Store(true)
		after(25 * tick) // away, but not for long enough
		f.all[0].link.cut.Store(false)
		after(time.Minute)
		want(t, "nothing happened", f.box.lines())
	})
}
