package hawkeye_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/go-batteries/hawkeye"
	"github.com/go-batteries/hawkeye/store"
	"github.com/go-batteries/hawkeye/store/memstore"
)

// mailbox is a MailingService that keeps what it is given. fail, if set,
// decides what Send returns for the n-th mail, from 1.
type mailbox struct {
	fail func(n int, cfg hawkeye.MailerConfig) error
	hang func(cfg hawkeye.MailerConfig)

	mu    sync.Mutex
	block chan struct{} // if set, Send waits for it to be closed
	tries int

	delivered map[string]int // by Message-ID
	mails     []hawkeye.MailerConfig
	at        []time.Time
}

func (b *mailbox) Send(_ context.Context, cfg hawkeye.MailerConfig) error {
	b.mu.Lock()
	block := b.block
	b.mu.Unlock()
	if block != nil {
		<-block
	}
	if b.hang != nil {
		b.hang(cfg)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tries++
	if b.fail != nil {
		if err := b.fail(b.tries, cfg); err != nil {
			return err
		}
	}
	if b.delivered == nil {
		b.delivered = make(map[string]int)
	}
	b.delivered[cfg.MessageID]++
	b.mails = append(b.mails, cfg)
	b.at = append(b.at, time.Now())
	return nil
}

// release lets every Send that waits go on.
func (b *mailbox) release() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.block != nil {
		close(b.block)
		b.block = nil
	}
}

// lines returns "recipients: subject" of each mail, and forgets them.
func (b *mailbox) lines() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var lines []string
	for _, m := range b.mails {
		lines = append(lines, strings.Join(m.Recipients, ",")+": "+m.Subject)
	}
	b.mails, b.at = nil, nil
	slices.Sort(lines)
	return lines
}

func (b *mailbox) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.mails)
}

// twoSLAs is the version-1 file of the documentation.
const twoSLAs = `version: 1
monitors:
  - metric: http.response.400
    type: c
    interval: 20
    notifier: email
    subject: 4xx errors exceeded
    triggers:
      - {threshold: 3, run_every: 5, text: "first degree. {{ .count }}", to: [oncall@example.com]}
      - {threshold: 20, run_every: 10, subject: many 4xx errors, text: "second degree. {{ .count }}", to: [lead@example.com]}
`

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func writeConfig(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "monitors.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func newMemory(t *testing.T, opts ...memstore.Option) *memstore.Store {
	t.Helper()
	s, err := memstore.New(opts...)
	if err != nil {
		t.Fatalf("memstore.New() = %v", err)
	}
	return s
}

// start runs a handle without a socket on the configuration.
func start(t *testing.T, config string, box hawkeye.MailingService, opts ...hawkeye.Option) *hawkeye.Hawkeye {
	t.Helper()
	opts = append([]hawkeye.Option{
		hawkeye.WithService("shop", "test"), hawkeye.WithConfigFile(writeConfig(t, config)),
		hawkeye.WithMailer(box), hawkeye.WithLogger(quiet()), hawkeye.WithoutSocket(),
	}, opts...)
	h, err := hawkeye.New(opts...)
	if err != nil {
		t.Fatalf("New() = %v", err)
	}
	if err := h.Start(t.Context()); err != nil {
		t.Fatalf("Start() = %v", err)
	}
	return h
}

func stop(t *testing.T, h *hawkeye.Hawkeye) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := h.Shutdown(ctx); err != nil {
		t.Errorf("Shutdown() = %v, want nil", err)
	}
	if got := h.Stats().Restarts; len(got) > 0 {
		t.Errorf("components that failed = %v, want none", got)
	}
}

// after lets time pass in a bubble, and everything that is due happen.
func after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func count(h *hawkeye.Hawkeye, metric string, n int) {
	for range n {
		h.Incr(metric)
	}
}

func want(t *testing.T, when string, got []string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("mails %s (-want +got):\n%s", when, diff)
	}
}

const (
	firstDegree  = "oncall@example.com: 4xx errors exceeded"
	secondDegree = "lead@example.com: many 4xx errors"
)

func TestBreachIsToldWithinASecond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		box := &mailbox{}
		h := start(t, twoSLAs, box)
		defer stop(t, h)
		after(3 * time.Second)
		count(h, "http.response.400", 2)
		after(time.Second)
		want(t, "below the threshold", box.lines())
		count(h, "http.response.400", 1)
		after(500 * time.Millisecond)
		want(t, "half a second after the breach", box.lines(), firstDegree)
	})
}

// The triggers of a version-1 monitor are told independently.
func TestOneBurstOverBothTriggers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		box := &mailbox{}
		h := start(t, twoSLAs, box)
		defer stop(t, h)
		count(h, "http.response.400", 25)
		after(time.Second)
		want(t, "of a burst of 25", box.lines(), secondDegree, firstDegree)
	})
}

func TestThreeBurstsOfTheExample(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		box := &mailbox{}
		h := start(t, twoSLAs, box)
		defer stop(t, h)
		count(h, "http.response.400", 10)
		after(time.Second)
		want(t, "of the first 10", box.lines(), firstDegree)
		count(h, "http.response.400", 5)
		after(time.Second)
		want(t, "of 5 more", box.lines())
		count(h, "http.response.400", 10)
		after(time.Second)
		want(t, "of 10 more", box.lines(), secondDegree)
	})
}

// The window slides: a burst that lies across any boundary is seen.
func TestBurstAcrossEveryBoundary(t *testing.T) {
	t.Parallel()
	for offset := time.Duration(0); offset < 21*time.Second; offset += 700 * time.Millisecond {
		t.Run(offset.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				box := &mailbox{}
				h := start(t, twoSLAs, box)
				defer stop(t, h)
				after(offset)
				count(h, "http.response.400", 2)
				after(19 * time.Second)
				want(t, "of a half of the burst", box.lines())
				count(h, "http.response.400", 1)
				after(500 * time.Millisecond)
				want(t, "of both halves", box.lines(), firstDegree)
			})
		})
	}
}

func TestRunEvery(t *testing.T) {
	t.Parallel()
	t.Run("repeats while it lasts", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			box := &mailbox{}
			h := start(t, twoSLAs, box)
			defer stop(t, h)
			for range 66 * 4 { // breached for 22 minutes
				count(h, "http.response.400", 1)
				after(5 * time.Second)
			}
			want(t, "in 22 minutes", box.lines(), firstDegree, firstDegree, firstDegree, firstDegree, firstDegree)
		})
	})
	t.Run("tells of what came and went in between", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			box := &mailbox{}
			h := start(t, twoSLAs, box)
			defer stop(t, h)
			count(h, "http.response.400", 5)
			after(time.Minute)
			want(t, "at the first breach", box.lines(), firstDegree)
			for range 2 {
				count(h, "http.response.400", 5)
				after(time.Minute)
			}
			want(t, "of two more within run_every", box.lines())
			after(2*time.Minute + time.Second)
			box.mu.Lock()
			if len(box.mails) != 1 || !strings.Contains(box.mails[0].Body, "2 breaches") || !strings.Contains(box.mails[0].Body, "over by now") {
				t.Errorf("mails at the end of run_every = %+v, want one that tells of 2 breaches that are over", box.mails)
			}
			box.mu.Unlock()
			box.lines()
			after(10 * time.Minute)
			want(t, "when nothing more happens", box.lines())
		})
	})
}

func TestVersion1Body(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		box := &mailbox{}
		h := start(t, twoSLAs, box)
		defer stop(t, h)
		count(h, "http.response.400", 4)
		after(time.Second)
		if box.count() != 1 {
			t.Fatalf("%d mails, want 1", box.count())
		}
		m := box.mails[0]
		if got, want := m.Body, "shop\nSLA breached in test\n\nfirst degree. 4\n"; got != want {
			t.Errorf("body = %q, want %q", got, want)
		}
		if m.MessageID == "" || strings.ContainsAny(m.MessageID, " \r\n") {
			t.Errorf("Message-ID = %q, want one without white space", m.MessageID)
		}
	})
}

func TestFailedSendsAreTriedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		box := &mailbox{fail: func(n int, _ hawkeye.MailerConfig) error {
			if n <= 5 {
				return errors.New("421 try again later")
			}
			return nil
		}}
		h := start(t, twoSLAs, box)
		defer stop(t, h)
		count(h, "http.response.400", 4)
		after(time.Minute)
		want(t, "after five failures", box.lines(), firstDegree)
		if box.tries != 6 {
			t.Errorf("%d attempts, want 6", box.tries)
		}
	})
}

func TestPermanentFailureIsADeadLetter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		box := &mailbox{fail: func(int, hawkeye.MailerConfig) error {
			return hawkeye.Permanent(errors.New("550 no such user"))
		}}
		h := start(t, twoSLAs, box)
		defer stop(t, h)
		count(h, "http.response.400", 4)
		after(time.Minute)
		if box.tries != 1 {
			t.Errorf("%d attempts, want 1: it is permanent", box.tries)
		}
		if got := h.Stats().DeadLetters; got != 1 {
			t.Errorf("DeadLetters = %d, want 1", got)
		}
		if hh := h.Health(); hh.OK || !slices.ContainsFunc(hh.Problems, func(p string) bool { return strings.Contains(p, "could not be delivered") }) {
			t.Errorf("Health() = %+v, want the message that couldn't be delivered", hh)
		}
	})
}

func TestPanickingMailerHurtsNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		box := &mailbox{fail: func(_ int, cfg hawkeye.MailerConfig) error {
			if cfg.Recipients[0] == "oncall@example.com" && time.Since(began) < 5*time.Second {
				panic("nil map")
			}
			return nil
		}}
		h := start(t, twoSLAs, box)
		defer stop(t, h)
		count(h, "http.response.400", 25)
		after(time.Second)
		want(t, "to the other list", box.lines(), secondDegree)
		after(time.Minute)
		want(t, "when it no longer panics", box.lines(), firstDegree)
	})
}

// hanging never returns for one list, and ignores its ctx.
type hanging struct {
	mailbox
	until chan struct{}
}

func (m *hanging) Send(ctx context.Context, cfg hawkeye.MailerConfig) error {
	if cfg.Recipients[0] == "oncall@example.com" {
		<-m.until
	}
	return m.mailbox.Send(ctx, cfg)
}

func TestHangingMailerDelaysNobodyElse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		box := &hanging{until: make(chan struct{})}
		h := start(t, twoSLAs, box, hawkeye.WithSendTimeout(2*time.Second))
		defer stop(t, h)
		defer close(box.until)
		count(h, "http.response.400", 25)
		after(time.Second)
		want(t, "to the other list", box.lines(), secondDegree)
		after(time.Minute)
		if hh := h.Health(); !slices.ContainsFunc(hh.Problems, func(p string) bool { return strings.Contains(p, "ignores its deadline") }) {
			t.Errorf("Health() = %+v, want word of the receiver that ignores its deadline", hh)
		}
	})
}

// A restart neither forgets, nor repeats, nor ends what goes on.
func TestRestartWithAStateFile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		box := &mailbox{}
		path := filepath.Join(t.TempDir(), "state")
		h := start(t, twoSLAs, box, hawkeye.WithStore(newMemory(t, memstore.WithStateFile(path))))
		count(h, "http.response.400", 4)
		after(time.Second)
		want(t, "at the breach", box.lines(), firstDegree)
		stop(t, h)
		after(2 * time.Second)

		h = start(t, twoSLAs, box, hawkeye.WithStore(newMemory(t, memstore.WithStateFile(path))))
		defer stop(t, h)
		after(10 * time.Second)
		want(t, "after the restart", box.lines())
		states := map[string]string{}
		for _, a := range h.Alerts() {
			states[a.Key] = a.State
		}
		if diff := cmp.Diff(map[string]string{
			"http.response.400/counter/20/3/0": "firing", "http.response.400/counter/20/20/0": "inactive",
		}, states); diff != "" {
			t.Errorf("states after the restart (-want +got):\n%s", diff)
		}
		count(h, "http.response.400", 4)
		after(time.Second)
		want(t, "of more samples in the same breach", box.lines())
	})
}

func TestShutdownTellsWhatWasCountedLast(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		box := &mailbox{}
		h := start(t, twoSLAs, box)
		after(time.Second)
		count(h, "http.response.400", 4)
		stop(t, h)
		want(t, "of a shutdown right after the breach", box.lines(), firstDegree)
		count(h, "http.response.400", 7)
		if got := h.Stats().AfterShutdown; got != 7 {
			t.Errorf("AfterShutdown = %d, want 7", got)
		}
	})
}

// A store that is away when the host starts, and comes later.
type absent struct {
	store.Store
	mu   sync.Mutex
	away bool
}

func (a *absent) Publish(ctx context.Context, p store.Publication) (store.PublishReply, error) {
	a.mu.Lock()
	away := a.away
	a.mu.Unlock()
	if away {
		return store.PublishReply{}, errors.New("connection refused")
	}
	return a.Store.Publish(ctx, p)
}

func TestStartWithoutTheStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		box := &mailbox{}
		s := &absent{Store: newMemory(t), away: true}
		began := time.Now()
		h := start(t, twoSLAs, box, hawkeye.WithStore(s))
		defer stop(t, h)
		if got := time.Since(began); got > hawkeye.DefaultStartTimeout {
			t.Errorf("Start took %v, want at most %v", got, hawkeye.DefaultStartTimeout)
		}
		count(h, "http.response.400", 4)
		after(5 * time.Second)
		want(t, "while the store is away", box.lines())
		s.mu.Lock()
		s.away = false
		s.mu.Unlock()
		after(10 * time.Second)
		want(t, "once it is there", box.lines(), firstDegree)
	})
}

func TestRequireStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &absent{Store: newMemory(t), away: true}
		h, err := hawkeye.New(hawkeye.WithStore(s), hawkeye.WithRequireStore(), hawkeye.WithLogger(quiet()), hawkeye.WithoutSocket())
		if err != nil {
			t.Fatal(err)
		}
		if err := h.Start(t.Context()); !errors.Is(err, hawkeye.ErrStoreUnavailable) {
			t.Errorf("Start() = %v, want %v", err, hawkeye.ErrStoreUnavailable)
		}
	})
}

func TestQueryReadsOwnWrites(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := start(t, twoSLAs, &mailbox{})
		defer stop(t, h)
		for i := range 1000 {
			h.Count("orders", 2, hawkeye.T("region", fmt.Sprint(i%3)))
			h.Observe("size", float64(i))
		}
		h.SetGauge("workers", 17)
		tests := []struct {
			metric   string
			matchers []string
			value    float64
			kind     string
		}{
			{"orders", nil, 2000, "counter"},
			{"orders", []string{`region="0"`}, 668, "counter"},
			{"orders", []string{`region=~"1|2"`}, 1332, "counter"},
			{"orders", []string{`region="none"`}, 0, ""},
			{"workers", nil, 17, "gauge"},
			{"unheard.of", nil, 0, ""},
		}
		for _, tt := range tests {
			got, err := h.Query(t.Context(), tt.metric, time.Minute, tt.matchers...)
			if err != nil || got.Value != tt.value || got.Kind != tt.kind || !got.Complete {
				t.Errorf("Query(%s, %q) = %+v, %v, want %v of a %s, complete", tt.metric, tt.matchers, got, err, tt.value, tt.kind)
			}
		}
		size, err := h.Query(t.Context(), "size", time.Minute)
		if p50 := size.Quantile(0.5); err != nil || size.Count != 1000 || p50 < 490 || p50 > 510 {
			t.Errorf("Query(size) = %+v with median %v, %v, want 1000 values with median 500 ± 2 %%", size, p50, err)
		}
		for _, bad := range [][]string{{""}, {"orders", "region"}, {"orders", `=~"("`}} {
			if _, err := h.Query(t.Context(), bad[0], time.Minute, bad[1:]...); err == nil {
				t.Errorf("Query(%q) = nil error, want one", bad)
			}
		}
	})
}

// body returns that of the newest mail.
func (b *mailbox) body() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.mails) == 0 {
		return ""
	}
	return b.mails[len(b.mails)-1].Body
}

// ids returns how often each Message-ID of a firing was delivered, ever.
func (b *mailbox) ids() map[string]int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.delivered)
}

// hold lets no Send end before release.
func (b *mailbox) hold() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.block = make(chan struct{})
}

// subjects returns those of all mails in the order in which they came.
func (b *mailbox) subjects() (subjects []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range b.mails {
		subjects = append(subjects, m.Subject)
	}
	b.mails, b.at = nil, nil
	return subjects
}

// A job that lives for a moment is watched like any other.
func TestShutdownRightAfterTheStart(t *testing.T) {
	t.Parallel()
	for _, life := range []time.Duration{0, time.Millisecond, 150 * time.Millisecond, 250 * time.Millisecond} {
		t.Run(life.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				box := &mailbox{}
				h := start(t, twoSLAs, box)
				count(h, "http.response.400", 3)
				time.Sleep(life)
				stop(t, h)
				want(t, "of a job that ended after "+life.String(), box.lines(), firstDegree)
			})
		})
	}
}

// slowLedger takes its time to say what it holds.
type slowLedger struct{ store.Store }

func (s slowLedger) Changes(ctx context.Context, after store.Cursor) (store.Changes, error) {
	time.Sleep(300 * time.Millisecond)
	return s.Store.Changes(ctx, after)
}

// The shutdown begins before the ledger is open: what was counted is evaluated
// all the same.
func TestShutdownBeforeTheLedgerIsOpen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		box := &mailbox{}
		h := start(t, twoSLAs, box, hawkeye.WithStore(slowLedger{newMemory(t)}))
		count(h, "http.response.400", 3)
		stop(t, h)
		want(t, "of a job that ended before the ledger was open", box.lines(), firstDegree)
	})
}
