package sockfile

import (
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"strings"
)

// Default returns the path at which the service named service listens, and at
// which its clients look, unless both are told otherwise. It is
// hawkeye/<service>.sock in the first of these that is a directory of ours:
//
//   - the first one in $RUNTIME_DIRECTORY, which systemd sets for a service;
//   - $XDG_RUNTIME_DIR, which a login session sets for its user;
//
// and else <service>.sock in hawkeye-<uid> in the temporary directory. It
// makes and checks nothing; [Listen] with PrivateDir does.
//
// Characters that don't belong into a file name become '-', and the name then
// carries a hash, so that two services never meet by accident.
func Default(service string) string {
	dir := runtimeDir()
	if room := maxPath - len(dir) - len("/.sock"); room >= minFileName {
		return filepath.Join(dir, fileName(service, min(room, maxFileName))+".sock")
	}
	return filepath.Join(dir, fileName(service, minFileName)+".sock") // too long: Listen says so
}

const (
	maxFileName = 64
	hashDigits  = 8
	minFileName = hashDigits + 2
)

func runtimeDir() string { return Folders()[0] }

// Folders returns the folders in which default sockets of this user may lie.
// New ones are made in the first; the others are those of processes with
// another environment.
func Folders() []string {
	var folders []string
	first, _, _ := strings.Cut(os.Getenv("RUNTIME_DIRECTORY"), ":")
	for _, base := range []string{first, os.Getenv("XDG_RUNTIME_DIR")} {
		if !filepath.IsAbs(base) {
			continue
		}
		if info, err := os.Stat(base); err == nil && info.IsDir() && ownedByUs(info) {
			folders = append(folders, filepath.Join(base, "hawkeye"))
		}
	}
	return append(folders, filepath.Join(os.TempDir(), userDir()))
}

// fileName makes a file name of at most limit bytes out of any text.
func fileName(service string, limit int) string {
	clean := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_', r == '.':
			return r
		}
		return '-'
	}, service)
	clean = strings.TrimLeft(clean, ".")
	if clean == service && clean != "" && len(clean) <= limit {
		return clean
	}
	hash := fnv.New32a()
	hash.Write([]byte(service))
	if clean == "" {
		clean = "service"
	}
	return fmt.Sprintf("%s-%0*x", clean[:min(len(clean), limit-hashDigits-1)], hashDigits, hash.Sum32())
}
