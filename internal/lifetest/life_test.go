package lifetest

import (
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-batteries/hawkeye/internal/monitor"
	"github.com/go-batteries/hawkeye/internal/notify"
	"github.com/go-batteries/hawkeye/internal/series"
	"github.com/go-batteries/hawkeye/internal/simulate"
)

var (
	seeds  = flag.Uint64("seeds", fixedSeeds, "how many random lives there are")
	from   = flag.Uint64("from", 1, "the first seed")
	shrink = flag.Bool("shrink", true, "look for a smaller life that has the same violation")
	rule   = flag.String("rule", "", "only look at violations with this text in them or their rule")
	find   = flag.Bool("find", false, "say which seed finds which violation first, and don't fail")
)

// TestLives runs random lives through the very code that decides whom to tell,
// and judges what was told by the rules. A seed that fails is shown with its
// configuration, what happened in it, what was told, and the violation, made as
// small as it gets.
func TestLives(t *testing.T) {
	t.Parallel()
	var next, told atomic.Uint64
	found := make(map[string][]uint64) // by kind: the seeds that have it
	var mu sync.Mutex                  // guards found, and the order of what is printed
	var work sync.WaitGroup
	for range 2 {
		work.Go(func() {
			for n := next.Add(1) - 1; n < *seeds && (*find || !t.Failed()); n = next.Add(1) - 1 {
				l := New(*from + n)
				rec := live(t, l)
				told.Add(uint64(len(rec.Messages)))
				mu.Lock()
				for _, v := range violations(l, rec) {
					kind := gist(v.Text) + " (" + string(v.Rule) + ")"
					found[kind] = append(found[kind], l.Seed)
					if len(found[kind]) == 1 || !*find {
						show(t, l, &v)
						if !*find {
							break
						}
					}
				}
				mu.Unlock()
			}
		})
	}
	work.Wait()
	for _, kind := range slices.Sorted(maps.Keys(found)) {
		t.Logf("%v: %s", found[kind], kind)
	}
	t.Logf("%d lives, %d messages", *seeds, told.Load())
}

func violations(l *Life, rec *Record) []Violation {
	var out []Violation
	for _, v := range Judge(l, rec) {
		if strings.Contains(v.Text+string(v.Rule), *rule) && (*find || *rule != "" || slices.Contains(Held, v.Rule)) {
			out = append(out, v)
		}
	}
	return out
}

// show prints a violation, in the smallest life that has one against the same
// rule.
func show(t *testing.T, l *Life, v *Violation) {
	seed := l.Seed
	if *shrink {
		l = Shrink(l, func(l *Life) bool { return same(t, l, v) != nil })
	}
	rec := live(t, l)
	for _, again := range violations(l, rec) {
		if again.Rule == v.Rule {
			report := t.Errorf
			if *find {
				report = t.Logf
			}
			report("seed %d: %v\n%s%s", seed, &again, l, rec.Story(&again))
			return
		}
	}
}

// same returns a violation of a life that is against the same rule and of the
// same kind, or nil.
func same(t *testing.T, l *Life, v *Violation) *Violation {
	for _, other := range violations(l, live(t, l)) {
		if other.Rule == v.Rule && gist(other.Text) == gist(v.Text) {
			return &other
		}
	}
	return nil
}

// gist is a text without what differs from case to case.
func gist(text string) string {
	words := strings.Fields(text)
	kept := words[:0]
	for _, w := range words {
		if !strings.ContainsAny(w, "0123456789") && w != "info" && w != "warning" && w != "critical" {
			kept = append(kept, w)
		}
	}
	return strings.Join(kept, " ")
}

// living is a life under way.
type living struct {
	*Life
	rec *Record
	sim *simulate.Simulation
}

// live runs a life on virtual time.
func live(t *testing.T, l *Life) (rec *Record) {
	set, err := monitor.Parse("monitors.yaml", []byte(l.Config()))
	if err != nil {
		t.Fatalf("seed %d: %v\n%s", l.Seed, err, l.Config())
	}
	in := &living{Life: l, rec: &Record{Alerts: map[string]Name{}}}
	in.sim = simulate.New(simulate.Config{Set: set, Start: Start, Tick: l.Tick, Quiet: true, Service: "test", Send: in.send, OnMessage: in.told})
	defer func() {
		if p := recover(); p != nil { // decisions that don't come to rest
			in.rec.Broken = fmt.Sprint(p)
		}
		rec = in.finish()
	}()
	in.plan()
	catalog := simulate.NewCatalog()
	process := in.sim.Process("", catalog)
	gauges := make([]*simulate.Series, len(l.Courses))
	for i, c := range l.Courses {
		var tags []series.Tag
		if c.Alert.Host != "" {
			tags = append(tags, series.Tag{Key: "host", Value: c.Alert.Host})
		}
		gauges[i] = catalog.Series(series.KindGauge, c.Alert.Monitor, tags)
	}
	for at := time.Duration(0); at < l.End; at += l.Tick {
		for i := range l.Courses {
			process.Record(gauges[i], Value(l.Courses[i].Rank(at)))
		}
		process.Publish(false)
		in.sim.Step()
	}
	return nil
}

// finish adds to the record what is known only in the end.
func (in *living) finish() *Record {
	for _, a := range in.sim.Alerts() {
		in.rec.Alerts[a.Key] = Name{a.Rule.Monitor.Name, a.TagMap()["host"]}
	}
	for _, e := range in.sim.History() {
		in.rec.History = append(in.rec.History, Entry{e.At.Sub(Start), e.Alert, e.Incident, e.Receiver, e.What, e.Reason})
	}
	return in.rec
}

func (in *living) plan() {
	for _, s := range in.Silences {
		at := Start.Add(s.At)
		in.sim.At(at, func() {
			err := in.sim.Silence(notify.Silence{Matchers: []string{fmt.Sprintf("%s=%q", s.Name, s.Value)}, Start: at, End: at.Add(s.For), Author: "ann"}, at)
			if err != nil {
				panic(err)
			}
		})
	}
	for _, a := range in.Acks {
		at := Start.Add(a.At)
		in.sim.At(at, func() {
			var until time.Time
			if a.For > 0 {
				until = at.Add(a.For)
			}
			for _, found := range in.sim.Alerts() {
				if found.Rule.Monitor.Name == a.Alert.Monitor && found.TagMap()["host"] == a.Alert.Host {
					in.sim.Ack(found.Key, "ann", at, until, a.Sticky)
				}
			}
		})
	}
}

func (in *living) send(m *notify.Message, at time.Time) notify.Result {
	switch o := in.Away(m.Receiver, at.Sub(Start)); {
	case o == nil:
		return notify.Result{}
	case o.Permanent:
		return notify.Result{Kind: notify.Permanent, Error: "refused"}
	}
	return notify.Result{Kind: notify.Temporary, Error: "down"}
}

// told writes down what a receiver saw.
func (in *living) told(m *simulate.Message) {
	outcomes := map[notify.ResultKind]Outcome{notify.Temporary: Failed, notify.Permanent: Refused}
	in.rec.Messages = append(in.rec.Messages, NewMessage(m.Sent, m.At.Sub(Start), outcomes[m.Result.Kind]))
}
