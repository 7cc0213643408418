package hawkeye_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-batteries/hawkeye"
)

// undelivered returns what Health says of messages that failed for good.
func undelivered(t *testing.T, h *hawkeye.Hawkeye) (problems []string) {
	t.Helper()
	for _, p := range problemsOf(h, "receiver_failing") {
		problems = append(problems, p.Text)
	}
	return problems
}

// Nobody has to acknowledge a dead letter: it is a problem until the next
// message to its receiver was delivered, or for an hour. Stats goes on to
// count it.
func TestHealthForgetsADeadLetter(t *testing.T) {
	t.Parallel()
	refused := hawkeye.Permanent(errors.New("550 no such user"))
	type look struct {
		minute time.Duration
		want   string // the beginning of the problem; empty for none
	}
	for _, c := range []struct {
		name        string
		first, then error // what a mail server says to the first message, and from the 20th minute on
		looks       []look
		dead        int
	}{
		{"the next one is delivered", refused, nil, []look{{1, "1 messages to "}, {19, "1 messages to "}, {21, ""}}, 1},
		{"no other is", refused, refused, []look{{1, "1 messages to "}, {21, "2 messages to "}, {59, "2 messages to "}, {61, "1 messages to "}, {79, "1 messages to "}, {81, ""}}, 2},
		{
			"others of its recipients get theirs", &hawkeye.RecipientsError{Failed: map[string]error{"a@example.com": refused}}, nil,
			[]look{{1, "1 messages to "}, {21, "1 messages to "}, {59, "1 messages to "}, {61, ""}}, 1,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				h := start(t, twoSLAs, &mailbox{fail: func(n int, _ hawkeye.MailerConfig) error {
					if n == 1 {
						return c.first
					}
					return c.then
				}})
				defer stop(t, h)
				count(h, "http.response.400", 4)
				again := false
				for _, look := range c.looks {
					if look.minute > 20 && !again {
						again = true
						after(20*time.Minute - time.Since(began))
						count(h, "http.response.400", 4)
					}
					after(look.minute*time.Minute - time.Since(began))
					got := undelivered(t, h)
					if look.want == "" && len(got) > 0 || look.want != "" && (len(got) != 1 || !strings.HasPrefix(got[0], look.want)) {
						t.Errorf("after %d minutes Health() has %q, want %q", look.minute, got, look.want)
					}
				}
				if got := h.Stats().DeadLetters; got != c.dead {
					t.Errorf("DeadLetters = %d, want %d: they are still counted", got, c.dead)
				}
			})
		})
	}
}
