// Package hawkeyetest is for the tests of programs that use hawkeye: a handle
// on virtual time, whose mails go to a mailbox, and tests of monitors.yaml.
//
// A test runs in a bubble of testing/synctest, in which an hour passes
// in about a second and everything that is due happens when it is due:
//
//	func TestTooManyErrors(t *testing.T) {
//		synctest.Test(t, func(t *testing.T) {
//			h := hawkeyetest.New(t, hawkeye.WithConfigFile("monitors.yaml"))
//			for range 5 {
//				h.Incr("http.response.500")
//			}
//			h.Advance(time.Second)
//			h.WantAlert("api-errors")
//			h.Advance(10 * time.Minute)
//			h.WantAlert("[ended]")
//			h.WantNone()
//		})
//	}
package hawkeyetest

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-batteries/hawkeye"
)

// Handle is a running handle on virtual time.
type Handle struct {
	*hawkeye.Hawkeye
	// Mailbox has the mails that were sent.
	Mailbox *Mailbox

	t     testing.TB
	began time.Time
}

// New makes a handle, starts it, and shuts it down when the test ends. It must
// be called in a bubble of [synctest.Test]. Beside opts it has a memory store,
// a [Mailbox] as its MailingService, no socket, which a bubble can't have, and
// a logger that is silent unless the test fails; opts may say otherwise, but
// for the mailbox.
func New(t testing.TB, opts ...hawkeye.Option) *Handle {
	t.Helper()
	wantBubble(t)
	box := &Mailbox{began: time.Now()}
	logs := &testLog{t: t}
	all := []hawkeye.Option{hawkeye.WithService("test", ""), hawkeye.WithLogger(slog.New(slog.NewTextHandler(logs, nil))), hawkeye.WithoutSocket()}
	all = append(append(all, opts...), hawkeye.WithMailer(box))
	h, err := hawkeye.New(all...)
	if err != nil {
		t.Fatalf("hawkeye.New() = %v", err)
	}
	if err := h.Start(context.Background()); err != nil {
		t.Fatalf("Start() = %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := h.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown() = %v", err)
		}
		logs.show()
	})
	synctest.Wait()
	return &Handle{Hawkeye: h, Mailbox: box, t: t, began: box.began}
}

// wantBubble says what to do instead of what package synctest would panic with.
func wantBubble(t testing.TB) {
	t.Helper()
	defer func() {
		if recover() != nil {
			t.Fatal("hawkeyetest.New must be called inside synctest.Test(t, func(t *testing.T) {...})")
		}
	}()
	synctest.Wait()
}

// Advance lets time pass, and everything that is due in it happen. A breach
// is told within half a second.
func (h *Handle) Advance(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// WantAlert takes the oldest mail out of the mailbox in which each of the
// texts stands: in its subject, body or recipients. If there is none the test
// fails at once.
func (h *Handle) WantAlert(texts ...string) Mail {
	h.t.Helper()
	m, ok := h.Mailbox.take(texts)
	if !ok {
		h.t.Fatalf("%v after the start there is no mail with %q, only %s", time.Since(h.began), texts, h.Mailbox)
	}
	return m
}

// WantNone fails the test if there are mails that no WantAlert has taken, and
// empties the mailbox.
func (h *Handle) WantNone() {
	h.t.Helper()
	if all := h.Mailbox.String(); h.Mailbox.Len() > 0 {
		h.t.Errorf("%v after the start there are mails that nobody wants: %s", time.Since(h.began), all)
	}
	h.Mailbox.Clear()
}

// testLog keeps what is logged for a test that fails.
type testLog struct {
	t    testing.TB
	text strings.Builder
}

var _ io.Writer = (*testLog)(nil)

// Write is called by one slog handler, which serialises its calls.
func (l *testLog) Write(p []byte) (int, error) { return l.text.Write(p) }

func (l *testLog) show() {
	if l.t.Failed() {
		l.t.Log("what was logged:\n" + l.text.String())
	}
}
