package sockfile

import (
	"context"
	"net"
	"syscall"
)

// listen binds s to path. prepare, which may be nil, sees the socket before
// it is bound.
func (s *Socket) listen(path string, prepare func(fd uintptr) error) error {
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) (err error) {
		if prepare == nil {
			return nil
		}
		if outer := c.Control(func(fd uintptr) { err = prepare(fd) }); outer != nil {
			return outer
		}
		return err
	}}
	if s.options.Datagram {
		conn, err := config.ListenPacket(context.Background(), "unixgram", path)
		if err != nil {
			return err
		}
		s.datagram = conn.(*net.UnixConn)
		return nil
	}
	l, err := config.Listen(context.Background(), "unix", path)
	if err != nil {
		return err
	}
	s.stream = l.(*net.UnixListener)
	// It would remove whatever lies at the path by then.
	s.stream.SetUnlinkOnClose(false)
	return nil
}
