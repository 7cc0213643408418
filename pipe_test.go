//go:build unix

package hawkeye_test

import (
	"errors"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/go-batteries/hawkeye"
	"github.com/go-batteries/hawkeye/store/memstore"
)

// A named pipe given as a file is a mistake that New tells of: to open it
// would wait for a writer.
func TestNamedPipeAsAFile(t *testing.T) {
	t.Parallel()
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skipf("mkfifo: %v", err)
	}
	for _, c := range []struct {
		option string
		want   error
		open   func() error
	}{
		{"WithConfigFile", hawkeye.ErrInvalidConfig, func() error {
			_, err := hawkeye.New(hawkeye.WithoutSocket(), hawkeye.WithConfigFile(pipe))
			return err
		}},
		{"WithStateFile", memstore.ErrInvalidOption, func() error {
			_, err := memstore.New(memstore.WithStateFile(pipe))
			return err
		}},
	} {
		opened := make(chan error, 1)
		go func() { opened <- c.open() }()
		select {
		case err := <-opened:
			if !errors.Is(err, c.want) {
				t.Errorf("New(%s(a named pipe)) = %v, want %v", c.option, err, c.want)
			}
		case <-time.After(10 * time.Second):
			t.Errorf("New(%s(a named pipe)) hangs", c.option)
		}
	}
}
