package hawkeye_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/go-batteries/hawkeye"
	"github.com/go-batteries/hawkeye/internal/monitor"
	"github.com/go-batteries/hawkeye/internal/notify"
	"github.com/go-batteries/hawkeye/internal/series"
	"github.com/go-batteries/hawkeye/internal/simulate"
	"github.com/go-batteries/hawkeye/internal/window"
	"github.com/go-batteries/hawkeye/store/memstore"
)

// TestSimulationAgrees runs random configurations over random series, once
// through a handle and once through package simulate, and compares after each
// tick how all alerts stand, their values to the last digit, and what was told.
func TestSimulationAgrees(t *testing.T) {
	t.Parallel()
	for seed := range uint64(25) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := newAgreement(t, seed, false)
				a.handles = []*hawkeye.Hawkeye{start(t, a.config, a.box, hawkeye.WithStore(newMemory(t, memstore.WithTick(tick))))}
				t.Cleanup(func() { _ = a.handles[0].Shutdown(t.Context()) })
				a.run(150)
			})
		})
	}
}

// TestSimulationAgreesWithAFleet is the same with three replicas, one of which
// ends on the way, and comes back as another. Messages are left out: when they
// go depends on who claims them.
func TestSimulationAgreesWithAFleet(t *testing.T) {
	t.Parallel()
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := newAgreement(t, 1000+seed, true)
				a.fleet = newFleet(t)
				for range 3 {
					a.join()
				}
				a.run(100)
			})
		})
	}
}

// agreement is a handle and a simulation that are fed with the same.
type agreement struct {
	t      *testing.T
	rng    *rand.Rand
	config string
	size   float64 // of the values
	whole  bool    // they are whole numbers
	// several says that there is a fleet. Then it is a matter of chance which
	// groups of a tick are the first, and who takes over judges all at once.
	several bool

	handles []*hawkeye.Hawkeye // that count, and are the processes of the simulation
	box     *mailbox
	fleet   *fleet // nil if there is one handle

	sim       *simulate.Simulation
	processes []*simulate.Process
	catalog   *simulate.Catalog
	told      []string // by the simulation, since the last look
	behind    int      // ticks at which no handle had evaluated what the simulation had
}

func newAgreement(t *testing.T, seed uint64, several bool) *agreement {
	a := &agreement{t: t, rng: rand.New(rand.NewPCG(seed, 77)), box: &mailbox{}, catalog: simulate.NewCatalog(), several: several}
	a.size = math.Pow(10, a.rng.Float64()*15)
	a.whole = a.rng.IntN(2) == 0
	a.config = a.makeConfig()
	set, err := monitor.Parse("monitors.yaml", []byte(a.config))
	if err != nil {
		t.Fatalf("%v\n%s", err, a.config)
	}
	a.sim = simulate.New(simulate.Config{
		Set: set, Start: time.Now(), Tick: tick, Service: "shop", Environment: "test",
		OnMessage: func(m *simulate.Message) {
			if m.Result.Kind == notify.Delivered {
				a.told = append(a.told, mailText(m.Receiver+"@example.com", m.Text.Body))
			}
		},
	})
	return a
}

// join adds a replica.
func (a *agreement) join() {
	a.handles = append(a.handles, a.fleet.start(a.config).Hawkeye)
}

// publish closes the tick in the simulation.
func (a *agreement) publish() {
	for i := range a.handles {
		if i == len(a.processes) {
			a.processes = append(a.processes, a.sim.Process(fmt.Sprint(i), a.catalog))
		}
		if p := a.processes[i]; p != nil {
			p.Publish(a.handles[i] == nil)
			if a.handles[i] == nil {
				a.processes[i] = nil
			}
		}
	}
	a.sim.Step()
}

func (a *agreement) run(ticks int) {
	after(tick / 2)
	for n := range ticks {
		if n >= 8 {
			a.record()
		}
		if a.fleet != nil && n == 40 {
			a.leave(a.rng.IntN(len(a.handles)))
		}
		if a.fleet != nil && n == 60 {
			a.join()
		}
		after(tick * 3 / 4) // the tick is evaluated, and what comes of it told
		a.publish()
		a.compare()
		if a.t.Failed() {
			a.t.Fatalf("tick %d, values up to %g:\n%s", n, a.size, a.config)
		}
		after(tick / 4)
	}
	if a.behind > 15 {
		a.t.Errorf("%d ticks of %d can't be compared, want few", a.behind, ticks)
	}
}

// leave ends a replica; its last tick is the open one.
func (a *agreement) leave(i int) {
	for _, r := range a.fleet.all {
		if r.Hawkeye == a.handles[i] {
			go a.fleet.stop(r)
		}
	}
	a.handles[i] = nil
}

// evaluator returns the handle that has evaluated what the simulation has; nil
// while none has, because another has to take over.
func (a *agreement) evaluator() *hawkeye.Hawkeye {
	for _, h := range a.handles {
		if h != nil && h.Health().Evaluates && h.Stats().EvaluatedTick.Equal(a.sim.Now()) {
			return h
		}
	}
	a.behind++
	return nil
}

// compare compares how all alerts stand, and what was told since the last time.
func (a *agreement) compare() {
	a.t.Helper()
	h := a.evaluator()
	if h == nil {
		return
	}
	got := make(map[string]string)
	for _, x := range h.Alerts() {
		got[x.Key] = stands(x.State, x.Level, x.Value, x.Known)
	}
	want := make(map[string]string)
	for _, x := range a.sim.Alerts() {
		state := x.State.Shown().String()
		if state == "inactive" && x.Value.Status == window.Unseen {
			state = "unseen"
		}
		v := x.Value.V
		if x.Value.Status != window.OK {
			v = 0
		}
		want[x.Key] = stands(state, x.State.Level, v, x.Value.Status == window.OK)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		a.t.Errorf("alerts (-simulation +handle):\n%s", diff)
	}
	if a.fleet != nil {
		return
	}
	if diff := cmp.Diff(slices.Sorted(slices.Values(a.told)), a.sent(a.sim.Now().Add(time.Millisecond))); diff != "" {
		a.t.Errorf("messages (-simulation +handle):\n%s", diff)
	}
	a.told = nil
}

// sent takes the mails out of the mailbox that were sent before a time.
func (a *agreement) sent(before time.Time) (texts []string) {
	a.box.mu.Lock()
	defer a.box.mu.Unlock()
	n := 0
	for n < len(a.box.at) && a.box.at[n].Before(before) {
		m := &a.box.mails[n]
		texts = append(texts, mailText(strings.Join(m.Recipients, ","), m.Body))
		n++
	}
	a.box.mails, a.box.at = a.box.mails[n:], a.box.at[n:]
	slices.Sort(texts)
	return texts
}

// mailText writes a message, its lines sorted: those of a group come in the order
// of ids that are drawn.
func mailText(to, body string) string {
	lines := strings.Split(body, "\n")
	slices.Sort(lines)
	return to + ": " + strings.TrimSpace(strings.Join(lines, "\n"))
}

func stands(state, level string, value float64, known bool) string {
	return fmt.Sprintf("%s %s %v %t", state, level, value, known)
}

// value draws a number of the size that this run has.
func (a *agreement) value() float64 {
	v := a.size * a.rng.Float64()
	if a.rng.IntN(4) == 0 {
		v = math.Pow(a.size, a.rng.Float64())
	}
	if a.whole {
		v = math.Trunc(v)
	}
	return v
}

// record counts something in both, of each kind or of none.
func (a *agreement) record() {
	for i, h := range a.handles {
		if h == nil || i >= len(a.processes) {
			continue
		}
		both := func(kind series.Kind, name string, v float64, tags []hawkeye.Tag) {
			a.processes[i].Record(a.catalog.Series(kind, name, tags), v)
			switch kind {
			case series.KindCounter:
				h.Counter(name, tags...).AddFloat(v)
			case series.KindGauge:
				h.SetGauge(name, v, tags...)
			case series.KindHistogram:
				h.Observe(name, v, tags...)
			default:
				h.Unique(name, strconv.FormatFloat(v, 'g', -1, 64), tags...)
			}
		}
		for _, route := range []string{"a", "b", "c"} {
			a.recordRoute(both, []hawkeye.Tag{hawkeye.T("route", route), hawkeye.T("host", fmt.Sprint(a.rng.IntN(2)))})
		}
		if a.rng.IntN(10) == 0 {
			both(series.KindCounter, "job", 1, nil)
		}
	}
}

func (a *agreement) recordRoute(both func(series.Kind, string, float64, []hawkeye.Tag), tags []hawkeye.Tag) {
	for _, name := range []string{"hits", "all"} {
		for range a.times() {
			v := a.value()
			if a.rng.IntN(30) == 0 {
				v = -v
			}
			both(series.KindCounter, name, v, tags)
		}
	}
	for range a.times() {
		both(series.KindGauge, "depth", a.value()-a.size/3, tags)
	}
	for range a.times() {
		both(series.KindHistogram, "took", a.value(), tags)
	}
	for range a.times() {
		both(series.KindSet, "users", float64(a.rng.IntN(9)), tags)
	}
}

// times is how often something is recorded in a tick. There are pauses.
func (a *agreement) times() int {
	if minute := time.Now().Minute(); minute == 1 && a.rng.IntN(3) > 0 {
		return 0
	}
	return max(a.rng.IntN(6)-2, 0)
}

// pick returns one of several.
func pick[T any](rng *rand.Rand, of ...T) T { return of[rng.IntN(len(of))] }

// makeConfig draws a configuration with all sorts of rules. What is due after
// a time is due between two ticks: whether a message at the very end of one
// tells how the alert stood before or after is decided by fractions of a
// millisecond.
func (a *agreement) makeConfig() string {
	var b strings.Builder
	fmt.Fprintf(&b, `version: 2
from: hawkeye@example.com
receivers:
  team: {email: {to: [team@example.com]}, group: {interval: 60377ms}}
  boss: {email: {to: [boss@example.com]}, group: {by: [monitor, route], wait: %s, interval: %s}}
defaults: {notify: [team]}
monitors:
`, pick(a.rng, "0s", "5137ms"), pick(a.rng, "10731ms", "60613ms"))
	for n := range 12 {
		fmt.Fprintf(&b, "  - {name: m%d, %s}\n", n, strings.Join(a.makeMonitor(), ", "))
	}
	fmt.Fprintf(&b, "slos:\n")
	fmt.Fprintf(&b, "  - {name: good, objective: 90%%, period: 1d, total: took, good: '<= %g', notify: [team], min_total: %d}\n", a.size/2, a.rng.IntN(30))
	fmt.Fprintf(&b, "  - {name: bad, objective: 90%%, period: 1d, total: all, bad: hits, notify: [team], min_total: %g}\n", a.size*float64(a.rng.IntN(5)))
	fmt.Fprintf(&b, "heartbeats: [{metric: job, expect_every: %s, notify: [boss]}]\n", pick(a.rng, "5s", "12s"))
	return b.String()
}

func (a *agreement) makeMonitor() (keys []string) {
	rng := a.rng
	key := func(format string, args ...any) { keys = append(keys, fmt.Sprintf(format, args...)) }
	maybe := func(oneIn int, format string, args ...any) {
		if rng.IntN(oneIn) == 0 {
			key(format, args...)
		}
	}
	metric := pick(rng, "hits", "hits", "depth", "took", "users")
	key("metric: %s", metric)
	length := pick(rng, 1, 5, 10, 37, 60, 90, 300, 600)
	key("window: %ds", length)
	aggregate := pick(rng, "", "sum", "rate", "avg", "min", "max", "last", "count", "change", "p50", "p99.9")
	past := metric == "depth" && a.several // what gauges were over time isn't known exactly to who takes over
	if past {
		aggregate = pick(rng, "", "last", "count")
	}
	if a.several && (aggregate == "rate" || aggregate == "avg") {
		aggregate = "sum" // since when a series is known may differ by a tick for who takes over
	}
	percentile := strings.HasPrefix(aggregate, "p")
	if aggregate != "" {
		key("aggregate: %s", aggregate)
	}
	if a.several {
		maybe(3, "by: [route]")
		key("every: 1s")
	} else {
		maybe(3, "by: [route], max_groups: %d", pick(rng, 2, 3, 100))
		maybe(6, "every: %s", pick(rng, "1s", "4s", "7s"))
	}
	maybe(4, `where: ['route!="a"']`)
	if !past {
		maybe(5, "delay: %s", pick(rng, "1s", "3s", "20s"))
	}
	if metric == "depth" {
		maybe(2, "fleet: %s", pick(rng, "sum", "avg", "min", "max"))
	}
	ratio := !percentile && rng.IntN(4) == 0
	if ratio {
		key("divide_by: %s", pick(rng, "all", "took", "users"))
		maybe(2, "min_total: %g", math.Trunc(a.value()))
	}
	relative := !past && rng.IntN(5) == 0
	if relative {
		key("compare_to: %s", pick(rng, "30s", "1m"))
	}
	op := pick(rng, ">=", ">", "<", "<=")
	key("op: %q", op)
	maybe(3, "keep_firing_for: %s", pick(rng, "1s", "5s", "20s"))
	maybe(2, "no_data: %s, no_data_for: %s", pick(rng, "keep", "ok", "alert", "nodata", "zero"), pick(rng, "1s", "5s", "30s"))
	maybe(8, "must_exist: true")
	maybe(3, "notify: [boss]")
	scale := a.size
	switch {
	case ratio:
		scale = 2
	case metric == "users":
		scale = 8
	case aggregate == "" || aggregate == "sum":
		scale *= float64(length)
	}
	low, high := scale*rng.Float64()/2, scale*(1+rng.Float64())/2
	if strings.HasPrefix(op, "<") {
		low, high = high, low
	}
	threshold := func(v float64) string {
		if relative {
			return fmt.Sprintf("%q", pick(rng, "+20%", "+80%", "-10%"))
		}
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	first := "level: warning, threshold: " + threshold(low)
	if rng.IntN(2) == 0 {
		first += ", for: " + pick(rng, "1s", "4s", "15s")
	}
	if !relative && rng.IntN(4) == 0 {
		clear := low * 0.8
		if strings.HasPrefix(op, "<") {
			clear = low * 1.2
		}
		first += ", clear: " + threshold(clear)
	}
	triggers := "{" + first + "}"
	if !relative && rng.IntN(2) == 0 {
		triggers += fmt.Sprintf(", {level: critical, threshold: %s, repeat: %s, escalate: [{after: 10471ms, notify: [boss]}]}", threshold(high), pick(rng, "20219ms", "60817ms"))
	}
	key("triggers: [%s]", triggers)
	return keys
}
