//go:build unix

package intake

import (
	"io"
	"os"
	"syscall"
)

// reader reads a connection without holding a buffer while it waits: the
// buffer is borrowed when the system says that there is something to read.
// net.Conn.Read would want one before.
type reader struct {
	c        *conn
	raw      syscall.RawConn // nil for a connection that is no socket
	ready    func(fd uintptr) bool
	n        int
	err      error
	deadline bool // a read deadline is set
	portable portableReader
}

func (r *reader) init(c *conn) {
	r.c = c
	if sc, ok := c.nc.(syscall.Conn); ok {
		r.raw, _ = sc.SyscallConn()
	}
	r.ready = r.tryRead
}

// read waits for bytes and appends them to the work.
func (r *reader) read() (int, error) {
	if r.raw == nil {
		return r.portable.read(r.c)
	}
	if err := r.raw.Read(r.ready); err != nil {
		return 0, err
	}
	if r.err == nil && r.n == 0 {
		return 0, io.EOF
	}
	return r.n, r.err
}

// tryRead reads what there is; false makes the caller wait.
func (r *reader) tryRead(fd uintptr) bool {
	w := r.c.borrow()
	space, err := r.c.space()
	if err != nil {
		r.n, r.err = 0, err
		return true
	}
	for {
		r.n, r.err = syscall.Read(int(fd), space)
		if r.err != syscall.EINTR {
			break
		}
	}
	if r.err == syscall.EAGAIN {
		r.n, r.err = 0, nil
		r.c.idle()
		return false
	}
	if r.err != nil {
		r.n, r.err = 0, os.NewSyscallError("read", r.err)
	}
	w.end += r.n
	return true
}

// readNow appends what there is without waiting, whatever the deadline, and
// returns how much that was.
func (r *reader) readNow() int {
	if r.raw == nil {
		return 0
	}
	got := false
	if err := r.raw.Control(func(fd uintptr) { got = r.tryRead(fd) }); err != nil || !got || r.err != nil {
		return 0
	}
	r.c.server.counts.bytes.Add(uint64(r.n))
	return r.n
}
