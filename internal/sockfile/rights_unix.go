//go:build unix

package sockfile

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// ownedBy reports whether the file belongs to uid.
func ownedBy(info fs.FileInfo, uid int) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == uid
}

func ownedByUs(info fs.FileInfo) bool { return ownedBy(info, os.Geteuid()) }

// userDir is the name of this user's own directory under the temporary one.
func userDir() string { return fmt.Sprintf("hawkeye-%d", os.Geteuid()) }

// everybodyReplaces says of a directory whether every user can rename what is
// in it.
func everybodyReplaces(info fs.FileInfo) bool {
	return info.Mode().Perm()&0o002 != 0 && info.Mode()&fs.ModeSticky == 0
}

func checkDirRights(dir string, info fs.FileInfo, private bool) error {
	if private {
		if !ownedByUs(info) {
			return fmt.Errorf("%w: the directory %q belongs to another user", ErrUnsafe, dir)
		}
		if mode := info.Mode().Perm(); mode&0o077 != 0 {
			return fmt.Errorf("%w: the directory %q has mode %04o, want 0700 (chmod 700 it)", ErrUnsafe, dir, mode)
		}
		return nil
	}
	if !ownedByUs(info) && !ownedBy(info, 0) && os.Geteuid() != 0 {
		return fmt.Errorf("%w: the directory %q belongs to another user", ErrUnsafe, dir)
	}
	if everybodyReplaces(info) {
		return fmt.Errorf("%w: everybody can replace files in the directory %q", ErrUnsafe, dir)
	}
	return nil
}
