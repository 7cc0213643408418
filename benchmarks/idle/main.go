// Idle measures an instance with 10,000 version-1 monitors of three triggers
// each and nothing to count: goroutines, memory, and processor time.
//
//	bash benchmarks/run ./idle -for 60s
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/go-batteries/hawkeye"
)

// perFile keeps the files below their limit of 1 MiB.
const perFile = 2000

func main() {
	monitors := flag.Int("monitors", 10_000, "how many monitors")
	length := flag.Duration("for", time.Minute, "how long to watch")
	flag.Parse()
	if err := run(*monitors, *length); err != nil {
		log.Fatal(err)
	}
}

func run(monitors int, length time.Duration) error {
	dir, err := os.MkdirTemp("", "idle")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	files, err := write(dir, monitors)
	if err != nil {
		return err
	}
	before, goroutines := heap(), runtime.NumGoroutine()
	h, err := hawkeye.New(hawkeye.WithService("idle", "benchmark"), hawkeye.WithConfigFile(files...),
		hawkeye.WithSocket(filepath.Join(dir, "s")), hawkeye.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		return err
	}
	if err := h.Start(context.Background()); err != nil {
		return err
	}
	time.Sleep(2 * time.Second)
	began := cpu()
	time.Sleep(length)
	used := cpu() - began
	fmt.Printf("| monitors × triggers | goroutines | heap | resident | CPU over %v |\n|---|---:|---:|---:|---:|\n", length)
	fmt.Printf("| %d × 3 | %d | %.1f MB | %.1f MB | %.2f %% of a core |\n", monitors, runtime.NumGoroutine()-goroutines,
		float64(heap()-before)/1e6, resident(), 100*used.Seconds()/length.Seconds())
	return h.Shutdown(context.Background())
}

func write(dir string, monitors int) (files []string, err error) {
	for first := 0; first < monitors; first += perFile {
		var text strings.Builder
		text.WriteString("version: 1\nmonitors:\n")
		for i := first; i < min(first+perFile, monitors); i++ {
			fmt.Fprintf(&text, "  - metric: metric.%d\n    type: c\n    interval: 60\n    notifier: email\n    triggers:\n", i)
			for level := 1; level <= 3; level++ {
				fmt.Fprintf(&text, "      - {threshold: %d, run_every: 5, text: \"{{ .count }}\", to: [a@example.com]}\n", level*10)
			}
		}
		name := filepath.Join(dir, fmt.Sprintf("monitors%d.yaml", len(files)))
		if err := os.WriteFile(name, []byte(text.String()), 0o600); err != nil {
			return nil, err
		}
		files = append(files, name)
	}
	return files, nil
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// cpu is the processor time that this process has used.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		log.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// resident is the process's memory in MB, as Linux tells it.
func resident() float64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var size, pages int64
	if _, err := fmt.Sscan(string(text), &size, &pages); err != nil {
		return 0
	}
	return float64(pages*int64(os.Getpagesize())) / 1e6
}
