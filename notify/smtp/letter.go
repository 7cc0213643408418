package smtp

import (
	"errors"
	"fmt"
	"maps"
	netmail "net/mail"
	"net/textproto"
	"slices"
	"strings"
	"unicode"

	"github.com/go-batteries/hawkeye"
	"github.com/wneessen/go-mail"
)

// Bounds of what goes into a header.
const (
	maxValueBytes = 900 // a line has at most 998 (RFC 5322, section 2.1.1)
	maxReferences = 20
)

// letter is a mail with its envelope.
type letter struct {
	msg        *mail.Msg
	from       *netmail.Address
	recipients []recipient
	failed     map[string]error // by the address as the caller wrote it
}

type recipient struct {
	given string
	addr  *netmail.Address
}

// compose makes the mail. An address that is none fails its recipient alone.
func (m *Mailer) compose(cfg hawkeye.MailerConfig) (*letter, error) {
	sender := cfg.Sender
	if sender == "" {
		sender = m.config.From
	}
	if sender == "" {
		return nil, errors.New("compose mail: no sender: set smtp.Config.From or hawkeye.WithFrom")
	}
	from, err := parseAddress(sender)
	if err != nil {
		return nil, fmt.Errorf("compose mail: parse sender %q: %w", sender, err)
	}
	l := &letter{
		msg:    mail.NewMsg(mail.WithNoDefaultUserAgent()),
		from:   from,
		failed: make(map[string]error),
	}
	l.msg.FromMailAddress(from)
	if to := l.add(cfg.Recipients); len(to) > 0 {
		l.msg.ToMailAddress(to...)
	} else { // a group without members (RFC 5322, section 3.4): some servers refuse a mail without To
		l.msg.SetGenHeaderPreformatted(mail.Header("To"), "undisclosed-recipients:;")
	}
	l.msg.CcMailAddress(l.add(cfg.CC)...)
	l.add(cfg.Bcc)
	if len(l.recipients) == 0 && len(l.failed) == 0 {
		return nil, errors.New("compose mail: no recipients")
	}
	l.headers(cfg)
	l.msg.SetBodyString(mail.TypeTextPlain, plainText(cfg.Body))
	if cfg.HTML != "" {
		l.msg.AddAlternativeString(mail.TypeTextHTML, plainText(cfg.HTML))
	}
	return l, nil
}

// add puts addresses on the envelope, each once, and returns them.
func (l *letter) add(given []string) []*netmail.Address {
	var list []*netmail.Address
	for _, g := range given {
		addr, err := parseAddress(g)
		if err != nil {
			l.failed[g] = hawkeye.Permanent(fmt.Errorf("parse address: %w", err))
			continue
		}
		list = append(list, addr)
		known := slices.ContainsFunc(l.recipients, func(r recipient) bool { return r.addr.Address == addr.Address })
		if !known {
			l.recipients = append(l.recipients, recipient{given: g, addr: addr})
		}
	}
	return list
}

// headers sets all but the addresses. The caller's own come first, so that
// they can't take the place of ours.
func (l *letter) headers(cfg hawkeye.MailerConfig) {
	l.msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: no answers from holidays
	for _, name := range slices.Sorted(maps.Keys(cfg.Headers)) {
		canonical := textproto.CanonicalMIMEHeaderKey(name)
		if value := line(cfg.Headers[name]); value != "" && headerAllowed(canonical) {
			l.msg.SetGenHeader(mail.Header(canonical), value)
		}
	}
	l.msg.Subject(line(cfg.Subject))
	l.msg.SetDate()
	if id, ok := messageID(cfg.MessageID); ok {
		l.msg.SetGenHeader(mail.HeaderMessageID, id)
	} else {
		l.msg.SetMessageID()
	}
	var refs []string
	for _, ref := range cfg.References {
		if id, ok := messageID(ref); ok {
			refs = append(refs, id)
		}
	}
	if len(refs) == 0 {
		return
	}
	if len(refs) > maxReferences { // the first holds the thread together, the last ones its order
		refs = append(refs[:1:1], refs[len(refs)-maxReferences+1:]...)
	}
	l.msg.SetGenHeader(mail.HeaderReferences, strings.Join(refs, " "))
	l.msg.SetGenHeader(mail.HeaderInReplyTo, refs[len(refs)-1])
}

// ours are headers that MailerConfig.Headers can't set.
var ours = []string{
	"Bcc", "Cc", "Date", "From", "In-Reply-To", "Message-Id", "Mime-Version",
	"Received", "References", "Return-Path", "Sender", "Subject", "To",
}

// headerAllowed says whether a canonical header name is one (RFC 5322,
// section 2.2) and not ours.
func headerAllowed(name string) bool {
	notInName := func(r rune) bool { return r <= ' ' || r >= 0x7f || r == ':' }
	return name != "" && len(name) <= 64 && !strings.ContainsFunc(name, notInName) &&
		!slices.Contains(ours, name) &&
		!strings.HasPrefix(name, "Content-") && !strings.HasPrefix(name, "Resent-")
}

// messageID returns s if it is a message id with its angle brackets.
func messageID(s string) (string, bool) {
	inner, ok := strings.CutPrefix(s, "<")
	if !ok {
		return "", false
	}
	inner, ok = strings.CutSuffix(inner, ">")
	notInID := func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '<' || r == '>' }
	if !ok || inner == "" || len(inner) > maxValueBytes || strings.ContainsFunc(inner, notInID) {
		return "", false
	}
	return s, true
}

// line makes s one line without control characters and of a bounded length.
func line(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.IsSpace(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	s = strings.Join(strings.Fields(s), " ")
	s = strings.ReplaceAll(s, "=?", "= ?") // begins an encoded word (RFC 2047), which nobody has checked
	if len(s) <= maxValueBytes {
		return s
	}
	return strings.ToValidUTF8(s[:maxValueBytes], "") + "…"
}

// plainText makes s valid UTF-8 with LF line ends, from which go-mail makes CRLF.
func plainText(s string) string {
	return strings.NewReplacer("\r\n", "\n", "\r", "\n", "\x00", "").Replace(strings.ToValidUTF8(s, "\uFFFD"))
}

// result says how the recipients fared: nil if all of them got the mail.
func (l *letter) result() error {
	if len(l.failed) == 0 {
		return nil
	}
	err := &hawkeye.RecipientsError{Failed: l.failed}
	if len(l.recipients) > 0 {
		return err
	}
	for _, cause := range l.failed {
		if !permanent(cause) {
			return err
		}
	}
	return hawkeye.Permanent(err)
}

func permanent(err error) bool {
	var p interface{ Permanent() bool }
	return errors.As(err, &p) && p.Permanent()
}
