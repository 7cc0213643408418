package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The example does what its comment says.
func TestOneMailComes(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skipf("needs redis-server on the PATH: %v", err)
	}
	program := build(t)
	out, err := exec.Command(program).CombinedOutput()
	if err != nil {
		t.Fatalf("the example ended with %v:\n%s", err, out)
	}
	for _, want := range []string{"it is killed", "a mail: to oncall@example.com", "no other mail"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the example doesn't say %q:\n%s", want, out)
		}
	}
}

// Where there is no redis-server it says how to get one.
func TestSaysHowToGetRedis(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(build(t))
	cmd.Env = append(os.Environ(), "PATH="+t.TempDir())
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "apt install redis-server") {
		t.Errorf("without redis-server the example ended with %v:\n%s", err, out)
	}
}

func build(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "fleet")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return program
}
