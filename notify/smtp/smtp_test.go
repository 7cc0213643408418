package smtp

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/mail"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/go-batteries/hawkeye"
)

func breach() hawkeye.MailerConfig {
	return hawkeye.MailerConfig{
		Subject: "breach", Body: "it is\nbroken", Recipients: []string{"a@example.com"},
		MessageID: "<1@hawkeye>", References: []string{"<0@hawkeye>"},
	}
}

func logIn(c *Config) { c.Username, c.Password = "alerts", password }

func TestSendOverEveryKindOfConnection(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		server encryption
		change func(*Config)
		logins []string
	}{
		{name: "STARTTLS", server: startTLS},
		{name: "STARTTLS and login", server: startTLS, change: logIn, logins: []string{"alerts:" + password}},
		{name: "implicit TLS", server: implicitTLS, change: func(c *Config) { c.TLS = TLSImplicit }},
		{name: "implicit TLS and login", server: implicitTLS, change: func(c *Config) { logIn(c); c.TLS = TLSImplicit }, logins: []string{"alerts:" + password}},
		{name: "opportunistic, offered", server: startTLS, change: func(c *Config) { logIn(c); c.TLS = TLSOpportunistic }, logins: []string{"alerts:" + password}},
		{name: "opportunistic, not offered", server: inClear, change: func(c *Config) { c.TLS = TLSOpportunistic }},
		{name: "in clear", server: inClear, change: func(c *Config) { c.TLS = TLSNone }},
		{name: "in clear and login on loopback", server: inClear, change: func(c *Config) { logIn(c); c.TLS = TLSNone }, logins: []string{"alerts:" + password}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := new(relay).start(t, tt.server)
			if err := r.mailer(t, tt.change).Send(t.Context(), breach()); err != nil {
				t.Fatalf("Send() = %v", err)
			}
			got := r.only(t)
			if got.from != "alerts@example.com" || !cmp.Equal(got.to, []string{"a@example.com"}) || got.utf8 {
				t.Errorf("envelope is from %q to %q, UTF-8 %v", got.from, got.to, got.utf8)
			}
			if diff := cmp.Diff(tt.logins, r.logins); diff != "" {
				t.Errorf("logins (-want +got)\n%s", diff)
			}
		})
	}
}

func TestSendRefusesUnsafeConnections(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name      string
		server    encryption
		change    func(*Config)
		want      string
		permanent bool
	}{
		{"no STARTTLS", inClear, nil, "offers no STARTTLS", false},
		{"unknown authority", startTLS, func(c *Config) { c.TLSConfig = nil }, "certificate", false},
		{"unknown authority, implicit", implicitTLS, func(c *Config) { c.TLSConfig, c.TLS = nil, TLSImplicit }, "certificate", false},
		{"wrong name", startTLS, func(c *Config) { c.TLSConfig.ServerName = "other.example.com" }, "certificate", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := new(relay).start(t, tt.server)
			err := r.mailer(t, tt.change).Send(t.Context(), breach())
			if err == nil || !strings.Contains(err.Error(), tt.want) || permanent(err) != tt.permanent {
				t.Errorf("Send() = %v (permanent: %v), want %q (%v)", err, permanent(err), tt.want, tt.permanent)
			}
			if len(r.delivered) > 0 {
				t.Error("the mail went out")
			}
		})
	}
}

// TestLoginIsPrivate looks at what would be sent to a server that is neither
// encrypted nor on this machine.
func TestLoginIsPrivate(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		addr    string
		offered []string
		want    bool
	}{
		{"192.0.2.1", []string{"PLAIN", "LOGIN"}, false},
		{"192.0.2.1", []string{"PLAIN", "CRAM-MD5"}, true},
		{"192.0.2.1", []string{"SCRAM-SHA-256"}, true},
		{"192.0.2.1", []string{"SCRAM-SHA-1"}, true},
		{"192.0.2.1", []string{"XOAUTH2"}, false},
		{"192.0.2.1", nil, false},
		{"127.0.0.1", []string{"LOGIN"}, true},
		{"::1", []string{"PLAIN"}, true},
	} {
		remote := remoteConn{addr: &net.TCPAddr{IP: net.ParseIP(tt.addr)}}
		if got := mechanism(&Config{}, remote, false, tt.offered); (got != nil) != tt.want {
			t.Errorf("mechanism(%s, %q) = %T, want one: %v", tt.addr, tt.offered, got, tt.want)
		}
		if got := mechanism(&Config{}, remote, true, []string{"PLAIN"}); got == nil {
			t.Errorf("mechanism(%s, PLAIN) over TLS = nil, want one", tt.addr)
		}
	}
}

type remoteConn struct {
	net.Conn
	addr net.Addr
}

func (c remoteConn) RemoteAddr() net.Addr { return c.addr }

func TestSendErrors(t *testing.T) {
	t.Parallel()
	refuse := func(code int, whom ...string) func(string) error {
		return func(who string) error {
			for _, w := range whom {
				if w == who {
					return says(code, "no "+who)
				}
			}
			return nil
		}
	}
	three := func(c *hawkeye.MailerConfig) {
		c.Recipients = []string{"Ann <a@example.com>"}
		c.CC = []string{"b@example.com"}
		c.Bcc = []string{"c@example.com"}
	}
	for _, tt := range []struct {
		name      string
		relay     *relay // default: accepts everything
		change    func(*hawkeye.MailerConfig)
		want      string
		permanent bool
		failed    map[string]bool // by address: permanent or not
		delivered []string
	}{
		{name: "sender refused", relay: &relay{mail: refuse(550, "alerts@example.com")}, want: "MAIL FROM: server says 550", permanent: true},
		{name: "sender put off", relay: &relay{mail: refuse(451, "alerts@example.com")}, want: "MAIL FROM: server says 451"},
		{name: "content refused", relay: &relay{data: func() error { return says(554, "spam") }}, want: "end of DATA: server says 554 spam", permanent: true},
		{name: "content put off", relay: &relay{data: func() error { return says(452, "full") }}, want: "end of DATA: server says 452 full"},
		{name: "not a server's error", relay: &relay{data: func() error { return errors.New("oh") }}, want: "554", permanent: true},
		{
			name: "one of three refused", relay: &relay{rcpt: refuse(550, "a@example.com")}, change: three, want: "Ann <a@example.com>: send mail: RCPT TO: server says 550",
			failed: map[string]bool{"Ann <a@example.com>": true}, delivered: []string{"b@example.com", "c@example.com"},
		},
		{
			name: "two of three put off", relay: &relay{rcpt: refuse(450, "b@example.com", "c@example.com")}, change: three, want: "450",
			failed: map[string]bool{"b@example.com": false, "c@example.com": false}, delivered: []string{"a@example.com"},
		},
		{
			name: "all refused", relay: &relay{rcpt: refuse(550, "a@example.com", "b@example.com", "c@example.com")}, change: three, want: "550", permanent: true,
			failed: map[string]bool{"Ann <a@example.com>": true, "b@example.com": true, "c@example.com": true},
		},
		{
			name: "all put off", relay: &relay{rcpt: refuse(421, "a@example.com")}, want: "421",
			failed: map[string]bool{"a@example.com": false},
		},
		{
			name: "an address that is none", change: func(c *hawkeye.MailerConfig) { c.CC = []string{"nobody"} }, want: "nobody: parse address",
			failed: map[string]bool{"nobody": true}, delivered: []string{"a@example.com"},
		},
		{
			name: "an address of two lines", change: func(c *hawkeye.MailerConfig) { c.Bcc = []string{"b@example.com\r\nRCPT TO:<evil@example.com>"} }, want: "parse address",
			failed: map[string]bool{"b@example.com\r\nRCPT TO:<evil@example.com>": true}, delivered: []string{"a@example.com"},
		},
		{
			name: "no address at all", change: func(c *hawkeye.MailerConfig) { c.Recipients = []string{"nobody"} }, want: "parse address", permanent: true,
			failed: map[string]bool{"nobody": true},
		},
		{name: "no recipients", change: func(c *hawkeye.MailerConfig) { c.Recipients = nil }, want: "no recipients", permanent: true},
		{name: "sender that is none", change: func(c *hawkeye.MailerConfig) { c.Sender = "me" }, want: "parse sender", permanent: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := tt.relay
			if r == nil {
				r = new(relay)
			}
			r.start(t, startTLS)
			mail := breach()
			if tt.change != nil {
				tt.change(&mail)
			}
			err := r.mailer(t, nil).Send(t.Context(), mail)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("Send() = %v, want %q", err, tt.want)
			}
			if permanent(err) != tt.permanent {
				t.Errorf("Send() = %v is permanent: %v, want %v", err, permanent(err), tt.permanent)
			}
			var partly *hawkeye.RecipientsError
			var failed map[string]bool
			if errors.As(err, &partly) {
				failed = make(map[string]bool)
				for rcpt, cause := range partly.Failed {
					failed[rcpt] = permanent(cause)
				}
			}
			if diff := cmp.Diff(tt.failed, failed); diff != "" {
				t.Errorf("failed recipients, permanently or not (-want +got)\n%s", diff)
			}
			var to []string
			if tt.delivered != nil {
				to = r.only(t).to
			} else if len(r.delivered) > 0 {
				t.Error("the mail went out")
			}
			if diff := cmp.Diff(tt.delivered, to); diff != "" {
				t.Errorf("delivered to (-want +got)\n%s", diff)
			}
		})
	}
}

func TestSendWithoutSender(t *testing.T) {
	t.Parallel()
	r := new(relay).start(t, startTLS)
	err := r.mailer(t, func(c *Config) { c.From = "" }).Send(t.Context(), breach())
	if err == nil || !permanent(err) || !strings.Contains(err.Error(), "no sender") {
		t.Errorf("Send() = %v, want a permanent error about the sender", err)
	}
}

func TestSendKeepsSecrets(t *testing.T) {
	t.Parallel()
	encoded := base64.StdEncoding.EncodeToString([]byte("\x00alerts\x00" + password))
	r := (&relay{auth: func(username, pass string) error {
		return says(535, "wrong "+pass+" and "+encoded+" and "+base64.StdEncoding.EncodeToString([]byte(pass)))
	}}).start(t, startTLS)
	m := r.mailer(t, logIn)
	err := m.Send(t.Context(), breach())
	if err == nil || permanent(err) || !strings.Contains(err.Error(), "AUTH: server says 535 wrong [redacted] and [redacted] and [redacted]") {
		t.Errorf("Send() = %v, want an error that is tried again, with the secrets taken out", err)
	}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("made", "config", Config{Host: "mail", Password: password}, "mailer", m)
	if !strings.Contains(log.String(), `"Host":"mail"`) {
		t.Errorf("log is %s, want it to show the configuration", log.String())
	}
	for _, text := range []string{
		fmt.Sprint(err), fmt.Sprintf("%+v", err), fmt.Sprintf("%#v", err), fmt.Sprintf("%#v", errors.Unwrap(err)),
		fmt.Sprint(m), fmt.Sprintf("%+v", m), fmt.Sprintf("%#v", m), fmt.Sprintf("%+v", m.config), fmt.Sprintf("%#v", m.config), log.String(),
	} {
		if strings.Contains(text, password) || strings.Contains(text, encoded) {
			t.Errorf("%q has the password", text)
		}
	}
}

func TestSendHonoursContext(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		greeting string
		policy   TLSPolicy
	}{
		{"before the greeting", "", TLSStartTLS},
		{"before the EHLO's answer", "220 hello\r\n", TLSStartTLS},
		{"in the handshake", "", TLSImplicit},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m, err := New(Config{Host: "127.0.0.1", Port: silentServer(t, tt.greeting), From: "a@example.com", TLS: tt.policy})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if err := m.Send(ctx, breach()); !errors.Is(err, context.DeadlineExceeded) || permanent(err) {
				t.Errorf("Send() = %v, want a deadline exceeded that isn't permanent", err)
			}
			ctx, cancel = context.WithCancel(t.Context())
			cancel()
			if err := m.Send(ctx, breach()); !errors.Is(err, context.Canceled) {
				t.Errorf("Send() = %v, want canceled", err)
			}
			m.config.Timeout = 50 * time.Millisecond
			if err := m.Send(t.Context(), breach()); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Send() without a deadline = %v, want a deadline exceeded by itself", err)
			}
		})
	}
}

func TestSendHonoursContextInData(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	release := make(chan struct{})
	defer close(release)
	r := (&relay{data: func() error { cancel(); <-release; return nil }}).start(t, startTLS)
	if err := r.mailer(t, nil).Send(ctx, breach()); !errors.Is(err, context.Canceled) || permanent(err) {
		t.Errorf("Send() = %v, want canceled, not permanent", err)
	}
}

func TestSendWithoutServer(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	m, err := New(Config{Host: "127.0.0.1", Port: port, From: "a@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Send(t.Context(), breach()); err == nil || permanent(err) || !strings.Contains(err.Error(), "connect") {
		t.Errorf("Send() = %v, want an error about connecting that isn't permanent", err)
	}
}

func TestSendGreetings(t *testing.T) {
	t.Parallel()
	for greeting, wantPermanent := range map[string]bool{
		"554 go away\r\n": false, "521 no mail here\r\n": false, "421 busy\r\n": false, "HTTP/1.1 400 Bad Request\r\n": false,
	} {
		m, err := New(Config{Host: "127.0.0.1", Port: silentServer(t, greeting), From: "a@example.com"})
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Send(t.Context(), breach()); err == nil || permanent(err) != wantPermanent {
			t.Errorf("Send() after %q = %v (permanent: %v), want an error (%v)", greeting, err, permanent(err), wantPermanent)
		}
	}
}

func TestNewDefaults(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		give     Config
		wantPort int
		wantTLS  TLSPolicy
	}{
		{Config{}, 587, TLSStartTLS},
		{Config{Port: 25}, 25, TLSStartTLS},
		{Config{Port: 465}, 465, TLSImplicit},
		{Config{TLS: TLSImplicit}, 465, TLSImplicit},
		{Config{TLS: TLSNone}, 587, TLSNone},
	} {
		tt.give.Host = "smtp.example.com"
		m, err := New(tt.give)
		if err != nil {
			t.Fatalf("New(%v) = %v", tt.give, err)
		}
		c := m.config
		if c.Port != tt.wantPort || c.TLS != tt.wantTLS || c.TLSConfig.ServerName != "smtp.example.com" || c.Timeout != DefaultTimeout || c.LocalName == "" {
			t.Errorf("New(%v) has port %d, policy %d, name %q", tt.give, c.Port, c.TLS, c.TLSConfig.ServerName)
		}
	}
}

func TestNewNamesEveryMistake(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		give Config
		want []string
	}{
		{"nothing", Config{}, []string{"Host"}},
		{"host of two lines", Config{Host: "a\r\nb"}, []string{"Host"}},
		{"port", Config{Host: "a", Port: 65536}, []string{"Port"}},
		{"negative port", Config{Host: "a", Port: -1}, []string{"Port"}},
		{"no password", Config{Host: "a", Username: "u"}, []string{"Username, Password"}},
		{"no username", Config{Host: "a", Password: password}, []string{"Username, Password"}},
		{"policy", Config{Host: "a", TLS: 9}, []string{"TLS"}},
		{"sender", Config{Host: "a", From: "me"}, []string{"From"}},
		{"local name", Config{Host: "a", LocalName: "a b"}, []string{"LocalName"}},
		{"timeout", Config{Host: "a", Timeout: -1}, []string{"Timeout"}},
		{
			"all", Config{Port: -1, Username: "u", TLS: -1, From: "me", LocalName: "\n", Timeout: -1},
			[]string{"Host", "Port", "Username, Password", "TLS", "From", "LocalName", "Timeout"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := New(tt.give)
			if !errors.Is(err, hawkeye.ErrInvalidOption) {
				t.Fatalf("New() = %v, want ErrInvalidOption", err)
			}
			for _, field := range tt.want {
				if !strings.Contains(err.Error(), "smtp.Config."+field+":") {
					t.Errorf("New() = %v, want it to name %s", err, field)
				}
			}
			if strings.Contains(err.Error(), password) {
				t.Errorf("New() = %v has the password", err)
			}
		})
	}
}

func TestBracketQuotes(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"a@example.com":       "<a@example.com>",
		"Ann <a@example.com>": "<a@example.com>",
		`"a>b c"@example.com`: `<"a>b c"@example.com>`,
		"ä@example.com":       "<ä@example.com>",
	} {
		addr, err := mail.ParseAddress(given)
		if err != nil {
			t.Fatal(err)
		}
		if got := bracket(addr); got != want {
			t.Errorf("bracket(%s) = %s, want %s", given, got, want)
		}
	}
}
