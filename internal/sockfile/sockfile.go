// Package sockfile binds unix sockets to files without hurting anybody: not a
// live server at the same path, not a file that is no socket, not whoever
// would be served through a door that stood open for a moment.
//
// What it does at a path, in order: the directory is made or checked; a lock
// file beside the socket is locked, so that only one process at a time goes
// on; what lies at the path is removed if it is a socket of our own user that
// nobody answers at, and is left alone with an error otherwise; the socket is
// bound with its final rights.
package sockfile

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"

	"github.com/go-batteries/hawkeye/internal/lockfile"
)

// DefaultMode is the mode of the socket file unless Options names another.
const DefaultMode fs.FileMode = 0o600

// The errors that callers tell apart. Each comes wrapped with the path.
var (
	// ErrInUse says that another socket is live at the path.
	ErrInUse = errors.New("socket path is in use")
	// ErrNotSocket says that something lies at the path that is no socket.
	// It is never removed.
	ErrNotSocket = errors.New("not a socket")
	// ErrUnsafe says that the directory, the lock file or a stale socket
	// belongs to somebody else or is open to others.
	ErrUnsafe = errors.New("not safe")
	// ErrTooLong says that the path does not fit into a socket address.
	ErrTooLong = errors.New("socket path is too long")
)

// Options say how a socket is bound. The zero value is a stream socket of
// mode [DefaultMode].
type Options struct {
	// Datagram makes a unixgram socket.
	Datagram bool
	// Mode is the mode of the file; 0 is [DefaultMode].
	Mode fs.FileMode
	// PrivateDir asks for the directory to be a real one, our own, with
	// mode 0700. It is set for paths that come from [Default]. Without it
	// the directory may be any that not everybody can replace files in.
	PrivateDir bool
}

// Socket is a bound socket and the file that leads to it. Its methods are not
// safe for concurrent use; the Listener and the PacketConn are.
type Socket struct {
	path     string
	options  Options
	lock     *lockfile.File
	file     fs.FileInfo // of the socket file that we bound
	stream   *net.UnixListener
	datagram *net.UnixConn
}

// Listen binds a socket to path. The errors wrap [ErrInUse], [ErrNotSocket],
// [ErrUnsafe], [ErrTooLong] or what the system says.
func Listen(path string, o Options) (*Socket, error) {
	if o.Mode == 0 {
		o.Mode = DefaultMode
	}
	s := &Socket{path: path, options: o}
	if err := s.open(); err != nil {
		return nil, fmt.Errorf("bind socket: %w", err)
	}
	return s, nil
}

// Path returns the path that the socket is bound to.
func (s *Socket) Path() string { return s.path }

// Listener returns the stream listener; nil for a datagram socket. After
// [Socket.Rebind] it is another one.
func (s *Socket) Listener() *net.UnixListener { return s.stream }

// PacketConn returns the datagram socket; nil for a stream socket. After
// [Socket.Rebind] it is another one.
func (s *Socket) PacketConn() *net.UnixConn { return s.datagram }

// Present reports whether the file at the path still is the one that we bound.
func (s *Socket) Present() bool {
	now, err := os.Lstat(s.path)
	return err == nil && os.SameFile(now, s.file)
}

// Rebind binds the path anew after its file was removed, and closes the old
// listener, whose connections go on. If something else lies there by now it
// returns the errors of [Listen] and the old socket stays as it is.
func (s *Socket) Rebind() error {
	next := &Socket{path: s.path, options: s.options}
	if s.lock.Present() {
		next.lock = s.lock
	}
	if err := next.open(); err != nil {
		return fmt.Errorf("bind socket again: %w", err)
	}
	old := *s
	*s = *next
	if old.lock != s.lock {
		old.lock.Release()
	}
	return old.closeSocket()
}

// Close closes the socket, removes its file if that is still our own, and
// gives the lock back. Connections that were accepted stay open.
func (s *Socket) Close() error {
	err := s.closeSocket()
	if s.Present() {
		err = errors.Join(err, os.Remove(s.path))
	}
	s.lock.Release()
	return err
}

// open takes the lock, unless s has it, and binds.
func (s *Socket) open() (err error) {
	if len(s.path) > maxPath {
		return fmt.Errorf("%w: %q has %d bytes, at most %d fit into a socket address",
			ErrTooLong, s.path, len(s.path), maxPath)
	}
	if err := checkDir(s.path, s.options.PrivateDir); err != nil {
		return err
	}
	if s.lock == nil {
		if s.lock, err = acquire(s.path); err != nil {
			return err
		}
		defer func() {
			if err != nil {
				s.lock.Release()
			}
		}()
	}
	if err = removeStale(s.path, s.options.Datagram); err != nil {
		return err
	}
	if err = s.bind(); err != nil {
		return err
	}
	if s.file, err = os.Lstat(s.path); err != nil {
		return errors.Join(err, s.closeSocket())
	}
	return nil
}

func (s *Socket) closeSocket() error {
	if s.stream != nil {
		return s.stream.Close()
	}
	return s.datagram.Close()
}
