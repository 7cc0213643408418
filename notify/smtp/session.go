package smtp

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/textproto"
	"slices"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail/smtp"
)

// quitTimeout is what politeness may cost after the mail was taken.
const quitTimeout = time.Second

// session is one connection on which one mail is sent.
type session struct {
	ctx     context.Context
	stop    func() bool // ends the watch over ctx
	config  *Config
	conn    net.Conn
	client  *gomail.Client
	settled bool // the connection is in a state in which QUIT makes sense
}

// open connects, encrypts and logs in. It must be closed, but for an error.
func (m *Mailer) open(ctx context.Context) (*session, error) {
	s := &session{ctx: ctx, config: &m.config}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", m.address())
	if err != nil {
		return nil, s.problem("connect", err)
	}
	s.conn = &boundedConn{Conn: conn}
	s.stop = context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	if err := s.greet(); err != nil {
		s.close()
		return nil, err
	}
	s.settled = true
	return s, nil
}

func (s *session) greet() error {
	wire := s.conn
	if s.config.TLS == TLSImplicit {
		wire = tls.Client(s.conn, s.config.TLSConfig)
	}
	client, err := gomail.NewClient(wire, s.config.Host)
	if err != nil {
		return s.problem("read greeting", err)
	}
	s.client = client
	if err := client.Hello(s.config.LocalName); err != nil {
		return s.problem("EHLO", err)
	}
	if err := s.startTLS(); err != nil {
		return err
	}
	if s.config.Username == "" {
		return nil
	}
	return s.logIn()
}

func (s *session) startTLS() error {
	if s.config.TLS != TLSStartTLS && s.config.TLS != TLSOpportunistic {
		return nil
	}
	if offered, _ := s.client.Extension("STARTTLS"); !offered {
		if s.config.TLS == TLSOpportunistic {
			return nil
		}
		return fmt.Errorf("send mail: %s offers no STARTTLS, which smtp.Config.TLS demands", s.config.Host)
	}
	if err := s.client.StartTLS(s.config.TLSConfig); err != nil {
		return s.problem("STARTTLS", err)
	}
	return nil
}

func (s *session) logIn() error {
	_, offered := s.client.Extension("AUTH")
	_, encrypted := s.client.TLSConnectionState()
	auth := mechanism(s.config, s.conn, encrypted, strings.Fields(strings.ToUpper(offered)))
	if auth == nil {
		return fmt.Errorf("send mail: %s offers no way to log in that is safe on this connection", s.config.Host)
	}
	if err := s.client.Auth(auth); err != nil {
		return s.problem("AUTH", err)
	}
	return nil
}

// mechanism chooses the safest way to log in that the server offers, and none
// that would show the password to who listens.
func mechanism(c *Config, conn net.Conn, encrypted bool, offered []string) gomail.Auth {
	private := encrypted || loopback(conn)
	switch {
	case slices.Contains(offered, "SCRAM-SHA-256"):
		return gomail.ScramSHA256Auth(c.Username, c.Password)
	case slices.Contains(offered, "SCRAM-SHA-1"):
		return gomail.ScramSHA1Auth(c.Username, c.Password)
	case private && slices.Contains(offered, "PLAIN"):
		return gomail.PlainAuth("", c.Username, c.Password, c.Host, true)
	case private && slices.Contains(offered, "LOGIN"):
		return gomail.LoginAuth(c.Username, c.Password, c.Host, true)
	case slices.Contains(offered, "CRAM-MD5"):
		return gomail.CRAMMD5Auth(c.Username, c.Password)
	default:
		return nil
	}
}

func loopback(conn net.Conn) bool {
	addr, ok := conn.RemoteAddr().(*net.TCPAddr)
	return ok && addr.IP.IsLoopback()
}

// deliver sends l to those recipients whom the server takes and moves the
// others to l.failed. Its error is about all of them.
func (s *session) deliver(l *letter) error {
	s.client.SkipSMTPUTF8(l.ascii())
	if utf8, _ := s.client.Extension("SMTPUTF8"); !utf8 {
		if err := l.withoutUTF8(); err != nil || len(l.recipients) == 0 {
			return err
		}
	}
	s.settled = false
	if err := s.client.Mail(bracket(l.from)); err != nil {
		return s.problem("MAIL FROM", err)
	}
	var taken []recipient
	for _, r := range l.recipients {
		err := s.client.Rcpt(bracket(r.addr))
		var reply *textproto.Error
		switch {
		case err == nil:
			taken = append(taken, r)
		case errors.As(err, &reply):
			l.failed[r.given] = s.problem("RCPT TO", err)
		default:
			return s.problem("RCPT TO", err)
		}
	}
	l.recipients = taken
	if len(taken) == 0 {
		s.settled = true
		return nil
	}
	w, err := s.client.Data()
	if err != nil {
		return s.problem("DATA", err)
	}
	if _, err := l.msg.WriteTo(w); err != nil {
		// Not closed: the end of the data would make a mail of what is there.
		return s.problem("send content", err)
	}
	if err := w.Close(); err != nil {
		return s.problem("end of DATA", err)
	}
	s.settled = true
	return nil
}

// bracket returns the address alone, quoted where it needs to be.
func bracket(a *mail.Address) string { return (&mail.Address{Address: a.Address}).String() }

// close says goodbye if that makes sense and there is time left, and closes
// the connection.
func (s *session) close() {
	if inTime := s.stop(); inTime && s.settled {
		s.conn.SetDeadline(time.Now().Add(quitTimeout))
		s.client.Quit()
	}
	s.conn.Close()
}

// problem says in which step err came. What the server said is quoted without
// secrets; nothing of the original is kept, for it would hold them still.
func (s *session) problem(step string, err error) error {
	if ctxErr := context.Cause(s.ctx); ctxErr != nil {
		return fmt.Errorf("send mail: %s: %w", step, ctxErr)
	}
	var reply *textproto.Error
	if errors.As(err, &reply) {
		return &replyError{step: step, code: reply.Code, text: s.config.redact(reply.Msg)}
	}
	if step == "AUTH" {
		return fmt.Errorf("send mail: AUTH: %s", s.config.redact(err.Error()))
	}
	return fmt.Errorf("send mail: %s: %w", step, err)
}

// redact makes one bounded line of what a server said, without the password
// in any form in which it was sent.
func (c *Config) redact(said string) string {
	if c.Password != "" {
		b64 := base64.StdEncoding.EncodeToString
		said = strings.NewReplacer(
			b64([]byte("\x00"+c.Username+"\x00"+c.Password)), "[redacted]",
			b64([]byte(c.Password)), "[redacted]",
			c.Password, "[redacted]",
		).Replace(said)
	}
	return line(said)
}

// replyError is a refusal by the server.
type replyError struct {
	step string
	code int
	text string
}

func (e *replyError) Error() string {
	return fmt.Sprintf("send mail: %s: server says %d %s", e.step, e.code, e.text)
}

// Permanent says whether trying again is no use: only an answer of 5xx (RFC
// 5321, section 4.2.1) to a step that is about the mail. A refusal of the
// session (greeting, EHLO, STARTTLS, login) says nothing about the mail: it
// goes through when the server or its settings have been mended.
func (e *replyError) Permanent() bool {
	switch e.step {
	case "MAIL FROM", "DATA", "end of DATA":
		return e.code/100 == 5 && !aboutSession(e.code)
	case "RCPT TO":
		// 552 is what old servers say of too many recipients, and is to be
		// taken for 452 (RFC 5321, section 4.5.3.1.10).
		return e.code/100 == 5 && !aboutSession(e.code) && e.code != 552
	}
	return false
}

// aboutSession lists the answers that demand a login or TLS in whatever step
// they come (RFC 4954, section 6, and RFC 3207, section 4), and 521, by which
// a host takes no mail at all (RFC 7504).
func aboutSession(code int) bool {
	switch code {
	case 521, 530, 534, 535, 538:
		return true
	}
	return false
}
