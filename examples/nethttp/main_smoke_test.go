package main

import (
	"regexp"
	"testing"

	"github.com/go-batteries/hawkeye/internal/exampletest"
)

var aMail = regexp.MustCompile(`msg="?mail"? |WARN mail `)

// TestExample does what the comment at the top of main.go says.
func TestExample(t *testing.T) {
	t.Parallel()
	p := exampletest.Start(t)
	if status, body := p.Get("/orders/7", 5); status != 200 || body != "order 7\n" {
		t.Errorf("GET /orders/7: %d %q, want 200 %q", status, body, "order 7\n")
	}
	if got := len(p.Lines(aMail)); got != 0 {
		t.Errorf("%d mails before anything was wrong, want none", got)
	}
	p.Get("/400", 3)
	p.WaitLog(regexp.MustCompile(`mail .*subject="4xx errors exceeded".*oncall@example\.com.*3 bad requests in 20 s`))
	p.Get("/400", 3)

	for _, q := range []struct {
		metric, where string
		want          float64
	}{
		{"orders.read", `region="eu"`, 5},
		{"http.requests", `route="/orders/{id}"`, 5},
		{"http.response.400", `route="/400"`, 6},
		{"http.response.4xx", `route!="/400"`, 0},
	} {
		if got := p.Query(q.metric, q.where); got != q.want {
			t.Errorf("Query(%s, %s) = %v, want %v", q.metric, q.where, got, q.want)
		}
	}
	p.Stop()
	if mails := p.Lines(aMail); len(mails) != 1 {
		t.Errorf("%d mails, want 1 until run_every is over: %q", len(mails), mails)
	}
}
