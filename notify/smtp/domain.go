package smtp

import (
	"errors"
	"fmt"
	"net/mail"
	"strings"

	"golang.org/x/net/idna"

	"github.com/go-batteries/hawkeye"
)

// errNeedsUTF8 is about an address that has no ASCII form.
var errNeedsUTF8 = errors.New("the part before the @ isn't ASCII, and the server doesn't take that (SMTPUTF8, RFC 6531)")

// parseAddress reads an address as in RFC 5322 and puts its domain into ASCII
// (IDNA, RFC 5891), which every server takes.
func parseAddress(text string) (*mail.Address, error) {
	addr, err := mail.ParseAddress(text)
	if err != nil {
		return nil, err
	}
	at := strings.LastIndexByte(addr.Address, '@')
	if isASCII(addr.Address[at+1:]) {
		return addr, nil
	}
	domain, err := idna.Lookup.ToASCII(addr.Address[at+1:])
	if err != nil {
		return nil, fmt.Errorf("the domain: %w", err)
	}
	addr.Address = addr.Address[:at+1] + domain
	return addr, nil
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r >= 0x80 })
}

// ascii says whether all addresses are, so that SMTPUTF8 (RFC 6531), which
// the next server on the way may lack, isn't asked for.
func (l *letter) ascii() bool {
	for _, r := range l.recipients {
		if !isASCII(r.addr.Address) {
			return false
		}
	}
	return isASCII(l.from.Address)
}

// withoutUTF8 fails the recipients whom a server that knows ASCII only can't
// be told of.
func (l *letter) withoutUTF8() error {
	if !isASCII(l.from.Address) {
		return hawkeye.Permanent(fmt.Errorf("send mail: sender: %w", errNeedsUTF8))
	}
	var kept []recipient
	for _, r := range l.recipients {
		if isASCII(r.addr.Address) {
			kept = append(kept, r)
		} else {
			l.failed[r.given] = hawkeye.Permanent(fmt.Errorf("send mail: recipient: %w", errNeedsUTF8))
		}
	}
	l.recipients = kept
	return nil
}
