package notify

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/go-batteries/hawkeye/internal/alert"
)

// The J cases are failures measured on Alertmanager: group_wait 1s,
// group_interval 2s, repeat 1h.
func failureWorld(t *testing.T) *world {
	return newWorld(t, oneLevel(time.Hour, &Receiver{
		Name: "r", Group: Group{By: []string{"alert"}, Wait: time.Second, Interval: 2 * time.Second},
	}))
}

func (w *world) pushes(at float64, value float64, names ...string) {
	w.at(at, func() {
		for _, name := range names {
			w.set("m", name, value, "alert", name)
		}
	})
}

// down makes the receiver answer with an error in a span of seconds.
func (w *world) down(from, to float64, kind ResultKind) {
	w.answer = func(_ string, at time.Duration, _ *Message) Result {
		if at >= secs(from) && at < secs(to) {
			return Result{Kind: kind, Error: "500"}
		}
		return Result{}
	}
}

func testJ01(t *testing.T, _ yaml.Node) {
	w := failureWorld(t)
	w.pushes(0, 9, "a")
	w.at(3, w.crash)
	w.pushes(8, 0, "a")
	w.run(100)
	w.want("1s r: firing a", "8s r: resolved a")
}

func testJ02(t *testing.T, _ yaml.Node) {
	w := failureWorld(t)
	for i := range 100 {
		w.pushes(0, 9, fmt.Sprint("a", i))
		w.pushes(5, 9, fmt.Sprint("a", i))
	}
	w.at(4, w.crash)
	w.run(100)
	if len(w.delivered) != 100 {
		t.Errorf("%d messages, want 100", len(w.delivered))
	}
}

func testJ03(t *testing.T, _ yaml.Node) {
	w := failureWorld(t)
	w.down(0, 9, Temporary)
	w.pushes(0, 9, "a")
	w.pushes(3.5, 0, "a")
	w.run(100)
	if len(w.delivered) != 1 || !w.delivered[0].m.Rows[0].Both {
		t.Fatalf("delivered %v, want one message of both", w.lines())
	}
	if at := w.delivered[0].at; at < secs(9) || at > secs(14) {
		t.Errorf("delivered at %v, want it within 5s of 9s", at)
	}
}

func testJ04(t *testing.T, _ yaml.Node) {
	w := failureWorld(t)
	w.down(2.5, 9, Temporary)
	w.pushes(0, 9, "a")
	w.pushes(3, 0, "a")
	w.run(100)
	if len(w.delivered) != 2 || w.delivered[0].at != secs(1) || w.delivered[1].at < secs(9) || w.delivered[1].at > secs(14) {
		t.Errorf("delivered %v, want firing at 1s and resolved after 9s", w.lines())
	}
}

func testJ05(t *testing.T, _ yaml.Node) {
	w := failureWorld(t)
	w.down(0, 7, Temporary)
	w.pushes(0, 9, "a")
	w.run(100)
	if len(w.delivered) != 1 || w.delivered[0].at > secs(12) {
		t.Errorf("delivered %v, want it once, within 5s of 7s", w.lines())
	}
}

func testJ06(t *testing.T, _ yaml.Node) {
	w := failureWorld(t)
	w.cfg.Monitors["m"].Levels[0].Repeat = 10 * time.Second
	w.cfg.Receivers["r"].Fallback = "f"
	w.cfg.Receivers["f"] = &Receiver{Name: "f"}
	w.answer = func(receiver string, at time.Duration, _ *Message) Result {
		if receiver == "r" && at < secs(4) {
			return Result{Kind: Permanent, Error: "400"}
		}
		return Result{}
	}
	w.pushes(0, 9, "a")
	w.pushes(15, 0, "a")
	w.run(12)
	if len(w.dead) != 1 {
		t.Errorf("%d dead letters, want 1", len(w.dead))
	}
	w.run(100)
	w.want("1s f: undelivered a", "11s f: repeat a", "11s r: firing a", "15s f: resolved a", "15s r: resolved a")
}

func testJ07(t *testing.T, _ yaml.Node) {
	w := failureWorld(t)
	w.takes = func(string) time.Duration { return 4 * time.Second }
	w.pushes(0, 9, "a")
	w.run(100)
	w.want("5s r: firing a")
}

func testJ08(t *testing.T, _ yaml.Node) {
	w := failureWorld(t)
	w.cfg.Receivers["r"].Group.By = []string{"alertname"}
	w.cfg.Inhibit = []Inhibit{{
		Source: equals(t, map[string]string{"alertname": "Down"}), Target: equals(t, map[string]string{"alertname": "Slow"}), Equal: []string{"job"},
	}}
	w.at(0, func() { w.put("Down", 9); w.put("Slow", 9) })
	w.at(4, func() {
		// The process is new, and so is its evaluator: only the ledger is left.
		w.crash()
		w.hold = epoch.Add(secs(6))
		w.put("Slow", 9)
	})
	w.at(5.5, func() { w.put("Down", 9) })
	w.run(100)
	w.want("1s r: firing Down")
}

func testJ09(t *testing.T, _ yaml.Node) {
	w := failureWorld(t)
	w.cfg.Receivers["r"].Group.Interval = 6 * time.Second
	w.pushes(0, 9, "a")
	w.pushes(2, 0, "a")
	w.pushes(3.5, 9, "a")
	w.run(100)
	w.want("1s r: firing a", "7s r: resolved a firing a")
}

func testJ10(t *testing.T, _ yaml.Node) {
	w := failureWorld(t)
	w.cfg.Receivers["r"].Group = Group{By: []string{"alert"}, Interval: time.Second}
	w.rules["m"].Flap = alert.DefaultFlap
	for i := range 6 {
		w.pushes(float64(4*i), 9, "a")
		w.pushes(float64(4*i+2), 0, "a")
	}
	for i := range 600 { // the evaluator goes on
		w.pushes(float64(25+i), 0, "a")
	}
	w.run(1000)
	w.want("0s r: firing a", "2s r: resolved a", "4s r: firing a", "6s r: flapping a", "5m22s r: stable a")
	if n := len(w.rows); n != 0 {
		t.Errorf("%d rows left", n)
	}
}

func testJ11(t *testing.T, _ yaml.Node) {
	w := failureWorld(t)
	w.pushes(0, 9, "a")
	w.at(3, w.crash)
	w.run(100)
	w.want("1s r: firing a")
}

func testJ12(t *testing.T, _ yaml.Node) {
	w := failureWorld(t)
	w.pushes(0, 9, "a")
	w.at(2.2, func() { w.silence(2.2, 5.2, "alert=a") })
	w.pushes(3.2, 0, "a")
	w.pushes(7.2, 9, "a")
	w.pushes(15.2, 0, "a")
	w.run(100)
	w.want("1s r: firing a", "3.2s r: resolved a", "8.2s r: firing a", "15.2s r: resolved a")
}

func testJ13(t *testing.T, _ yaml.Node) {
	w := failureWorld(t)
	w.cfg.Receivers["r"].Group.By = []string{"monitor"}
	var names []string
	for i := range 200 {
		names = append(names, fmt.Sprint("a", i))
	}
	w.at(0, func() {
		for _, name := range names {
			w.set("m", name, 9)
		}
	})
	w.run(100)
	slices.Sort(names)
	if len(w.delivered) != 1 {
		t.Fatalf("%d messages, want 1", len(w.delivered))
	}
	if firing, _ := w.delivered[0].told(); !slices.Equal(firing, names) {
		t.Errorf("the first message has %d alerts, want 200", len(firing))
	}
}
