package main

import (
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/go-batteries/hawkeye"
	"github.com/go-batteries/hawkeye/internal/sockfile"
)

// findSocket returns the path of the metric server that is meant: the one
// that was named, the default one of a service, or else the only one that
// answers.
func findSocket(path, service string) (string, error) {
	switch {
	case path != "":
		return path, nil
	case service != "":
		return hawkeye.DefaultSocketPath(service), nil
	}
	folders := socketFolders()
	var live []string
	for _, folder := range folders {
		paths, err := filepath.Glob(filepath.Join(folder, "*.sock"))
		if err != nil {
			continue
		}
		for _, p := range paths {
			if answers(p) && !slices.Contains(live, p) {
				live = append(live, p)
			}
		}
	}
	switch len(live) {
	case 0:
		return "", fmt.Errorf("no metric server runs that we may talk to; looked for sockets in %s; --socket names one elsewhere", strings.Join(folders, ", "))
	case 1:
		return live[0], nil
	}
	return "", fmt.Errorf("several metric servers run; --socket says which:\n  %s", strings.Join(live, "\n  "))
}

// socketFolders are those in which default sockets lie: our own, and those of
// services that systemd started.
func socketFolders() []string {
	folders := sockfile.Folders()
	services, err := filepath.Glob("/run/*/hawkeye")
	if err != nil {
		return folders
	}
	return append(folders, services...)
}

// answers says whether somebody listens at a path.
func answers(path string) bool {
	conn, err := net.DialTimeout("unix", path, time.Second)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}
