package main

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-batteries/hawkeye/cmd/hawkeye/internal/recording"
	"github.com/go-batteries/hawkeye/cmd/hawkeye/internal/timeline"
	"github.com/go-batteries/hawkeye/internal/evaluate"
	"github.com/go-batteries/hawkeye/internal/monitor"
	"github.com/go-batteries/hawkeye/internal/simulate"
	"github.com/go-batteries/hawkeye/internal/testfile"
	"github.com/go-batteries/hawkeye/store/memstore"
)

// replayFlags are the flags of commands that play recorded samples back.
type replayFlags struct {
	Samples string        `required:"" short:"s" help:"Recorded samples: a file of JSON lines, - for the standard input, or the state file of a program's memory store." placeholder:"FILE"`
	Tick    time.Duration `default:"1s" help:"How often the configuration is evaluated."`
	Gaps    bool          `help:"Play on where nothing is recorded for more than 31 days, which is an error else."`
	configFlags
}

// maxGap is for how long nothing may be recorded before a time is taken for
// wrong: a sample of 1970 would be 56 years of silence.
const maxGap = 31 * 24 * time.Hour

// replay is recorded samples on their way through a configuration.
type replay interface {
	// Play hands them over up to a time, and calls each after every tick.
	Play(sim *simulate.Simulation, until time.Time, each func())
}

// tape is recorded samples.
type tape struct {
	replay
	start, end time.Time
	tick       time.Duration
	what       string
}

// open reads the samples.
func (f *replayFlags) open(stdin io.Reader) (*tape, error) {
	if f.Tick < 100*time.Millisecond {
		return nil, fmt.Errorf("--tick: expected at least 100ms, found %v", f.Tick)
	}
	in := stdin
	if f.Samples != "-" {
		file, err := os.Open(f.Samples)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		buffered := bufio.NewReader(file)
		if begin, _ := buffered.Peek(16); memstore.IsStateFile(begin) {
			state, err := recording.ReadState(f.Samples)
			if err != nil {
				return nil, err
			}
			return &tape{state, state.Start, state.End, state.Tick, counted(state.Ticks(), "tick")}, nil
		}
		in = buffered
	}
	rec, err := recording.Read(f.Samples, in)
	if err != nil {
		return nil, err
	}
	if !f.Gaps {
		if err := rec.Gap(maxGap); err != nil {
			return nil, err
		}
	}
	what := fmt.Sprintf("%d samples of %d series", rec.Values, rec.Series())
	return &tape{rec, rec.Start, rec.End.Add(f.Tick), f.Tick, what}, nil
}

// backtestCmd plays recorded samples through a configuration.
type backtestCmd struct {
	Files    []string `arg:"" help:"The configuration: files or patterns."`
	Sweep    []string `help:"Try other thresholds: NAME tries multiples of the monitor's own, NAME:1%,2%,5% these. May be given again." placeholder:"NAME[:THRESHOLDS]" sep:"none"`
	Messages bool     `short:"m" help:"List every message."`
	Width    int      `default:"72" help:"How wide the timeline is."`
	Rows     int      `default:"20" help:"At most so many alerts are drawn, those that were told most."`
	Plain    bool     `help:"Draw with ASCII alone."`
	replayFlags
}

// Run plays the samples.
func (cmd *backtestCmd) Run(c *console) error {
	set, err := cmd.load(c, cmd.Files)
	if err != nil {
		return err
	}
	sweeps, err := planSweeps(set, cmd.Sweep)
	if err != nil {
		return err
	}
	tape, err := cmd.open(c.in)
	if err != nil {
		return err
	}
	took := time.Now()
	b := cmd.play(tape, set, sweeps)
	c.cut(cmd.Samples, b.cut)
	if cmd.Messages {
		b.list(c.out)
	}
	b.report(c.out, tape)
	if err := b.chart(tape.start, cmd).Write(c.out); err != nil {
		return err
	}
	for i := range sweeps {
		sweeps[i].report(c.out, b)
	}
	fmt.Fprintf(c.err, "played in %v\n", time.Since(took).Round(10*time.Millisecond))
	return nil
}

// play plays the samples through the configuration and, side by side, through
// its variants.
func (cmd *backtestCmd) play(t *tape, set *monitor.Set, sweeps []sweep) *book {
	sets := append([]*monitor.Set{set}, variantSets(set, sweeps, runtime.GOMAXPROCS(0))...)
	books := make([]*book, len(sets))
	var all sync.WaitGroup
	for i := range sets {
		books[i] = newBook()
		all.Go(func() {
			b := books[i]
			sim := simulate.New(simulate.Config{
				Set: sets[i], Start: t.start, Tick: t.tick, Quiet: !cmd.Messages || i > 0, Service: testfile.DefaultService,
				OnMessage: b.message, OnChange: b.change,
			})
			t.Play(sim, t.end.Add(t.tick-1), nil)
			b.close(sim.Now())
			b.cut = sim.Saturated()
		})
	}
	all.Wait()
	books[0].tried = books[0].monitors
	if len(books) > 1 {
		books[0].tried = maps.Clone(books[0].monitors)
		for _, b := range books[1:] {
			maps.Copy(books[0].tried, b.monitors)
		}
	}
	return books[0]
}

// book keeps what came of the samples.
type book struct {
	alerts   map[string]*alertBook
	monitors map[string]*tallyBook // by key of the monitor
	tried    map[string]*tallyBook // likewise, with the variants
	listed   []*simulate.Message
	end      time.Time
	cut      uint64 // see simulate.Simulation.Saturated
}

// tallyBook is what a monitor cost.
type tallyBook struct {
	fired, messages int
	firing          time.Duration
	perReceiver     map[string]int
}

// alertBook is how one alert stood.
type alertBook struct {
	row    timeline.Row
	firing time.Time // since when; zero if it doesn't
	key    string
	fired  int
}

func newBook() *book {
	return &book{alerts: make(map[string]*alertBook), monitors: make(map[string]*tallyBook)}
}

func (b *book) tally(key string) *tallyBook {
	t := b.monitors[key]
	if t == nil {
		t = &tallyBook{perReceiver: make(map[string]int)}
		b.monitors[key] = t
	}
	return t
}

// change notes how an alert stands now.
func (b *book) change(c *evaluate.Change, at time.Time) {
	if c.Alert.Rule == nil {
		return
	}
	key := c.Alert.Rule.Alert.Key
	a := b.alerts[c.Alert.Key]
	if a == nil {
		a = &alertBook{key: key, row: timeline.Row{Name: nameOf(c.Alert)}}
		b.alerts[c.Alert.Key] = a
	}
	state := &c.Alert.State
	told, was := state.Phase.Told(), !a.firing.IsZero()
	t := b.tally(key)
	switch {
	case told && !was:
		a.firing = at
		a.fired++
		t.fired++
	case !told && was:
		t.firing += at.Sub(a.firing)
		a.firing = time.Time{}
	}
	a.row.Changes = append(a.row.Changes, timeline.Change{At: at, Mark: markOf(c.Alert)})
}

// message notes what was told.
func (b *book) message(m *simulate.Message) {
	seen := make(map[string]bool)
	for _, row := range m.Rows {
		if !seen[row.Monitor] {
			seen[row.Monitor] = true
			t := b.tally(row.Monitor)
			t.messages++
			t.perReceiver[m.Receiver]++
		}
		if a := b.alerts[row.Alert]; a != nil {
			a.row.Told = append(a.row.Told, m.At)
		}
	}
	b.listed = append(b.listed, m)
}

// close ends what still fires at the end.
func (b *book) close(end time.Time) {
	b.end = end
	for _, a := range b.alerts {
		if !a.firing.IsZero() {
			b.tally(a.key).firing += end.Sub(a.firing)
		}
	}
}

// list writes every message.
func (b *book) list(w io.Writer) {
	for _, m := range b.listed {
		fmt.Fprintf(w, "%s to %s: %s\n", m.At.Format(time.DateTime), m.Receiver, m.Text.Subject)
	}
	if len(b.listed) > 0 {
		fmt.Fprintln(w)
	}
}

// report writes what each monitor would have done.
func (b *book) report(w io.Writer, t *tape) {
	fmt.Fprintf(w, "%s, %s to %s (%s)\n", t.what, t.start.Format(time.DateTime), t.end.Format(time.DateTime),
		monitor.FormatDuration(t.end.Sub(t.start).Round(time.Second)))
	quiet := true
	for _, key := range sortedKeys(b.monitors) {
		quiet = false
		m := b.monitors[key]
		fmt.Fprintf(w, "%s would have fired %s, for %s in all, and sent %s%s\n", key, times(m.fired),
			monitor.FormatDuration(m.firing.Round(time.Second)), counted(m.messages, "message"), m.receivers())
	}
	if quiet {
		fmt.Fprintln(w, "nothing would have fired")
	}
	fmt.Fprintln(w)
}

func (t *tallyBook) receivers() string {
	if t.messages == 0 {
		return ""
	}
	var parts []string
	for _, r := range sortedKeys(t.perReceiver) {
		parts = append(parts, fmt.Sprintf("%s %d", r, t.perReceiver[r]))
	}
	return " (" + strings.Join(parts, ", ") + ")"
}

func times(n int) string {
	switch n {
	case 0:
		return "never"
	case 1:
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// chart draws the alerts that were told most.
func (b *book) chart(start time.Time, cmd *backtestCmd) *timeline.Chart {
	var rows []*alertBook
	for _, a := range b.alerts {
		if len(a.row.Changes) > 0 {
			rows = append(rows, a)
		}
	}
	slices.SortFunc(rows, func(x, y *alertBook) int {
		return cmp.Or(cmp.Compare(len(y.row.Told), len(x.row.Told)), cmp.Compare(y.fired, x.fired), strings.Compare(x.row.Name, y.row.Name))
	})
	chart := &timeline.Chart{From: start, To: b.end, Width: cmd.Width, Plain: cmd.Plain}
	for i, a := range rows {
		if i == cmd.Rows {
			chart.More = len(rows) - i
			break
		}
		chart.Rows = append(chart.Rows, a.row)
	}
	return chart
}

func nameOf(a *evaluate.Alert) string {
	name := a.Rule.Alert.Key
	if len(a.Tags) == 0 {
		return name
	}
	values := make([]string, len(a.Tags))
	for i, t := range a.Tags {
		values[i] = t.Key + "=" + t.Value
	}
	return name + "{" + strings.Join(values, ",") + "}"
}

// markOf says how an alert is drawn.
func markOf(a *evaluate.Alert) timeline.Mark {
	switch phase := a.State.Shown().String(); {
	case phase == "pending":
		return timeline.Pending
	case phase == "nodata":
		return timeline.NoData
	case phase == "recovering":
		return timeline.Recovering
	case phase == "firing" && a.State.Rank >= len(a.Rule.Alert.Levels):
		return timeline.Severe
	case phase == "firing":
		return timeline.Mild
	}
	return timeline.Quiet
}
