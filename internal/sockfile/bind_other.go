//go:build !unix

package sockfile

// maxPath is what fits into sun_path of afunix.h with its final NUL.
const maxPath = 107

// bind leaves the rights to the directory: the mode of a socket file means
// nothing here.
func (s *Socket) bind() error { return s.listen(s.path, nil) }
