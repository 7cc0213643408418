package main

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"

	"github.com/go-batteries/hawkeye"
	"github.com/go-batteries/hawkeye/notify/smtp"
)

// mailer makes what --smtp names, or nil without it. No error shows the URL,
// which may hold a password.
func (cmd *runCmd) mailer() (hawkeye.MailingService, error) {
	if cmd.SMTP == "" {
		return nil, nil
	}
	config, err := smtpConfig(cmd.SMTP)
	if err != nil {
		return nil, fmt.Errorf("--smtp: %w", err)
	}
	config.From = cmd.From
	mailer, err := smtp.New(config)
	if err != nil {
		return nil, fmt.Errorf("--smtp: %w", err)
	}
	return mailer, nil
}

// tlsPolicies are the values of ?tls=.
var tlsPolicies = map[string]smtp.TLSPolicy{
	"":              smtp.TLSAuto,
	"starttls":      smtp.TLSStartTLS,
	"opportunistic": smtp.TLSOpportunistic,
	"none":          smtp.TLSNone,
}

// smtpConfig reads smtp://USER:PASSWORD@HOST:PORT?tls=..., which demands
// STARTTLS unless told otherwise, or smtps://..., which is TLS from the first
// byte.
func smtpConfig(text string) (config smtp.Config, err error) {
	u, err := url.Parse(text)
	if err != nil {
		return config, errors.New("the URL can't be read; write @, :, / and % in a password as %40, %3A, %2F and %25")
	}
	policy, known := tlsPolicies[u.Query().Get("tls")]
	switch {
	case u.Scheme != "smtp" && u.Scheme != "smtps":
		return config, errors.New("expected smtp://HOST:PORT or smtps://HOST:PORT")
	case u.Hostname() == "":
		return config, errors.New("expected the name of a mail server, as in smtp://mail.example.com:587")
	case u.Path != "" && u.Path != "/":
		return config, errors.New("expected nothing behind the port; is there a / in the password? write it as %2F")
	case !known:
		return config, fmt.Errorf("tls: expected starttls, opportunistic or none, found %q", u.Query().Get("tls"))
	case u.Scheme == "smtps" && policy != smtp.TLSAuto:
		return config, errors.New("tls: smtps:// is TLS from the first byte; use smtp:// for another way")
	}
	for key := range u.Query() {
		if key != "tls" {
			return config, fmt.Errorf("unknown parameter %q; there is tls", key)
		}
	}
	config = smtp.Config{Host: u.Hostname(), TLS: policy, Username: u.User.Username()}
	config.Password, _ = u.User.Password()
	if u.Scheme == "smtps" {
		config.TLS = smtp.TLSImplicit
	}
	if port := u.Port(); port != "" {
		if config.Port, err = strconv.Atoi(port); err != nil {
			return config, errors.New("the port is no number")
		}
	}
	return config, nil
}
