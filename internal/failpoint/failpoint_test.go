package failpoint

import (
	"errors"
	"os"
	"os/exec"
	"testing"
)

func TestKillsAtTheArmedPassage(t *testing.T) {
	if os.Getenv("FAILPOINT_CHILD") != "" {
		for i := range 5 {
			os.Stdout.WriteString(string(rune('0' + i)))
			At("other")
			At("claim")
		}
		return
	}
	t.Parallel()
	cmd := exec.Command(os.Args[0], "-test.run", t.Name())
	cmd.Env = append(os.Environ(), "FAILPOINT_CHILD=1", Env+"=claim:3")
	out, err := cmd.Output()
	var exit *exec.ExitError
	if string(out) != "012" || !errors.As(err, &exit) || exit.ExitCode() == 0 {
		t.Errorf("a process armed with claim:3 wrote %q and ended with %v, want \"012\" and a kill", out, err)
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
