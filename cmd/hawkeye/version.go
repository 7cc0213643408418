package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// versionCmd prints which hawkeye this is.
type versionCmd struct{}

// Run prints the version.
func (versionCmd) Run(c *console) error {
	version, revision := "unknown", ""
	if info, ok := debug.ReadBuildInfo(); ok {
		version = info.Main.Version
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				revision = " " + s.Value[:min(len(s.Value), 12)]
			}
		}
	}
	fmt.Fprintf(c.out, "hawkeye %s%s %s %s/%s\n", version, revision, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return nil
}
