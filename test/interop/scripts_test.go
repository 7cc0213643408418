package interop

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

func TestPython(t *testing.T) {
	t.Parallel()
	need(t, "python3")
	s := startServer(t)
	s.run(nil, "python3", "testdata/standard_library.py", s.stream)
	s.want("python.lines", increments)
	s.want("python.calls", increments)
}

// TestJayson sends JSON-RPC 2.0 requests, single ones (a connection each, as
// jayson has it) and batches.
func TestJayson(t *testing.T) {
	t.Parallel()
	modules := nodeModules(t)
	s := startServer(t)
	s.run([]string{"NODE_PATH=" + modules}, "node", "testdata/jayson.js", s.stream)
	s.want("jayson.increments", increments)
}

func TestHotShots(t *testing.T) {
	t.Parallel()
	modules := nodeModules(t)
	for _, transport := range []string{"stream", "uds"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			s := startServer(t)
			path := s.stream
			if transport == "uds" { // the datagrams of hot-shots come from an addon in C++
				if _, err := os.Stat(filepath.Join(modules, "unix-dgram/build/Release/unix_dgram.node")); err != nil {
					t.Skipf("needs unix-dgram, which could not be compiled here: %v", err)
				}
				path = s.datagram
			}
			s.run([]string{"NODE_PATH=" + modules}, "node", "testdata/hotshots.js", transport, path)
			s.want("hotshots.increments", increments)
		})
	}
}

var (
	installOnce sync.Once
	installed   string // node_modules, or "" if installing failed
	installLog  string
)

// nodeModules installs the clients from npm, once for all tests.
func nodeModules(t *testing.T) string {
	t.Helper()
	if os.Getenv("HAWKEYE_INTEROP") != "1" {
		t.Skip("needs packages from npm: set HAWKEYE_INTEROP=1 to have them installed in a temporary directory")
	}
	need(t, "node")
	need(t, "npm")
	installOnce.Do(func() {
		dir, err := os.MkdirTemp("", "hawkeye-npm")
		if err != nil {
			installLog = err.Error()
			return
		}
		install := exec.Command("npm", "install", "--prefix", dir, "--ignore-scripts", "--no-audit", "--no-fund",
			"jayson@5.0.0", "hot-shots@17.1.1")
		if out, err := install.CombinedOutput(); err != nil {
			os.RemoveAll(dir)
			installLog = err.Error() + "\n" + string(out)
			return
		}
		// The one script that is needed. If it fails, there is no addon.
		out, err := exec.Command("npm", "rebuild", "--prefix", dir, "unix-dgram").CombinedOutput()
		if err != nil {
			installLog = err.Error() + "\n" + string(out)
		}
		installed = filepath.Join(dir, "node_modules")
	})
	if installed == "" {
		t.Fatalf("npm install: %s", installLog)
	}
	if installLog != "" {
		t.Logf("npm rebuild unix-dgram: %s", installLog)
	}
	return installed
}
