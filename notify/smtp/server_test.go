package smtp

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	server "github.com/emersion/go-smtp"
)

// password is what no error may hold.
const password = "hunter2-secret"

// relay is a real SMTP server on a loopback port, whose answers can be
// ordered. A nil function accepts.
type relay struct {
	auth func(username, password string) error
	mail func(from string) error
	rcpt func(to string) error
	data func() error

	port  int
	roots *x509.CertPool // of its certificate

	mu        sync.Mutex // guards what follows
	delivered []delivery
	logins    []string
}

// delivery is one mail as it arrived.
type delivery struct {
	from string
	to   []string
	utf8 bool
	text string
}

// encryption is how a relay encrypts.
type encryption int

const (
	startTLS encryption = iota
	implicitTLS
	inClear
)

// start serves r until the test ends.
func (r *relay) start(t *testing.T, e encryption) *relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.port = l.Addr().(*net.TCPAddr).Port
	certificate := selfSigned(t)
	r.roots = x509.NewCertPool()
	r.roots.AddCert(certificate.Leaf)
	config := &tls.Config{Certificates: []tls.Certificate{certificate}}

	s := server.NewServer(server.BackendFunc(func(*server.Conn) (server.Session, error) {
		return &connection{relay: r}, nil
	}))
	s.Domain = "relay.example.com"
	s.EnableSMTPUTF8 = true
	s.ErrorLog = log.New(io.Discard, "", 0)
	s.AllowInsecureAuth = e == inClear
	s.MaxLineLength = 1000
	switch e {
	case startTLS:
		s.TLSConfig = config
	case implicitTLS:
		l = tls.NewListener(l, config)
	}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	return r
}

func selfSigned(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "relay"},
		NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// mailer returns a Mailer for r; change changes its Config.
func (r *relay) mailer(t *testing.T, change func(*Config)) *Mailer {
	t.Helper()
	c := Config{
		Host: "127.0.0.1", Port: r.port, From: "Alerts <alerts@example.com>",
		TLSConfig: &tls.Config{RootCAs: r.roots}, LocalName: "client.example.com",
	}
	if change != nil {
		change(&c)
	}
	m, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// only returns the one mail that arrived.
func (r *relay) only(t *testing.T) delivery {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.delivered) != 1 {
		t.Fatalf("%d mails arrived, want 1", len(r.delivered))
	}
	return r.delivered[0]
}

// connection is one connection of a relay.
type connection struct {
	relay *relay
	delivery
}

func (s *connection) Reset()                   { s.delivery = delivery{} }
func (s *connection) Logout() error            { return nil }
func (s *connection) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *connection) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, username, pass string) error {
		s.relay.mu.Lock()
		defer s.relay.mu.Unlock()
		s.relay.logins = append(s.relay.logins, username+":"+pass)
		if s.relay.auth != nil {
			return s.relay.auth(username, pass)
		}
		return nil
	}), nil
}

func (s *connection) Mail(from string, opts *server.MailOptions) error {
	s.from, s.utf8 = from, opts.UTF8
	if s.relay.mail != nil {
		return s.relay.mail(from)
	}
	return nil
}

func (s *connection) Rcpt(to string, _ *server.RcptOptions) error {
	if s.relay.rcpt != nil {
		if err := s.relay.rcpt(to); err != nil {
			return err
		}
	}
	s.to = append(s.to, to)
	return nil
}

func (s *connection) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if s.relay.data != nil {
		if err := s.relay.data(); err != nil {
			return err
		}
	}
	s.text = string(text)
	s.relay.mu.Lock()
	defer s.relay.mu.Unlock()
	s.relay.delivered = append(s.relay.delivered, s.delivery)
	return nil
}

// says is an answer of the server.
func says(code int, text string) error {
	return &server.SMTPError{Code: code, EnhancedCode: server.NoEnhancedCode, Message: text}
}

// silentServer accepts connections, says greeting, and then nothing.
func silentServer(t *testing.T, greeting string) (port int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var conns []net.Conn
	go func() {
		for {
			conn, err := l.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			io.WriteString(conn, greeting)
			mu.Lock()
			conns = append(conns, conn)
			mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		defer mu.Unlock()
		for _, conn := range conns {
			conn.Close()
		}
	})
	return l.Addr().(*net.TCPAddr).Port
}
