package hawkeye

import (
	"context"
	"log/slog"
	"strings"
)

// MailingService hands a mail to whatever carries mail for the host: an SMTP
// relay (module notify/smtp), a provider's API, a queue.
//
// Send is called off the hot path, with a deadline in ctx, maybe concurrently.
// An error is retried with backoff for a day, unless it says that it is
// [Permanent]; a [RecipientsError] says that only some recipients failed. A
// panic is recovered and counts as an error, and so does the end of the
// goroutine (runtime.Goexit), or an error whose methods panic. A nil pointer
// that is returned as an error is none. A Send that ignores its ctx is
// abandoned, at most a few at a time, after which further messages to the
// same receiver wait and [Hawkeye.Health] says so.
//
// A message whose outcome is unknown (the process died in mid-send, an answer
// came too late) is sent again with the same MessageID, and its body says that
// it may be a repeat.
type MailingService interface {
	Send(ctx context.Context, cfg MailerConfig) error
}

// MailerConfig is one mail. Fields may be added; those that are here stay. Its
// slices and maps are the MailingService's own, which may change and keep them.
type MailerConfig struct {
	// Subject is one line: no CR, LF or other control character.
	Subject string
	// Body is plain text, UTF-8, lines ended by LF.
	Body string
	// Recipients has at least one address, as in RFC 5322 ("a@example.com"
	// or "Ann <a@example.com>").
	Recipients []string
	// Sender is from WithFrom or the file's `from`; it may be empty, and
	// then the MailingService puts its own.
	Sender string
	CC     []string
	Bcc    []string

	// HTML is the same message as HTML, or empty.
	HTML string
	// MessageID is unique to this message and the same when it is repeated,
	// in the form of RFC 5322, with its angle brackets.
	MessageID string
	// References are the MessageIDs of what was told before about the same
	// incident, oldest first, so that mail readers show one thread.
	References []string
	// Headers are further headers, such as X-Hawkeye-Alert. Neither names
	// nor values hold control characters.
	Headers map[string]string
}

// MailerFunc lets a function be a [MailingService].
type MailerFunc func(ctx context.Context, cfg MailerConfig) error

// Send calls f.
func (f MailerFunc) Send(ctx context.Context, cfg MailerConfig) error { return f(ctx, cfg) }

// logMailer is the default MailingService: the whole mail in the log.
type logMailer struct{ logger *slog.Logger }

// Send writes the mail as one record whose attributes are its headers and
// whose body is split into lines, so that it reads well in a text handler,
// which would quote line breaks.
func (m logMailer) Send(ctx context.Context, cfg MailerConfig) error {
	attrs := []slog.Attr{
		slog.String("subject", cfg.Subject),
		slog.String("to", strings.Join(cfg.Recipients, ", ")),
	}
	for _, list := range []struct {
		name  string
		addrs []string
	}{{"cc", cfg.CC}, {"bcc", cfg.Bcc}} {
		if len(list.addrs) > 0 {
			attrs = append(attrs, slog.String(list.name, strings.Join(list.addrs, ", ")))
		}
	}
	if cfg.Sender != "" {
		attrs = append(attrs, slog.String("from", cfg.Sender))
	}
	attrs = append(attrs,
		slog.String("message_id", cfg.MessageID),
		slog.String("body", strings.ReplaceAll(strings.TrimSpace(cfg.Body), "\n", " | ")))
	m.logger.LogAttrs(ctx, slog.LevelWarn, "mail", attrs...)
	return nil
}
