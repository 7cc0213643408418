package hawkeyetest_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-batteries/hawkeye"
	"github.com/go-batteries/hawkeye/hawkeyetest"
)

// apiErrors is a user's configuration.
const apiErrors = `version: 2
receivers: {team: {email: {to: [team@example.com]}}}
monitors:
  - {name: api-errors, metric: http.response.500, notify: [team], triggers: [{threshold: 5, repeat: 1h}]}
`

// This is the test of the package's documentation.
func TestTooManyErrors(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := hawkeyetest.New(t, hawkeye.WithConfig("monitors.yaml", []byte(apiErrors)))
		for range 5 {
			h.Incr("http.response.500")
		}
		h.Advance(time.Second)
		mail := h.WantAlert("api-errors", "[critical]", "team@example.com")
		if mail.After > time.Second {
			t.Errorf("told after %v, want at most a second", mail.After)
		}
		h.Advance(10 * time.Minute)
		h.WantAlert("[ended]")
		h.WantNone()
	})
}

func TestFailedSends(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := hawkeyetest.New(t, hawkeye.WithConfig("monitors.yaml", []byte(apiErrors)))
		h.Mailbox.Fail(errors.New("421 later"), nil)
		h.Count("http.response.500", 5)
		h.Advance(10 * time.Second)
		h.WantAlert("api-errors")
		h.WantNone()
	})
}

// failing is a test that notes how it fails.
type failing struct {
	testing.TB
	said []string
}

type fatal struct{}

func (f *failing) Helper() {}
func (f *failing) Errorf(format string, args ...any) {
	f.said = append(f.said, fmt.Sprintf(format, args...))
}
func (f *failing) Fatal(args ...any)                 { f.said = append(f.said, fmt.Sprint(args...)); panic(fatal{}) }
func (f *failing) Fatalf(format string, args ...any) { f.Errorf(format, args...); panic(fatal{}) }

// run runs a test until it fails for good.
func (f *failing) run(do func()) {
	defer func() {
		if p := recover(); p != nil && p != any(fatal{}) {
			panic(p)
		}
	}()
	do()
}

func TestWhatFails(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		do   func(h *hawkeyetest.Handle)
		want string
	}{
		"no mail at all": {func(h *hawkeyetest.Handle) { h.WantAlert("api-errors") }, `no mail with ["api-errors"], only none at all`},
		"another mail": {func(h *hawkeyetest.Handle) {
			h.Count("http.response.500", 5)
			h.Advance(time.Second)
			h.WantAlert("others")
		}, "to team@example.com: [critical] api-errors"},
		"one mail for two": {func(h *hawkeyetest.Handle) {
			h.Count("http.response.500", 5)
			h.Advance(time.Second)
			h.WantAlert()
			h.WantAlert()
		}, "only none at all"},
		"an unwanted one": {func(h *hawkeyetest.Handle) { h.Count("http.response.500", 5); h.Advance(time.Second); h.WantNone() }, "mails that nobody wants"},
		"one with two texts": {func(h *hawkeyetest.Handle) {
			h.Count("http.response.500", 5)
			h.Advance(time.Second)
			h.WantAlert("api-errors", "[ended]")
		}, "only"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := &failing{TB: t}
				h := hawkeyetest.New(f, hawkeye.WithConfig("monitors.yaml", []byte(apiErrors)))
				f.run(func() { tt.do(h) })
				if got := strings.Join(f.said, "\n"); !strings.Contains(got, tt.want) {
					t.Errorf("the test says %q, want %q in it", got, tt.want)
				}
			})
		})
	}
}

func TestOutsideOfABubble(t *testing.T) {
	t.Parallel()
	f := &failing{TB: t}
	f.run(func() { hawkeyetest.New(f) })
	if got := strings.Join(f.said, "\n"); !strings.Contains(got, "inside synctest.Test") {
		t.Errorf("New() outside of a bubble says %q, want what to do", got)
	}
}

func TestBadOptions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &failing{TB: t}
		f.run(func() { hawkeyetest.New(f, hawkeye.WithConfig("monitors.yaml", []byte("version: 3"))) })
		if got := strings.Join(f.said, "\n"); !strings.Contains(got, "unknown version 3") {
			t.Errorf("New() says %q, want the mistake", got)
		}
	})
}

func TestRunFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tests := `config: [monitors.yaml]
tests:
  - name: five errors fire
    interval: 1s
    series: [{metric: http.response.500, values: "0 5 0x10"}]
    expect: [{at: 5s, alerts: [{monitor: api-errors, state: firing}]}]
`
	for name, text := range map[string]string{"monitors.yaml": apiErrors, "monitors.test.yaml": tests} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	hawkeyetest.RunFile(t, filepath.Join(dir, "monitors.test.yaml"))
}
