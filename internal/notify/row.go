// Package notify decides whom to tell what, and when. It is pure: a [View] of
// the ledger and the time give a [Plan], which names the messages to send
// now, what to write, and when to look again. The agent calls [OnEvents] when
// it commits what an evaluation brought; the notifier calls [Decide], sends
// what it claimed, and reports the result to [Settle]. Each Plan is written
// in one commit, or not at all.
package notify

import (
	"slices"
	"strconv"
	"time"
)

// RecordVersion is the format of the records of this package as JSON.
const RecordVersion = 1

// Row is one thing that one receiver is to be told: a record of the outbox.
type Row struct {
	V int `json:"v"`
	// ID names incident, what is told, sequence and receiver; see [RowID].
	ID       string `json:"id"`
	Incident string `json:"incident"`
	// Alert is the key of the alert, Monitor that of its monitor. Both are
	// empty for what hawkeye says about itself.
	Alert    string `json:"alert,omitempty"`
	Monitor  string `json:"monitor,omitempty"`
	Receiver string `json:"receiver"`
	// Seq orders the rows of an incident and receiver, from 1.
	Seq  int     `json:"seq"`
	Kind RowKind `json:"kind"`
	// Rank is the level it is about, from 1; for an end that which ended.
	Rank    int       `json:"rank,omitempty"`
	Created time.Time `json:"created"`
	// Queued is when the first of the rows was created that were merged into
	// this one, FirstAt the moment that one is about; zero if none were.
	Queued  time.Time `json:"queued,omitzero"`
	FirstAt time.Time `json:"first_at,omitzero"`

	// Breaches is how many breaches the row stands for (version 1).
	Breaches int `json:"breaches,omitempty"`
	// Both says that an end also tells of the firing, which wasn't told.
	Both bool `json:"both,omitempty"`
	// Told, on an end, says that something of the incident was told, or may
	// have been, so that the end must be.
	Told bool `json:"told,omitempty"`
	// OverAt is when it was over, of a row whose receiver isn't told of the end.
	OverAt time.Time `json:"over_at,omitzero"`
	// Escalated says that nobody acknowledged in time; Step is the level whose
	// step it is, if that isn't the row's.
	Escalated bool   `json:"escalated,omitempty"`
	Step      string `json:"step,omitempty"`
	// AckEnded is whose ack a rise ended that the row tells of, AckOver whose
	// ack ran out, of which the row reminds. Ack is the one that an [Acked] row
	// is about.
	AckEnded string `json:"ack_ended,omitempty"`
	AckOver  string `json:"ack_over,omitempty"`
	Ack      *Ack   `json:"ack,omitempty"`
	// Also are the ids of rows that were merged into this one.
	Also []string `json:"also,omitempty"`
	// Undelivered is what a message to a fallback is about.
	Undelivered *Undelivered `json:"undelivered,omitempty"`

	Attempts    int       `json:"attempts,omitempty"`
	NextAttempt time.Time `json:"next_attempt,omitzero"`
	LastError   string    `json:"last_error,omitempty"`
	// Uncertain says that the outcome of an attempt is unknown, so that the
	// next one may be a repeat.
	Uncertain bool `json:"uncertain,omitempty"`
	// FirstTried is when it was first tried to deliver it, or would have been if
	// the receiver had taken anything. FellBack says that the fallback was told
	// meanwhile.
	FirstTried time.Time `json:"first_tried,omitzero"`
	FellBack   bool      `json:"fell_back,omitempty"`
	// Batch is the message that the row is bound to, because it may have
	// been delivered, or was delivered in part.
	Batch string `json:"batch,omitempty"`
	// Recipients, if not empty, are those that are left of the receiver's.
	Recipients []string `json:"recipients,omitempty"`

	// Held is the reason for not telling that was written last; Muted says
	// that it is a silence, a mute time or an inhibition.
	Held  string `json:"held,omitempty"`
	Muted bool   `json:"muted,omitempty"`
	// Released is the mute whose end lets it be told.
	Released *Mute `json:"released,omitempty"`
	// Claim is set while a writer sends it.
	Claim *Claim `json:"claim,omitempty"`

	// Outcome is empty while the row is queued or claimed.
	Outcome Outcome   `json:"outcome,omitempty"`
	Reason  string    `json:"reason,omitempty"`
	Settled time.Time `json:"settled,omitzero"`
	// Untold, of a dead letter, says that nobody was told in its place: there is
	// no fallback, or it failed as well.
	Untold bool `json:"untold,omitempty"`

	Snapshot Snapshot `json:"snapshot"`
}

// RowID makes the id of a row, and so of the message that it becomes. What is
// decided again gets the same id, and what says something else another one: a
// level is told by its name, whether it is the first time or a repeat, and
// what isn't about a level by a word with a colon, which no level has.
func RowID(incident, what string, seq int, receiver string) string {
	return incident + "." + what + "." + strconv.Itoa(seq) + "." + receiver
}

// makeID makes the row's id. An incident has one end, whatever was told before
// it: after a roll-back there may be other repeats, and it is still the same.
func (r *Row) makeID() string {
	what, seq := r.Snapshot.Level, r.Seq
	switch r.Kind {
	case Firing, Rise, Fall, Repeat:
	default:
		what += ":" + string(r.Kind)
	}
	if r.Ends() {
		what, seq = ":end", 0
	}
	return RowID(r.Incident, what, seq, r.Receiver)
}

// threadKey names the thread of the row's alert and receiver.
func (r *Row) threadKey() ThreadKey { return ThreadKey{r.Alert, r.Receiver} }

// waitsSince returns since when there is something to tell.
func (r *Row) waitsSince() time.Time {
	if r.Queued.IsZero() || r.Created.Before(r.Queued) {
		return r.Created
	}
	return r.Queued
}

// beganAt returns the moment that the first of what the row tells is about.
func (r *Row) beganAt() time.Time {
	switch {
	case !r.FirstAt.IsZero():
		return r.FirstAt
	case !r.Snapshot.At.IsZero():
		return r.Snapshot.At
	}
	return r.Created
}

// Live says whether the row is yet to be told.
func (r *Row) Live() bool { return r.Outcome == "" }

// State returns "queued", "claimed" or the outcome, for pages and tools.
func (r *Row) State() string {
	switch {
	case !r.Live():
		return string(r.Outcome)
	case r.Claim != nil:
		return "claimed"
	default:
		return "queued"
	}
}

// begun says whether the row is being told, or may have been.
func (r *Row) begun() bool { return r.Claim != nil || r.Uncertain || len(r.Recipients) > 0 }

// Opens says whether the row tells of something that has to have an end.
func (r *Row) Opens() bool { return r.Kind.opens() }

// News says whether the row tells something that its receiver doesn't know,
// and can't do without: not a repeat, a fall, or the end of what was told.
func (r *Row) News() bool {
	switch r.Kind {
	case Repeat, Fall:
		return r.Escalated || r.AckOver != "" || r.Released != nil
	}
	return r.Opens() || r.Both
}

// Ends says whether the row tells that the incident is over.
func (r *Row) Ends() bool {
	return r.Kind == Resolved || r.Kind == Stable && r.Rank == 0
}

func (r *Row) clone() *Row {
	c := *r
	c.Also = slices.Clone(r.Also)
	return &c
}

// RowKind is what a row tells.
type RowKind string

// What a row can tell.
const (
	Firing      RowKind = "firing"
	Rise        RowKind = "rise"
	Fall        RowKind = "fall"
	Repeat      RowKind = "repeat"
	Missing     RowKind = "nodata"
	Resolved    RowKind = "resolved"
	Flapping    RowKind = "flapping"
	Stable      RowKind = "stable"
	Undelivers  RowKind = "undelivered" // to a fallback: somebody else couldn't be told
	Blind       RowKind = "blind"       // a replica evaluates its own counts only
	BlindOver   RowKind = "blind-over"
	Overflowing RowKind = "overflow" // a monitor has more groups than it keeps
	Acked       RowKind = "acknowledged"
	// FlappingLevels is that there were too many changes between
	// [Snapshot.PreviousLevel] and the level that stands for now.
	FlappingLevels RowKind = "flapping-levels"
)

func (k RowKind) opens() bool {
	switch k {
	case Firing, Rise, Fall, Repeat, Missing, Flapping, FlappingLevels, Undelivers:
		return true
	}
	return false
}

// relative says that a row tells how something changed, which is nothing to
// somebody who knows nothing of it.
func (k RowKind) relative() bool { return k == Rise || k == Fall || k == Stable || k == Repeat }

// MeantFor returns whom a row was for, in the order in which it was tried.
func (r *Row) MeantFor() []string {
	if r.Undelivered == nil {
		return []string{r.Receiver}
	}
	return append(slices.Clone(r.Undelivered.Via), r.Receiver)
}

// Outcome is how a row ended.
type Outcome string

// How a row can end.
const (
	Sent    Outcome = "sent"
	Dead    Outcome = "dead"    // failed for good: a dead letter
	Dropped Outcome = "dropped" // not told, for Reason
	Merged  Outcome = "merged"  // told by another row
)

// Claim is a writer's right to send a row. It outlasts the deadline of the
// send. How long it stands is measured by the observers' own clocks.
type Claim struct {
	Writer  string        `json:"writer"`
	Message string        `json:"message"`
	At      time.Time     `json:"at"`
	Length  time.Duration `json:"length"`
}

// Undelivered is a message that failed for good.
type Undelivered struct {
	Row        string   `json:"row"`
	Receiver   string   `json:"receiver"`
	Kind       RowKind  `json:"kind"`
	Recipients []string `json:"recipients,omitempty"`
	Error      string   `json:"error"`
	// Via are the receivers that were tried, so that fallbacks don't go
	// round in circles.
	Via []string `json:"via,omitempty"`
	// Trying says that it is still tried to deliver it: it took too long.
	Trying bool `json:"trying,omitempty"`
}
