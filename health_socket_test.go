package hawkeye_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-batteries/hawkeye"
)

// TestHealthOfASocket: a socket that clients don't find any more is a problem
// for as long as it can't be bound again, as it would be one of Start.
func TestHealthOfASocket(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(socketDir(t), "run")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	h := newHandle(t, hawkeye.WithSocket(filepath.Join(dir, "s")))
	if err := h.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := inTime(10 * time.Second)
		defer cancel()
		_ = h.Shutdown(ctx)
	})
	await := func(what, problem string) {
		t.Helper()
		var got hawkeye.Health
		for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
			got = h.Health()
			if problem == "" && got.OK || problem != "" && strings.Contains(strings.Join(got.Problems, "\n"), problem) {
				return
			}
		}
		t.Errorf("%s: Health() = %+v, want the problem %q", what, got, problem)
	}
	await("at first", "")
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir, nil, 0o600); err != nil { // in the place of the directory
		t.Fatal(err)
	}
	await("a file in the place of its directory", "nobody can send at the socket "+filepath.Join(dir, "s"))
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	await("the directory is there again", "")
}
