package failpoint

import (
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
)

// pass writes five passages of two steps, and what asked it to end.
func pass() {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGTERM)
	for i := range 5 {
		os.Stdout.WriteString(string(rune('0' + i)))
		At("other")
		At("claim")
	}
	if os.Getenv("FAILPOINT_CHILD") == "asked" {
		<-asked
		os.Stdout.WriteString(" asked")
	}
}

// child runs pass in a process of its own and returns what it wrote, and
// whether it was killed.
func child(t *testing.T, role, spec string) (string, bool) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "FAILPOINT_CHILD="+role, Env+"="+spec)
	out, err := cmd.Output()
	var exit *exec.ExitError
	return string(out), errors.As(err, &exit)
}

func TestMain(m *testing.M) {
	if os.Getenv("FAILPOINT_CHILD") != "" {
		pass()
		return
	}
	os.Exit(m.Run())
}

func TestKillsAtTheArmedPassage(t *testing.T) {
	t.Parallel()
	if out, killed := child(t, "plain", "claim:3"); out != "012" || !killed {
		t.Errorf("a process armed with claim:3 wrote %q, killed %t; want \"012\" and a kill", out, killed)
	}
}

func TestOneTokenKillsOne(t *testing.T) {
	t.Parallel()
	token := filepath.Join(t.TempDir(), "token")
	if got, ok := ReadToken(token); ok {
		t.Errorf("ReadToken() before anybody came = %v, want none", got)
	}
	spec := "claim:2=" + token + ",other:4=" + token
	if out, killed := child(t, "plain", spec); out != "01" || !killed {
		t.Errorf("the first process with a token wrote %q, killed %t; want \"01\" and a kill", out, killed)
	}
	got, ok := ReadToken(token)
	if !ok || got.Step != "claim" || got.PID == 0 || got.At.IsZero() {
		t.Errorf("ReadToken() = %+v, %t, want step claim, with who and when", got, ok)
	}
	if out, killed := child(t, "plain", spec); out != "01234" || killed {
		t.Errorf("the second process with a token wrote %q, killed %t; want \"01234\" and no kill", out, killed)
	}
}

func TestSwitch(t *testing.T) {
	Arm("split")
	defer Arm("")
	if !On("split") || On("claim") {
		t.Errorf("On(split), On(claim) = %t, %t, want true, false", On("split"), On("claim"))
	}
	At("split") // is no step
	Arm("")
	if On("split") {
		t.Error("On(split) after Arm(\"\") = true, want false")
	}
}

func BenchmarkUnarmed(b *testing.B) {
	for b.Loop() {
		At("claim")
	}
}
