package hawkeye_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-batteries/hawkeye"
	"github.com/go-batteries/hawkeye/hawkeyetest"
)

// routes is a monitor of routes with two levels, and a receiver of which the
// configuration says nothing but its address.
func routes(t *testing.T) *hawkeyetest.Handle {
	return hawkeyetest.New(t, append(toReceivers("team"), hawkeye.WithMonitors(hawkeye.Monitor{
		Name: "api-errors", Metric: "errors", By: []string{"route"}, MaxGroups: 2000, Window: 5 * time.Minute, Notify: []string{"team"},
		Triggers: []hawkeye.Trigger{{Level: "warning", Threshold: 5}, {Level: "critical", Threshold: 50}},
	}))...)
}

func fail(h *hawkeyetest.Handle, route string, errors int64) {
	h.Count("errors", errors, hawkeye.T("route", route))
}

// told returns how long after a moment the first mail since then came that has
// the texts, a bound of the test if there is none.
func told(h *hawkeyetest.Handle, since time.Duration, texts ...string) time.Duration {
	for _, m := range h.Mailbox.Mails() {
		has := m.After >= since
		for _, text := range texts {
			has = has && strings.Contains(m.Subject+"\n"+m.Body, text)
		}
		if has {
			return m.After - since
		}
	}
	return time.Hour
}

// At the defaults, what comes after a group's first message is told at once,
// too: the second route that breaks, and a rise.
func TestNewsIsPrompt(t *testing.T) {
	t.Parallel()
	const bound = time.Second
	for _, c := range []struct {
		name  string
		after time.Duration
		route string
		count int64
		want  string
	}{
		{"a second route 5 s after the first", 5 * time.Second, "/b", 5, "/b"},
		{"a rise 2 s after the warning", 2 * time.Second, "/a", 45, "critical"},
		{"a second route 2 s after the first", 2 * time.Second, "/b", 5, "/b"},
		{"a second route that is critical at once", 200 * time.Millisecond, "/b", 50, "critical"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h := routes(t)
				h.Advance(time.Second)
				fail(h, "/a", 5)
				if h.Advance(c.after); told(h, 0, "/a") > bound+time.Second {
					t.Fatalf("the first route isn't told: %s", h.Mailbox)
				}
				at := time.Second + c.after
				fail(h, c.route, c.count)
				h.Advance(90 * time.Second)
				got := told(h, at, c.want)
				t.Logf("told after %v", got)
				if got > bound {
					t.Errorf("told after %v, want within %v:%s", got, bound, h.Mailbox)
				}
			})
		})
	}
}

// A thousand alerts of one group begin within ten seconds. The first is told
// at once, the next messages after 1, 2, 4 and 8 s, each with all that waits,
// and the fifth says when the next may come; a critical one among them is told
// at once. None is left out.
func TestStormOfOneGroup(t *testing.T) {
	t.Parallel()
	const alerts = 1000
	for _, c := range []struct {
		name     string
		critical int // the alert that is critical; -1: none
		later    int // alerts that begin half a minute later
		want     []time.Duration
		fifth    []string // what the fifth says
	}{
		{"all are warnings", -1, 0, []time.Duration{0, 1, 3, 7, 15}, []string{"1000 alerts of this group", "at 00:01:01 UTC"}},
		{"the last is critical", alerts - 1, 0, []time.Duration{0, 1, 3, 7, 10}, []string{"/999"}},
		{"one in the middle is critical", alerts / 2, 0, []time.Duration{0, 1, 3, 5, 9, 17}, nil},
		{"more come later", -1, 10, []time.Duration{0, 1, 3, 7, 15, 60}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h := routes(t)
				h.Advance(time.Second)
				for i := range alerts {
					count := int64(5)
					if i == c.critical {
						count = 50
					}
					fail(h, fmt.Sprint("/", i), count)
					h.Advance(10 * time.Second / alerts)
				}
				h.Advance(20 * time.Second)
				for i := range c.later {
					fail(h, fmt.Sprint("/later", i), 5)
				}
				h.Advance(60 * time.Second)
				mails := h.Mailbox.Mails()
				var at []time.Duration
				var all strings.Builder
				for i, m := range mails {
					at = append(at, (m.After-time.Second).Truncate(time.Second)/time.Second)
					all.WriteString(m.Body)
					t.Logf("%d: after %v: %s (%d bytes)", i+1, m.After-time.Second, m.Subject, len(m.Body))
				}
				if !slices.Equal(at, c.want) {
					t.Errorf("told after %d s, want %d", at, c.want)
				}
				for i := range alerts {
					if !strings.Contains(all.String(), fmt.Sprintf("route=/%d}", i)) {
						t.Errorf("alert %d isn't told", i)
					}
				}
				if len(mails) < 5 {
					return
				}
				t.Logf("the fifth ends: %s", mails[4].Body[max(0, len(mails[4].Body)-200):])
				for _, text := range c.fifth {
					if !strings.Contains(mails[4].Subject+mails[4].Body, text) {
						t.Errorf("the fifth doesn't say %q: %s", text, mails[4].Subject)
					}
				}
			})
		})
	}
}
