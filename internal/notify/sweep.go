package notify

import "time"

// keepThreads is how long a thread outlives its incident, so that what
// run_every counts from, and what a late message is about, is still known.
const keepThreads = 24 * time.Hour

// Old are records that nothing needs any more, to be deleted. Clocks are named
// by their alert.
type Old struct {
	Threads []ThreadKey
	Clocks  []string
	Groups  []GroupKey
}

// Sweep finds what nothing needs any more. The shell calls it now and then.
func Sweep(v *View, now time.Time) (old Old) {
	x := v.indexed()
	keep := keepThreads
	for _, routing := range v.Config.Monitors {
		keep = max(keep, routing.RunEvery)
	}
	for key, t := range v.Threads {
		if a := v.Alerts[key.Alert]; a != nil && a.Open() && a.Incident == t.Incident {
			continue
		}
		latest := t.FiredAt
		if t.TriedAt.After(latest) {
			latest = t.TriedAt
		}
		if len(x.byAlert[key.Alert]) == 0 && now.Sub(latest) > keep {
			old.Threads = append(old.Threads, key)
		}
	}
	for key, c := range v.Clocks {
		if a := v.Alerts[key]; (a == nil || !a.Open() || a.Incident != c.Incident) && (v.Kept == nil || !v.Kept(key)) {
			old.Clocks = append(old.Clocks, key)
		}
	}
	for key, g := range v.Groups {
		cfg := v.Config.Receivers[key.Receiver]
		if cfg == nil || now.Sub(g.SentAt) > cfg.Group.Interval {
			old.Groups = append(old.Groups, key)
		}
	}
	return old
}

// keepSilences is how long a silence that is over is still shown.
const keepSilences = 5 * 24 * time.Hour

// SweepByHand returns the ids of silences, and the incidents of acks, that are
// long over, to be deleted.
func SweepByHand(v *View, now time.Time) (silences, acks []string) {
	for _, s := range v.Silences {
		if now.Sub(s.End) > keepSilences {
			silences = append(silences, s.ID)
		}
	}
	firing := make(map[string]bool, len(v.Alerts))
	for _, a := range v.Alerts {
		firing[a.Incident] = true
	}
	for incident, a := range v.Acks {
		if !firing[incident] && now.Sub(a.At) > keepThreads {
			acks = append(acks, incident)
		}
	}
	return silences, acks
}
