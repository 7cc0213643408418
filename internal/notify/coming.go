package notify

import "time"

// Coming is what is told next of an alert that fires, if nothing changes.
type Coming struct {
	// Repeat is when the receiver is told again, zero if it isn't.
	Repeat time.Time
	// Steps are the escalations to come.
	Steps []Step
}

// maxComing is of how many rows a message says what comes next.
const maxComing = 20

// present adds to a message how what it tells of stands now, and what comes
// next. A repeat says what is so now, not what was when it last changed.
func (d *draft) present(m *Message) {
	m.Now, m.Fresh = make(map[string]*Snapshot), make(map[string]bool)
	if len(m.Rows) <= maxComing {
		m.Coming = make(map[string]*Coming)
	}
	for _, r := range m.Rows {
		a := d.openAlert(r)
		if a == nil || r.Ends() {
			continue
		}
		if now, ok := d.latest(a.Key); ok {
			m.Now[a.Key] = &now
			if r.Kind == Repeat {
				r.Snapshot.measured(&now)
				m.Fresh[r.ID] = true
			}
		}
		if m.Coming != nil && d.runEvery(a.Monitor) == 0 {
			m.Coming[r.ID] = &Coming{Repeat: d.repeatsAt(a, r), Steps: d.steps(a)}
		}
	}
}

func (d *draft) latest(alertKey string) (Snapshot, bool) {
	if d.v.Latest == nil {
		return Snapshot{}, false
	}
	return d.v.Latest(alertKey)
}

// repeatsAt returns when the receiver of a row that is told now is told again.
func (d *draft) repeatsAt(a *Alert, r *Row) time.Time {
	routing := d.v.Config.Monitors[a.Monitor]
	if routing == nil || r.Kind == Acked || d.ack(a.Incident).Holds(d.now) {
		return time.Time{}
	}
	every := repeatEvery(a, routing, r.Rank)
	if every == 0 {
		return time.Time{}
	}
	return d.now.Add(every)
}
