package sockfile

import (
	"errors"
	"fmt"

	"github.com/go-batteries/hawkeye/internal/lockfile"
)

// acquire locks the file beside a socket.
func acquire(socket string) (*lockfile.File, error) {
	path := socket + ".lock"
	l, err := lockfile.Acquire(path)
	switch {
	case errors.Is(err, lockfile.ErrUnsafe):
		return nil, fmt.Errorf("%w: %w", ErrUnsafe, err)
	case !errors.Is(err, lockfile.ErrInUse):
		return l, err
	}
	if pid, ok := lockfile.Holder(path); ok {
		return nil, fmt.Errorf("%w: %q, by process %d", ErrInUse, socket, pid)
	}
	return nil, fmt.Errorf("%w: %q", ErrInUse, socket)
}
