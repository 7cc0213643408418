package hawkeye_test

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/go-batteries/hawkeye"
)

// lines is a log that several goroutines write.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// The log of a start and an end says what the files say: three monitors are
// three, however many triggers they have, and no error is none.
func TestLogOfAStartAndAnEnd(t *testing.T) {
	t.Parallel()
	const file = `version: 1
monitors:
  - {metric: a, triggers: [{threshold: 3, to: a@example.com}, {threshold: 20, to: b@example.com}]}
  - {metric: b, triggers: [{threshold: 3, to: a@example.com}]}
  - {metric: c, triggers: [{threshold: 3, to: a@example.com}]}
`
	synctest.Test(t, func(t *testing.T) {
		log := &lines{}
		logger := slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		h := start(t, file, &mailbox{}, hawkeye.WithLogger(logger), hawkeye.WithRules(hawkeye.Rules{
			Heartbeats: []hawkeye.Heartbeat{{Metric: "job", Schedule: "0 5 * * *", Notify: []string{"team"}}},
		}), hawkeye.WithReceiver("team", hawkeye.Receiver{To: []string{"team@example.com"}}))
		h.Count("a", 5)
		after(5 * tick)
		stop(t, h)
		got := log.String()
		if !strings.Contains(got, "msg=started") || !strings.Contains(got, "monitors=3 heartbeats=1\n") {
			t.Errorf("the log is\n%s\nwant monitors=3 heartbeats=1 in it", got)
		}
		for _, not := range []string{"<nil>", "left_out", "suppressed=0"} {
			if strings.Contains(got, not) {
				t.Errorf("the log is\n%s\nwant no %q in it", got, not)
			}
		}
	})
}

// What is told is followed by nothing that wasn't told.
func TestHistoryAfterAMessage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := start(t, errorsOver("3"), &mailbox{})
		defer stop(t, h)
		h.Count("errors", 5)
		after(10 * tick)
		var what []string
		for _, e := range h.History("errors") {
			what = append(what, e.What)
		}
		if got := strings.Join(what, ", "); !strings.HasSuffix(got, "fired, told") || strings.Contains(got, "trouble") {
			t.Errorf("the history is %s, want the firing and the message at its end", got)
		}
	})
}
