package hawkeye

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/go-batteries/hawkeye/internal/engine/notifier"
	"github.com/go-batteries/hawkeye/internal/engine/ruleset"
	"github.com/go-batteries/hawkeye/internal/guard"
	"github.com/go-batteries/hawkeye/internal/message"
	"github.com/go-batteries/hawkeye/internal/monitor"
	"github.com/go-batteries/hawkeye/internal/notify"
)

// newNotifier returns what tells people. Each replica has one, and of all one
// sends a message; see internal/engine/notifier.
func newNotifier(e *engine, c *config) *notifier.Notifier {
	return notifier.New(notifier.Config{
		Mirror: e.mirror, Book: e.book, Traits: e.traits, Clock: e.clock, Current: &e.current, Sent: e.sent, Members: e.members,
		Keeper: e.keeper, Logger: e.logger,
		Writer:      e.identity.Writer,
		SendTimeout: c.sendTimeout, MaxAbandoned: c.limits.MaxAbandonedSends,
		Latest: e.agent.Latest, Classify: result,
	})
}

// newSenders makes the senders of all receivers, by name. This is the place
// where a kind of receiver becomes something that sends.
func newSenders(c *config, set *monitor.Set) map[string]ruleset.Sender {
	mailer := c.mailer
	if mailer == nil {
		mailer = logMailer{c.logger}
	}
	senders := make(map[string]ruleset.Sender, len(set.Receivers))
	for i := range set.Receivers {
		r := &set.Receivers[i]
		senders[r.Name] = mailSender{mailer: mailer, from: cmp.Or(set.From, c.sender), email: r.Email}
	}
	return senders
}

// mailSender sends by the host's MailingService.
type mailSender struct {
	mailer MailingService
	from   string
	email  monitor.Email
}

func (s mailSender) Send(ctx context.Context, m *notify.Message, text message.Text) error {
	cfg := MailerConfig{
		Subject:    text.Subject,
		Body:       text.Body,
		Recipients: slices.Clone(s.email.To), // the service's own from here on: it may sort or mask them in place
		Sender:     s.from,
		CC:         slices.Clone(s.email.Cc),
		Bcc:        slices.Clone(s.email.Bcc),
		MessageID:  text.MessageID,
		References: []string{text.Thread},
		Headers:    map[string]string{"X-Hawkeye-Incident": m.Rows[0].Incident, "Auto-Submitted": "auto-generated"},
	}
	if len(m.Recipients) > 0 { // the others have it already
		cfg.Recipients, cfg.CC, cfg.Bcc = slices.Clone(m.Recipients), nil, nil
	}
	return s.mailer.Send(ctx, cfg)
}

// result classifies what a MailingService returned, whatever the methods of
// that do when they are called.
func result(err error) notify.Result {
	if guard.IsNil(err) {
		return notify.Result{Kind: notify.Delivered}
	}
	text := guard.ShortText(err)
	res := notify.Result{Kind: notify.Temporary, Error: text}
	_ = guard.Apart(func() error {
		res = classify(err, text) // only if it returns
		return nil
	})
	return res
}

func classify(err error, text string) notify.Result {
	var some *RecipientsError
	switch {
	case errors.As(err, &some) && some != nil && len(some.Failed) > 0:
		res := notify.Result{Kind: notify.Delivered, Error: text}
		for rcpt, rerr := range some.Failed {
			f := notify.RecipientFailure{Address: rcpt, Error: guard.ShortText(rerr), Permanent: isPermanent(rerr)}
			res.Failed = append(res.Failed, f)
		}
		return res
	case isPermanent(err):
		return notify.Result{Kind: notify.Permanent, Error: text}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return notify.Result{Kind: notify.Unknown, Error: text}
	default:
		return notify.Result{Kind: notify.Temporary, Error: text}
	}
}

// isPermanent says whether an error says of itself that trying again won't
// mend it. One that can't even be asked doesn't.
func isPermanent(err error) bool {
	permanent := false
	_ = guard.Apart(func() error {
		var p interface{ Permanent() bool }
		permanent = errors.As(err, &p) && p.Permanent()
		return nil
	})
	return permanent
}
