package hawkeye_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	netmail "net/mail"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/go-batteries/hawkeye"
)

// syncBuffer is a buffer that a logger may write to while a test reads it.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func TestDefaultMailerWritesAReadableMail(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log syncBuffer
		h, err := hawkeye.New(hawkeye.WithService("shop", "test"), hawkeye.WithConfigFile(writeConfig(t, twoSLAs)),
			hawkeye.WithoutSocket(), hawkeye.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
		if err != nil {
			t.Fatal(err)
		}
		if err := h.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer stop(t, h)
		if !strings.Contains(log.String(), "level=WARN") || !strings.Contains(log.String(), "mails go to the log") {
			t.Errorf("log of the start = %q, want a warning that mails go to the log", log.String())
		}
		count(h, "http.response.400", 4)
		after(time.Second)
		var mails []string
		for line := range strings.Lines(log.String()) {
			if strings.Contains(line, "msg=mail") {
				mails = append(mails, line)
			}
		}
		if len(mails) != 1 {
			t.Fatalf("%d mails in the log, want 1:\n%s", len(mails), log.String())
		}
		for _, want := range []string{`subject="4xx errors exceeded"`, `to=oncall@example.com`, `SLA breached in test`, `first degree. 4`, "shop"} {
			if !strings.Contains(mails[0], want) {
				t.Errorf("mail in the log = %s, want %s in it", mails[0], want)
			}
		}
		if strings.Contains(mails[0], `\n`) {
			t.Errorf("mail in the log = %s, want no quoted line breaks", mails[0])
		}
	})
}

// What comes from outside, a tag's value or a name, can't add a header.
func TestNoHeaderIsInjected(t *testing.T) {
	t.Parallel()
	const evil = "x\r\nBcc: all@example.com\r\n\r\nbody\x00\u2028\u0085"
	synctest.Test(t, func(t *testing.T) {
		box := &mailbox{}
		h := newHandle(t, hawkeye.WithoutSocket(), hawkeye.WithMailer(box), hawkeye.WithService("shop"+evil, "test"+evil),
			hawkeye.WithMonitors(hawkeye.Monitor{
				Name: "evil", Metric: "m", By: []string{"route"},
				Triggers: []hawkeye.Trigger{
					{Level: "warning", Threshold: 1, To: []string{"a@example.com"}, Subject: "{{ .tags.route }} in {{ .service }}"},
					{Level: "critical", Threshold: 2, To: []string{"b@example.com"}},
				},
			}))
		if err := h.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer stop(t, h)
		h.Count("m", 1, hawkeye.T("route", evil))
		after(time.Second)
		h.Count("m", 1, hawkeye.T("route", evil))
		after(2 * time.Minute)
		if len(box.mails) < 2 {
			t.Fatalf("%d mails, want those of both levels", len(box.mails))
		}
		for _, m := range box.mails {
			texts := slices.Concat([]string{m.Subject, m.MessageID, m.Sender}, m.References, m.Recipients, m.CC, m.Bcc)
			for key, value := range m.Headers {
				texts = append(texts, key, value)
			}
			for _, text := range texts {
				if strings.ContainsAny(text, "\r\n\x00\u2028\u0085") {
					t.Errorf("%q of a mail has control characters: %+v", text, m)
				}
			}
			// A naive MailingService that pastes texts together gets our headers and no others.
			parsed, err := netmail.ReadMessage(strings.NewReader(fmt.Sprintf("Subject: %s\r\nMessage-ID: %s\r\n\r\n%s", m.Subject, m.MessageID, m.Body)))
			if err != nil || len(parsed.Header) != 2 {
				t.Errorf("parsed headers = %v, %v, want Subject and Message-ID", parsed.Header, err)
			}
		}
	})
}

// Each kind of error means what the contract says.
func TestMailerErrors(t *testing.T) {
	t.Parallel()
	timeout := errors.New("i/o timeout")
	tests := []struct {
		name     string
		err      error // of the first Send
		attempts int
		dead     int
		repeat   bool // the second says that it may be one
	}{
		{"none", nil, 1, 0, false},
		{"any", errors.New("421 try later"), 2, 0, false},
		{"permanent", hawkeye.Permanent(errors.New("550 no such user")), 1, 1, false},
		{"permanent, wrapped", fmt.Errorf("send: %w", hawkeye.Permanent(timeout)), 1, 1, false},
		{"permanent by another package", fmt.Errorf("send: %w", refusal{permanent: true}), 1, 1, false},
		{"not permanent by another package", refusal{permanent: false}, 2, 0, false},
		{"deadline", context.DeadlineExceeded, 2, 0, true},
		{"canceled, wrapped", fmt.Errorf("send: %w", context.Canceled), 2, 0, true},
		{"all recipients", &hawkeye.RecipientsError{Failed: map[string]error{"oncall@example.com": timeout}}, 2, 0, false},
		{"recipients, none failed", &hawkeye.RecipientsError{}, 2, 0, false},
		{"all recipients for good", &hawkeye.RecipientsError{Failed: map[string]error{"oncall@example.com": hawkeye.Permanent(timeout)}}, 1, 1, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var sent []hawkeye.MailerConfig
				h := start(t, twoSLAs, hawkeye.MailerFunc(func(_ context.Context, cfg hawkeye.MailerConfig) error {
					if sent = append(sent, cfg); len(sent) == 1 {
						return tt.err
					}
					return nil
				}))
				defer stop(t, h)
				count(h, "http.response.400", 4)
				after(30 * time.Second)
				if len(sent) != tt.attempts || h.Stats().DeadLetters != tt.dead {
					t.Fatalf("%d attempts, %d dead letters, want %d and %d", len(sent), h.Stats().DeadLetters, tt.attempts, tt.dead)
				}
				for _, m := range sent[1:] {
					if m.MessageID != sent[0].MessageID {
						t.Errorf("Message-ID of the second attempt = %s, want that of the first, %s", m.MessageID, sent[0].MessageID)
					}
					if got := strings.Contains(m.Body, "may be a repeat"); got != tt.repeat {
						t.Errorf("body of the second attempt = %q, says that it may be a repeat: %v, want %v", m.Body, got, tt.repeat)
					}
				}
			})
		})
	}
}

// refusal is an error of a package that doesn't know hawkeye.
type refusal struct{ permanent bool }

func (f refusal) Error() string   { return "refused" }
func (f refusal) Permanent() bool { return f.permanent }

func TestOnlyFailedRecipientsAreTriedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		config := strings.ReplaceAll(twoSLAs, "[oncall@example.com]", "[a@example.com, b@example.com, c@example.com]")
		var sent [][]string
		h := start(t, config, hawkeye.MailerFunc(func(_ context.Context, cfg hawkeye.MailerConfig) error {
			to := slices.Concat(cfg.Recipients, cfg.CC, cfg.Bcc)
			slices.Sort(to)
			if sent = append(sent, to); len(sent) > 1 {
				return nil
			}
			return fmt.Errorf("smtp: %w", &hawkeye.RecipientsError{Failed: map[string]error{
				"b@example.com": errors.New("mailbox busy"), "c@example.com": hawkeye.Permanent(errors.New("no such user")),
			}})
		}))
		defer stop(t, h)
		count(h, "http.response.400", 4)
		after(30 * time.Second)
		want := [][]string{{"a@example.com", "b@example.com", "c@example.com"}, {"b@example.com"}}
		if diff := cmp.Diff(want, sent); diff != "" {
			t.Errorf("recipients of each attempt (-want +got):\n%s", diff)
		}
		if got := h.Stats().DeadLetters; got != 1 {
			t.Errorf("DeadLetters = %d, want that of c", got)
		}
	})
}

// An answer that comes after the deadline leaves the outcome unknown.
func TestAnswerAfterTheDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		box := &mailbox{}
		var before atomic.Bool
		h := start(t, twoSLAs, hawkeye.MailerFunc(func(ctx context.Context, cfg hawkeye.MailerConfig) error {
			if deadline, ok := ctx.Deadline(); !ok || time.Until(deadline) > 5*time.Second {
				t.Errorf("deadline of Send = %v, %v, want 5 s at most", deadline, ok)
			}
			if !before.Swap(true) {
				time.Sleep(10 * time.Second) // ignores ctx
			}
			return box.Send(ctx, cfg)
		}), hawkeye.WithSendTimeout(5*time.Second))
		defer stop(t, h)
		count(h, "http.response.400", 4)
		after(time.Minute)
		box.mu.Lock()
		defer box.mu.Unlock()
		if len(box.mails) != 2 {
			t.Fatalf("%d mails, want the first and one that may be a repeat", len(box.mails))
		}
		slices.SortFunc(box.mails, func(a, b hawkeye.MailerConfig) int { return len(a.Body) - len(b.Body) })
		if a, b := box.mails[0], box.mails[1]; a.MessageID != b.MessageID || !strings.Contains(b.Body, "may be a repeat") || strings.Contains(a.Body, "may be a repeat") {
			t.Errorf("mails = %+v, want one Message-ID, and that one of them may be a repeat", box.mails)
		}
	})
}

// Secrets of a MailingService's error stay its own business, but its text is
// told where a person looks: in the log.
func TestFailedMailIsLogged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log syncBuffer
		h := start(t, twoSLAs, hawkeye.MailerFunc(func(context.Context, hawkeye.MailerConfig) error {
			panic("nil map")
		}), hawkeye.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
		count(h, "http.response.400", 4)
		after(time.Second)
		for _, want := range []string{"nil map", "mailer_test.go", "a message was not delivered"} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("log = %s\nwant %q in it", log.String(), want)
			}
		}
		ctx, cancel := inTime(time.Second)
		defer cancel()
		if err := h.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Shutdown() = %v, want %v: the mail is still to be sent", err, context.DeadlineExceeded)
		}
	})
}

func TestPermanentOfNil(t *testing.T) {
	t.Parallel()
	if err := hawkeye.Permanent(nil); err != nil {
		t.Errorf("Permanent(nil) = %v, want nil", err)
	}
	inner := errors.New("no")
	if err := hawkeye.Permanent(inner); !errors.Is(err, inner) || err.Error() != "no" {
		t.Errorf("Permanent(%v) = %v, want it to wrap that", inner, err)
	}
}
