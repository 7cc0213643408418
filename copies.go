package hawkeye

import (
	"maps"
	"slices"
)

// What a caller gave stays the caller's, who may sort, mask or reuse it: what
// is kept of it is a copy. So is what is handed out; see mailSender.

func (m Monitor) clone() Monitor {
	m.Where, m.By = slices.Clone(m.Where), slices.Clone(m.By)
	m.Notify, m.MuteTimes = slices.Clone(m.Notify), slices.Clone(m.MuteTimes)
	m.Labels = maps.Clone(m.Labels)
	m.Triggers = slices.Clone(m.Triggers)
	for i := range m.Triggers {
		m.Triggers[i] = m.Triggers[i].clone()
	}
	return m
}

func (t Trigger) clone() Trigger {
	if t.Clear != nil {
		at := *t.Clear
		t.Clear = &at
	}
	t.Notify, t.To = slices.Clone(t.Notify), slices.Clone(t.To)
	t.Escalate = slices.Clone(t.Escalate)
	for i := range t.Escalate {
		t.Escalate[i].Notify = slices.Clone(t.Escalate[i].Notify)
	}
	return t
}

func (r Receiver) clone() Receiver {
	r.To, r.Cc, r.Bcc = slices.Clone(r.To), slices.Clone(r.Cc), slices.Clone(r.Bcc)
	r.GroupBy = slices.Clone(r.GroupBy)
	return r
}

func (r Rules) clone() Rules {
	r.SLOs, r.Heartbeats, r.Inhibit = slices.Clone(r.SLOs), slices.Clone(r.Heartbeats), slices.Clone(r.Inhibit)
	for i, s := range r.SLOs {
		s.Where, s.By = slices.Clone(s.Where), slices.Clone(s.By)
		s.Page, s.Ticket = slices.Clone(s.Page), slices.Clone(s.Ticket)
		s.MuteTimes, s.Labels = slices.Clone(s.MuteTimes), maps.Clone(s.Labels)
		r.SLOs[i] = s
	}
	for i, h := range r.Heartbeats {
		h.Where, h.Notify = slices.Clone(h.Where), slices.Clone(h.Notify)
		h.MuteTimes, h.Labels = slices.Clone(h.MuteTimes), maps.Clone(h.Labels)
		r.Heartbeats[i] = h
	}
	for i, h := range r.Inhibit {
		r.Inhibit[i] = Inhibit{slices.Clone(h.Source), slices.Clone(h.Target), slices.Clone(h.Equal)}
	}
	r.MuteTimes = maps.Clone(r.MuteTimes)
	for name, periods := range r.MuteTimes {
		periods = slices.Clone(periods)
		for i, p := range periods {
			p.Weekdays, p.DaysOfMonth, p.Months = slices.Clone(p.Weekdays), slices.Clone(p.DaysOfMonth), slices.Clone(p.Months)
			periods[i] = p
		}
		r.MuteTimes[name] = periods
	}
	return r
}
