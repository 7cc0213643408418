// Package intake takes samples from other processes: it listens on a unix
// stream socket for three framings (statsd lines, length-prefixed statsd
// payloads, JSON-RPC) and on a datagram socket for statsd, and records what
// arrives in a registry.
//
// Nothing that a client does (sending garbage, sending slowly, sending
// without end, never reading, vanishing) hurts another client or the host:
// each connection has one goroutine, borrows its buffers only while bytes are
// there, and has a bound on everything that it can make the server hold.
package intake

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"github.com/go-batteries/hawkeye/internal/jsonrpc"
	"github.com/go-batteries/hawkeye/internal/series"
	"github.com/go-batteries/hawkeye/internal/statsd"
)

// The limits that apply where [Limits] has a zero.
const (
	DefaultMaxLine       = statsd.DefaultMaxLine
	DefaultMaxFrame      = jsonrpc.DefaultMaxDocument
	DefaultMaxConns      = 1024
	DefaultMaxHeld       = 64 << 20
	DefaultFinishTimeout = 5 * time.Second
	DefaultWriteTimeout  = 5 * time.Second
	DefaultDrainTimeout  = time.Second
	DefaultWatchInterval = 2 * time.Second
)

// Config says where a [Server] listens and what it does with what it hears.
type Config struct {
	// Registry records the samples. It is required.
	Registry *series.Registry
	// Socket is the path of the stream socket; empty for none.
	Socket string
	// Datagram is the path of the datagram socket; empty for none.
	Datagram string
	// PrivateDir asks for Socket's directory to be our own with mode 0700, as
	// it must be where the path was not chosen by the user.
	PrivateDir bool
	// Optional makes a Socket that can't be bound, most often because another
	// process holds it, a warning instead of an error of Listen. Run tries
	// again until it can.
	Optional bool
	// Mode is the mode of the socket files; 0 is 0600.
	Mode fs.FileMode
	// PeerUIDs are the users who may send. Empty means our own and root.
	// Where the system does not tell who is at the other end (all but Linux)
	// the rights of the file are all that counts.
	PeerUIDs []uint32
	// AnyPeer lets everybody send whom the rights of the file let through.
	AnyPeer bool
	// GaugeDelta makes "g:+1|g" and "g:-1|g" changes, as Etsy's statsd does.
	GaugeDelta bool
	// Limits bound what clients can do.
	Limits Limits
	// Logger gets what a person may have to act on; nil for slog.Default.
	Logger *slog.Logger
}

// Limits bound what clients can make a server hold. A zero means the default.
type Limits struct {
	MaxLine       int           // bytes of a line
	MaxFrame      int           // bytes of a frame's payload and of a JSON document
	MaxConns      int           // connections at a time
	MaxHeld       int           // bytes of unfinished frames and documents of all connections, beyond 64 KiB each
	FinishTimeout time.Duration // to finish a line, frame or document that was begun
	WriteTimeout  time.Duration // for a client to take its replies
	DrainTimeout  time.Duration // for what has been sent already when Run ends
	WatchInterval time.Duration // between looks whether the socket files are there
}

// validate fills in the defaults and reports every mistake at once.
func (c *Config) validate() error {
	var mistakes []error
	wrong := func(format string, args ...any) {
		mistakes = append(mistakes, fmt.Errorf(format, args...))
	}
	if c.Registry == nil {
		wrong("Registry is missing")
	}
	if c.Socket == "" && c.Datagram == "" {
		wrong("neither Socket nor Datagram is set")
	}
	if c.Socket != "" && c.Socket == c.Datagram {
		wrong("Socket and Datagram are the same path %q", c.Socket)
	}
	if c.Mode&^fs.ModePerm != 0 {
		wrong("Mode %v is more than permissions", c.Mode)
	}
	l := &c.Limits
	if l.MaxLine < 0 || l.MaxFrame < 0 || l.MaxConns < 0 || l.MaxHeld < 0 {
		wrong("a limit is negative: %+v", *l)
	}
	if min(l.FinishTimeout, l.WriteTimeout, l.DrainTimeout, l.WatchInterval) < 0 {
		wrong("a duration is negative: %+v", *l)
	}
	l.MaxLine = orDefault(l.MaxLine, DefaultMaxLine)
	l.MaxFrame = orDefault(l.MaxFrame, DefaultMaxFrame)
	l.MaxConns = orDefault(l.MaxConns, DefaultMaxConns)
	l.MaxHeld = orDefault(l.MaxHeld, DefaultMaxHeld)
	l.FinishTimeout = orDefault(l.FinishTimeout, DefaultFinishTimeout)
	l.WriteTimeout = orDefault(l.WriteTimeout, DefaultWriteTimeout)
	l.DrainTimeout = orDefault(l.DrainTimeout, DefaultDrainTimeout)
	l.WatchInterval = orDefault(l.WatchInterval, DefaultWatchInterval)
	if len(c.PeerUIDs) == 0 {
		c.PeerUIDs = []uint32{0, uint32(os.Geteuid())}
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return errors.Join(mistakes...)
}

func orDefault[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}
