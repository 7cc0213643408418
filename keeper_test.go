package hawkeye_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-batteries/hawkeye"
	"github.com/go-batteries/hawkeye/store"
	"github.com/go-batteries/hawkeye/store/memstore"
)

// slowDisk is a Store of this process alone whose Sync does what a test says.
type slowDisk struct {
	*memstore.Store
	mu     sync.Mutex // guards what follows
	sync   func(ctx context.Context) error
	calls  int
	synced time.Time // when the last one ended
	steps  []string
}

func (s *slowDisk) Sync(ctx context.Context) error {
	s.mu.Lock()
	s.calls++
	do := s.sync
	s.mu.Unlock()
	s.step("sync")
	var err error
	if do != nil {
		err = do(ctx)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.synced = time.Now()
	return err
}

// Open and Close are [store.Opener]'s, and Problem [store.Reporter]'s.
func (s *slowDisk) Open(context.Context) error { s.step("open"); return nil }
func (s *slowDisk) Close() error               { s.step("close"); return nil }
func (s *slowDisk) Problem() error             { return nil }

func (s *slowDisk) step(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.steps = append(s.steps, name)
}

func (s *slowDisk) setSync(do func(context.Context) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sync = do
}

func (s *slowDisk) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

// takes is a disk that takes so long.
func takes(d time.Duration) func(context.Context) error {
	return func(context.Context) error { time.Sleep(d); return nil }
}

const keptFile = `version: 2
receivers:
  ops: {email: {to: [ops@example.com]}, group: {by: [monitor, n], interval: 1s}}
monitors:
  - name: errors
    metric: errors
    by: [n]
    window: 10s
    triggers:
      - {level: critical, threshold: 10, notify: [ops], repeat: never}
`

func startKept(t *testing.T, box hawkeye.MailingService) (*hawkeye.Hawkeye, *slowDisk) {
	t.Helper()
	s := &slowDisk{Store: newMemory(t)}
	h := start(t, keptFile, box, hawkeye.WithStore(s))
	after(2 * time.Second)
	return h, s
}

func breach(h *hawkeye.Hawkeye, n string) { h.Count("errors", 20, hawkeye.T("n", n)) }

// firing returns the key of the alert that fires.
func firing(t *testing.T, h *hawkeye.Hawkeye) string {
	t.Helper()
	for _, a := range h.Alerts() {
		if a.State == "firing" {
			return a.Key
		}
	}
	t.Fatal("no alert fires")
	return ""
}

// problemsOf returns the problems of a kind that Health finds.
func problemsOf(h *hawkeye.Hawkeye, code hawkeye.ProblemCode) (found []hawkeye.Problem) {
	for _, p := range h.Health().Details {
		if p.Code == code {
			found = append(found, p)
		}
	}
	return found
}

func problemsWith(h *hawkeye.Hawkeye, text string) (found []string) {
	for _, p := range h.Health().Problems {
		if strings.Contains(p, text) {
			found = append(found, p)
		}
	}
	return found
}

// Nothing is sent before its claim is written down.
func TestMailWaitsForTheDisk(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s *slowDisk
		box := &mailbox{}
		early := 0
		box.hang = func(hawkeye.MailerConfig) {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.synced.IsZero() || time.Since(s.synced) > 100*time.Millisecond {
				early++
			}
		}
		h, disk := startKept(t, box)
		s = disk
		defer stop(t, h)
		s.setSync(takes(time.Second))
		breach(h, "1")
		began := time.Now()
		for box.count() == 0 && time.Since(began) < 10*time.Second {
			after(10 * time.Millisecond)
		}
		if took := time.Since(began); took < time.Second || took > 3*time.Second || early > 0 {
			t.Errorf("with a disk that takes a second the mail left after %v, %d before it was written down", took, early)
		}
		if n, health := h.Stats().Unsaved, h.Health(); n != 0 || !health.OK {
			t.Errorf("Stats().Unsaved = %d, Health() = %+v, want none and no problem", n, health)
		}
	})
}

// A disk that hangs keeps a message waiting for two seconds, the ones after it
// not at all, and Health and Stats say so.
func TestDiskThatHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		box := &mailbox{}
		h, s := startKept(t, box)
		defer stop(t, h)
		answers := make(chan struct{})
		s.setSync(func(context.Context) error { <-answers; return nil }) // nor does it look at its ctx
		told := func(n string, least, most time.Duration) {
			t.Helper()
			before, began := box.count(), time.Now()
			breach(h, n)
			for box.count() == before && time.Since(began) < 20*time.Second {
				after(10 * time.Millisecond)
			}
			if took := time.Since(began); took < least || took > most {
				t.Errorf("the mail left after %v, want between %v and %v", took, least, most)
			}
		}
		told("1", 2*time.Second, 3*time.Second)
		told("2", 0, time.Second)
		told("3", 0, time.Second)
		if n := h.Stats().Unsaved; n != 3 {
			t.Errorf("Stats().Unsaved = %d, want 3", n)
		}
		if len(problemsOf(h, "state_file_unwritable")) != 1 || len(problemsOf(h, "sent_unsaved")) != 1 {
			t.Errorf("Health() = %+v, want word of the disk and of what went out", h.Health())
		}
		began := time.Now()
		if _, err := h.Silence(t.Context(), silenceFor(time.Hour, `n="9"`)); err != nil || time.Since(began) > time.Second {
			t.Errorf("Silence() = %v after %v, want nil soon", err, time.Since(began))
		}
		close(answers)
		after(time.Second)
		if got := problemsWith(h, "isn't written down"); len(got) > 0 {
			t.Errorf("Health() when the disk answers has %q", got)
		}
		after(11 * time.Minute)
		if got := problemsWith(h, "went out before"); len(got) > 0 {
			t.Errorf("Health() ten minutes later has %q", got)
		}
	})
}

// A disk that fails, or a Store that panics, holds up nobody.
func TestDiskThatFails(t *testing.T) {
	t.Parallel()
	for name, fails := range map[string]func(context.Context) error{
		"error": func(context.Context) error { return errors.New("no space left on device") },
		"panic": func(context.Context) error { panic("no space left on device") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				box := &mailbox{}
				h, s := startKept(t, box)
				defer stop(t, h)
				s.setSync(fails)
				breach(h, "1")
				after(time.Second)
				if box.count() != 1 || h.Stats().Unsaved != 1 {
					t.Errorf("%d mails, %d of them unsaved, want one", box.count(), h.Stats().Unsaved)
				}
				if got := problemsWith(h, "no space left"); len(got) != 2 {
					t.Errorf("Health() = %+v, want word of the disk, twice", h.Health())
				}
				if err := h.Ack(t.Context(), firing(t, h), hawkeye.AckOptions{Author: "ann"}); err != nil || h.Stats().Unsaved != 2 {
					t.Errorf("Ack() = %v, %d unsaved, want nil and two", err, h.Stats().Unsaved)
				}
				s.setSync(nil)
				after(3 * time.Second)
				if got := problemsWith(h, "isn't written down"); len(got) > 0 {
					t.Errorf("Health() when the disk works again has %q", got)
				}
				breach(h, "2")
				after(time.Second)
				if h.Stats().Unsaved != 2 {
					t.Errorf("then %q, %d unsaved, want no more of them", box.lines(), h.Stats().Unsaved)
				}
			})
		})
	}
}

// A silence or an ack is answered when it is written down; a caller whose ctx
// ends before is told that it isn't.
func TestAnswersWaitForTheDisk(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		box := &mailbox{}
		h, s := startKept(t, box)
		defer stop(t, h)
		breach(h, "1")
		after(time.Second)
		s.setSync(takes(700 * time.Millisecond))
		for what, do := range map[string]func(ctx context.Context) error{
			"Silence": func(ctx context.Context) error {
				_, err := h.Silence(ctx, silenceFor(time.Hour, `n="9"`))
				return err
			},
			"Ack": func(ctx context.Context) error { return h.Ack(ctx, firing(t, h), hawkeye.AckOptions{Author: "ann"}) },
		} {
			breach(h, "1")
			after(4 * time.Second)
			began := time.Now()
			if err := do(t.Context()); err != nil || time.Since(began) < 700*time.Millisecond || time.Since(began) > 2*time.Second {
				t.Errorf("%s() on a disk that takes 700 ms = %v after %v", what, err, time.Since(began))
			}
			breach(h, "1")
			after(4 * time.Second)
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			if err := do(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s() with 100 ms = %v, want that they are over", what, err)
			}
			cancel()
			after(5 * time.Second)
		}
		if n := h.Stats().Unsaved; n != 0 {
			t.Errorf("Stats().Unsaved = %d, want none", n)
		}
	})
}

// Ticks that decide nothing don't cost the disk anything.
func TestQuietTicksDoNotSync(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		box := &mailbox{}
		h, s := startKept(t, box)
		defer stop(t, h)
		breach(h, "1")
		h.Count("errors", 1, hawkeye.T("n", "2"))
		after(time.Minute) // one has fired and ended, the other is known
		before := s.count()
		for range 200 {
			h.Count("errors", 1, hawkeye.T("n", "2"))
			after(3 * time.Second)
		}
		if n := s.count() - before; n > 2 { // what is old is removed now and then
			t.Errorf("in ten minutes without a decision Sync was called %d times", n)
		}
	})
}

// The Store is opened before anything else, and closed after everything.
func TestStoreIsOpenedAndClosed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, s := startKept(t, &mailbox{})
		stop(t, h)
		if n := len(s.steps); s.steps[0] != "open" || s.steps[n-1] != "close" || s.steps[n-2] != "sync" {
			t.Errorf("the Store was asked to %q, want it opened first, and synced and closed at last", s.steps)
		}
	})
}

// inUse is a Store that can't be opened.
type inUse struct{ slowDisk }

func (s *inUse) Open(ctx context.Context) error {
	<-ctx.Done()
	return memstore.ErrInUse
}

func TestStartWithAStoreInUse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &inUse{slowDisk{Store: newMemory(t)}}
		h, err := hawkeye.New(hawkeye.WithoutSocket(), hawkeye.WithStore(s), hawkeye.WithLogger(quiet()), hawkeye.WithStartTimeout(3*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		err = h.Start(t.Context())
		if !errors.Is(err, memstore.ErrInUse) || !errors.Is(err, hawkeye.ErrStoreUnavailable) || time.Since(began) != 3*time.Second {
			t.Errorf("Start() = %v after %v, want ErrInUse and ErrStoreUnavailable after the start timeout", err, time.Since(began))
		}
	})
}

// A state file that can't be written is a problem of Health for as long as it
// lasts, whether anything is decided or not.
func TestHealthKnowsOfTheStateFile(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "state")
	mkdir := func() {
		t.Helper()
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	mkdir()
	synctest.Test(t, func(t *testing.T) {
		s := newMemory(t, memstore.WithStateFile(filepath.Join(dir, "hawkeye.state")), memstore.WithLogger(quiet()))
		h := start(t, keptFile, &mailbox{}, hawkeye.WithStore(s))
		defer stop(t, h)
		after(5 * time.Second)
		if got := h.Health(); !got.OK {
			t.Errorf("Health() = %+v, want no problem", got)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		after(memstore.DefaultStateInterval)
		for range 3 {
			after(time.Minute)
			if got := problemsWith(h, "hawkeye.state"); len(got) != 1 {
				t.Errorf("Health() without the folder = %+v, want word of the file", h.Health())
			}
		}
		mkdir()
		after(2 * memstore.DefaultStateInterval)
		if got := h.Health(); !got.OK {
			t.Errorf("Health() when it can be written again = %+v, want no problem", got)
		}
	})
}

var _ interface {
	store.Opener
	store.Reporter
	store.Syncer
} = (*memstore.Store)(nil)
