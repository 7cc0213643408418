package guard

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-batteries/hawkeye/store"
)

// TestWithin: what ignores its deadline is waited for for a while, and then
// left behind, as long as not too many are.
func TestWithin(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		takes time.Duration
		left  int // so many were left behind before
		want  error
		after time.Duration
	}{
		{"in time", time.Second, 0, nil, time.Second},
		{"at its deadline", 5 * time.Second, 0, nil, 5 * time.Second},
		{"in spite of its deadline", 14 * time.Second, 0, nil, 14 * time.Second},
		{"left behind", time.Minute, 0, ErrLeft, 15 * time.Second},
		{"the last one that is left behind", time.Minute, 1, ErrLeft, 15 * time.Second},
		{"too many are left behind", time.Minute, 2, nil, time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := &Leaver{Most: 2, Grace: 10 * time.Second}
				l.left.Store(int32(c.left))
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				began := time.Now()
				v, err := Within(ctx, l, func() (int, error) { time.Sleep(c.takes); return 7, nil })
				if took := time.Since(began); !errors.Is(err, c.want) || took != c.after || (v == 7) != (c.want == nil) {
					t.Errorf("Within() = %d, %v after %v; want %v after %v", v, err, took, c.want, c.after)
				}
				left := c.left
				if c.want != nil {
					left++
				}
				if got := l.Left(); got != left {
					t.Errorf("%d are left behind, want %d", got, left)
				}
				time.Sleep(time.Hour)
				if got := l.Left(); got != c.left {
					t.Errorf("%d are left behind when all came back, want %d", got, c.left)
				}
			})
		})
	}
}

// hanging is a Store whose calls hang while they are told to.
type hanging struct {
	store.Store
	traits store.Traits
	takes  atomic.Int64
}

func (s *hanging) Traits() store.Traits { return s.traits }
func (s *hanging) Now(context.Context) (time.Time, error) {
	time.Sleep(time.Duration(s.takes.Load()))
	return time.Now(), nil
}
func (s *hanging) Problem() error {
	time.Sleep(time.Duration(s.takes.Load()))
	return errors.New("something")
}

// TestStoreThatHangs: a call is let go of, and the ones after it are made.
func TestStoreThatHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		below := &hanging{traits: fine}
		s, err := NewStore(below)
		if err != nil {
			t.Fatal(err)
		}
		now := func() error {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			_, err := s.Now(ctx)
			return err
		}
		below.takes.Store(int64(time.Hour))
		if err := now(); !errors.Is(err, ErrLeft) || s.Left() != 1 {
			t.Errorf("Now() = %v, %d left behind; want %v, 1", err, s.Left(), ErrLeft)
		}
		began := time.Now()
		for range 3 { // as often as Health is asked
			if err := s.Problem(); err != nil && !errors.Is(err, ErrLeft) {
				t.Errorf("Problem() = %v", err)
			}
		}
		if took := time.Since(began); took > time.Second || s.says.Left() != 1 {
			t.Errorf("Problem() took %v, %d left behind; want a second, 1", took, s.says.Left())
		}
		below.takes.Store(0)
		if err := now(); err != nil {
			t.Errorf("Now() = %v, want no error any more", err)
		}
		time.Sleep(2 * time.Hour)
		if err := s.Problem(); s.Left() != 0 || err == nil || err.Error() != "something" {
			t.Errorf("%d left behind, Problem() = %v; want none, and what the Store says", s.Left(), err)
		}
	})
}

// TestLoggerThatHangs: a handler that hangs holds nobody up for more than a
// few seconds in all, and gets records again when it doesn't any more.
func TestLoggerThatHangs(t *testing.T) {
	t.Parallel()
	for name, all := range map[string]bool{"Handle": false, "everything": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				release := make(chan struct{})
				var got atomic.Int32
				h := &gate{release: release, all: all, got: &got}
				l := Logger(slog.New(h))
				l.Info("before")
				h.shut.Store(true)
				began := time.Now()
				for range 100 {
					l.With("a", 1).Info("while it hangs")
				}
				if took := time.Since(began); took > 2*maxRecordsLeft*logGrace {
					t.Errorf("100 records took %v", took)
				}
				if hangs, lost := LogHangs(l); !hangs || lost != 100 {
					t.Errorf("LogHangs() = %v, %d; want that it hangs, and 100", hangs, lost)
				}
				h.shut.Store(false)
				close(release)
				time.Sleep(time.Second)
				before := got.Load()
				l.Info("after")
				if hangs, _ := LogHangs(l); hangs || got.Load() != before+1 {
					t.Errorf("hangs: %v, %d records since it doesn't; want 1", hangs, got.Load()-before)
				}
			})
		})
	}
}

// gate is a handler that hangs while it is shut.
type gate struct {
	shut    atomic.Bool
	all     bool
	release chan struct{}
	got     *atomic.Int32
}

func (g *gate) wait() {
	if g.shut.Load() {
		<-g.release
	}
}

func (g *gate) Enabled(context.Context, slog.Level) bool {
	if g.all {
		g.wait()
	}
	return true
}

func (g *gate) Handle(context.Context, slog.Record) error {
	g.wait()
	g.got.Add(1)
	return nil
}

func (g *gate) WithAttrs([]slog.Attr) slog.Handler {
	if g.all {
		g.wait()
	}
	return g
}

func (g *gate) WithGroup(string) slog.Handler { return g }
