//go:build unix

package hawkeye_test

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-batteries/hawkeye"
)

// pausedEnv makes a child of TestProcessThatIsPaused.
const pausedEnv = "HAWKEYE_TEST_PAUSED"

// TestProcessThatIsPaused is the child: it gives a sign of life several times a
// second, of which one is expected every two, and writes down its mails.
func TestProcessThatIsPaused(t *testing.T) {
	if os.Getenv(pausedEnv) == "" {
		return // run as a test of its own it has nothing to do
	}
	ctx, cancel := signal.NotifyContext(t.Context(), syscall.SIGTERM)
	defer cancel()
	h, err := hawkeye.New(hawkeye.WithConfig("monitors.yaml", []byte(`version: 2
receivers: {team: {email: {to: [team@example.com]}}}
heartbeats: [{name: beat, metric: beats, expect_every: 2s, grace: 500ms, notify: [team]}]
monitors:
  - {name: slow, metric: took, type: histogram, aggregate: max, window: 1s, idle_for: 8s, notify: [team], triggers: [{threshold: 1}]}
`)), hawkeye.WithoutSocket(), hawkeye.WithLogger(quiet()), hawkeye.WithMailer(hawkeye.MailerFunc(func(_ context.Context, cfg hawkeye.MailerConfig) error {
		fmt.Println("mail", cfg.Subject)
		return nil
	})))
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Start(ctx); err != nil {
		t.Fatal(err)
	}
	h.Observe("took", 2)
	fmt.Println("started")
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	for n := 0; ctx.Err() == nil; n++ {
		h.Incr("beats")
		if n == 10 {
			fmt.Println("beats")
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
		}
	}
	stop, cancel := inTime(3 * time.Second)
	defer cancel()
	if err := h.Shutdown(stop); err != nil {
		t.Error(err)
	}
}

// While a process is stopped nobody can count what happens: it is told neither
// that a sign of life is missing nor that there was no traffic for long.
func TestPausedProcessTellsNothing(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes the time that the process is stopped for")
	}
	p := startChild(t, "TestProcessThatIsPaused", pausedEnv+"=1")
	if mail := p.await(t, "mail "); !strings.Contains(mail, "slow") {
		t.Fatalf("%q, want that it was slow", mail)
	}
	p.await(t, "beats")
	for _, pause := range []time.Duration{6 * time.Second, 12 * time.Second} {
		for _, sig := range []syscall.Signal{syscall.SIGSTOP, syscall.SIGCONT} {
			if err := p.cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			if sig == syscall.SIGSTOP {
				<-time.After(pause)
			}
		}
		p.quiet(t, 1500*time.Millisecond)
	}
	p.end(t, syscall.SIGTERM)
}

// quiet waits, and reports mails.
func (p *process) quiet(t *testing.T, d time.Duration) {
	t.Helper()
	over := time.After(d)
	for {
		select {
		case line, ok := <-p.lines:
			if !ok {
				t.Fatal("the process ended")
			}
			if strings.HasPrefix(line, "mail ") {
				t.Errorf("%q, want none", line)
			}
		case <-over:
			return
		}
	}
}
