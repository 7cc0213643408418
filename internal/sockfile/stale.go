package sockfile

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// probeTimeout bounds the dial that asks whether anybody answers at a path. A
// live server with a full backlog lets a dialer wait.
const probeTimeout = time.Second

// removeStale makes room at path. It removes only a socket of our own user at
// which nobody answers, and only its caller holds the lock.
func removeStale(path string, datagram bool) error {
	found, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if found.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("%w: %q is a %s; remove it yourself or choose another path",
			ErrNotSocket, path, kindOf(found.Mode()))
	}
	if !ownedByUs(found) {
		return fmt.Errorf("%w: the socket %q belongs to another user", ErrUnsafe, path)
	}
	if err := probe(path, datagram); err != nil {
		return err
	}
	again, err := os.Lstat(path)
	if err != nil || !os.SameFile(found, again) {
		return fmt.Errorf("%w: %q changed while it was looked at", ErrInUse, path)
	}
	return os.Remove(path)
}

// probe returns nil if nobody answers at path.
func probe(path string, datagram bool) error {
	network := "unix"
	if datagram {
		network = "unixgram"
	}
	conn, err := net.DialTimeout(network, path, probeTimeout)
	if err == nil {
		defer conn.Close()
		if _, pid, err := Peer(conn.(*net.UnixConn)); err == nil && pid > 0 {
			return fmt.Errorf("%w: %q, by process %d", ErrInUse, path, pid)
		}
		return fmt.Errorf("%w: %q", ErrInUse, path)
	}
	if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return fmt.Errorf("%w: %q answers with %w", ErrInUse, path, err)
}

// kindOf names the type of a file that is no socket.
func kindOf(mode fs.FileMode) string {
	switch mode.Type() {
	case 0:
		return "regular file"
	case fs.ModeDir:
		return "directory"
	case fs.ModeSymlink:
		return "symbolic link"
	case fs.ModeNamedPipe:
		return "FIFO"
	}
	return "device or other special file"
}

// checkDir makes the directory of path if it is missing, with mode 0700, and
// otherwise looks whether a socket is safe in it.
func checkDir(path string, private bool) error {
	dir := filepath.Dir(path)
	err := os.Mkdir(dir, 0o700)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	look := os.Stat
	if private {
		look = os.Lstat
	}
	info, err := look(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%w: %q is a %s, not a directory", ErrUnsafe, dir, kindOf(info.Mode()))
	}
	if err := checkDirRights(dir, info, private); err != nil {
		return err
	}
	return checkAncestors(dir)
}

// checkAncestors refuses a directory that everybody can put another one in the
// place of, because one above it lets everybody rename what is in it.
func checkAncestors(dir string) error {
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return err
	}
	if real, err = filepath.Abs(real); err != nil {
		return err
	}
	for above := filepath.Dir(real); ; above = filepath.Dir(above) {
		info, err := os.Stat(above)
		if err != nil {
			return nil // not ours to look at, then nor ours to judge
		}
		if everybodyReplaces(info) {
			return fmt.Errorf("%w: everybody can replace the directory %q, because %q is writable by all without the sticky bit (chmod +t or o-w it)", ErrUnsafe, dir, above)
		}
		if above == filepath.Dir(above) {
			return nil
		}
	}
}
