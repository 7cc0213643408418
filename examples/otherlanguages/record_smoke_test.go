// Package otherlanguages has no code of its own: its test runs the scripts.
package otherlanguages

import (
	"context"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-batteries/hawkeye"
	"github.com/go-batteries/hawkeye/internal/exampletest"
)

// TestScripts runs each script against a server of its own and looks at the
// totals and at the answers that it printed.
func TestScripts(t *testing.T) {
	t.Parallel()
	for _, script := range []struct {
		name, from string
		command    []string
	}{
		{"python", "python", []string{"python3", "record.py"}},
		{"node", "node", []string{"node", "record.js"}},
		{"bash", "bash", []string{"bash", "record.sh"}},
	} {
		t.Run(script.name, func(t *testing.T) {
			t.Parallel()
			exampletest.Need(t, script.command[0])
			if script.name == "bash" {
				exampletest.Need(t, "socat")
			}
			h, socket := start(t)
			out := exampletest.Run(t, script.command[0], append(script.command[1:], socket)...)

			for _, q := range []struct {
				metric string
				want   float64
				of     func(hawkeye.Result) float64
			}{
				{"jobs.done", 100, value},
				{"jobs.failed", 21, value},
				{"queue.depth", 42, value},
				{"job.time", 3, func(r hawkeye.Result) float64 { return r.Count }},
				{"job.time", 320 + 210 + 95, func(r hawkeye.Result) float64 { return r.Sum }},
			} {
				got := exampletest.Reaches(q.want, func() float64 {
					r, err := h.Query(t.Context(), q.metric, time.Minute, `from="`+script.from+`"`)
					if err != nil {
						t.Fatal(err)
					}
					return q.of(r)
				})
				if got != q.want {
					t.Errorf("Query(%s) = %v, want %v", q.metric, got, q.want)
				}
			}
			checkAnswers(t, out)
			if got := h.Stats(); got.FailedCalls != 1 || got.Calls != 4 {
				t.Errorf("Stats: %d calls of which %d failed, want 4 and 1", got.Calls, got.FailedCalls)
			}
		})
	}
}

func value(r hawkeye.Result) float64 { return r.Value }

// checkAnswers looks for the answers of the four calls, in their order. The
// white space and quotes are each language's own.
func checkAnswers(t *testing.T, out string) {
	t.Helper()
	var ends []string
	for line := range strings.Lines(out) {
		switch {
		case strings.Contains(line, "bad_value"):
			ends = append(ends, "error")
		case strings.Contains(line, "pong"):
			ends = append(ends, "pong")
		case strings.Contains(line, "result"):
			ends = append(ends, "ok")
		default:
			ends = append(ends, strings.TrimSpace(line))
		}
	}
	if want := []string{"ok", "ok", "error", "pong"}; !slices.Equal(ends, want) {
		t.Errorf("the answers are %q, want %q\n%s", ends, want, out)
	}
}

func start(t *testing.T) (h *hawkeye.Hawkeye, socket string) {
	t.Helper()
	socket = filepath.Join(exampletest.SocketDir(t), "hawkeye.sock")
	h, err := hawkeye.New(hawkeye.WithSocket(socket), hawkeye.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Shutdown(context.Background()); err != nil { // t.Context() is over by now
			t.Error(err)
		}
	})
	return h, socket
}
