package simulate

import (
	"maps"
	"slices"
	"time"

	"github.com/go-batteries/hawkeye/internal/notify"
)

// desk is the ledger of a simulation, as far as telling goes.
type desk struct {
	config   *notify.Config
	rows     map[string]*notify.Row
	alerts   map[string]*notify.Alert
	threads  map[notify.ThreadKey]*notify.Thread
	clocks   map[string]*notify.Clock
	groups   map[notify.GroupKey]*notify.GroupState
	sent     map[string]bool
	silences []*notify.Silence
	acks     map[string]*notify.Ack
	history  []notify.Entry

	// latest is how an alert stands by what was measured last.
	latest func(alertKey string) (notify.Snapshot, bool)
	// wake is when to decide next; zero is never.
	wake   time.Time
	cached *notify.View // nil when something has changed since
}

func newDesk(config *notify.Config) *desk {
	return &desk{
		config:  config,
		rows:    make(map[string]*notify.Row),
		alerts:  make(map[string]*notify.Alert),
		threads: make(map[notify.ThreadKey]*notify.Thread),
		clocks:  make(map[string]*notify.Clock),
		groups:  make(map[notify.GroupKey]*notify.GroupState),
		sent:    make(map[string]bool),
		acks:    make(map[string]*notify.Ack),
	}
}

// view returns the ledger as it is. It is made anew only after a change,
// since a View must not change under those who use it.
func (d *desk) view() *notify.View {
	if d.cached != nil {
		return d.cached
	}
	v := &notify.View{
		Alerts: d.alerts, Threads: d.threads, Clocks: d.clocks, Groups: d.groups, Silences: d.silences, Acks: d.acks,
		Sent:   func(id string) bool { return d.sent[id] },
		Config: d.config, Self: writer,
		Lapsed: func(*notify.Row) bool { return false }, Latest: d.latest,
	}
	for _, id := range slices.Sorted(maps.Keys(d.rows)) {
		v.Rows = append(v.Rows, d.rows[id])
	}
	d.cached = v
	return v
}

// touch makes somebody decide at now.
func (d *desk) touch(now time.Time) {
	d.cached = nil
	if d.wake.IsZero() || d.wake.After(now) {
		d.wake = now
	}
}

// stands takes note of an alert that changed.
func (d *desk) stands(a *notify.Alert) {
	d.cached = nil
	if a.Open() {
		d.alerts[a.Key] = a
		return
	}
	delete(d.alerts, a.Key)
}

// apply writes a plan.
func (d *desk) apply(p *notify.Plan) {
	if p.Empty() {
		return
	}
	d.cached = nil
	for _, r := range p.Rows {
		if r.Live() {
			d.rows[r.ID] = r
		} else {
			delete(d.rows, r.ID)
		}
	}
	for _, t := range p.Threads {
		d.threads[t.Key()] = t
	}
	for _, c := range p.Clocks {
		d.clocks[c.Alert] = c
	}
	for _, g := range p.Groups {
		d.groups[g.Key()] = g
	}
	for _, a := range p.Acks {
		d.acks[a.Incident] = a
	}
	for _, id := range p.Sent {
		d.sent[id] = true
	}
	d.history = append(d.history, p.History...)
	if len(d.history) > 2*MaxHistory {
		d.history = slices.Clone(d.history[len(d.history)-MaxHistory:])
	}
}
