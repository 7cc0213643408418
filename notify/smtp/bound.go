package smtp

import (
	"errors"
	"net"
	"sync/atomic"
)

// maxReply bounds what a server may say before it is our turn again: the
// longest honest answer is the handshake of TLS with its certificates.
const maxReply = 128 << 10

var errTooMuch = errors.New("the server says more than 128 KiB at once")

// boundedConn fails when a server doesn't stop talking, so that neither an
// endless line nor an endless reply grows in memory.
type boundedConn struct {
	net.Conn
	said atomic.Int64 // since we wrote last
}

func (c *boundedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.said.Add(int64(n)) > maxReply {
		return 0, errTooMuch
	}
	return n, err
}

func (c *boundedConn) Write(p []byte) (int, error) {
	c.said.Store(0)
	return c.Conn.Write(p)
}
