package hawkeye_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-batteries/hawkeye"
	"github.com/go-batteries/hawkeye/store"
)

// silent is a Store whose client doesn't say for a long time why it has no
// answer.
type silent struct {
	store.Store
	reach error
}

func (s *silent) Now(ctx context.Context) (time.Time, error) {
	<-ctx.Done()
	return time.Time{}, ctx.Err()
}

func (s *silent) Publish(ctx context.Context, _ store.Publication) (store.PublishReply, error) {
	<-ctx.Done()
	return store.PublishReply{}, ctx.Err()
}

func (s *silent) Reach(context.Context) error { return s.reach }

// TestStartNamesTheReason: in its error, and in the log where it goes on.
func TestStartNamesTheReason(t *testing.T) {
	t.Parallel()
	refused := errors.New("connection refused")
	for _, c := range []struct {
		name    string
		reach   error
		timeout time.Duration
		want    error
	}{
		{"before the first attempt ends", refused, 2 * time.Second, refused},
		{"after attempts that ran out of time", refused, 20 * time.Second, refused},
		{"a server that is mute", nil, 2 * time.Second, context.DeadlineExceeded},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var log syncBuffer
				options := []hawkeye.Option{
					hawkeye.WithStore(&silent{Store: newMemory(t), reach: c.reach}), hawkeye.WithoutSocket(),
					hawkeye.WithStartTimeout(c.timeout), hawkeye.WithShutdownTimeout(time.Second),
				}
				began := time.Now()
				strict, err := hawkeye.New(append(options, hawkeye.WithRequireStore(), hawkeye.WithLogger(quiet()))...)
				if err != nil {
					t.Fatal(err)
				}
				if err := strict.Start(t.Context()); !errors.Is(err, hawkeye.ErrStoreUnavailable) || !errors.Is(err, c.want) {
					t.Errorf("Start() = %v, want %v because of %v", err, hawkeye.ErrStoreUnavailable, c.want)
				}
				if took := time.Since(began); took > c.timeout+time.Second {
					t.Errorf("Start() took %v, want %v", took, c.timeout)
				}
				h, err := hawkeye.New(append(options, hawkeye.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))...)
				if err != nil {
					t.Fatal(err)
				}
				if err := h.Start(t.Context()); err != nil {
					t.Errorf("Start() = %v", err)
				}
				_ = h.Shutdown(t.Context()) // the last tick can't be published
				if want := c.want.Error(); !strings.Contains(log.String(), "going on without it for now\" component=hawkeye store=memory error=\""+want) {
					t.Errorf("the log doesn't say %q:\n%s", want, log.String())
				}
			})
		})
	}
}

// TestStartWhoseContextHasEnded goes on, and accuses no store of anything.
func TestStartWhoseContextHasEnded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		over, cancel := context.WithCancel(t.Context())
		cancel()
		var log syncBuffer
		h, err := hawkeye.New(hawkeye.WithoutSocket(), hawkeye.WithConfig("m.yaml", []byte(twoSLAs)), hawkeye.WithMailer(&mailbox{}),
			hawkeye.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
		if err != nil {
			t.Fatal(err)
		}
		if err := h.Start(over); err != nil {
			t.Errorf("Start() = %v, want nil", err)
		}
		stop(t, h)
		if strings.Contains(log.String(), "WARN") || !strings.Contains(log.String(), "not waiting for the store") {
			t.Errorf("the log warns, or doesn't say that the context has ended:\n%s", log.String())
		}
		strict, err := hawkeye.New(hawkeye.WithoutSocket(), hawkeye.WithStore(&silent{Store: newMemory(t)}), hawkeye.WithRequireStore(),
			hawkeye.WithLogger(quiet()))
		if err != nil {
			t.Fatal(err)
		}
		if err := strict.Start(over); !errors.Is(err, hawkeye.ErrStoreUnavailable) || !errors.Is(err, context.Canceled) {
			t.Errorf("Start() that requires the store = %v, want %v and %v", err, hawkeye.ErrStoreUnavailable, context.Canceled)
		}
	})
}
