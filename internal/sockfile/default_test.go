package sockfile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDefaultChoosesTheFirstDirectoryOfOurs(t *testing.T) {
	one, two, temp := t.TempDir(), t.TempDir(), t.TempDir()
	file := filepath.Join(temp, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, runtime, xdg, want string }{
		{"systemd", one, two, filepath.Join(one, "hawkeye", "svc.sock")},
		{"systemd with two", one + ":" + two, "", filepath.Join(one, "hawkeye", "svc.sock")},
		{"session", "", two, filepath.Join(two, "hawkeye", "svc.sock")},
		{"relative", "run", two, filepath.Join(two, "hawkeye", "svc.sock")},
		{"missing", "/no/such/directory", two, filepath.Join(two, "hawkeye", "svc.sock")},
		{"a file", file, two, filepath.Join(two, "hawkeye", "svc.sock")},
		{"neither", "", "", filepath.Join(temp, userDir(), "svc.sock")},
	}
	for _, tt := range tests {
		t.Setenv("RUNTIME_DIRECTORY", tt.runtime)
		t.Setenv("XDG_RUNTIME_DIR", tt.xdg)
		t.Setenv("TMPDIR", temp)
		if got := Default("svc"); got != tt.want {
			t.Errorf("%s: Default = %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestDefaultCanBeBound(t *testing.T) {
	t.Setenv("RUNTIME_DIRECTORY", "")
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	seen := map[string]string{}
	for _, service := range []string{
		"checkout", "a/b", "a-b", "../../etc", ".", "..", "", "zahlung äöü", "a\x00b", "a:b", ".hidden",
		strings.Repeat("long", 100), strings.Repeat("long", 101),
	} {
		path := Default(service)
		if other, found := seen[path]; found {
			t.Errorf("Default(%q) = Default(%q) = %q", service, other, path)
		}
		seen[path] = service
		s, err := Listen(path, Options{PrivateDir: true})
		if err != nil {
			t.Errorf("Listen(Default(%q) = %q) = %v", service, path, err)
			continue
		}
		s.Close()
	}
}

func TestDefaultOfALongDirectoryStillFits(t *testing.T) {
	base := t.TempDir()
	deep := filepath.Join(base, strings.Repeat("d", maxPath-len(base)-len("/hawkeye/")-len("/.sock")-minFileName-2))
	if err := os.Mkdir(deep, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("RUNTIME_DIRECTORY", deep)
	if got := Default(strings.Repeat("service", 20)); len(got) > maxPath {
		t.Errorf("Default = %q of %d bytes, want at most %d", got, len(got), maxPath)
	}
}
