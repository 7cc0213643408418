// Package result reads what benchmarks print and writes it as tables.
package result

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
)

// Machine says in a line what a result was measured on, and when.
func Machine() string {
	return fmt.Sprintf("%s, %d cores, %s/%s, %s, %s.", cpu(), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH,
		strings.Replace(runtime.Version(), "go", "Go ", 1), time.Now().UTC().Format("2006-01-02 15:04 UTC"))
}

// cpu is the processor's name, as Linux tells it.
func cpu() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return "unknown CPU"
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if key, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown CPU"
}
