package main

import (
	"strings"
	"testing"

	"github.com/go-batteries/hawkeye/internal/exampletest"
)

// TestQuickstart runs it to its end, which it finds by itself.
func TestQuickstart(t *testing.T) {
	t.Parallel()
	out := exampletest.Run(t, exampletest.Build(t))
	for _, want := range []string{
		"To: oncall@example.com\n",
		"Subject: [critical] checkout-errors in shop (demo)\n",
		" requests failed in 20 s (limit: 5).\n", // 5 to 10, by where the tick ended
		"the middleware counted 10 failed requests",
		"What to try next:",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in what it printed:\n%s", want, out)
		}
	}
	if n := strings.Count(out, "Subject:"); n != 1 {
		t.Errorf("%d mails, want 1:\n%s", n, out)
	}
}
