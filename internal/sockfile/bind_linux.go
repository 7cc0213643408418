package sockfile

import (
	"errors"
	"os"
	"syscall"
)

// maxPath is what fits into sun_path of unix(7) with its final NUL.
const maxPath = 107

// bind gives the socket its rights before it has a name: Linux makes the file
// with the mode of the socket itself, less the umask (unix_bind in
// net/unix/af_unix.c), so that there is no moment of wider rights, and no
// need to change the umask of the whole process.
func (s *Socket) bind() error {
	mode := s.options.Mode.Perm()
	err := s.listen(s.path, func(fd uintptr) error {
		if s.options.Datagram {
			// Before it has a name: a datagram that was sent earlier would
			// not say by whom.
			if err := syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_PASSCRED, 1); err != nil {
				return err
			}
		}
		return syscall.Fchmod(int(fd), uint32(mode))
	})
	if err != nil {
		return err
	}
	info, err := os.Lstat(s.path)
	if err == nil && info.Mode().Perm() != mode {
		err = os.Chmod(s.path, mode) // the umask took away what was asked for
	}
	if err != nil {
		return errors.Join(err, s.closeSocket())
	}
	return nil
}
