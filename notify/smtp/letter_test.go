package smtp

import (
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/go-batteries/hawkeye"
)

// TestSendThreads is one mail, header by header.
func TestSendThreads(t *testing.T) {
	t.Parallel()
	r := new(relay).start(t, startTLS)
	err := r.mailer(t, nil).Send(t.Context(), hawkeye.MailerConfig{
		Subject: "Überlast", Body: "Zeile 1\nZeile 2: ü", HTML: "<b>ü</b>",
		Sender:     "Wache <w@example.com>",
		Recipients: []string{"a@example.com", "Bö <b@example.com>"},
		CC:         []string{"c@example.com"},
		Bcc:        []string{"d@example.com", "a@example.com"},
		MessageID:  "<3@hawkeye>",
		References: []string{"<1@hawkeye>", "<2@hawkeye>"},
		Headers:    map[string]string{"x-hawkeye-alert": "4xx", "Bcc": "e@example.com", "X-Bad\r\nBcc": "e@example.com"},
	})
	if err != nil {
		t.Fatalf("Send() = %v", err)
	}
	got := r.only(t)
	if want := []string{"a@example.com", "b@example.com", "c@example.com", "d@example.com"}; !cmp.Equal(got.to, want) || got.from != "w@example.com" {
		t.Errorf("envelope is from %q to %q, want w@example.com to %q", got.from, got.to, want)
	}
	msg := parse(t, got.text)
	want := map[string]string{
		"Subject": "Überlast", "From": "\"Wache\" <w@example.com>", "To": "<a@example.com>, Bö <b@example.com>", "Cc": "<c@example.com>",
		"Message-Id": "<3@hawkeye>", "In-Reply-To": "<2@hawkeye>", "References": "<1@hawkeye> <2@hawkeye>",
		"X-Hawkeye-Alert": "4xx", "Auto-Submitted": "auto-generated", "Mime-Version": "1.0",
	}
	if diff := cmp.Diff(want, msg.headers); diff != "" {
		t.Errorf("headers (-want +got)\n%s", diff)
	}
	if want := []string{"text/plain: Zeile 1\r\nZeile 2: ü", "text/html: <b>ü</b>"}; !cmp.Equal(msg.parts, want) {
		t.Errorf("parts are %q, want %q", msg.parts, want)
	}
}

// parsed is a mail as a reader sees it: all headers but Date and Content-*,
// decoded, and the parts with their types.
type parsed struct {
	headers map[string]string
	parts   []string
}

func parse(t *testing.T, text string) parsed {
	t.Helper()
	for line := range strings.Lines(text) {
		if len(line) > 1000 || !strings.HasSuffix(line, "\r\n") {
			t.Errorf("a line of %d bytes that ends in %q", len(line), line[max(0, len(line)-2):])
		}
	}
	msg, err := mail.ReadMessage(strings.NewReader(text))
	if err != nil {
		t.Fatalf("parse mail: %v\n%s", err, text)
	}
	p := parsed{headers: make(map[string]string)}
	var decoder mime.WordDecoder
	for name, values := range msg.Header {
		if name == "Date" || strings.HasPrefix(name, "Content-") {
			continue
		}
		value, err := decoder.DecodeHeader(strings.Join(values, " AND "))
		if err != nil {
			t.Errorf("decode %s: %v", name, err)
		}
		p.headers[name] = value
	}
	if _, err := msg.Header.Date(); err != nil {
		t.Errorf("parse Date: %v", err)
	}
	mediaType, params, err := mime.ParseMediaType(msg.Header.Get("Content-Type"))
	if err != nil {
		t.Fatalf("parse Content-Type: %v", err)
	}
	if !strings.HasPrefix(mediaType, "multipart/") {
		body, err := io.ReadAll(quotedprintable.NewReader(msg.Body))
		if err != nil {
			t.Errorf("decode body: %v", err)
		}
		p.parts = []string{mediaType + ": " + string(body)}
		return p
	}
	reader := multipart.NewReader(msg.Body, params["boundary"])
	for {
		part, err := reader.NextPart()
		if err == io.EOF {
			return p
		}
		if err != nil {
			t.Fatalf("read part: %v", err)
		}
		mediaType, _, _ := mime.ParseMediaType(part.Header.Get("Content-Type"))
		body, err := io.ReadAll(part) // decodes
		if err != nil {
			t.Errorf("decode part: %v", err)
		}
		p.parts = append(p.parts, mediaType+": "+string(body))
	}
}

// TestComposeWritesNoHeaderButOurs makes mails of texts that try.
func TestComposeWritesNoHeaderButOurs(t *testing.T) {
	t.Parallel()
	m, err := New(Config{Host: "smtp.example.com", From: "alerts@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(3000) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		cfg := hawkeye.MailerConfig{
			Subject: nasty(rnd), Body: nasty(rnd), Recipients: []string{"a@example.com"},
			MessageID: "<" + nasty(rnd) + ">", References: []string{"<ok@x>", "<" + nasty(rnd) + ">"},
			Headers: map[string]string{"X-Good": nasty(rnd), "X-" + nasty(rnd): nasty(rnd), nasty(rnd): "x", "Content-Type": "text/html", "TO": "e@example.com"},
		}
		l, err := m.compose(cfg)
		if err != nil {
			t.Fatalf("seed %d: compose() = %v", seed, err)
		}
		var text strings.Builder
		if _, err := l.msg.WriteTo(&text); err != nil {
			t.Fatalf("seed %d: WriteTo() = %v", seed, err)
		}
		got := parse(t, strings.TrimSuffix(text.String(), "\r\n")+"\r\n")
		wantNames := []string{"Auto-Submitted", "From", "In-Reply-To", "Message-Id", "Mime-Version", "References", "Subject", "To"}
		for name, value := range got.headers {
			switch {
			case slices.Contains(wantNames, name):
			case strings.HasPrefix(name, "X-"):
				if value == "" || strings.ContainsAny(value, "\r\n") {
					t.Fatalf("seed %d: header %s is %q", seed, name, value)
				}
			default:
				if cfg.Headers[name] != "x" && !slices.ContainsFunc(slices.Collect(maps.Keys(cfg.Headers)), func(n string) bool { return strings.EqualFold(n, name) }) {
					t.Fatalf("seed %d: header %s is %q, which nobody wrote\n%s", seed, name, value, text.String())
				}
			}
		}
		if want := line(cfg.Subject); got.headers["Subject"] != want {
			t.Fatalf("seed %d: subject is %q, want %q", seed, got.headers["Subject"], want)
		}
		if got.headers["To"] != "<a@example.com>" || got.headers["From"] != "<alerts@example.com>" {
			t.Fatalf("seed %d: headers are %q", seed, got.headers)
		}
		if len(got.parts) != 1 || !strings.HasPrefix(got.parts[0], "text/plain: ") {
			t.Fatalf("seed %d: parts are %q", seed, got.parts)
		}
		body := strings.ReplaceAll(strings.TrimPrefix(got.parts[0], "text/plain: "), "\r\n", "\n")
		if want := plainText(cfg.Body); strings.TrimRight(body, "\n") != strings.TrimRight(want, "\n") {
			t.Fatalf("seed %d: body is %q, want %q", seed, body, want)
		}
	}
}

// nasty returns a short text of what breaks mails.
func nasty(rnd *rand.Rand) string {
	pieces := []string{
		"\r\n", "\n", "\r", "\r\n\r\n", "\r\nBcc: evil@example.com", "\nEvil: yes\n", ":", " ", "\t", "\x00", "\x7f", "\x85", "\xff", "é", "日本", "=?utf-8?q?x?=",
		"=", "\"", "<", ">", "@", ",", ";", "(", ".", "\r\n.\r\n", "word", strings.Repeat("long", 300), "\u2028", "\u202e",
	}
	var b strings.Builder
	for range rnd.IntN(6) {
		b.WriteString(pieces[rnd.IntN(len(pieces))])
	}
	return b.String()
}

func TestManyReferences(t *testing.T) {
	t.Parallel()
	m, err := New(Config{Host: "smtp.example.com", From: "alerts@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	cfg := breach()
	cfg.References = nil
	for i := range 1000 {
		cfg.References = append(cfg.References, fmt.Sprintf("<%d@hawkeye>", i))
	}
	l, err := m.compose(cfg)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if _, err := l.msg.WriteTo(&text); err != nil {
		t.Fatal(err)
	}
	msg, err := mail.ReadMessage(strings.NewReader(text.String()))
	if err != nil {
		t.Fatal(err)
	}
	refs := strings.Fields(msg.Header.Get("References"))
	if len(refs) != maxReferences || refs[0] != "<0@hawkeye>" || refs[1] != "<981@hawkeye>" || refs[maxReferences-1] != "<999@hawkeye>" {
		t.Errorf("References are %q, want the first and the last 19", refs)
	}
}

func TestMessageID(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]bool{
		"<a@b>": true, "<a>": true, "": false, "<>": false, "a@b": false, "<a b>": false, "<a\r\n@b>": false,
		"<a><b>": false, "<ä@b>": false, "<a@b> ": false, "<" + strings.Repeat("x", 901) + ">": false,
	} {
		if _, ok := messageID(s); ok != want {
			t.Errorf("messageID(%q) is one: %v, want %v", s, ok, want)
		}
	}
}
