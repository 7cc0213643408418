package hawkeye_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-batteries/hawkeye"
	"github.com/go-batteries/hawkeye/store"
	"github.com/go-batteries/hawkeye/store/memstore"
)

// hostileLogger is a slog.Handler that does do with each record.
type hostileLogger struct{ do func(slog.Record) }

func (hostileLogger) Enabled(context.Context, slog.Level) bool { return true }
func (l hostileLogger) Handle(_ context.Context, r slog.Record) error {
	l.do(r)
	return nil
}
func (l hostileLogger) WithAttrs([]slog.Attr) slog.Handler { return l }
func (l hostileLogger) WithGroup(string) slog.Handler      { return l }

// byGroup watches m, with an alert and a message for each g.
func byGroup(mailer hawkeye.MailerFunc, opts ...hawkeye.Option) []hawkeye.Option {
	return append([]hawkeye.Option{
		hawkeye.WithService("shop", "test"), hawkeye.WithoutSocket(), hawkeye.WithLogger(slog.New(slog.DiscardHandler)),
		hawkeye.WithReceiver("team", hawkeye.Receiver{To: []string{"b@example.com", "a@example.com"}, Cc: []string{"c@example.com"},
			Bcc: []string{"d@example.com"}, GroupBy: []string{"monitor", "g"}}),
		hawkeye.WithMonitors(hawkeye.Monitor{Metric: "m", By: []string{"g"}, Window: 5 * time.Minute, Notify: []string{"team"},
			Triggers: []hawkeye.Trigger{{Threshold: 1}}}),
		hawkeye.WithMailer(mailer),
	}, opts...)
}

// TestHostileLogger: whatever a handler does to a record, the host lives, and
// people are told.
func TestHostileLogger(t *testing.T) {
	t.Parallel()
	for name, do := range map[string]func(slog.Record){
		"panics":             func(r slog.Record) { panic("log handler: " + r.Message) },
		"ends its goroutine": func(slog.Record) { runtime.Goexit() },
		"panics with an error whose text panics": func(slog.Record) {
			panic(panickingError{})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var sends atomic.Int32
				h, err := hawkeye.New(byGroup(func(context.Context, hawkeye.MailerConfig) error {
					if sends.Add(1) == 1 {
						return errors.New("relay away") // which is logged
					}
					return nil
				}, hawkeye.WithLogger(slog.New(hostileLogger{do})))...)
				if err != nil {
					t.Fatal(err)
				}
				if err := h.Start(t.Context()); err != nil {
					t.Fatalf("Start() = %v", err)
				}
				h.Incr("m", hawkeye.T("g", "first"))
				after(5 * time.Minute)
				if n := sends.Load(); n < 2 {
					t.Errorf("%d Sends, want the one that failed and another one", n)
				}
				if s := h.Stats(); len(s.Restarts) > 0 || s.Outbox > 0 {
					t.Errorf("restarts %v, outbox %d; want none", s.Restarts, s.Outbox)
				}
				if err := h.Shutdown(t.Context()); err != nil {
					t.Errorf("Shutdown() = %v", err)
				}
			})
		})
	}
}

// Errors whose methods do what they mustn't.
type (
	panickingError     struct{}
	exitingError       struct{}
	panickingPermanent struct{ error }
	panickingUnwrap    struct{ error }
)

func (panickingError) Error() string       { panic("in Error") }
func (exitingError) Error() string         { runtime.Goexit(); return "" }
func (panickingPermanent) Permanent() bool { panic("in Permanent") }
func (panickingUnwrap) Unwrap() error      { panic("in Unwrap") }
func (p *pointerError) Error() string      { return p.text }
func nilRecipients() error                 { var e *hawkeye.RecipientsError; return e }
func wrapped(err error) error              { return fmt.Errorf("wrapped: %w", err) }
func failed(m map[string]error) error      { return &hawkeye.RecipientsError{Failed: m} }
func exits() error                         { runtime.Goexit(); return nil }
func throws() error                        { panic(panickingError{}) }
func returns(err error) func() error       { return func() error { return err } }

type pointerError struct{ text string }

// once makes a MailingService that does f the first time.
func once(f func() error) hawkeye.MailerFunc {
	var n atomic.Int32
	return func(context.Context, hawkeye.MailerConfig) error {
		if n.Add(1) == 1 {
			return f()
		}
		return nil
	}
}

// TestHostileErrors: whatever a MailingService returns, or does instead, its
// message is settled, the next one goes out, and Shutdown ends.
func TestHostileErrors(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		first func() error
		sends int32 // of the first message: 1 if what it returned is none
	}{
		"nil *RecipientsError":            {nilRecipients, 1},
		"nil pointer":                     {returns((*pointerError)(nil)), 1},
		"wrapped nil *RecipientsError":    {returns(wrapped((*hawkeye.RecipientsError)(nil))), 2},
		"Error panics":                    {returns(panickingError{}), 2},
		"Error ends the goroutine":        {returns(exitingError{}), 2},
		"wrapped, Error panics":           {returns(errors.Join(io.EOF, panickingError{})), 2},
		"Permanent panics":                {returns(panickingPermanent{io.EOF}), 2},
		"Unwrap panics":                   {returns(panickingUnwrap{io.EOF}), 2},
		"a recipient's error panics":      {returns(failed(map[string]error{"a@example.com": panickingError{}})), 2},
		"a recipient's error is nil":      {returns(failed(map[string]error{"a@example.com": nil})), 2},
		"Send panics with such an error":  {throws, 2},
		"Send ends its goroutine":         {exits, 2},
		"Send fails in the ordinary way":  {returns(io.EOF), 2},
		"Send succeeds without any error": {returns(nil), 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var mu sync.Mutex
				sends := make(map[string]int32)
				first := once(tt.first)
				h, err := hawkeye.New(byGroup(func(ctx context.Context, m hawkeye.MailerConfig) error {
					mu.Lock()
					sends[m.MessageID]++
					mu.Unlock()
					return first(ctx, m)
				})...)
				if err != nil {
					t.Fatal(err)
				}
				if err := h.Start(t.Context()); err != nil {
					t.Fatal(err)
				}
				h.Incr("m", hawkeye.T("g", "first"))
				after(5 * time.Second)
				h.Incr("m", hawkeye.T("g", "second"))
				after(3 * time.Minute)
				var counts []int32
				mu.Lock()
				for _, n := range sends {
					counts = append(counts, n)
				}
				mu.Unlock()
				slices.Sort(counts)
				total := int32(0)
				for _, n := range counts {
					total += n
				}
				if total != tt.sends+1 {
					t.Errorf("Sends by message: %v, want %d of the first and one of the second", counts, tt.sends)
				}
				if s := h.Stats(); s.Outbox != 0 || len(s.Restarts) != 0 || s.DeadLetters != 0 {
					t.Errorf("outbox %d, restarts %v, dead letters %d; want none", s.Outbox, s.Restarts, s.DeadLetters)
				}
				if hs := h.Health(); !hs.OK {
					t.Errorf("Health() = %v", hs.Problems)
				}
				began := time.Now()
				if err := h.Shutdown(t.Context()); err != nil || time.Since(began) > 3*time.Second {
					t.Errorf("Shutdown() = %v after %v", err, time.Since(began))
				}
			})
		})
	}
}

// TestReceiversThatExitDontRunOut: more Sends than a receiver may have
// abandoned end their goroutines, and the next one still goes out.
func TestReceiversThatExitDontRunOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var sends atomic.Int32
		h, err := hawkeye.New(byGroup(func(context.Context, hawkeye.MailerConfig) error {
			if sends.Add(1) <= 6 {
				runtime.Goexit()
			}
			return nil
		})...)
		if err != nil {
			t.Fatal(err)
		}
		if err := h.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer stop(t, h)
		h.Incr("m", hawkeye.T("g", "first"))
		after(time.Hour)
		if s := h.Stats(); sends.Load() < 7 || s.Outbox != 0 {
			t.Errorf("%d Sends, outbox %d; want the six that end, one that doesn't, and none", sends.Load(), s.Outbox)
		}
	})
}

// TestMailerMayKeepWhatItGets: a service that masks recipients in place
// changes no later mail.
func TestMailerMayKeepWhatItGets(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var seen []string
		h, err := hawkeye.New(byGroup(func(_ context.Context, m hawkeye.MailerConfig) error {
			seen = append(seen, fmt.Sprintf("%v %v %v %s %d", m.Recipients, m.CC, m.Bcc, m.Headers["Auto-Submitted"], len(m.References)))
			for _, list := range [][]string{m.Recipients, m.CC, m.Bcc, m.References} {
				for i := range list {
					list[i] = "masked@example.com"
				}
			}
			clear(m.Headers)
			switch len(seen) {
			case 1:
				return errors.New("relay away")
			case 2: // what is left are the recipients of the ledger's row
				return &hawkeye.RecipientsError{Failed: map[string]error{"a@example.com": errors.New("full")}}
			case 3:
				return errors.New("relay away")
			}
			return nil
		})...)
		if err != nil {
			t.Fatal(err)
		}
		if err := h.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer stop(t, h)
		h.Incr("m", hawkeye.T("g", "first"))
		after(4 * time.Minute)
		h.Incr("m", hawkeye.T("g", "second"))
		after(time.Minute)
		all := "[b@example.com a@example.com] [c@example.com] [d@example.com] auto-generated 1"
		one := "[a@example.com] [] [] auto-generated 1"
		if want := []string{all, all, one, one, all}; !slices.Equal(seen, want) {
			t.Errorf("mails went to\n%s\nwant\n%s", strings.Join(seen, "\n"), strings.Join(want, "\n"))
		}
	})
}

// TestOptionsAreCopied: what was given to New is the caller's again.
func TestOptionsAreCopied(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		box := &mailbox{}
		to, by, notify := []string{"a@example.com"}, []string{"g"}, []string{"team"}
		labels := map[string]string{"team": "a"}
		monitors := []hawkeye.Monitor{{Metric: "m", By: by, Notify: notify, Labels: labels, Triggers: []hawkeye.Trigger{{Threshold: 1}}}}
		data := []byte("version: 2\nmonitors:\n  - metric: n\n    notify: [team]\n    triggers: [{threshold: 1}]\n")
		h, err := hawkeye.New(hawkeye.WithoutSocket(), hawkeye.WithMailer(box), hawkeye.WithLogger(slog.New(slog.DiscardHandler)),
			hawkeye.WithReceiver("team", hawkeye.Receiver{To: to}), hawkeye.WithMonitors(monitors...), hawkeye.WithConfig("embedded", data))
		if err != nil {
			t.Fatal(err)
		}
		to[0], by[0], notify[0], labels["team"] = "evil@example.com", "x", "nobody", "evil"
		monitors[0].Triggers[0].Threshold = 1000
		monitors[0].Metric = "other"
		clear(data)
		if err := h.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer stop(t, h)
		if err := h.Reload(t.Context()); err != nil {
			t.Errorf("Reload() = %v", err)
		}
		tags := []hawkeye.Tag{{Key: "z", Value: "1"}, {Key: "g", Value: "1"}, {Key: "a", Value: "1"}}
		h.Incr("m", tags...)
		if tags[0].Key != "z" || tags[1].Key != "g" || tags[2].Key != "a" {
			t.Errorf("Incr() changed the tags that it was given: %v", tags)
		}
		after(time.Minute)
		if len(box.mails) != 1 || !slices.Equal(box.mails[0].Recipients, []string{"a@example.com"}) {
			t.Fatalf("mails: %+v, want one to a@example.com", box.mails)
		}
		alerts := h.Alerts()
		for _, a := range alerts {
			clear(a.Tags)
		}
		clear(alerts)
		if got := h.Alerts(); len(got) == 0 || !slices.ContainsFunc(got, func(a hawkeye.Alert) bool { return a.Tags["g"] == "1" }) {
			t.Errorf("Alerts() = %+v, want what they were before the caller changed what it got", got)
		}
	})
}

// TestNilContexts: nil counts as context.Background().
func TestNilContexts(t *testing.T) {
	t.Parallel()
	var none context.Context
	synctest.Test(t, func(t *testing.T) {
		box := &mailbox{}
		h, err := hawkeye.New(byGroup(box.Send)...)
		if err != nil {
			t.Fatal(err)
		}
		if err := h.Start(none); err != nil {
			t.Fatalf("Start(nil) = %v", err)
		}
		h.Incr("m", hawkeye.T("g", "1"))
		after(time.Minute)
		if r, err := h.Query(none, "m", time.Minute); err != nil || r.Value > 1 {
			t.Errorf("Query(nil) = %v, %v", r.Value, err)
		}
		if _, err := h.Explain(none, "m", hawkeye.T("g", "1")); err != nil {
			t.Errorf("Explain(nil) = %v", err)
		}
		silence := hawkeye.Silence{Matchers: []string{`monitor="m"`}, End: time.Now().Add(time.Hour), Author: "a"}
		id, err := h.Silence(none, silence)
		if err != nil {
			t.Errorf("Silence(nil) = %v", err)
		}
		if id, err = h.EditSilence(none, id, silence); err != nil {
			t.Errorf("EditSilence(nil) = %v", err)
		}
		if err := h.ExpireSilence(none, id); err != nil {
			t.Errorf("ExpireSilence(nil) = %v", err)
		}
		for _, a := range h.Alerts() {
			if err := h.Ack(none, a.Key, hawkeye.AckOptions{Author: "a", Until: time.Now().Add(time.Hour)}); err != nil {
				t.Errorf("Ack(nil) = %v", err)
			}
			if err := h.Ack(none, a.Key, hawkeye.AckOptions{Author: "a", Until: time.Now().Add(time.Hour), Sticky: true}); err != nil {
				t.Errorf("AckSticky(nil) = %v", err)
			}
		}
		if err := h.Reload(none); err != nil {
			t.Errorf("Reload(nil) = %v", err)
		}
		h.Health()
		h.History("")
		h.Silences()
		if err := h.Shutdown(none); err != nil {
			t.Errorf("Shutdown(nil) = %v", err)
		}
		if err := h.Shutdown(none); err != nil {
			t.Errorf("a second Shutdown(nil) = %v", err)
		}
	})
	c, err := hawkeye.NewClient(t.TempDir()+"/none.sock", hawkeye.WithClientLogger(slog.New(hostileLogger{func(slog.Record) { panic("oh") }})))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Ping(none); err == nil {
		t.Error("Ping(nil) of nobody = nil")
	}
	if err := c.Close(none); err != nil {
		t.Errorf("Close(nil) = %v", err)
	}
}

// hostileContext panics when it is used.
type hostileContext struct{ context.Context }

func (hostileContext) Deadline() (time.Time, bool) { panic("in Deadline") }
func (hostileContext) Done() <-chan struct{}       { panic("in Done") }

// TestHostileContexts: a context that panics leaves nothing half-way.
func TestHostileContexts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, err := hawkeye.New(byGroup(new(mailbox).Send, hawkeye.WithShutdownTimeout(2*time.Second))...)
		if err != nil {
			t.Fatal(err)
		}
		bad := hostileContext{t.Context()}
		if err := h.Start(bad); err == nil || !strings.Contains(err.Error(), "panic") {
			t.Errorf("Start() with a context that panics = %v, want an error", err)
		}
		if err := h.Start(t.Context()); err != nil {
			t.Fatalf("Start() after that = %v", err)
		}
		func() {
			defer func() { _ = recover() }() // it is the caller's own
			_ = h.Shutdown(bad)
		}()
		began := time.Now()
		if err := h.Shutdown(context.Background()); err != nil || time.Since(began) > 5*time.Second {
			t.Errorf("Shutdown() after that = %v after %v", err, time.Since(began))
		}
	})
}

// TestHostileRoute: a function of WithRouteName that panics names no route, and
// the answer is what it was.
func TestHostileRoute(t *testing.T) {
	t.Parallel()
	h, err := hawkeye.New(hawkeye.WithoutSocket(), hawkeye.WithLogger(slog.New(slog.DiscardHandler)),
		hawkeye.WithRouteName(func(r *http.Request) string { panic("of " + r.URL.Path) }))
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer stop(t, h)
	mux := http.NewServeMux()
	mux.HandleFunc("/a/{b}", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "taken", http.StatusConflict) })
	w := httptest.NewRecorder()
	h.Middleware(mux).ServeHTTP(w, httptest.NewRequest("GET", "/a/b", nil))
	if w.Code != http.StatusConflict || w.Body.String() != "taken\n" {
		t.Errorf("the answer is %d %q, want that of the handler", w.Code, w.Body)
	}
	if r, err := h.Query(t.Context(), "http.response.409", time.Minute, `route="/a/{b}"`); r.Value != 1 || err != nil {
		t.Errorf("http.response.409 = %v, %v; want 1", r.Value, err)
	}
}

// hostileStore is a Store that does do at each call while it is on.
type hostileStore struct {
	store.Store
	on *atomic.Bool
	do func() error
}

func (s hostileStore) turn() error {
	if s.on.Load() {
		return s.do()
	}
	return nil
}

func (s hostileStore) Publish(ctx context.Context, p store.Publication) (store.PublishReply, error) {
	if err := s.turn(); err != nil {
		return store.PublishReply{}, err
	}
	return s.Store.Publish(ctx, p)
}

func (s hostileStore) Read(ctx context.Context, q []store.TickQuery) ([]store.TickBuckets, error) {
	if err := s.turn(); err != nil {
		return nil, err
	}
	return s.Store.Read(ctx, q)
}

func (s hostileStore) Commit(ctx context.Context, c store.Commit) (store.Cursor, error) {
	if err := s.turn(); err != nil {
		return store.Cursor{}, err
	}
	return s.Store.Commit(ctx, c)
}

func (s hostileStore) Changes(ctx context.Context, after store.Cursor) (store.Changes, error) {
	if err := s.turn(); err != nil {
		return store.Changes{}, err
	}
	return s.Store.Changes(ctx, after)
}

// TestHostileStore: whatever a Store does for half a minute, what was counted
// meanwhile is told afterwards, no component fails, and a caller's goroutine is
// safe.
func TestHostileStore(t *testing.T) {
	t.Parallel()
	for name, do := range map[string]func() error{
		"panics":                          func() error { panic("in the store") },
		"ends the goroutine":              exits,
		"returns errors that panic":       returns(panickingError{}),
		"returns errors that can't be as": returns(panickingUnwrap{io.EOF}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				memory, err := memstore.New()
				if err != nil {
					t.Fatal(err)
				}
				on := new(atomic.Bool)
				box := &mailbox{}
				h, err := hawkeye.New(byGroup(box.Send, hawkeye.WithStore(hostileStore{memory, on, do}))...)
				if err != nil {
					t.Fatal(err)
				}
				if err := h.Start(t.Context()); err != nil {
					t.Fatal(err)
				}
				after(10 * time.Second)
				on.Store(true)
				h.Incr("m", hawkeye.T("g", "1"))
				after(30 * time.Second)
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				if _, err := h.Query(ctx, "m", time.Minute); err == nil {
					t.Error("Query() of a store that fails = nil")
				}
				cancel()
				if h.Health().OK {
					t.Error("Health() is OK while the store fails")
				}
				on.Store(false)
				after(30 * time.Second)
				if len(box.mails) != 1 {
					t.Errorf("%d mails, want the one about what was counted meanwhile", len(box.mails))
				}
				if n := h.Stats().Restarts; len(n) > 0 {
					t.Errorf("components were started again: %v", n)
				}
				if err := h.Shutdown(t.Context()); err != nil {
					t.Errorf("Shutdown() = %v", err)
				}
			})
		})
	}
}

// TestNilPointersInOptions: New refuses what can't work.
func TestNilPointersInOptions(t *testing.T) {
	t.Parallel()
	for name, opt := range map[string]hawkeye.Option{
		"WithStore(nil *memstore.Store)": hawkeye.WithStore((*memstore.Store)(nil)),
		"WithStore(nil pointer)":         hawkeye.WithStore((*hostileStore)(nil)),
		"WithStore without ticks":        hawkeye.WithStore(hostileStore{}),
		"WithMailer(nil MailerFunc)":     hawkeye.WithMailer(hawkeye.MailerFunc(nil)),
	} {
		if _, err := hawkeye.New(hawkeye.WithoutSocket(), opt); !errors.Is(err, hawkeye.ErrInvalidOption) {
			t.Errorf("New() with %s = %v, want ErrInvalidOption", name, err)
		}
	}
}
