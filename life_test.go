package hawkeye_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-batteries/hawkeye"
	"github.com/go-batteries/hawkeye/store/memstore"
)

var (
	lifeDays  = flag.Int("life.days", 4, "how long a random life is")
	lifeSeeds = flag.Uint64("life.seeds", 1, "how many random lives there are")
	lifeFrom  = flag.Uint64("life.from", 1, "the first seed")
)

// TestLife is some days of a process (-life.days 30 takes a minute): breaches, restarts, crashes, silences,
// reloads and outages of the receivers, at random but reproducibly. In the last
// day all is well. Then nobody was told twice of one
// change, nobody left without the end, nothing fired while it was silenced, and
// no breach went untold.
func TestLife(t *testing.T) {
	t.Parallel()
	for seed := *lifeFrom; seed < *lifeFrom+*lifeSeeds; seed++ {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := newLife(t, seed)
				defer func() { l.stop() }()
				l.live(*lifeDays * int(24*time.Hour/step))
				l.check()
			})
		})
	}
}

// step is a tick of the Store, and how often something may happen. Times are
// in steps.
const step = time.Minute

// span is from a step up to another.
type span struct{ from, to int }

func (s span) overlaps(from, to int) bool { return s.from < to && from < s.to }

// lifeMonitor is what is true of one of the monitors.
type lifeMonitor struct {
	name     string
	breached bool
	since    int // the step of the last change
	breaches []span
	silenced []span
}

type life struct {
	*hawkeye.Hawkeye
	t        *testing.T
	rng      *rand.Rand
	box      *mailbox
	file     string
	state    string
	began    time.Time
	at       int // the step that has begun
	repeat   int // hours
	monitors []*lifeMonitor
	outages  []span // of all receivers
	away     []span // of the process
}

func newLife(t *testing.T, seed uint64) *life {
	dir := t.TempDir()
	l := &life{
		t: t, rng: rand.New(rand.NewPCG(seed, 0)), box: &mailbox{}, file: dir + "/monitors.yaml", state: dir + "/state",
		began: time.Now(), repeat: 6,
	}
	for _, name := range []string{"disk", "errors", "queue"} {
		l.monitors = append(l.monitors, &lifeMonitor{name: name, since: -100})
	}
	l.box.fail = func(int, hawkeye.MailerConfig) error {
		if n := len(l.outages); n > 0 && l.now() < l.outages[n-1].to {
			return errors.New("451 try again later")
		}
		return nil
	}
	l.write()
	l.again()
	return l
}

func (l *life) now() int { return int(time.Since(l.began) / step) }

// write makes the file anew.
func (l *life) write() {
	l.t.Helper()
	text := fmt.Sprintf(`version: 2
receivers:
  team: {email: {to: [team@example.com]}}
  chat: {email: {to: [chat@example.com]}, group: {by: [monitor], interval: 2m}}
defaults: {type: gauge, triggers: [{threshold: 1, repeat: %dh}]}
monitors:
  - {name: disk, metric: disk, notify: [team]}
  - {name: errors, metric: errors, notify: [chat, team]}
  - {name: queue, metric: queue, notify: [chat]}
`, l.repeat)
	if err := os.WriteFile(l.file, []byte(text), 0o600); err != nil {
		l.t.Fatal(err)
	}
}

func (l *life) again() {
	l.t.Helper()
	s := newMemory(l.t, memstore.WithTick(step), memstore.WithRetention(60*step),
		memstore.WithStateFile(l.state), memstore.WithStateInterval(6*time.Hour))
	h, err := hawkeye.New(hawkeye.WithService("shop", ""), hawkeye.WithConfigFile(l.file), hawkeye.WithoutReload(), hawkeye.WithShutdownTimeout(3*step),
		hawkeye.WithMailer(l.box), hawkeye.WithLogger(quiet()), hawkeye.WithoutSocket(), hawkeye.WithStore(s))
	if err != nil {
		l.t.Fatal(err)
	}
	if err := h.Start(l.t.Context()); err != nil {
		l.t.Fatal(err)
	}
	l.Hawkeye = h
	l.record()
}

// stop takes up to two steps: what a process that crashed counted last is
// waited for.
func (l *life) stop() {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*step)
	defer cancel()
	if err := l.Shutdown(ctx); err != nil && !l.mailsAreLeft() {
		l.t.Errorf("step %d: Shutdown() = %v", l.at, err)
	}
}

// mailsAreLeft says whether some may wait for the receivers: a retry waits for
// five minutes at most.
func (l *life) mailsAreLeft() bool {
	n := len(l.outages)
	return n > 0 && l.now() <= l.outages[n-1].to+5 || l.box.fail(0, hawkeye.MailerConfig{}) != nil
}

func (l *life) record() {
	for _, m := range l.monitors {
		v := 0.0
		if m.breached {
			v = 9
		}
		l.SetGauge(m.name, v)
	}
}

func (l *life) chance(oneIn int) bool { return l.rng.IntN(oneIn) == 0 }

// live lets time pass, and things happen in all but the last day.
func (l *life) live(steps int) {
	for l.at = 0; l.at < steps; l.at = l.now() {
		calm := l.at >= steps-int(24*time.Hour/step)
		for _, m := range l.monitors {
			l.change(m, calm)
		}
		l.record()
		if !calm {
			l.happen()
		}
		after(step)
	}
}

// change begins or ends a breach. One lasts, and is followed by, at least ten
// steps: what changes more often flaps.
func (l *life) change(m *lifeMonitor, calm bool) {
	switch {
	case l.at-m.since < 10:
	case m.breached && (calm || l.chance(40)):
		m.breaches[len(m.breaches)-1].to = l.at
		m.breached, m.since = false, l.at
	case !m.breached && !calm && l.chance(150):
		m.breaches = append(m.breaches, span{l.at, 1 << 30})
		m.breached, m.since = true, l.at
	}
}

func (l *life) happen() {
	switch {
	case l.chance(400):
		l.silence(l.monitors[l.rng.IntN(len(l.monitors))], 10+l.rng.IntN(110))
	case l.chance(700):
		if n := len(l.outages); n == 0 || l.outages[n-1].to < l.at {
			l.outages = append(l.outages, span{l.at, l.at + 5 + l.rng.IntN(90)})
		}
	case l.chance(400):
		l.restart(false)
	case l.chance(600):
		l.restart(true)
	case l.chance(400):
		l.repeat = 4 + l.rng.IntN(8)
		l.write()
		if err := l.Reload(l.t.Context()); err != nil {
			l.t.Errorf("Reload() = %v", err)
		}
	}
}

func (l *life) silence(m *lifeMonitor, length int) {
	s := hawkeye.Silence{Matchers: []string{`monitor="` + m.name + `"`}, End: time.Now().Add(time.Duration(length) * step), Author: "ann"}
	if _, err := l.Silence(l.t.Context(), s); err != nil {
		l.t.Errorf("Silence() = %v", err)
	}
	m.silenced = append(m.silenced, span{l.at, l.at + length})
}

// restart stops the process, or lets it crash, and starts it again.
//
// A crash comes when the state file is written: in the tenth of a second before
// that, a process that dies forgets what it has just told, and tells it again
// under the same Message-ID or, if that began an incident, as another one.
func (l *life) restart(crash bool) {
	after(5 * time.Second)
	data, err := os.ReadFile(l.state)
	if crash && err == nil {
		fail := l.box.fail
		l.box.fail = func(int, hawkeye.MailerConfig) error { return errors.New("the process is dead") }
		defer func() { l.box.fail = fail }()
	}
	l.stop()
	if crash && err == nil {
		if err := os.WriteFile(l.state, data, 0o600); err != nil {
			l.t.Fatal(err)
		}
	}
	from := l.at
	if !crash {
		after(time.Duration(l.rng.IntN(10)) * step)
	}
	l.at = l.now()
	l.away = append(l.away, span{from, l.at + 1})
	l.again()
}

// letter is a mail that was delivered.
type letter struct {
	at            int
	monitor, kind string
	incident, to  string
	ends          bool
}

func (l *life) letters() (all []letter) {
	for i, m := range l.box.mails {
		kind, rest, _ := strings.Cut(m.Subject, "] ")
		monitor, _, _ := strings.Cut(rest, " ")
		all = append(all, letter{
			at: int(l.box.at[i].Sub(l.began) / step), monitor: monitor, kind: strings.TrimPrefix(kind, "["),
			incident: m.Headers["X-Hawkeye-Incident"], to: m.Recipients[0],
			ends: strings.Contains(m.Body, "it ended after"), // of the first incident in it, and maybe the next one's begin
		})
	}
	return all
}

func (l *life) check() {
	for id, n := range l.box.delivered {
		if n > 1 {
			l.t.Errorf("the message %s was delivered %d times", id, n)
		}
	}
	letters := l.letters()
	l.checkEnds(letters)
	breaches := 0
	for _, m := range l.monitors {
		breaches += len(m.breaches)
		l.checkMonitor(m, letters)
	}
	l.t.Logf("%d mails, %d breaches, %d restarts, %d outages", len(letters), breaches, len(l.away), len(l.outages))
	if breaches < 5**lifeDays || len(l.away) < *lifeDays || len(l.outages) < *lifeDays/4 {
		l.t.Error("too little happened for this to be a test")
	}
}

// checkEnds: each incident that a receiver was told of has one end, and
// nothing after it.
func (l *life) checkEnds(letters []letter) {
	over := make(map[string]bool)
	for _, m := range letters {
		key := m.incident + " to " + m.to
		if done, told := over[key]; told && done {
			l.t.Errorf("step %d: %s of %s is told after the end", m.at, m.kind, key)
		}
		over[key] = m.ends || m.kind == "ended" || m.kind == "fired and ended" || m.kind == "stable"
	}
	for key, done := range over {
		if !done {
			l.t.Errorf("%s has no end:%s", key, l.around(letters, key))
		}
	}
}

// around says what happened to an incident, and around it.
func (l *life) around(letters []letter, key string) string {
	var b strings.Builder
	from, to := 1<<30, 0
	for _, m := range letters {
		if m.incident+" to "+m.to == key {
			from, to = min(from, m.at), max(to, m.at)
		}
	}
	for _, m := range letters {
		if m.at >= from-60 && m.at <= to+300 {
			fmt.Fprintf(&b, "\n  step %d: %s %s to %s, incident %s", m.at, m.kind, m.monitor, m.to, m.incident)
		}
	}
	list := func(what string, spans []span) {
		for _, s := range spans {
			if s.overlaps(from-60, to+300) {
				fmt.Fprintf(&b, "\n  steps %d to %d: %s", s.from, s.to, what)
			}
		}
	}
	list("the receivers are down", l.outages)
	list("the process is away", l.away)
	for _, m := range l.monitors {
		list(m.name+" is in breach", m.breaches)
		list(m.name+" is silenced", m.silenced)
	}
	for _, e := range l.History("") {
		if key == e.Incident+" to "+e.Receiver {
			fmt.Fprintf(&b, "\n  %+v", e)
		}
	}
	return b.String()
}

// checkMonitor: nothing fires while it is silenced, and each breach is told
// that nothing stands in the way of.
func (l *life) checkMonitor(m *lifeMonitor, letters []letter) {
	told := func(from, to int) bool {
		for _, x := range letters {
			if x.monitor == m.name && x.at >= from && x.at <= to && x.kind != "ended" {
				return true
			}
		}
		return false
	}
	for _, x := range letters {
		for _, s := range m.silenced {
			if x.monitor == m.name && x.kind == "critical" && x.at > s.from+1 && x.at < s.to-1 {
				l.t.Errorf("step %d: %s fires in the silence from %d to %d", x.at, m.name, s.from, s.to)
			}
		}
	}
	for _, b := range m.breaches {
		free := b.to-b.from >= 10
		for _, s := range [][]span{m.silenced, l.outages, l.away} {
			for _, x := range s {
				free = free && !x.overlaps(b.from-6, b.from+6)
			}
		}
		if free && !told(b.from, b.from+5) {
			l.t.Errorf("step %d: the breach of %s is not told", b.from, m.name)
		}
	}
}
