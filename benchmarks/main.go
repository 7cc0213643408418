// Benchmarks runs each path of hawkeye beside its peers, in the same run, and
// writes what it found into RESULTS.md:
//
//	bash benchmarks/run                     the paths, in about ten minutes
//	bash benchmarks/run -quick              the same in about one, for a look
//	bash benchmarks/run -sections redis     Redis, beside the layout before
//	bash benchmarks/run -sections fleet     3, 30 and 300 replicas on one Redis
//	bash benchmarks/run -sections latency   from breach to mail, 1,000 times
//	bash benchmarks/run -sections http      requests/s of the gin example
//	bash benchmarks/run -sections idle      10,000 monitors at rest
//	bash benchmarks/run -sections all
//
// Every figure is the median of -count runs (default 5). A run measures
// everything once, so that a disturbance doesn't hit all runs of one and none
// of another. What was counted is compared with what was asked for in every
// benchmark; a difference fails the run.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-batteries/hawkeye/benchmarks/internal/result"
)

// results is where the tables are kept.
const results = "RESULTS.md"

type options struct {
	count     int
	benchtime string
	quick     bool
}

// section is a part of RESULTS.md that is measured by itself.
type section struct {
	name, title string
	run         func(options) (string, error)
}

var sections = []section{
	{"paths", "Paths beside their peers", func(o options) (string, error) { return measure(o, paths) }},
	{"redis", "Redis, beside the layout of the system before", func(o options) (string, error) { return measure(o, redisPaths) }},
	{"fleet", "A fleet on one Redis", func(o options) (string, error) { o.count = 1; return measure(o, fleetPaths) }},
	{"latency", "From breach to mail", latency},
	{"http", "The gin example under load", func(o options) (string, error) { return program("bash", "http/run", pick(o.quick, "quick", "full")) }},
	{"idle", "10,000 monitors with 3 triggers each, at rest", func(o options) (string, error) {
		return program("go", "run", "./idle", "-for", pick(o.quick, "5s", "60s"))
	}},
}

func main() {
	var o options
	which := flag.String("sections", "paths", "what to run, separated by commas: paths, redis, fleet, latency, http, idle, or all")
	flag.IntVar(&o.count, "count", 5, "how many runs the medians are of")
	flag.StringVar(&o.benchtime, "benchtime", "1s", "how long each benchmark runs")
	flag.BoolVar(&o.quick, "quick", false, "one short run of everything: to see that it works, not to quote")
	flag.Parse()
	if o.quick {
		o.count, o.benchtime = 1, "50ms"
	}
	if err := run(o, strings.Split(*which, ",")); err != nil {
		log.Fatal(err)
	}
}

func run(o options, names []string) error {
	done := 0
	for _, s := range sections {
		if !slices.Contains(names, s.name) && !slices.Contains(names, "all") {
			continue
		}
		machine := result.Machine()
		text, err := s.run(o)
		if err != nil {
			return fmt.Errorf("section %s: %w", s.name, err)
		}
		text = fmt.Sprintf("## %s\n\n%s\n\n%s", s.title, machine, text)
		fmt.Println(text)
		if !o.quick {
			if err := result.WriteSection(results, s.name, text); err != nil {
				return err
			}
		}
		done++
	}
	if done == 0 {
		return fmt.Errorf("no such section: %v", names)
	}
	return nil
}

// measure runs suites and returns their tables.
func measure(o options, suites []suite) (string, error) {
	dir, err := os.MkdirTemp("", "benchmarks")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	for _, s := range suites {
		build := exec.Command("go", "test", "-c", "-o", filepath.Join(dir, s.dir+".test"), "./"+s.dir)
		if out, err := build.CombinedOutput(); err != nil {
			return "", fmt.Errorf("build %s: %w\n%s", s.dir, err, out)
		}
	}
	set := result.New()
	for i := range o.count {
		for _, s := range suites {
			fmt.Fprintf(os.Stderr, "run %d of %d: %s\n", i+1, o.count, s.dir)
			if err := s.run(o, dir, set); err != nil {
				return "", err
			}
		}
	}
	return tables(set, suites), nil
}

// run runs a suite's binary once.
func (s suite) run(o options, dir string, into *result.Set) error {
	var names []string
	for _, p := range s.paths {
		names = append(names, "Benchmark"+p.bench+"$")
	}
	args := []string{"-test.run=^$", "-test.bench=^(" + strings.Join(names, "|") + ")", "-test.benchmem", "-test.cpu=" + s.cpu, "-test.benchtime=" + o.benchtime}
	if len(names) == 0 {
		args[1] = "-test.bench=."
	}
	cmd := exec.Command(filepath.Join(dir, s.dir+".test"), append(args, s.flags...)...)
	cmd.Dir = s.dir
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", s.dir, err, out)
	}
	return into.Read(bytes.NewReader(out))
}

// latency runs breaches in one process and in a fleet of three.
func latency(o options) (string, error) {
	n, length := pick(o.quick, "100", "1000"), pick(o.quick, "10s", "120s")
	memory, err := program("go", "run", "./latency", "-breaches", n, "-for", length)
	if err != nil {
		return memory, err
	}
	fleet, err := program("go", "run", "./latency", "-breaches", n, "-for", length, "-redis", "-replicas", "3")
	return memory + "\n" + fleet, err
}

// program returns what a command printed.
func program(name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", strings.Join(append([]string{name}, args...), " "), err, out)
	}
	return string(out), nil
}

func pick(first bool, a, b string) string {
	if first {
		return a
	}
	return b
}
