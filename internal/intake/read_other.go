//go:build !unix

package intake

// reader reads a connection.
type reader struct {
	c        *conn
	deadline bool // a read deadline is set
	portable portableReader
}

func (r *reader) init(c *conn) { r.c = c }

// read waits for bytes and appends them to the work.
func (r *reader) read() (int, error) { return r.portable.read(r.c) }

// readNow returns 0: what has not been read when the server stops is lost.
func (r *reader) readNow() int { return 0 }
