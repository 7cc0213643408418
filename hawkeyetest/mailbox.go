package hawkeyetest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-batteries/hawkeye"
)

// Mail is one that was sent.
type Mail struct {
	hawkeye.MailerConfig
	// After is how long after the start it was sent.
	After time.Duration
}

func (m *Mail) has(texts []string) bool {
	all := strings.Join(slices.Concat([]string{m.Subject, m.Body}, m.Recipients, m.CC, m.Bcc), "\n")
	for _, text := range texts {
		if !strings.Contains(all, text) {
			return false
		}
	}
	return true
}

// Mailbox is a [hawkeye.MailingService] that keeps what it is given. It is
// safe for concurrent use.
type Mailbox struct {
	began time.Time

	mu    sync.Mutex // guards what follows
	mails []Mail
	fail  []error
}

// Send keeps a mail, or fails as [Mailbox.Fail] wants it.
func (b *Mailbox) Send(_ context.Context, cfg hawkeye.MailerConfig) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.fail) > 0 {
		err := b.fail[0]
		b.fail = b.fail[1:]
		if err != nil {
			return err
		}
	}
	b.mails = append(b.mails, Mail{MailerConfig: cfg, After: time.Since(b.began)})
	return nil
}

// Fail makes the next sends return these errors, one each; a nil one is a
// success. See [hawkeye.Permanent].
func (b *Mailbox) Fail(errs ...error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fail = append(b.fail, errs...)
}

// Mails returns those that are in the mailbox, oldest first.
func (b *Mailbox) Mails() []Mail {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.mails)
}

// Len is how many mails are in the mailbox.
func (b *Mailbox) Len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.mails)
}

// Clear empties the mailbox.
func (b *Mailbox) Clear() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mails = nil
}

// String lists the mails, one a line.
func (b *Mailbox) String() string {
	mails := b.Mails()
	if len(mails) == 0 {
		return "none at all"
	}
	var s strings.Builder
	for _, m := range mails {
		fmt.Fprintf(&s, "\n  after %v to %s: %s", m.After, strings.Join(m.Recipients, ", "), m.Subject)
	}
	return s.String()
}

// take removes and returns the oldest mail with the texts.
func (b *Mailbox) take(texts []string) (Mail, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := slices.IndexFunc(b.mails, func(m Mail) bool { return m.has(texts) })
	if i < 0 {
		return Mail{}, false
	}
	m := b.mails[i]
	b.mails = slices.Delete(b.mails, i, i+1)
	return m, true
}
