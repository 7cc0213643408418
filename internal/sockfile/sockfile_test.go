//go:build unix

package sockfile

import (
	"bufio"
	"errors"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

func listen(t *testing.T, path string, o Options) *Socket {
	t.Helper()
	s, err := Listen(path, o)
	if err != nil {
		t.Fatalf("Listen(%q) = %v, want no error", path, err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func mode(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatalf("Lstat = %v", err)
	}
	return info.Mode()
}

func TestListenServesAndCloseLeavesNothing(t *testing.T) {
	t.Parallel()
	for _, datagram := range []bool{false, true} {
		dir := filepath.Join(t.TempDir(), "made")
		path := filepath.Join(dir, "s")
		s := listen(t, path, Options{Datagram: datagram})
		if got := mode(t, path); got != fs.ModeSocket|0o600 {
			t.Errorf("mode of the socket = %v, want 0600", got)
		}
		if got := mode(t, dir).Perm(); got != 0o700 {
			t.Errorf("mode of the directory = %v, want 0700", got)
		}
		if !s.Present() || s.Path() != path || (s.Listener() == nil) != datagram || (s.PacketConn() == nil) == datagram {
			t.Errorf("socket = %+v, present %v, want a socket of its kind", s, s.Present())
		}
		if err := s.Close(); err != nil {
			t.Errorf("Close = %v", err)
		}
		if left, _ := os.ReadDir(dir); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	}
}

func TestListenModes(t *testing.T) {
	t.Parallel()
	for _, want := range []fs.FileMode{0o600, 0o660, 0o666, 0o400} {
		path := filepath.Join(t.TempDir(), "s")
		listen(t, path, Options{Mode: want})
		if got := mode(t, path).Perm(); got != want {
			t.Errorf("mode = %v, want %v whatever the umask is", got, want)
		}
	}
}

// What lies at the path and is not ours to remove stays as it is.
func TestListenRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		at   func(path string) error
		want error
		text string
	}{
		{"regular file", func(p string) error { return os.WriteFile(p, []byte("x"), 0o600) }, ErrNotSocket, "regular file"},
		{"directory", func(p string) error { return os.Mkdir(p, 0o700) }, ErrNotSocket, "directory"},
		{"FIFO", func(p string) error { return syscall.Mkfifo(p, 0o600) }, ErrNotSocket, "FIFO"},
		{"symbolic link", func(p string) error { return os.Symlink("/nowhere", p) }, ErrNotSocket, "symbolic link"},
		{"lock file is a symbolic link", func(p string) error { return os.Symlink("/nowhere", p+".lock") }, ErrUnsafe, "symbolic link"},
		{"lock file is a directory", func(p string) error { return os.Mkdir(p+".lock", 0o700) }, nil, "directory"},
		{"lock file is a FIFO", func(p string) error { return syscall.Mkfifo(p+".lock", 0o600) }, ErrUnsafe, "no regular file"},
		{"lock file of another user", func(p string) error {
			if os.Geteuid() != 0 {
				return os.Symlink("/nowhere", p+".lock") // only root can give a file away
			}
			return errors.Join(os.WriteFile(p+".lock", nil, 0o600), os.Chown(p+".lock", 12345, 12345))
		}, ErrUnsafe, "lock file"},
		{"directory open to all", func(p string) error { return os.Chmod(filepath.Dir(p), 0o777) }, ErrUnsafe, "everybody"},
	}
	for _, tt := range tests {
		path := filepath.Join(t.TempDir(), "s")
		if err := tt.at(path); err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		before, _ := os.Lstat(path)
		s, err := Listen(path, Options{})
		if err == nil {
			s.Close()
			t.Errorf("%s: Listen = nil, want an error", tt.name)
			continue
		}
		if tt.want != nil && !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s: Listen = %v, want %v with %q", tt.name, err, tt.want, tt.text)
		}
		if after, _ := os.Lstat(path); (before == nil) != (after == nil) || before != nil && !os.SameFile(before, after) {
			t.Errorf("%s: what was at the path has changed", tt.name)
		}
	}
}

// TestDirectoryAboveOpenToAll: who can rename our directory can put another one
// in its place.
func TestDirectoryAboveOpenToAll(t *testing.T) {
	t.Parallel()
	above := t.TempDir()
	path := filepath.Join(above, "ours", "deeper", "s")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	for mode, refused := range map[fs.FileMode]bool{0o777: true, 0o777 | fs.ModeSticky: false, 0o775: false} {
		if err := os.Chmod(above, mode); err != nil {
			t.Fatal(err)
		}
		for _, private := range []bool{false, true} {
			s, err := Listen(path, Options{PrivateDir: private})
			if err == nil {
				s.Close()
			}
			if errors.Is(err, ErrUnsafe) != refused || refused && !strings.Contains(err.Error(), above) {
				t.Errorf("below a directory with mode %v, private %v: Listen = %v, refused should be %v", mode, private, err, refused)
			}
		}
	}
}

func TestLinkToASocketIsNotFollowed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	real := listen(t, filepath.Join(dir, "real"), Options{})
	link := filepath.Join(dir, "link")
	if err := os.Symlink(real.Path(), link); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(link, Options{}); !errors.Is(err, ErrNotSocket) {
		t.Errorf("Listen = %v, want ErrNotSocket", err)
	}
	if !real.Present() {
		t.Error("the socket behind the link is gone")
	}
}

func TestPrivateDir(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	open := filepath.Join(base, "open")
	if err := os.Mkdir(open, 0o755); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(base, "link")
	if err := os.Symlink(open, link); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(base, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{open, link, file} {
		if _, err := Listen(filepath.Join(dir, "s"), Options{PrivateDir: true}); !errors.Is(err, ErrUnsafe) {
			t.Errorf("Listen in %q = %v, want ErrUnsafe", dir, err)
		}
	}
	listen(t, filepath.Join(base, "new", "s"), Options{PrivateDir: true})
	if _, err := Listen(filepath.Join(base, "no", "such", "s"), Options{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Listen in a directory of a directory that is missing = %v, want ErrNotExist", err)
	}
}

func TestPathTooLong(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fits := filepath.Join(dir, strings.Repeat("x", maxPath-len(dir)-1))
	listen(t, fits, Options{})
	_, err := Listen(fits+"x", Options{})
	if !errors.Is(err, ErrTooLong) || !strings.Contains(err.Error(), strconv.Itoa(maxPath+1)) {
		t.Errorf("Listen at %d bytes = %v, want ErrTooLong with the length", maxPath+1, err)
	}
}

func TestSecondListenIsInUse(t *testing.T) {
	t.Parallel()
	for _, datagram := range []bool{false, true} {
		path := filepath.Join(t.TempDir(), "s")
		first := listen(t, path, Options{Datagram: datagram})
		_, err := Listen(path, Options{Datagram: datagram})
		if !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), strconv.Itoa(os.Getpid())) {
			t.Errorf("Listen = %v, want ErrInUse with path and process", err)
		}
		if !first.Present() {
			t.Error("the first socket is gone")
		}
	}
}

// A live server that knows nothing of lock files is found by dialing it.
func TestForeignServerIsInUse(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, datagram := range []bool{false, true} {
		if _, err := Listen(path, Options{Datagram: datagram}); !errors.Is(err, ErrInUse) {
			t.Errorf("Listen(datagram %v) = %v, want ErrInUse", datagram, err)
		}
	}
	if _, err := os.Lstat(path + ".lock"); err == nil {
		t.Error("the lock file is left behind")
	}
}

func TestStaleSocketIsReplaced(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close() // as after a kill -9: the file stays
	if err := os.WriteFile(path+".lock", []byte("999999\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := listen(t, path, Options{})
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatalf("Dial = %v", err)
	}
	defer c.Close()
	if _, err := s.Listener().Accept(); err != nil {
		t.Errorf("Accept = %v", err)
	}
}

func TestCloseLeavesTheFilesOfOthers(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	s := listen(t, path, Options{})
	if err := errors.Join(os.Remove(path), os.WriteFile(path, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	if s.Present() {
		t.Error("Present = true, want false: it is another file")
	}
	if err := s.Rebind(); !errors.Is(err, ErrNotSocket) {
		t.Errorf("Rebind = %v, want ErrNotSocket", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("Close = %v", err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("the other file is gone: %v", err)
	}
}

func TestRebind(t *testing.T) {
	t.Parallel()
	for name, remove := range map[string]func(path string) error{
		"socket":    os.Remove,
		"directory": func(path string) error { return os.RemoveAll(filepath.Dir(path)) },
	} {
		path := filepath.Join(t.TempDir(), "d", "s")
		s := listen(t, path, Options{PrivateDir: true})
		old := s.Listener()
		if err := remove(path); err != nil {
			t.Fatal(err)
		}
		if err := s.Rebind(); err != nil {
			t.Fatalf("%s removed: Rebind = %v", name, err)
		}
		if _, err := old.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s removed: old listener = %v, want ErrClosed", name, err)
		}
		if _, err := net.Dial("unix", path); err != nil {
			t.Errorf("%s removed: Dial = %v", name, err)
		}
		if _, err := Listen(path, Options{}); !errors.Is(err, ErrInUse) {
			t.Errorf("%s removed: Listen = %v, want ErrInUse: the lock is held", name, err)
		}
	}
}

func TestPeerIsUs(t *testing.T) {
	t.Parallel()
	s := listen(t, filepath.Join(t.TempDir(), "s"), Options{})
	c, err := net.Dial("unix", s.Path())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	uid, pid, err := Peer(c.(*net.UnixConn))
	if !PeerCredentials {
		if !errors.Is(err, ErrNoCredentials) {
			t.Errorf("Peer = %v, want ErrNoCredentials", err)
		}
		return
	}
	if err != nil || int(uid) != os.Geteuid() || int(pid) != os.Getpid() {
		t.Errorf("Peer = %d, %d, %v, want ourselves", uid, pid, err)
	}
}

// holderPath tells a copy of the test binary to hold a socket until killed.
const holderPath = "SOCKFILE_TEST_HOLD"

func TestMain(m *testing.M) {
	if path := os.Getenv(holderPath); path != "" {
		if _, err := Listen(path, Options{}); err != nil {
			panic(err)
		}
		os.Stdout.WriteString("bound\n")
		select {}
	}
	os.Exit(m.Run())
}

func TestSocketOfAnotherProcess(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	holder := exec.Command(os.Args[0])
	holder.Env = append(os.Environ(), holderPath+"="+path)
	out, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	defer holder.Wait()
	defer holder.Process.Kill()
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "bound\n" {
		t.Fatalf("holder says %q, %v", line, err)
	}
	if _, err := Listen(path, Options{}); !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), strconv.Itoa(holder.Process.Pid)) {
		t.Errorf("Listen = %v, want ErrInUse by process %d", err, holder.Process.Pid)
	}
	holder.Process.Kill() // kill -9: socket and lock file stay
	holder.Wait()
	if _, err := os.Lstat(path); err != nil {
		t.Fatalf("Lstat = %v, want the stale file", err)
	}
	listen(t, path, Options{})
}
