package hawkeye

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-batteries/hawkeye/internal/alert"
	"github.com/go-batteries/hawkeye/internal/evaluate"
	"github.com/go-batteries/hawkeye/internal/ledger"
	"github.com/go-batteries/hawkeye/internal/notify"
	"github.com/go-batteries/hawkeye/internal/window"
)

// Alert is how an alert stands.
type Alert struct {
	// Monitor is its monitor's name, Key the identity of its state, which
	// for version-1 monitors tells the triggers apart.
	Monitor, Key string
	Tags         map[string]string
	// State is inactive, pending, firing, recovering, nodata, error or
	// unseen (the metric was never seen).
	State string
	// Level is the name of the level that fires, if one does.
	Level string
	// Incident tells one outage from the next; empty while inactive.
	Incident string
	// Value is the latest that was measured, by this process if it
	// evaluates, else when the alert last changed. Known says whether there
	// is one, Complete whether nothing was missing.
	Value           float64
	Known, Complete bool
	// Since is when the incident began.
	Since time.Time
	// Summary is the monitor's own.
	Summary string
}

// Alerts returns all alerts in the order of their keys, as this process knows
// them. It does no I/O.
func (h *Hawkeye) Alerts() []Alert {
	if h == nil {
		return nil
	}
	byKey, summaries := make(map[string]Alert), make(map[string]string)
	for _, r := range h.setup().Plan.Rules {
		summaries[r.Monitor.Name] = r.Monitor.Summary
		if len(r.Monitor.By) == 0 {
			byKey[r.Alert.Key] = Alert{Monitor: r.Monitor.Name, Key: r.Alert.Key, State: stateUnseen}
		}
	}
	for key, r := range h.book.Alerts() {
		if r.Snapshot.Source == notify.SourceOverflow {
			continue
		}
		byKey[key] = Alert{
			Monitor: r.Snapshot.Name, Key: key, Tags: maps.Clone(r.Snapshot.Tags),
			State: shown(&r.State, r.Snapshot.HasValue), Level: r.State.Level, Incident: r.State.Incident,
			Value: finite(float64(r.Snapshot.Value)), Known: r.Snapshot.HasValue && r.Snapshot.Value == r.Snapshot.Value, Complete: !r.Snapshot.Incomplete,
			Since: r.State.Since,
		}
	}
	h.overlay(byKey)
	for key, a := range byKey {
		a.Summary = summaries[a.Monitor]
		byKey[key] = a
	}
	return slices.SortedFunc(maps.Values(byKey), func(a, b Alert) int { return cmp.Compare(a.Key, b.Key) })
}

// overlay puts what this process has just measured over what is stored.
func (h *Hawkeye) overlay(byKey map[string]Alert) {
	h.agent.Each(func(e *evaluate.Alert) {
		s := e.State
		known := e.Value.Status == window.OK
		state := s.Shown().String()
		if s.Phase == alert.Inactive && e.Value.Status == window.Unseen {
			state = stateUnseen
		}
		value := e.Value.V
		if !known {
			value = 0
		}
		byKey[e.Key] = Alert{
			Monitor: e.Rule.Monitor.Name, Key: e.Key, Tags: e.TagMap(),
			State: state, Level: s.Level, Incident: s.Incident,
			Value: finite(value), Known: known, Complete: e.Value.Complete(), Since: s.Since,
		}
	})
}

const stateUnseen = "unseen"

func shown(s *alert.State, seen bool) string {
	if s.Phase == alert.Inactive && s.Trouble == alert.ReasonUnseen && !seen {
		return stateUnseen
	}
	return s.Shown().String()
}

// AckOptions say who acknowledges an alert, and for how long; see
// [Hawkeye.Ack].
type AckOptions struct {
	// Author is who looks after it; required.
	Author string
	// Comment is for those who are notified of the ack, and for the history.
	Comment string
	// Until is when the ack is over; zero is the end of the incident.
	Until time.Time
	// Sticky keeps the ack when the alert rises to a higher level.
	Sticky bool
}

// Ack says that somebody looks after an alert: until the incident is over, or
// until o.Until, it is neither repeated nor escalated. Those who were notified
// hear of it, once. When its time is over, the level's receivers are reminded,
// and escalation counts from there.
//
// An ack is for the level at which it is given: a rise beyond that ends it,
// and the message about the rise says so, unless it is sticky. Rises and the
// end are told in any case.
//
// key is the key of an alert that fires ([Alert.Key]) or its incident
// ([Alert.Incident]). A further Ack takes the place of the one before.
//
// It returns [ErrNotFound] if no such alert fires, as far as this version of
// hawkeye can read, and an error if the author is empty, if Until isn't in the
// future, and if the Store can't be written until ctx ends. It needs a handle
// that was started.
func (h *Hawkeye) Ack(ctx context.Context, key string, o AckOptions) error {
	return h.ack(ctx, key, notify.Ack{Author: o.Author, Comment: o.Comment, Until: o.Until, Sticky: o.Sticky})
}

func (h *Hawkeye) ack(ctx context.Context, which string, given notify.Ack) error {
	return h.amend(ctx, "acknowledge", func(tx *ledger.Tx, v *notify.View, now time.Time) error {
		a := findFiring(v, which)
		switch {
		case a == nil && h.book.Kept(which):
			return fmt.Errorf("the alert %q: %w", which, ledger.ErrNewer)
		case a == nil && h.book.CountKept() > 0:
			return fmt.Errorf("%w: nothing that fires is called %q, and of some alerts the %w", ErrNotFound, which, ledger.ErrNewer)
		case a == nil:
			return fmt.Errorf("%w: nothing that fires is called %q", ErrNotFound, which)
		case strings.TrimSpace(given.Author) == "":
			return errors.New("want an author")
		case !given.Until.IsZero() && !given.Until.After(now):
			return fmt.Errorf("want a time in the future, got %v", given.Until)
		}
		ack := given
		ack.V, ack.Incident, ack.At = notify.RecordVersion, a.Incident, now.UTC()
		if !given.Until.IsZero() {
			ack.Until = given.Until.UTC()
		}
		v.Config = h.setup().Routes
		ack.Rank = notify.AckRank(v, a)
		ack.Level = v.Config.LevelName(a.Monitor, ack.Rank)
		key := ledger.AckKey(a.Incident)
		if h.mirror.IsNewer(key) {
			return fmt.Errorf("replace the ack of %q: %w", which, ledger.ErrNewer)
		}
		tx.Require(key)
		if err := tx.PutJSON(key, &ack); err != nil {
			return err
		}
		reason := "by " + ack.Author
		if ack.Comment != "" {
			reason += ": " + ack.Comment
		}
		return tx.PutPlan(&notify.Plan{History: []notify.Entry{{
			At: now.UTC(), Alert: a.Key, Incident: a.Incident, What: notify.WhatAcked, Level: a.Snapshot.Level, Reason: reason,
		}}}, now)
	})
}

// findFiring finds an alert that fires by its incident or its key.
func findFiring(v *notify.View, which string) *notify.Alert {
	if a := v.Alerts[which]; a != nil && a.Open() {
		return a
	}
	for _, a := range v.Alerts {
		if which != "" && a.Incident == which && a.Open() {
			return a
		}
	}
	return nil
}

// HistoryEntry is something that happened to an alert, a message about it, or
// the decision not to send one.
type HistoryEntry struct {
	At time.Time
	// Alert and Incident are those of [Alert].
	Alert, Incident string
	// Receiver is set if it is about a message.
	Receiver string
	// What is such as pending, fired, rose, fell, resolved, told, "not told",
	// "failed for good", acknowledged, "without a value", "has a value again".
	What string
	// Level is the one that it is about.
	Level string
	// Reason is why, in words.
	Reason string
	// Value is the one that decided, 0 if there was none.
	Value float64
}

// History returns what happened to an alert, by its key, to all alerts of a
// monitor, by its name, or to everything, if which is empty; oldest first, as
// far as it is kept: 100 entries an alert and 10,000 in all. It does no I/O.
func (h *Hawkeye) History(which string) []HistoryEntry {
	if h == nil {
		return nil
	}
	var out []HistoryEntry
	for _, e := range h.book.History() {
		if which != "" && e.Alert != which && !strings.HasPrefix(e.Alert, which+"{") {
			continue
		}
		out = append(out, HistoryEntry{
			At: e.At, Alert: e.Alert, Incident: e.Incident, Receiver: e.Receiver,
			What: e.Words(), Level: e.Level, Reason: e.Reason, Value: finite(float64(e.Value)),
		})
	}
	return out
}
