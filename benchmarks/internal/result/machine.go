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

// Machine says in a line what is measured on, when, and how busy it is with
// other things: call it before the measurement.
func Machine() string {
	return fmt.Sprintf("%s, %d cores, %s/%s, %s, %s%s.", cpu(), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH,
		strings.Replace(runtime.Version(), "go", "Go ", 1), time.Now().UTC().Format("2006-01-02 15:04 UTC"), load())
}

// load is the load average of the last minute, as Linux tells it.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return ""
	}
	minute, _, _ := strings.Cut(string(text), " ")
	return ", load before " + minute
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
