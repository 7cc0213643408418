package lockfile

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

const childEnv = "LOCKFILE_CHILD"

// TestMain is the process that holds a lock, if it is told to be one.
func TestMain(m *testing.M) {
	path := os.Getenv(childEnv)
	if path == "" {
		os.Exit(m.Run())
	}
	if _, err := Acquire(path); err != nil {
		os.Stdout.WriteString("refused " + err.Error() + "\n")
		return
	}
	os.Stdout.WriteString("locked\n")
	time.Sleep(time.Minute) // until it is killed
}

// holder starts a process that holds the lock.
func holder(t *testing.T, path string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+path)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	line := make([]byte, len("locked\n"))
	if _, err := out.Read(line); err != nil || string(line) != "locked\n" {
		t.Fatalf("the holder says %q, %v, want locked", line, err)
	}
	return cmd
}

func TestOneAtATime(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.lock")
	l, err := Acquire(path)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := Acquire(path); !errors.Is(err, ErrInUse) {
		t.Errorf("Acquire() of a lock that is held = %v, %v, want ErrInUse", again, err)
	}
	if pid, ok := Holder(path); !ok || pid != os.Getpid() {
		t.Errorf("Holder() = %d, %t, want %d", pid, ok, os.Getpid())
	}
	l.Release()
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after Release() the file is there: %v", err)
	}
	l, err = Acquire(path)
	if err != nil {
		t.Fatalf("Acquire() after Release() = %v", err)
	}
	l.Release()
}

// A lock ends with its process, also where that is killed, and its file is no
// hindrance.
func TestLockEndsWithItsProcess(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.lock")
	p := holder(t, path)
	if _, err := Acquire(path); !errors.Is(err, ErrInUse) {
		t.Errorf("Acquire() of another process's lock = %v, want ErrInUse", err)
	}
	if pid, ok := Holder(path); !ok || pid != p.Process.Pid {
		t.Errorf("Holder() = %d, %t, want %d", pid, ok, p.Process.Pid)
	}
	_ = p.Process.Kill()
	_ = p.Wait()
	l, err := Acquire(path)
	if err != nil {
		t.Fatalf("Acquire() after its holder was killed = %v", err)
	}
	l.Release()
}

func TestHolderOfNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	other := filepath.Join(dir, "other")
	if err := os.WriteFile(other, []byte("not a number\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{other, filepath.Join(dir, "gone"), dir} {
		if pid, ok := Holder(path); ok {
			t.Errorf("Holder(%q) = %d, want none", path, pid)
		}
	}
}
