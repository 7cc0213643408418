package hawkeye

import (
	"cmp"
	"context"
	"slices"

	"github.com/go-batteries/hawkeye/internal/engine/ruleset"
	"github.com/go-batteries/hawkeye/internal/message"
	"github.com/go-batteries/hawkeye/internal/monitor"
	"github.com/go-batteries/hawkeye/internal/notify"
)

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
