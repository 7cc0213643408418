//go:build unix

package monitor

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// To open a named pipe waits for its writer, which may never come, so a path
// that names something else than a regular file is refused unopened.
func TestReadRefusesWhatIsNotRegular(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pipe, link := filepath.Join(dir, "pipe.yaml"), filepath.Join(dir, "link.yaml")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skipf("mkfifo: %v", err)
	}
	if err := os.Symlink(pipe, link); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{pipe, link, dir, filepath.Join(dir, "*.yaml"), "/dev/null"} {
		read := make(chan error, 1)
		go func() {
			_, err := Read(name)
			read <- err
		}()
		select {
		case err := <-read:
			if err == nil || !strings.Contains(err.Error(), "not a regular file") {
				t.Errorf("Read(%q) = %v, want word of what is not a regular file", name, err)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("Read(%q) hangs", name)
		}
	}
}

func TestReadFollowsLinks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, link := filepath.Join(dir, "file"), filepath.Join(dir, "link.yaml")
	if err := os.WriteFile(file, []byte("version: 2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	if got, err := Read(link); err != nil || len(got) != 1 || string(got[0].Data) != "version: 2\n" {
		t.Errorf("Read(a link to a file) = %v, %v, want its content", got, err)
	}
}
