package monitor

import "time"

// Alerting returns everything that makes alerts as monitors: the Monitors
// themselves, then the SLOs and the heartbeats. What is switched off is among
// them.
func (s *Set) Alerting() []*Monitor {
	all := make([]*Monitor, 0, len(s.Monitors)+len(s.SLOs)+len(s.Heartbeats))
	for i := range s.Monitors {
		all = append(all, &s.Monitors[i])
	}
	for i := range s.SLOs {
		all = append(all, s.SLOs[i].Monitor())
	}
	for i := range s.Heartbeats {
		all = append(all, s.Heartbeats[i].Monitor())
	}
	return all
}

// Written returns how many monitors the files and the code have. A version-1
// monitor is one, though each of its triggers is an alert of its own.
func (s *Set) Written() (n int) {
	legacy := make(map[Position]bool)
	for i := range s.Monitors {
		if m := &s.Monitors[i]; !m.Legacy {
			n++
		} else if !legacy[m.Pos] {
			legacy[m.Pos] = true
			n++
		}
	}
	return n
}

// Monitor returns the objective as a monitor of two levels, ticket and page,
// for routing and messages. Its value is the burn rate: how many times as fast
// as it may the error budget burns. Whether that is a breach is up to
// [SLO.BurnWindows].
func (s *SLO) Monitor() *Monitor {
	m := &Monitor{
		Name: s.Name, Description: s.Description, Disabled: s.Disabled,
		Metric: s.Total, Where: s.Where, By: s.By, MaxGroups: defaultMaxGroups, MinTotal: s.MinTotal,
		Op: Greater, NoData: NoDataKeep, NoDataFor: defaultNoDataFor, EvalError: EvalErrorKeep,
		About: s.About,
		Pos:   s.Pos, where: s.where,
		Triggers: []Trigger{
			{Level: "ticket", Notify: s.Ticket, Repeat: s.Repeat, FlapRepeat: s.FlapRepeat, Pos: s.Pos},
			{Level: "page", Notify: s.Page, Repeat: s.Repeat, FlapRepeat: s.FlapRepeat, Pos: s.Pos},
		},
	}
	shortest := maxWindow
	for _, b := range s.BurnWindows() {
		m.Window, shortest = max(m.Window, b.Long), min(shortest, b.Short)
		t := &m.Triggers[0]
		if b.Page {
			t = &m.Triggers[1]
		}
		if t.Threshold == 0 || b.Factor < t.Threshold {
			t.Threshold = b.Factor
		}
	}
	m.Every = max(shortest/300, time.Second).Truncate(time.Second)
	return m
}

// Monitor returns the heartbeat as a monitor of one level, for routing and
// messages. Its value is how many seconds the sign of life is overdue.
func (h *Heartbeat) Monitor() *Monitor {
	window := h.ExpectEvery + h.Grace
	if h.Schedule != "" {
		window = h.Early + h.Grace // from when a sign counts until it is overdue
	}
	return &Monitor{
		Name: h.Name, Description: h.Description, Disabled: h.Disabled,
		Metric: h.Metric, Where: h.Where, Aggregate: Count, Window: window,
		Op: Greater, NoData: NoDataKeep, NoDataFor: defaultNoDataFor, EvalError: EvalErrorKeep,
		About: h.About,
		Pos:   h.Pos, where: h.where,
		Triggers: []Trigger{{Level: h.Level, Notify: h.Notify, Repeat: h.Repeat, FlapRepeat: h.FlapRepeat, Pos: h.Pos}},
	}
}
