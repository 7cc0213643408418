//go:build unix && !linux

package sockfile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// maxPath is what fits into sun_path of the BSDs with its final NUL.
const maxPath = 103

// bind makes the socket in a directory that only we can enter, gives it its
// rights there and then moves it into place, so that there is no moment of
// wider rights. Nobody else is at the path: its lock is ours, and what was
// there has been removed.
func (s *Socket) bind() (err error) {
	dir, err := os.MkdirTemp(filepath.Dir(s.path), ".hk") // mode 0700
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	inner := filepath.Join(dir, "s")
	if len(inner) > maxPath {
		return fmt.Errorf("%w: %q has %d bytes, at most %d fit", ErrTooLong, inner, len(inner), maxPath)
	}
	if err := s.listen(inner, nil); err != nil {
		return err
	}
	if err = os.Chmod(inner, s.options.Mode.Perm()); err == nil {
		err = os.Rename(inner, s.path)
	}
	if err != nil {
		return errors.Join(err, s.closeSocket())
	}
	return nil
}
