package notify

import (
	"time"

	"github.com/go-batteries/hawkeye/internal/alert"
)

// Plan is what to do: everything but Send and Next is one commit.
type Plan struct {
	// Send are messages whose rows are claimed by this plan. They may be
	// sent once the commit was applied.
	Send []Message
	// Rows are new or changed. Those that are not live leave the outbox;
	// [Dead] ones go to the dead letters.
	Rows    []*Row
	Threads []*Thread
	Clocks  []*Clock
	Groups  []*GroupState
	Acks    []*Ack
	// Sent are ids that from now on count as sent.
	Sent    []string
	History []Entry
	// Next is when to decide again if nothing changes before; zero is never.
	Next time.Time
}

// Empty says whether there is nothing to write.
func (p *Plan) Empty() bool {
	return len(p.Rows)+len(p.Threads)+len(p.Clocks)+len(p.Groups)+len(p.Acks)+len(p.Sent)+len(p.History) == 0
}

// Add puts another plan behind p, for one commit. The two must not be about
// the same alert.
func (p *Plan) Add(o Plan) {
	p.Send = append(p.Send, o.Send...)
	p.Rows = append(p.Rows, o.Rows...)
	p.Threads = append(p.Threads, o.Threads...)
	p.Clocks = append(p.Clocks, o.Clocks...)
	p.Groups = append(p.Groups, o.Groups...)
	p.Acks = append(p.Acks, o.Acks...)
	p.Sent = append(p.Sent, o.Sent...)
	p.History = append(p.History, o.History...)
	if p.Next.IsZero() || !o.Next.IsZero() && o.Next.Before(p.Next) {
		p.Next = o.Next
	}
}

// Message is one thing to send.
type Message struct {
	// ID is the same for each attempt that may have been delivered.
	ID       string
	Receiver string
	// Rows are claimed, in the order in which they are told.
	Rows []*Row
	// Over are those of Rows, by id, that fire no more, though no end says so
	// (version 1, or a receiver that isn't told of ends).
	Over map[string]bool
	// Standing are the other alerts of the group that fire and were told.
	Standing []*Alert
	// Firing is how many of the alerts in Rows and Standing fire.
	Firing int
	// News says that there is something in it that the receiver doesn't know,
	// Beyond that it went though the group's burst was used up, or its pause
	// not over: it tells of a level that the group wasn't told yet. Next is when
	// further news may be told if this message is the last of the burst, else
	// zero.
	News, Beyond bool
	Next         time.Time
	// Released is set if it tells what the end of a mute has released, of many
	// groups at once. Since is when the first alert of Rows fired.
	Released *Mute
	Since    time.Time
	// Group is the group the rows are of; GroupBy its names and values, nil
	// without grouping.
	Group   GroupKey
	GroupBy map[string]string
	// MaybeRepeat says that an attempt before may have been delivered.
	MaybeRepeat bool
	// Recipients, if not empty, are those that are left of the receiver's.
	Recipients []string

	// Now is how alerts of Rows stand when the message is made, by alert, as
	// far as that is known; Fresh are the rows, by id, whose snapshots have
	// the values of that moment.
	Now   map[string]*Snapshot
	Fresh map[string]bool
	// Coming is what is told next of what fires, by row; nil in a message of
	// many.
	Coming map[string]*Coming
}

// Entry is a row of the history: something that happened to an alert, a
// message, or the decision not to send one.
type Entry struct {
	At       time.Time `json:"at"`
	Alert    string    `json:"alert,omitempty"`
	Incident string    `json:"incident,omitempty"`
	Receiver string    `json:"receiver,omitempty"`
	Row      string    `json:"row,omitempty"`
	// What is a kind of event, of a row, or one of the What constants.
	What   string `json:"what"`
	Level  string `json:"level,omitempty"`
	Reason string `json:"reason,omitempty"`
	Value  Number `json:"value,omitempty"`
}

// Words returns what happened in the words that people read. What is stored
// keeps the ones that other versions know.
func (e *Entry) Words() string {
	switch alert.Kind(e.What) {
	case alert.Troubled:
		return "without a value"
	case alert.Untroubled:
		return "has a value again"
	case alert.LevelsFlap:
		return "changes to and fro between levels"
	case alert.WentMissing:
		return "no data"
	}
	return e.What
}

// What the history knows besides the kinds of [alert.Event].
const (
	WhatTold     = "told"
	WhatNotTold  = "not told"
	WhatRetry    = "failed, to be tried again"
	WhatDead     = "failed for good"
	WhatTakeover = "taken over"
	WhatAcked    = "acknowledged"
	WhatAckOver  = "acknowledgement over"
)
