// Package recording reads recorded samples, and plays them back to a
// simulation. docs/testing.md explains the format.
package recording

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/go-batteries/hawkeye/internal/series"
	"github.com/go-batteries/hawkeye/internal/simulate"
)

// Bounds of a file.
const (
	// MaxLine is the longest line: a day of values, one each second, fits.
	MaxLine = 16 << 20
	// MaxValues is how many values are read in all.
	MaxValues = 200_000_000
)

// Recording is samples of some time.
type Recording struct {
	Catalog *simulate.Catalog
	// Start is the time of the first sample, End that of the last one.
	Start, End time.Time
	// Values is how many samples there are.
	Values int

	name      string
	extremes  extremes
	columns   []column
	points    points
	sources   []source
	processes []string
}

// column is samples of one series at equal distances. NaN is none.
type column struct {
	source
	at     int64 // Unix nanoseconds
	step   int64
	values []float64
}

// source is a series in a process.
type source struct {
	series  *simulate.Series
	process int
}

// LineError is a line that can't be read.
type LineError struct {
	File    string
	Line    int
	Message string
}

func (e *LineError) Error() string { return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Message) }

// ErrEmpty says that there is no sample.
var ErrEmpty = errors.New("no samples")

// utf8Mark is the byte order mark that some editors begin a file with.
const utf8Mark = "\ufeff"

// Read reads JSON lines. The error of a line that can't be read is a
// [*LineError].
func Read(name string, r io.Reader) (*Recording, error) {
	rec := &Recording{Catalog: simulate.NewCatalog(), name: name}
	p := parser{rec: rec, sources: make(map[string]int32)}
	buffered := bufio.NewReader(r)
	if begin, _ := buffered.Peek(len(utf8Mark)); string(begin) == utf8Mark {
		_, _ = buffered.Discard(len(utf8Mark))
	} else if len(begin) > 1 && (string(begin[:2]) == "\xff\xfe" || string(begin[:2]) == "\xfe\xff") {
		return nil, &LineError{name, 1, "the file is UTF-16; save it as UTF-8"}
	}
	if err := p.read(name, buffered); err != nil {
		return nil, err
	}
	if rec.Values == 0 {
		return nil, fmt.Errorf("read %s: %w", name, ErrEmpty)
	}
	rec.finish()
	return rec, nil
}

// finish sorts the points, and finds the beginning and the end.
func (r *Recording) finish() {
	r.points.sort()
	first, last := int64(1<<62), int64(-1<<62)
	for i := range r.columns {
		c := &r.columns[i]
		first, last = min(first, c.at), max(last, c.at+int64(len(c.values)-1)*c.step)
	}
	if n := r.points.n; n > 0 {
		first, last = min(first, r.points.get(0).at), max(last, r.points.get(n-1).at)
	}
	r.Start, r.End = time.Unix(0, first).UTC(), time.Unix(0, last).UTC()
	slices.SortStableFunc(r.columns, func(a, b column) int { // those of a process together
		return a.process - b.process
	})
}

// Series returns how many series there are.
func (r *Recording) Series() int { return r.Catalog.Len() }

// Play hands the samples to a simulation, from its tick on up to until, and
// calls each after every tick. It may be called again to go on.
func (r *Recording) Play(sim *simulate.Simulation, until time.Time, each func()) {
	play := &player{rec: r, sim: sim, next: make([]int, len(r.columns))}
	for _, name := range r.processes {
		play.processes = append(play.processes, sim.Process(name, r.Catalog))
	}
	begin := sim.Now().UnixNano()
	for i := range r.columns {
		c := &r.columns[i]
		if c.at < begin {
			play.next[i] = int((begin - c.at + c.step - 1) / c.step)
		}
	}
	play.point = r.points.from(begin)
	for _, end := sim.Tick(); !end.After(until); _, end = sim.Tick() {
		play.tick(end.UnixNano())
		sim.Step()
		if each != nil {
			each()
		}
	}
}

// player is where a recording stands.
type player struct {
	rec       *Recording
	sim       *simulate.Simulation
	processes []*simulate.Process
	next      []int // of each column
	point     int
}

// tick records what lies before end. All processes are there from beginning
// to end.
func (p *player) tick(end int64) {
	for i := range p.rec.columns {
		c := &p.rec.columns[i]
		process := p.processes[c.process]
		n := p.next[i]
		for ; n < len(c.values) && c.at+int64(n)*c.step < end; n++ {
			if v := c.values[n]; v == v {
				process.Record(c.series, v)
			}
		}
		p.next[i] = n
	}
	for ; p.point < p.rec.points.n; p.point++ {
		x := p.rec.points.get(p.point)
		if x.at >= end {
			break
		}
		source := &p.rec.sources[x.source]
		for range x.count {
			p.processes[source.process].Record(source.series, x.value)
		}
	}
	for _, process := range p.processes {
		process.Publish(false)
	}
}

// Sample is one series' values in a time, for people.
type Sample struct {
	Series string
	Kind   series.Kind
	Tags   []series.Tag
	Values []float64
}

// Between returns the samples of a metric from (inclusive) to (exclusive), by
// series.
func (r *Recording) Between(metric string, from, to time.Time) []Sample {
	bySeries := make(map[*simulate.Series]*Sample)
	var order []*simulate.Series
	add := func(s *simulate.Series, v float64) {
		sample, known := bySeries[s]
		if !known {
			kind, name, tags, err := series.ParseCanonical(r.Catalog.Text(s))
			if err == nil && name == metric {
				sample = &Sample{Series: seriesText(name, tags), Kind: kind, Tags: tags}
				order = append(order, s)
			}
			bySeries[s] = sample
		}
		if sample != nil {
			sample.Values = append(sample.Values, v)
		}
	}
	a, b := from.UnixNano(), to.UnixNano()
	for i := range r.columns {
		c := &r.columns[i]
		for n := max(0, int((a-c.at+c.step-1)/c.step)); n < len(c.values) && c.at+int64(n)*c.step < b; n++ {
			if v := c.values[n]; v == v {
				add(c.series, v)
			}
		}
	}
	for i := r.points.from(a); i < r.points.n && r.points.get(i).at < b; i++ {
		x := r.points.get(i)
		for range x.count {
			add(r.sources[x.source].series, x.value)
		}
	}
	out := make([]Sample, len(order))
	for i, s := range order {
		out[i] = *bySeries[s]
	}
	slices.SortFunc(out, func(a, b Sample) int { return strings.Compare(a.Series, b.Series) })
	return out
}

func seriesText(name string, tags []series.Tag) string {
	parts := make([]string, len(tags))
	for i, t := range tags {
		parts[i] = t.Key + "=" + t.Value
	}
	if len(parts) == 0 {
		return name
	}
	return name + "{" + strings.Join(parts, ", ") + "}"
}
