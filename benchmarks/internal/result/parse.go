package result

import (
	"bufio"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Case is one line's subject: a benchmark, who was measured, under which
// conditions, on how many processors.
type Case struct {
	Bench string // CounterHandle
	Who   string // hawkeye, or a peer
	Sub   string // lines=64, or empty
	CPU   int
}

// Set holds what was measured: of each case and unit a value a run.
type Set struct {
	values map[Case]map[string][]float64
	order  []Case
}

// New returns an empty Set.
func New() *Set { return &Set{values: make(map[Case]map[string][]float64)} }

var lineOf = regexp.MustCompile(`^Benchmark(\w+)/(.+?)(?:-(\d+))?\s+\d+\s+(.*)$`)

// Read adds the benchmarks that `go test -bench` printed.
func (s *Set) Read(r io.Reader) error {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		m := lineOf.FindStringSubmatch(lines.Text())
		if m == nil {
			continue
		}
		c := Case{Bench: m[1], CPU: 1}
		c.Who, c.Sub, _ = strings.Cut(m[2], "/")
		if m[3] != "" {
			c.CPU, _ = strconv.Atoi(m[3])
		}
		fields := strings.Fields(m[4])
		for i := 0; i+1 < len(fields); i += 2 {
			if v, err := strconv.ParseFloat(fields[i], 64); err == nil {
				s.add(c, fields[i+1], v)
			}
		}
	}
	return lines.Err()
}

func (s *Set) add(c Case, unit string, v float64) {
	if s.values[c] == nil {
		s.values[c] = make(map[string][]float64)
		s.order = append(s.order, c)
	}
	s.values[c][unit] = append(s.values[c][unit], v)
}

// Median returns the median over the runs, and whether there is one.
func (s *Set) Median(c Case, unit string) (float64, bool) {
	v := slices.Clone(s.values[c][unit])
	if len(v) == 0 {
		return 0, false
	}
	slices.Sort(v)
	mid := len(v) / 2
	if len(v)%2 == 0 {
		return (v[mid-1] + v[mid]) / 2, true
	}
	return v[mid], true
}

// Runs returns how often a case was measured.
func (s *Set) Runs(c Case) int { return len(s.values[c]["ns/op"]) }

// Cases returns those of a benchmark, in the order in which they came.
func (s *Set) Cases(bench string) (cases []Case) {
	for _, c := range s.order {
		if c.Bench == bench {
			cases = append(cases, c)
		}
	}
	return cases
}

// Units returns the units of a case but those of allocations and time, in
// alphabetical order: those that a benchmark reported itself.
func (s *Set) Units(c Case) (units []string) {
	for unit := range s.values[c] {
		if unit != "ns/op" && unit != "B/op" && unit != "allocs/op" {
			units = append(units, unit)
		}
	}
	slices.Sort(units)
	return units
}
