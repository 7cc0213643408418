package testfile

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-batteries/hawkeye/internal/evaluate"
	"github.com/go-batteries/hawkeye/internal/monitor"
	"github.com/go-batteries/hawkeye/internal/notify"
	"github.com/go-batteries/hawkeye/internal/simulate"
	"github.com/go-batteries/hawkeye/internal/window"
)

// Load reads the configuration under test. Variables that the file doesn't
// set come from lookup.
func (f *File) Load(opts monitor.Options) (*monitor.Set, error) {
	outer := opts.LookupEnv
	opts.LookupEnv = func(name string) (string, bool) {
		if v, ok := f.Env[name]; ok {
			return v, true
		}
		if outer == nil {
			return "", false
		}
		return outer(name)
	}
	patterns := make([]string, len(f.Config))
	for i, c := range f.Config {
		if filepath.IsAbs(c) {
			patterns[i] = c
			continue
		}
		patterns[i] = filepath.Join(filepath.Dir(f.Name), c)
	}
	return opts.Load(patterns...)
}

// Run runs the tests of the file, each by itself.
func (f *File) Run(set *monitor.Set) []Result {
	results := make([]Result, len(f.Tests))
	for i := range f.Tests {
		begun := time.Now()
		r := newRun(f, &f.Tests[i], set)
		r.checkNames(set)
		r.run()
		results[i] = Result{
			Test: &f.Tests[i], Failures: r.failures, Messages: r.messages,
			Saturated: r.sim.Saturated(), Took: time.Since(begun),
		}
	}
	return results
}

// run is a test under way.
type run struct {
	file      *File
	test      *Test
	sim       *simulate.Simulation
	start     time.Time
	processes []*process
	messages  []*simulate.Message
	failures  []Failure
}

// process is one that counts, with the samples of its series by tick.
type process struct {
	name    string
	writer  *simulate.Process
	first   int64 // tick
	gone    int64 // the tick of its last bucket
	samples map[int64][]sample
}

type sample struct {
	series *simulate.Series
	value  Value
}

const never = int64(1) << 62

func newRun(f *File, t *Test, set *monitor.Set) *run {
	r := &run{file: f, test: t, start: f.Start.Truncate(f.Tick)}
	r.sim = simulate.New(simulate.Config{
		Set: set, Start: r.start, Tick: f.Tick, Service: f.Service, Environment: f.Environment,
		OnMessage: func(m *simulate.Message) {
			if m.Result.Kind == notify.Delivered {
				r.messages = append(r.messages, m)
			}
		},
		Send: r.send,
	})
	catalog := simulate.NewCatalog()
	r.process("", catalog)
	for i := range t.Series {
		r.addSeries(&t.Series[i], catalog)
	}
	return r
}

func (r *run) process(name string, catalog *simulate.Catalog) *process {
	for _, p := range r.processes {
		if p.name == name {
			return p
		}
	}
	p := &process{name: name, writer: r.sim.Process(name, catalog), first: never, gone: never, samples: map[int64][]sample{}}
	if name == "" {
		p.first, _ = r.sim.Tick()
	}
	r.processes = append(r.processes, p)
	return p
}

func (r *run) addSeries(s *Series, catalog *simulate.Catalog) {
	p := r.process(s.Process, catalog)
	handle := catalog.Series(s.Kind, s.Metric, s.Tags)
	reading, known := 0.0, false
	for i, v := range s.Values {
		tick := r.sim.TickOf(r.start.Add(s.From + time.Duration(i)*r.test.Interval))
		if v.Gone {
			p.gone = min(p.gone, tick-1)
			break
		}
		if v.Times == 0 {
			continue
		}
		p.first = min(p.first, tick)
		if s.Total {
			now := v.V
			v.V = now - reading
			if !known || v.V < 0 { // a counter that began anew
				v.V = now
			}
			if !known {
				v.V = 0 // what was there before isn't an increment
			}
			reading, known = now, true
		}
		p.samples[tick] = append(p.samples[tick], sample{handle, v})
	}
}

// send answers for a receiver.
func (r *run) send(m *notify.Message, at time.Time) notify.Result {
	since := at.Sub(r.start)
	for _, o := range r.test.Outages {
		if o.Receiver != m.Receiver || since < o.From || since >= o.To {
			continue
		}
		if o.Permanent {
			return notify.Result{Kind: notify.Permanent, Error: "the receiver refuses it"}
		}
		return notify.Result{Kind: notify.Temporary, Error: "the receiver is down"}
	}
	return notify.Result{}
}

// ends is when the last thing happens in a test.
func (t *Test) ends(tick time.Duration) time.Duration {
	end := t.Until
	if end > 0 {
		return end
	}
	for i := range t.Series {
		end = max(end, t.Series[i].From+time.Duration(len(t.Series[i].Values))*t.Interval)
	}
	for i := range t.Expect {
		end = max(end, t.Expect[i].At)
	}
	for i := range t.Messages {
		end = max(end, t.Messages[i].At)
	}
	return max(end, tick)
}

func (t *Test) ticks(tick time.Duration) int64 { return int64((t.ends(tick) + tick - 1) / tick) }

func (r *run) run() {
	r.plan()
	expect := r.test.Expect
	for range r.test.ticks(r.file.Tick) {
		for len(expect) > 0 && r.since() >= expect[0].At {
			r.checkAlerts(&expect[0])
			expect = expect[1:]
		}
		tick, _ := r.sim.Tick()
		for _, p := range r.processes {
			p.publish(tick)
		}
		r.sim.Step()
	}
	for len(expect) > 0 {
		r.checkAlerts(&expect[0])
		expect = expect[1:]
	}
	if r.test.HasMessages {
		r.checkMessages()
	}
}

// since is the time since the beginning.
func (r *run) since() time.Duration { return r.sim.Now().Sub(r.start) }

func (p *process) publish(tick int64) {
	if tick < p.first || tick > p.gone {
		return
	}
	for _, s := range p.samples[tick] {
		for range s.value.Times {
			p.writer.Record(s.series, s.value.V)
		}
	}
	p.writer.Publish(tick == p.gone)
}

// plan plans silences and acks.
func (r *run) plan() {
	for _, s := range r.test.Silences {
		at := r.start.Add(s.At)
		r.sim.At(at, func() {
			err := r.sim.Silence(notify.Silence{Matchers: s.Matchers, Start: at, End: at.Add(s.For), Author: "test", Comment: "test"}, at)
			if err != nil {
				r.fail(r.test.Line, "silence at %s: %v", monitor.FormatDuration(s.At), err)
			}
		})
	}
	for _, a := range r.test.Acks {
		at := r.start.Add(a.At)
		r.sim.At(at, func() {
			var until time.Time
			if a.For > 0 {
				until = at.Add(a.For)
			}
			for _, found := range r.sim.Alerts() {
				if isAlert(found, a.Monitor, a.Tags) && r.sim.Ack(found.Key, "test", at, until, a.Sticky) {
					return
				}
			}
			r.fail(a.Line, "ack at %s: %s doesn't fire then", monitor.FormatDuration(a.At), label(a.Monitor, a.Tags))
		})
	}
}

// isAlert says whether an alert is the one that a monitor and tags name.
func isAlert(a *evaluate.Alert, name string, tags map[string]string) bool {
	if a.Rule == nil || a.Rule.Monitor.Name != name && a.Rule.Monitor.Key() != name {
		return false
	}
	have := a.TagMap()
	for k, v := range tags {
		if have[k] != v {
			return false
		}
	}
	return len(tags) == 0 || len(tags) == len(have)
}

func (r *run) fail(line int, format string, args ...any) {
	r.failures = append(r.failures, Failure{Line: line, Text: fmt.Sprintf(format, args...)})
}

// shown is the state of an alert in the words of a file.
func shown(a *evaluate.Alert) string {
	state := a.State.Shown().String()
	if state == "inactive" && a.Value.Status == window.Unseen {
		return "unseen"
	}
	return state
}

// label is a monitor with its tags.
func label(name string, tags map[string]string) string {
	if len(tags) == 0 {
		return name
	}
	parts := make([]string, 0, len(tags))
	for _, k := range sortedKeys(tags) {
		parts = append(parts, k+"="+tags[k])
	}
	return name + "{" + strings.Join(parts, ", ") + "}"
}

// Replay runs a test up to a time since its beginning, and returns the
// simulation as it stands then, for tools that explain it.
func (f *File) Replay(t *Test, set *monitor.Set, until time.Duration, each func(*simulate.Simulation)) *simulate.Simulation {
	r := newRun(f, t, set)
	r.plan()
	for r.since() < until {
		tick, _ := r.sim.Tick()
		for _, p := range r.processes {
			p.publish(tick)
		}
		r.sim.Step()
		if each != nil {
			each(r.sim)
		}
	}
	return r.sim
}
