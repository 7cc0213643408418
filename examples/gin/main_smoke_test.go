package main

import (
	"net/http"
	"regexp"
	"testing"

	"github.com/go-batteries/hawkeye/internal/exampletest"
)

var (
	first  = regexp.MustCompile(`mail .*first degree sla.*`)
	second = regexp.MustCompile(`mail .*to=lead@example\.com.*second degree sla.*`)
)

// TestExample crosses one threshold, stays over it, and crosses the next.
func TestExample(t *testing.T) {
	t.Parallel()
	p := exampletest.Start(t)
	p.Get("/400", 10)
	p.WaitLog(regexp.MustCompile(`mail .*subject="4xx errors exceeded" to=oncall@example\.com.*first degree sla`))
	p.Get("/400", 5)
	if got := p.Query("http.response.400"); got != 15 {
		t.Errorf("Query(http.response.400) = %v after 15 requests", got)
	}
	if mails := p.Lines(second); len(mails) != 0 {
		t.Errorf("15 bad requests made a mail of the second degree: %q", mails)
	}
	p.Get("/400", 10)
	p.WaitLog(second)
	p.Stop()
	if mails := p.Lines(first); len(mails) != 1 {
		t.Errorf("%d mails of the first degree, want 1 until run_every is over: %q", len(mails), mails)
	}
}

// TestWithout runs the example without hawkeye, where a nil handle does
// nothing, and does no harm.
func TestWithout(t *testing.T) {
	t.Parallel()
	p := exampletest.Start(t, "-without")
	if status, _ := p.Get("/orders/7", 1); status != http.StatusOK {
		t.Errorf("GET /orders/7: %d, want 200", status)
	}
	if got := p.Query("http.requests"); got != 0 {
		t.Errorf("Query(http.requests) = %v, want 0", got)
	}
	p.Stop()
}
