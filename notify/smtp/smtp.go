// Package smtp sends hawkeye's mails through an SMTP server.
//
//	mailer, err := smtp.New(smtp.Config{
//		Host: "smtp.example.com", Username: "alerts", Password: os.Getenv("SMTP_PASSWORD"),
//		From: "Alerts <alerts@example.com>",
//	})
//	h, err := hawkeye.New(hawkeye.WithMailer(mailer), ...)
//
// It is a module of its own, so that who brings another [hawkeye.MailingService]
// doesn't inherit a mail library.
package smtp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/go-batteries/hawkeye"
)

// DefaultTimeout bounds a Send whose ctx has no deadline.
const DefaultTimeout = 30 * time.Second

// TLSPolicy says how a connection is encrypted.
type TLSPolicy int

// The policies. In each but the last two the server's certificate must be
// valid for Config.Host.
const (
	// TLSAuto, the default, is TLSImplicit on port 465, else TLSStartTLS.
	TLSAuto TLSPolicy = iota
	// TLSStartTLS demands STARTTLS (RFC 3207): a server that doesn't offer
	// it gets no mail.
	TLSStartTLS
	// TLSImplicit speaks TLS from the first byte (RFC 8314).
	TLSImplicit
	// TLSOpportunistic uses STARTTLS if the server offers it. Who can change
	// the traffic can make it go in clear.
	TLSOpportunistic
	// TLSNone never encrypts: for a relay on the same machine.
	TLSNone
)

// Config says where mail goes. Host is needed; the rest has defaults.
type Config struct {
	// Host is the server's name or address, without the port.
	Host string
	// Port is 1 to 65535. Default: 465 with TLSImplicit, else 587.
	Port int
	// Username and Password log in: by SCRAM-SHA-256 or SCRAM-SHA-1 if the
	// server has it, over TLS (or to a loopback address) by PLAIN or LOGIN,
	// else by CRAM-MD5. Default: no login.
	Username string
	Password string `json:"-"`
	// TLS is the policy, default TLSAuto; TLSConfig, which is cloned, adds to
	// it, say, RootCAs. Default: the system's roots, TLS 1.2 and later.
	TLS       TLSPolicy
	TLSConfig *tls.Config
	// From is the sender of a mail that has none ("a@example.com" or
	// "Ann <a@example.com>").
	From string
	// LocalName is how this machine introduces itself (EHLO). Default: its
	// host name.
	LocalName string
	// Timeout bounds a Send whose ctx has no deadline. Default
	// [DefaultTimeout].
	Timeout time.Duration
}

// String leaves the password out.
func (c Config) String() string {
	return fmt.Sprintf("smtp %s@%s:%d", c.Username, c.Host, c.Port)
}

// GoString leaves the password out.
func (c Config) GoString() string { return c.String() }

// Mailer is a [hawkeye.MailingService]. It is safe for concurrent use, and
// opens a connection for each mail, so there is nothing to close.
type Mailer struct{ config Config }

var _ hawkeye.MailingService = (*Mailer)(nil)

// New returns a Mailer. It connects to nothing.
//
// It returns an error wrapping [hawkeye.ErrInvalidOption] that names every
// field that can't be used.
func New(c Config) (*Mailer, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	if c.TLS == TLSAuto {
		c.TLS = TLSStartTLS
		if c.Port == 465 {
			c.TLS = TLSImplicit
		}
	}
	if c.Port == 0 {
		c.Port = 587
		if c.TLS == TLSImplicit {
			c.Port = 465
		}
	}
	if c.TLSConfig == nil {
		c.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	c.TLSConfig = c.TLSConfig.Clone()
	if c.TLSConfig.ServerName == "" {
		c.TLSConfig.ServerName = c.Host
	}
	if c.LocalName == "" {
		c.LocalName = localName()
	}
	if c.Timeout == 0 {
		c.Timeout = DefaultTimeout
	}
	return &Mailer{config: c}, nil
}

func (c Config) validate() error {
	var problems []error
	problem := func(field, text string) {
		problems = append(problems, fmt.Errorf("%w: smtp.Config.%s: %s", hawkeye.ErrInvalidOption, field, text))
	}
	if c.Host == "" || strings.ContainsFunc(c.Host, notInLine) {
		problem("Host", "want the name of a server")
	}
	if c.Port < 0 || c.Port > 65535 {
		problem("Port", "want 1 to 65535, or 0 for the default")
	}
	if (c.Username == "") != (c.Password == "") {
		problem("Username, Password", "want both or neither")
	}
	if c.TLS < TLSAuto || c.TLS > TLSNone {
		problem("TLS", "want one of the policies")
	}
	if c.From != "" {
		if _, err := mail.ParseAddress(c.From); err != nil {
			problem("From", err.Error())
		}
	}
	if strings.ContainsFunc(c.LocalName, notInLine) {
		problem("LocalName", "want a host name")
	}
	if c.Timeout < 0 {
		problem("Timeout", "is negative")
	}
	return errors.Join(problems...)
}

// notInLine says of a character that it would end a word of an SMTP command.
func notInLine(r rune) bool { return r <= ' ' || r == 0x7f }

func localName() string {
	name, err := os.Hostname()
	if err != nil || name == "" || strings.ContainsFunc(name, notInLine) {
		return "localhost"
	}
	return name
}

// Send implements [hawkeye.MailingService]. One connection carries one mail
// to all of its recipients, those in Bcc too, who are in no header. If the
// server refuses some of them the others get it, and the error is a
// [hawkeye.RecipientsError].
//
// An answer of 5xx to what is about the mail, and an address that is none, are
// [hawkeye.Permanent]. What is about the session (the network, a greeting,
// STARTTLS, a login that is refused) is not, whatever its code: the mail goes
// out when that has been mended. Domains are sent in ASCII (IDNA). No error
// holds the password or what was derived from it, even if the server sends it
// back.
func (m *Mailer) Send(ctx context.Context, cfg hawkeye.MailerConfig) error {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, m.config.Timeout)
		defer cancel()
	}
	l, err := m.compose(cfg)
	if err != nil {
		return hawkeye.Permanent(err)
	}
	if len(l.recipients) == 0 {
		return l.result()
	}
	s, err := m.open(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.deliver(l); err != nil {
		return err
	}
	return l.result()
}

// String leaves the password out.
func (m *Mailer) String() string { return m.config.String() }

// GoString leaves the password out.
func (m *Mailer) GoString() string { return m.config.String() }

func (m *Mailer) address() string {
	return net.JoinHostPort(m.config.Host, strconv.Itoa(m.config.Port))
}
