package smtp

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/go-batteries/hawkeye"
)

// script is a server that answers each command as it is told to, without
// knowing SMTPUTF8 or anything else.
type script struct {
	answers map[string]string // by the first word of the command; "." ends the data
	said    chan string       // all that a client said
}

func (s *script) start(t *testing.T) (port int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	s.said = make(chan string, 10)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go s.serve(conn)
		}
	}()
	return l.Addr().(*net.TCPAddr).Port
}

func (s *script) serve(conn net.Conn) {
	defer conn.Close()
	var all strings.Builder
	defer func() { s.said <- all.String() }()
	s.answer(conn, "greeting", "220 relay.example.com")
	data := false
	for in := bufio.NewScanner(conn); in.Scan(); {
		line := in.Text()
		all.WriteString(line + "\n")
		if data && line != "." {
			continue
		}
		verb, _, _ := strings.Cut(line, " ")
		data = false
		switch verb {
		case "DATA":
			data = s.answer(conn, verb, "354 go on")
		case "EHLO":
			s.answer(conn, verb, "250-relay.example.com\r\n250-AUTH PLAIN\r\n250 8BITMIME")
		case "AUTH":
			s.answer(conn, verb, "235 welcome")
		default:
			s.answer(conn, verb, "250 fine")
		}
	}
}

// answer says what is fine, or what it was told to say instead.
func (s *script) answer(conn net.Conn, verb, fine string) (taken bool) {
	text, refused := s.answers[verb]
	if !refused {
		text = fine
	}
	io.WriteString(conn, text+"\r\n")
	return !refused
}

func (s *script) mailer(t *testing.T, change func(*Config)) *Mailer {
	t.Helper()
	c := Config{Host: "127.0.0.1", Port: s.start(t), From: "a@example.com", TLS: TLSNone, Username: "alerts", Password: password}
	if change != nil {
		change(&c)
	}
	m, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestRefusalsByStep: only what is said of the mail is final. A session that
// is refused is mended one day, and then the mail must still be there.
func TestRefusalsByStep(t *testing.T) {
	t.Parallel()
	tests := []struct {
		step, answer string
		permanent    bool
	}{
		{"greeting", "554 no SMTP service here", false},
		{"greeting", "521 no mail here", false},
		{"greeting", "421 busy", false},
		{"EHLO", "550 who are you", false},
		{"EHLO", "504 what", false},
		{"AUTH", "535 authentication failed", false},
		{"AUTH", "534 mechanism too weak", false},
		{"AUTH", "538 encryption required", false},
		{"AUTH", "501 syntax", false},
		{"AUTH", "454 temporary failure", false},
		{"MAIL", "530 authentication required", false},
		{"MAIL", "530 must issue a STARTTLS command first", false},
		{"MAIL", "451 greylisted", false},
		{"MAIL", "550 sender refused", true},
		{"RCPT", "550 no such user", true},
		{"RCPT", "556 domain takes no mail", true},
		{"RCPT", "450 greylisted", false},
		{"RCPT", "452 too many recipients", false},
		{"RCPT", "552 too many recipients", false},
		{"RCPT", "530 authentication required", false},
		{"DATA", "554 no valid recipients", true},
		{"DATA", "451 later", false},
		{".", "554 spam", true},
		{".", "552 message too large", true},
		{".", "452 disk full", false},
	}
	for _, tt := range tests {
		t.Run(tt.step+" "+tt.answer, func(t *testing.T) {
			t.Parallel()
			s := &script{answers: map[string]string{tt.step: tt.answer}}
			if tt.step == "EHLO" {
				s.answers["HELO"] = tt.answer
			}
			err := s.mailer(t, nil).Send(t.Context(), breach())
			if err == nil || permanent(err) != tt.permanent || !strings.Contains(err.Error(), tt.answer[:3]) {
				t.Errorf("Send() = %v (permanent: %v), want an error with %s (permanent: %v)", err, permanent(err), tt.answer[:3], tt.permanent)
			}
		})
	}
}

// TestNoSafeLogin: a server that offers no way to log in may offer one
// tomorrow.
func TestNoSafeLogin(t *testing.T) {
	t.Parallel()
	s := &script{answers: map[string]string{"EHLO": "250 relay.example.com"}}
	if err := s.mailer(t, nil).Send(t.Context(), breach()); err == nil || permanent(err) || !strings.Contains(err.Error(), "no way to log in") {
		t.Errorf("Send() = %v (permanent: %v), want one about the login that is tried again", err, permanent(err))
	}
}

// TestTooManyRecipients: those beyond what the server takes are tried again.
func TestTooManyRecipients(t *testing.T) {
	t.Parallel()
	n := 0
	r := &relay{rcpt: func(string) error {
		if n++; n > 2 {
			return says(552, "too many recipients")
		}
		return nil
	}}
	r.start(t, startTLS)
	mail := breach()
	mail.Recipients = []string{"a@example.com", "b@example.com", "c@example.com"}
	err := r.mailer(t, nil).Send(t.Context(), mail)
	var partly *hawkeye.RecipientsError
	if !errors.As(err, &partly) || len(partly.Failed) != 1 || permanent(partly.Failed["c@example.com"]) {
		t.Errorf("Send() = %v, want c@example.com alone to be tried again", err)
	}
}

func TestDomainsInASCII(t *testing.T) {
	t.Parallel()
	s := &script{}
	m := s.mailer(t, func(c *Config) { c.From = "Wache <w@wächter.example>" })
	mail := breach()
	mail.Recipients, mail.CC = []string{"Bö <ops@bücher.example>", "mü@example.com"}, []string{"c@例え.example"}
	err := m.Send(t.Context(), mail)
	var partly *hawkeye.RecipientsError
	if !errors.As(err, &partly) || len(partly.Failed) != 1 || !permanent(partly.Failed["mü@example.com"]) || !strings.Contains(err.Error(), "SMTPUTF8") {
		t.Errorf("Send() = %v, want mü@example.com alone to fail, for good", err)
	}
	said := <-s.said
	for _, want := range []string{
		"MAIL FROM:<w@xn--wchter-bua.example>", "RCPT TO:<ops@xn--bcher-kva.example>", "RCPT TO:<c@xn--r8jz45g.example>",
		"ops@xn--bcher-kva.example>", "Cc: <c@xn--r8jz45g.example>",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("the client didn't say %q:\n%s", want, said)
		}
	}
	if strings.Contains(said, "SMTPUTF8") || strings.Contains(said, "<mü@") && strings.Contains(said, "RCPT TO:<m") {
		t.Errorf("the client used what the server doesn't know:\n%s", said)
	}
	mail.Recipients, mail.CC = []string{"mü@example.com"}, nil
	if err := m.Send(t.Context(), mail); err == nil || !permanent(err) {
		t.Errorf("Send() to mü alone = %v, want a permanent error", err)
	}
	mail.Recipients = []string{"b@ü⒈.example"}
	if err := m.Send(t.Context(), mail); err == nil || !permanent(err) || !strings.Contains(err.Error(), "domain") {
		t.Errorf("Send() to a domain that is none = %v, want a permanent error", err)
	}
	mail.Sender, mail.Recipients = "mü@example.com", []string{"a@example.com"}
	if err := m.Send(t.Context(), mail); err == nil || !permanent(err) || !strings.Contains(err.Error(), "sender") {
		t.Errorf("Send() from mü = %v, want a permanent error about the sender", err)
	}
}

// TestToIsNeverMissing: servers that look at headers refuse a mail without.
func TestToIsNeverMissing(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*hawkeye.MailerConfig){
		"Bcc only":       func(c *hawkeye.MailerConfig) { c.Recipients, c.Bcc = nil, []string{"b@example.com"} },
		"Cc only":        func(c *hawkeye.MailerConfig) { c.Recipients, c.CC = nil, []string{"b@example.com"} },
		"To unreadable":  func(c *hawkeye.MailerConfig) { c.Recipients, c.Bcc = []string{"nobody"}, []string{"b@example.com"} },
		"without any To": func(c *hawkeye.MailerConfig) { c.Recipients, c.Bcc = []string{}, []string{"b@example.com"} },
	} {
		s := &script{}
		mail := breach()
		change(&mail)
		if err := s.mailer(t, nil).Send(t.Context(), mail); err != nil && permanent(err) {
			t.Errorf("%s: Send() = %v", name, err)
		}
		said := <-s.said
		if !strings.Contains(said, "To: undisclosed-recipients:;\n") || strings.Contains(said, "\nBcc:") {
			t.Errorf("%s: the mail has no To, or shows Bcc:\n%s", name, said)
		}
	}
}

// TestEndlessServers say something without end, in each step and shape. Send
// takes neither much memory nor longer than its ctx.
func TestEndlessServers(t *testing.T) {
	// Not parallel: it looks at the heap.
	forever := func(begin, again string) func(net.Conn) {
		return func(conn net.Conn) {
			io.WriteString(conn, begin)
			text := []byte(strings.Repeat(again, 1+64<<10/len(again)))
			for {
				if _, err := conn.Write(text); err != nil {
					return
				}
			}
		}
	}
	drip := func(conn net.Conn) {
		for {
			if _, err := io.WriteString(conn, "220-x\r\n"); err != nil {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	afterHello := func(then func(net.Conn)) func(net.Conn) {
		return func(conn net.Conn) {
			io.WriteString(conn, "220 x\r\n")
			_, _ = bufio.NewReader(conn).ReadString('\n')
			then(conn)
		}
	}
	for name, talk := range map[string]func(net.Conn){
		"a line":            forever("220 ", "a"),
		"lines":             forever("", "220-go on\r\n"),
		"empty lines":       forever("", "\r\n"),
		"NULs":              forever("", "\x00"),
		"EHLO lines":        afterHello(forever("", "250-X\r\n")),
		"an EHLO line":      afterHello(forever("250-", "X")),
		"one reply a while": drip,
	} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go func() {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				defer conn.Close()
				talk(conn)
			}()
			m, err := New(Config{Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port, From: "a@example.com", TLS: TLSNone})
			if err != nil {
				t.Fatal(err)
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
			defer cancel()
			began := time.Now()
			err = m.Send(ctx, breach())
			took := time.Since(began)
			runtime.ReadMemStats(&after)
			if err == nil || permanent(err) {
				t.Errorf("Send() = %v, want an error that is tried again", err)
			}
			if took > 3*time.Second {
				t.Errorf("Send() took %v, with a ctx of 500 ms", took)
			}
			if grown := int64(after.TotalAlloc - before.TotalAlloc); grown > 16<<20 {
				t.Errorf("Send() allocated %d MiB", grown>>20)
			}
			t.Logf("%v after %v", err, took.Round(time.Millisecond))
		})
	}
}
