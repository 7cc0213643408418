package hawkeye_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/go-batteries/hawkeye"
	"github.com/go-batteries/hawkeye/store/memstore"
)

// oneGauge is a monitor of the gauge a, told as the measured Alertmanager was:
// groups wait 1 s and are told again after 2 s.
const oneGauge = `version: 2
receivers:
  team: {email: {to: [team@example.com]}, group: {wait: 1s, interval: 2s}, fallback: boss}
  boss: {email: {to: [boss@example.com]}}
monitors:
  - {name: a, metric: a, type: gauge, notify: [team], triggers: [{threshold: 1, repeat: 1h}]}
`

// failureCases are the failures that were measured on a real Alertmanager,
// each through a real handle and a receiver that keeps what it is given.
var failureCases = map[string]func(t *testing.T, w *outage){
	"J01": func(t *testing.T, w *outage) { // a clean restart, and nobody says anything again
		w.start(strings.Replace(oneGauge, "type: gauge", "type: counter, window: 8s", 1))
		w.Incr("a")
		w.until(3)
		w.stop()
		w.until(4)
		w.again()
		w.until(60)
		// While nobody was there, something might have been counted. The end
		// is told once that second, and the ticks around it, have left the window.
		w.want(mail{0, 2, "[critical] a"}, mail{8, 14, "[ended] a"})
	},
	"J02": func(t *testing.T, w *outage) { // a crash soon after a hundred messages
		w.start(`version: 2
receivers: {team: {email: {to: [team@example.com]}, group: {by: [i], wait: 1s, interval: 2s}}}
monitors: [{name: a, metric: a, type: gauge, by: [i], notify: [team], triggers: [{threshold: 1}]}]
`)
		push := func() {
			for i := range 100 {
				w.SetGauge("a", 9, hawkeye.T("i", fmt.Sprint(i)))
			}
		}
		push()
		w.until(4)
		if got := w.box.count(); got != 100 {
			t.Fatalf("%d mails before the crash, want 100", got)
		}
		w.crash()
		w.again()
		push()
		w.until(60)
		if got := w.box.count(); got != 100 {
			t.Errorf("%d mails after the crash, want 0", got-100)
		}
	},
	"J03": func(t *testing.T, w *outage) { // fires and ends while the receiver is down
		w.down(0, 9)
		w.start(oneGauge)
		w.SetGauge("a", 9)
		w.until(3.5)
		w.SetGauge("a", 0)
		w.until(60)
		w.want(mail{9, 14, "[fired and ended] a"})
	},
	"J04": func(t *testing.T, w *outage) { // the receiver is down when the end is due
		w.down(2.5, 9)
		w.start(oneGauge)
		w.SetGauge("a", 9)
		w.until(3)
		w.SetGauge("a", 0)
		w.until(60)
		w.want(mail{0, 2, "[critical] a"}, mail{9, 14, "[ended] a"})
	},
	"J05": func(t *testing.T, w *outage) { // the receiver is down for 7 s
		w.down(0, 7)
		w.start(oneGauge)
		w.SetGauge("a", 9)
		w.until(60)
		w.want(mail{7, 12, "[critical] a"})
	},
	"J06": func(t *testing.T, w *outage) { // the receiver refuses, for good as far as one can see
		w.box.fail = func(_ int, cfg hawkeye.MailerConfig) error {
			if w.now() < 4 && cfg.Recipients[0] == "team@example.com" {
				return hawkeye.Permanent(errors.New("400"))
			}
			return nil
		}
		w.start(strings.NewReplacer("repeat: 1h", "repeat: 10s", "boss@example.com]}", "boss@example.com]}, group: {interval: 2s}").Replace(oneGauge))
		w.SetGauge("a", 9)
		w.until(3)
		if got := w.Stats().DeadLetters; got != 1 {
			t.Errorf("%d dead letters, want 1 at once", got)
		}
		w.until(15)
		w.SetGauge("a", 0)
		w.until(60)
		// The repeat is sent to the receiver as usual, and so is the end.
		w.want(mail{0, 3, "[undelivered] a message to team"},
			mail{10, 13, "[critical] a"}, mail{10, 13, "[critical] a"}, mail{15, 18, "[ended] a"}, mail{15, 18, "[ended] a"})
	},
	"J07": func(t *testing.T, _ *outage) { // two replicas, and a receiver that is slow
		f := newFleet(t)
		f.startN(2, oneGauge)
		f.box.mu.Lock()
		f.box.block = make(chan struct{})
		f.box.mu.Unlock()
		for _, r := range f.up() {
			r.SetGauge("a", 9)
		}
		after(4 * time.Second)
		f.box.release()
		after(time.Minute)
		if got := f.box.lines(); len(got) != 1 {
			t.Errorf("mails = %q, want one", got)
		}
	},
	"J08": func(t *testing.T, w *outage) { // what is inhibited fires first after a restart
		w.start(`version: 2
receivers: {team: {email: {to: [team@example.com]}, group: {wait: 1s, interval: 2s}}}
monitors:
  - {name: Down, metric: down, type: gauge, by: [job], notify: [team], triggers: [{threshold: 1}]}
  - {name: Slow, metric: slow, type: gauge, by: [job], notify: [team], triggers: [{threshold: 1}]}
inhibit: [{source: ['monitor="Down"'], target: ['monitor="Slow"'], equal: [job]}]
`)
		job := hawkeye.T("job", "x")
		w.SetGauge("down", 9, job)
		w.SetGauge("slow", 9, job)
		w.until(4)
		w.stop()
		w.again()
		w.SetGauge("slow", 9, job)
		w.until(5.5)
		w.SetGauge("down", 9, job)
		w.until(60)
		w.want(mail{0, 2, "[critical] Down"})
	},
	"J09": func(t *testing.T, w *outage) { // a flap within the interval of the group
		w.start(strings.Replace(oneGauge, "interval: 2s", "interval: 6s", 1))
		w.SetGauge("a", 9)
		w.until(2)
		w.SetGauge("a", 0)
		w.until(3.5)
		w.SetGauge("a", 9)
		w.until(60)
		w.want(mail{0, 2, "[critical] a"}, mail{6, 9, "a"})
		if body := w.box.mails[1].Body; !strings.Contains(body, "it ended after") || !strings.Contains(body, "a is 9") {
			t.Errorf("the second mail says %q, want that it ended, and fires again", body)
		}
	},
	"J10": func(t *testing.T, w *outage) { // six times on and off
		w.start(strings.Replace(oneGauge, "{wait: 1s, interval: 2s}", "{interval: 1s}", 1))
		for range 6 {
			w.SetGauge("a", 9)
			w.until(w.now() + 2)
			w.SetGauge("a", 0)
			w.until(w.now() + 2)
		}
		w.until(1000)
		w.want(mail{0, 1, "[critical]"}, mail{2, 3, "[ended]"}, mail{4, 5, "[critical]"}, mail{6, 7, "[flapping]"}, mail{320, 330, "[stable]"})
	},
	"J11": func(t *testing.T, _ *outage) { // two replicas, and the one that sent dies
		f := newFleet(t)
		f.startN(2, oneGauge)
		for _, r := range f.up() {
			r.SetGauge("a", 9)
		}
		after(5 * time.Second)
		f.kill(f.sender())
		after(time.Minute)
		if got := f.box.lines(); len(got) != 1 {
			t.Errorf("mails = %q, want one", got)
		}
	},
	"J12": func(t *testing.T, w *outage) { // ends in a silence, and fires again after it
		// Minutes for seconds: changes as close as the case's are flapping (J10).
		w.start(oneGauge)
		w.SetGauge("a", 9)
		w.until(132)
		if _, err := w.Silence(t.Context(), hawkeye.Silence{Matchers: []string{`monitor="a"`}, End: time.Now().Add(3 * time.Minute)}); err != nil {
			t.Fatal(err)
		}
		w.until(192)
		w.SetGauge("a", 0)
		w.until(432)
		w.SetGauge("a", 9)
		w.until(912)
		w.SetGauge("a", 0)
		w.until(2000)
		w.want(mail{0, 2, "[critical]"}, mail{192, 194, "[ended]"}, mail{432, 434, "[critical]"}, mail{912, 914, "[ended]"})
	},
	"J13": func(t *testing.T, w *outage) { // the first message holds the whole burst
		w.start(strings.Replace(oneGauge, "type: gauge", "type: gauge, by: [i], max_groups: 200", 1))
		for i := range 200 {
			w.SetGauge("a", 9, hawkeye.T("i", fmt.Sprint(i)))
		}
		w.until(60)
		w.want(mail{0, 3, "[200 firing]"})
	},
}

func TestFailureCases(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("internal/alert/testdata/alert_cases.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Cases []struct{ ID, Name string } }
	if err := yaml.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	cases := 0
	for _, c := range file.Cases {
		if !strings.HasPrefix(c.ID, "J") {
			continue
		}
		cases++
		t.Run(c.ID, func(t *testing.T) {
			t.Parallel()
			run := failureCases[c.ID]
			if run == nil {
				t.Fatalf("%s (%s) has no test", c.ID, c.Name)
			}
			synctest.Test(t, func(t *testing.T) {
				w := &outage{t: t, box: &mailbox{}, state: filepath.Join(t.TempDir(), "state"), began: time.Now()}
				defer func() { w.stop() }()
				run(t, w)
			})
		})
	}
	if cases != len(failureCases) {
		t.Errorf("%d tests for %d cases", len(failureCases), cases)
	}
}

// outage is a handle with a state file that can be stopped, crash, and be
// started again.
type outage struct {
	*hawkeye.Hawkeye
	t      *testing.T
	box    *mailbox
	config string
	state  string
	tick   time.Duration // of the Store; 0 is its default
	began  time.Time
}

func (w *outage) start(config string) {
	w.t.Helper()
	w.config = config
	w.again()
}

func (w *outage) again() {
	w.t.Helper()
	opts := []memstore.Option{memstore.WithStateFile(w.state)}
	if w.tick > 0 {
		opts = append(opts, memstore.WithTick(w.tick))
	}
	w.Hawkeye = start(w.t, w.config, w.box, hawkeye.WithStore(newMemory(w.t, opts...)))
}

func (w *outage) stop() {
	if w.Hawkeye != nil {
		stop(w.t, w.Hawkeye)
		w.Hawkeye = nil
	}
}

// crash ends the process without a goodbye: what its state file holds at this
// moment is all that is left of it.
func (w *outage) crash() {
	w.t.Helper()
	data, err := os.ReadFile(w.state)
	if err != nil {
		w.t.Fatal(err)
	}
	box := w.box.fail
	w.box.fail = func(int, hawkeye.MailerConfig) error { return errors.New("the process is dead") }
	w.stop()
	w.box.fail = box
	if err := os.WriteFile(w.state, data, 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// now is how many seconds have passed.
func (w *outage) now() float64 { return time.Since(w.began).Seconds() }

func (w *outage) until(second float64) {
	after(time.Duration(second*float64(time.Second)) - time.Since(w.began))
}

// down makes the receiver fail in a span of seconds.
func (w *outage) down(from, to float64) {
	w.box.fail = func(int, hawkeye.MailerConfig) error {
		if now := w.now(); now >= from && now < to {
			return errors.New("500")
		}
		return nil
	}
}

// mail is one that is expected within a span of seconds.
type mail struct {
	from, to float64
	subject  string
}

func (w *outage) want(want ...mail) {
	w.t.Helper()
	var got []string
	for i, m := range w.box.mails {
		got = append(got, fmt.Sprintf("%.1fs %s", w.box.at[i].Sub(w.began).Seconds(), m.Subject))
	}
	ok, late := len(got) == len(want), 2*w.tick.Seconds() // a tick is longer than the cases have it
	for i := 0; ok && i < len(want); i++ {
		at := w.box.at[i].Sub(w.began).Seconds()
		ok = at >= want[i].from && at <= want[i].to+late && strings.Contains(w.box.mails[i].Subject, want[i].subject)
	}
	if !ok {
		w.t.Errorf("mails:\n%s\nwant:\n%v", strings.Join(got, "\n"), want)
	}
}
