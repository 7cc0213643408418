package testfile

import (
	"fmt"

	"github.com/go-batteries/hawkeye/internal/monitor"
	"github.com/go-batteries/hawkeye/internal/nearest"
)

// checkNames tells of names that the configuration doesn't have: a typo must
// not make a test that expects nothing.
func (r *run) checkNames(set *monitor.Set) {
	var monitors, receivers []string
	known := make(map[string]bool)
	for _, m := range set.Alerting() {
		monitors = append(monitors, m.Key())
		known[m.Key()], known[m.Name] = true, true
	}
	for i := range set.Receivers {
		receivers = append(receivers, set.Receivers[i].Name)
	}
	isMonitor := func(line int, name string) {
		if name != "" && !known[name] {
			r.fail(line, "there is no monitor called %q%s", name, meant(name, monitors))
		}
	}
	isReceiver := func(line int, name string) {
		if set.Receiver(name) == nil {
			r.fail(line, "there is no receiver called %q%s", name, meant(name, receivers))
		}
	}
	for _, a := range r.test.Acks {
		isMonitor(a.Line, a.Monitor)
	}
	for _, o := range r.test.Outages {
		isReceiver(o.Line, o.Receiver)
	}
	for _, e := range r.test.Expect {
		for _, a := range e.Alerts {
			isMonitor(e.Line, a.Monitor)
		}
	}
	for _, m := range r.test.Messages {
		isReceiver(m.Line, m.To)
		for _, a := range m.Alerts {
			isMonitor(m.Line, a.Monitor)
		}
	}
}

func meant(name string, candidates []string) string {
	if s := nearest.Of(name, candidates); s != "" {
		return fmt.Sprintf("; did you mean %s?", s)
	}
	return ""
}
