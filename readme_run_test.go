package hawkeye_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/go-batteries/hawkeye"
	"github.com/go-batteries/hawkeye/hawkeyetest"
)

// TestReadmeMail makes sure that the mail in README.md is the one that its
// monitors.yaml sends.
func TestReadmeMail(t *testing.T) {
	t.Parallel()
	want := read(t, "testdata/readme/mail.txt")
	synctest.Test(t, func(t *testing.T) {
		h := hawkeyetest.New(t, hawkeye.WithService("checkout", "prod"), hawkeye.WithConfigFile("testdata/readme/monitors.yaml"))
		h.Count("http.response.5xx", 12, hawkeye.T("route", "/checkout"))
		h.Advance(time.Second)
		mail := h.WantAlert("checkout-errors")
		h.WantNone()
		got := fmt.Sprintf("To: %s\nSubject: %s\n\n%s", strings.Join(mail.Recipients, ", "), mail.Subject, mail.Body)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("the mail is another than testdata/readme/mail.txt (-file +sent):\n%s", diff)
		}
	})
}

// TestReadmeMain builds the main.go of README.md and runs it beside its
// monitors.yaml: requests fail, a mail goes to the log, SIGTERM ends it.
func TestReadmeMain(t *testing.T) {
	t.Parallel()
	program := buildReadme(t)
	if runtime.GOOS == "windows" {
		t.Skip("needs SIGTERM, which Windows doesn't have")
	}
	ln, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	ln.Close() // for the program
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var log output
	cmd := exec.CommandContext(ctx, program)
	cmd.Dir = "testdata/readme"
	cmd.Env = append(os.Environ(), "ADDR="+addr, "SMTP_HOST=", "REDIS_ADDR=", "XDG_RUNTIME_DIR="+t.TempDir(), "RUNTIME_DIRECTORY=")
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for range 6 {
		if err := checkout(ctx, addr); err != nil {
			t.Errorf("POST /checkout: %v\n%s", err, log.String())
		}
	}
	mail := regexp.MustCompile(`mail.*\[critical\] checkout-errors \{route=/checkout\} in checkout \(prod\)`)
	for !mail.MatchString(log.String()) && ctx.Err() == nil {
		time.Sleep(20 * time.Millisecond) // it is another process
	}
	if !mail.MatchString(log.String()) {
		t.Errorf("no mail in the log:\n%s", log.String())
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("it ended with %v, want no error:\n%s", err, log.String())
	}
}

// buildReadme builds testdata/readme/main.go, which only the workspace can: it
// uses a nested module.
func buildReadme(t *testing.T) string {
	t.Helper()
	if out, err := exec.Command("go", "env", "GOWORK").Output(); err != nil || len(bytes.TrimSpace(out)) == 0 || string(bytes.TrimSpace(out)) == "off" {
		t.Skipf("needs the repository's workspace: go env GOWORK = %q, %v", out, err)
	}
	program := filepath.Join(t.TempDir(), "readme.exe")
	if out, err := exec.Command("go", "build", "-o", program, "./testdata/readme/main.go").CombinedOutput(); err != nil {
		t.Fatalf("build README.md's main.go: %v\n%s", err, out)
	}
	return program
}

// checkout makes one request, as soon as the program listens.
func checkout(ctx context.Context, addr string) error {
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+addr+"/checkout", nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		switch {
		case errors.Is(err, syscall.ECONNREFUSED):
			time.Sleep(20 * time.Millisecond)
			continue
		case err != nil:
			return err
		case resp.StatusCode != http.StatusBadGateway:
			err = fmt.Errorf("got %s, want 502", resp.Status)
		}
		return errors.Join(err, resp.Body.Close())
	}
}

// output is what a process has written so far.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer // guarded by mu
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}
