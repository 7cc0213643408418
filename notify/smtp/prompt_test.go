package smtp

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/go-batteries/hawkeye"
)

// live is a handle in real time, whose mails go to a relay.
type live struct {
	*hawkeye.Hawkeye
	*relay
}

func goLive(t *testing.T) *live {
	t.Helper()
	r := new(relay).start(t, startTLS)
	h, err := hawkeye.New(
		hawkeye.WithService("shop", ""), hawkeye.WithMailer(r.mailer(t, nil)), hawkeye.WithoutSocket(),
		hawkeye.WithLogger(slog.New(slog.NewTextHandler(io.Discard, nil))),
		hawkeye.WithReceiver("team", hawkeye.Receiver{To: []string{"team@example.com"}}),
		hawkeye.WithMonitors(hawkeye.Monitor{
			Name: "api-errors", Metric: "errors", By: []string{"route"}, MaxGroups: 2000, Window: 5 * time.Minute, Notify: []string{"team"},
			Triggers: []hawkeye.Trigger{{Level: "warning", Threshold: 5}, {Level: "critical", Threshold: 50}},
		}))
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := h.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown() = %v", err)
		}
	})
	return &live{h, r}
}

// mails returns how many arrived, and whether one of those after the first n
// has all of the texts.
func (l *live) mails(n int, texts ...string) (count int, found bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, d := range l.delivered[n:] {
		has := true
		for _, text := range texts {
			has = has && strings.Contains(d.text, text)
		}
		found = found || has
	}
	return len(l.delivered), found
}

// breaks lets a route break, and returns how long it takes until a mail with
// the texts has arrived.
func (l *live) breaks(t *testing.T, route string, errors int64, texts ...string) time.Duration {
	t.Helper()
	before, _ := l.mails(0)
	since := time.Now()
	l.Count("errors", errors, hawkeye.T("route", route))
	for {
		if _, found := l.mails(before, texts...); found {
			return time.Since(since)
		}
		if time.Since(since) > 30*time.Second {
			t.Errorf("no mail about %s with %q arrives", route, texts)
			return time.Since(since)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// Over SMTP and in real time, at the defaults: a second route that breaks 5 s
// after the first, and a rise 2 s after that, arrive at once. The bound allows
// for a slow machine; a message that waited for its group would take a minute.
func TestNewsArrivesPromptly(t *testing.T) {
	t.Parallel()
	l := goLive(t)
	const bound = 5 * time.Second
	first := l.breaks(t, "/a", 5, "/a")
	time.Sleep(5 * time.Second)
	second := l.breaks(t, "/b", 5, "/b")
	time.Sleep(2 * time.Second)
	rise := l.breaks(t, "/b", 45, "/b", "critical")
	t.Logf("the first route arrives after %v, the second after %v, its rise after %v", first, second, rise)
	if first > bound || second > bound || rise > bound {
		t.Errorf("a mail takes more than %v", bound)
	}
}

// A thousand routes break within ten seconds, the last of them badly: that
// arrives at once, and all of it takes five mails, or one more if the machine
// is so slow that the last pause of the group is over before.
func TestStormArrivesInFewMails(t *testing.T) {
	t.Parallel()
	l := goLive(t)
	const routes = 1000
	begun := time.Now()
	for i := range routes - 1 {
		l.Count("errors", 5, hawkeye.T("route", fmt.Sprint("/", i)))
		time.Sleep(time.Until(begun.Add(time.Duration(i+1) * 10 * time.Second / routes)))
	}
	critical := l.breaks(t, "/last", 50, "/last", "critical")
	n, _ := l.mails(0)
	t.Logf("%d mails within %v; the critical one arrives after %v", n, time.Since(begun), critical)
	if critical > 5*time.Second || n < 4 || n > 6 {
		t.Errorf("%d mails, and the critical one after %v", n, critical)
	}
}
