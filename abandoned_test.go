package hawkeye_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-batteries/hawkeye"
)

// deaf is a MailingService that ignores its context: a Send to "deaf" ends
// when it is told to, by a value from release or the channel's end.
type deaf struct {
	mailbox
	release chan struct{}

	mu    sync.Mutex // guards what follows
	tries int
	under int
	most  int // at a time
}

func (d *deaf) Send(ctx context.Context, cfg hawkeye.MailerConfig) error {
	if cfg.Recipients[0] == "deaf@example.com" {
		d.mu.Lock()
		d.tries++
		d.under++
		d.most = max(d.most, d.under)
		d.mu.Unlock()
		<-d.release
		d.mu.Lock()
		d.under--
		d.mu.Unlock()
	}
	return d.mailbox.Send(ctx, cfg)
}

func (d *deaf) seen() (tries, under, most int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.tries, d.under, d.most
}

// deafFile is eight monitors of one receiver, and two of another.
func deafFile() string {
	var b strings.Builder
	b.WriteString("version: 2\nreceivers:\n  deaf: {email: {to: [deaf@example.com]}}\n  good: {email: {to: [good@example.com]}}\nmonitors:\n")
	for i := range 8 {
		fmt.Fprintf(&b, "  - {name: m%d, metric: errors, window: 1h, triggers: [{level: bad, threshold: 1, notify: [deaf]}]}\n", i)
	}
	for i := range 2 {
		fmt.Fprintf(&b, "  - {name: good%d, metric: errors, window: 1h, triggers: [{level: bad, threshold: %d, notify: [good]}]}\n", i, i+1)
	}
	return b.String()
}

// Of a receiver whose Sends ignore their deadline a few are left alone. Then
// its messages wait, until one of those ends.
func TestAbandonedSendsAreBounded(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		most int
		opts []hawkeye.Option
	}{
		{3, nil},
		{1, []hawkeye.Option{hawkeye.WithLimits(hawkeye.Limits{MaxAbandonedSends: 1})}},
		{6, []hawkeye.Option{hawkeye.WithLimits(hawkeye.Limits{MaxAbandonedSends: 6})}},
	} {
		synctest.Test(t, func(t *testing.T) {
			box := &deaf{release: make(chan struct{})}
			h := start(t, deafFile(), box, append(c.opts, hawkeye.WithSendTimeout(5*time.Second))...)
			defer stop(t, h)
			count(h, "errors", 1)
			after(time.Second)
			want(t, "to the other receiver", box.lines(), "good@example.com: [bad] good0 in shop (test)")
			after(3 * time.Minute)
			tries, under, most := box.seen()
			if under != c.most || most != c.most || tries != c.most {
				t.Errorf("%d Sends in all, %d are under way, and %d were at most, want %d", tries, under, most, c.most)
			}
			heldUp := func() bool {
				return slices.ContainsFunc(h.Health().Problems, func(p string) bool {
					return p == "8 messages to deaf are held up by a receiver that ignores its deadline"
				})
			}
			if !heldUp() {
				t.Errorf("Health() = %+v, want word of 8 messages that are held up", h.Health())
			}
			count(h, "errors", 1)
			after(15 * time.Second) // a window of an hour is looked at each 12 s
			want(t, "to the other receiver, later", box.lines(), "good@example.com: [bad] good1 in shop (test)")

			box.release <- struct{}{} // one of them ends, and makes room for one
			after(3 * time.Minute)
			tries, under, most = box.seen()
			if under != c.most || most != c.most || tries != c.most+1 || !heldUp() {
				t.Errorf("%d Sends in all, %d are under way, and %d were at most, want one more than %d", tries, under, most, c.most)
			}
			close(box.release)
			after(15 * time.Minute)
			told := box.lines()
			for i := range 8 {
				if line := fmt.Sprintf("deaf@example.com: [bad] m%d in shop (test)", i); !slices.Contains(told, line) {
					t.Errorf("mails in the end = %q, want %q among them", told, line)
				}
			}
			if hh := h.Health(); !hh.OK {
				t.Errorf("Health() in the end = %+v, want no problem", hh)
			}
		})
	}
}
