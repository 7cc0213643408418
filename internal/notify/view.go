package notify

import (
	"time"

	"github.com/go-batteries/hawkeye/internal/alert"
	"github.com/go-batteries/hawkeye/internal/matcher"
)

// View is what decisions are made from: the ledger as one replica sees it,
// its configuration, and what only the replica knows. It is for one
// goroutine, and not changed once it was used; plans never alias it.
type View struct {
	// Rows are the live rows; others are ignored.
	Rows []*Row
	// Alerts are those whose incident is open ([Alert.Open]), by key. Others
	// may be left out.
	Alerts map[string]*Alert
	// Threads, Clocks, Groups, Silences and Acks are the ledger's records.
	// Clocks are by alert, Acks by incident.
	Threads  map[ThreadKey]*Thread
	Clocks   map[string]*Clock
	Groups   map[GroupKey]*GroupState
	Silences []*Silence
	Acks     map[string]*Ack
	// Sent says whether a row of this id is known to be sent. nil: none is.
	Sent func(id string) bool
	// Kept says whether an alert is a newer version's, whose records of it
	// can't be read: nothing of it is sent, and nothing that would need them
	// is written. nil: none is.
	Kept func(alertKey string) bool

	Config *Config

	// Outranked says that another configuration decides whom to tell. What
	// is for a receiver that Config doesn't have is left to those who have
	// that one, and nobody is told just because Config names them now.
	Outranked bool

	// Self is the writer that claims.
	Self string
	// Lapsed says whether a claim may be taken over: it was seen unchanged
	// for its whole length, or its writer is gone. nil: none may.
	Lapsed func(*Row) bool
	// Capacity is how many more messages a receiver may be sent at a time.
	// nil: any number.
	Capacity func(receiver string) int
	// HoldUntil keeps everything back: after a start, until all was
	// evaluated once.
	HoldUntil time.Time
	// Latest returns how an alert stands by what was measured last, which is
	// newer than what is stored. nil, or false: that isn't known.
	Latest func(alertKey string) (Snapshot, bool)
	// Hurry tells groups now that would wait for more: nobody will be there
	// when they are due.
	Hurry bool

	index *index
}

// Config is the part of the configuration that decides who is told.
type Config struct {
	Receivers map[string]*Receiver
	// Monitors are by the key that rows and alerts call Monitor.
	Monitors map[string]*Routing
	Inhibit  []Inhibit
	// MuteTimes are by name.
	MuteTimes map[string]MuteTime
	Retry     Retry
}

// LevelName is the name of a level of a monitor, "" if there is none.
func (c *Config) LevelName(monitor string, rank int) string {
	routing := c.Monitors[monitor]
	if routing == nil || rank < 1 || rank > len(routing.Levels) {
		return ""
	}
	return routing.Levels[rank-1].Name
}

// Receiver is somebody to tell.
type Receiver struct {
	Name string
	// Group puts rows together into messages. The zero value makes a
	// message of each incident, at once.
	Group Group
	// SkipResolved leaves out the end.
	SkipResolved bool
	// Fallback is told when this one fails for good, and what couldn't be
	// delivered to this one for FallbackAfter; 0 is [DefaultFallbackAfter].
	Fallback      string
	FallbackAfter time.Duration
}

// DefaultFallbackAfter is how long news may be on its way before the fallback
// hears of it, too.
const DefaultFallbackAfter = 5 * time.Minute

// Group is how rows become messages.
type Group struct {
	// By are the names whose values ([Snapshot.Label]) make a group.
	By []string
	// Wait is how long the first message of a group that was silent for an
	// Interval waits for more.
	Wait time.Duration
	// Interval is what Burst is for.
	Interval time.Duration
	// Burst is how many messages with news there may be within Interval; see
	// [draft.groupDue]. 0 is 1.
	Burst int
}

func (g *Group) on() bool { return len(g.By) > 0 || g.Wait > 0 || g.Interval > 0 }

// Routing is whom a monitor tells.
type Routing struct {
	// Levels are mildest first, as in the rule.
	Levels    []LevelRoute
	MuteTimes []string
	// RunEvery, if not 0, gives the monitor version-1 manners: a receiver
	// hears of it at most every RunEvery, each RunEvery while it fires, of
	// all breaches in between in one message, and of no end.
	RunEvery time.Duration
}

// LevelRoute is whom a level tells.
type LevelRoute struct {
	Name      string
	Threshold float64
	// Clear, if set, is the threshold while it fires.
	Clear *float64
	// Relative says that both are a change against [Snapshot.Compare].
	Relative  bool
	Receivers []string
	// Repeat is the time between messages while it lasts, FlapRepeat while the
	// alert flaps; 0 is never.
	Repeat, FlapRepeat time.Duration
	Escalate           []Escalation
}

// Escalation tells more receivers of what has fired for After without an ack.
type Escalation struct {
	After     time.Duration
	Receivers []string
}

// Inhibit keeps back what matches Target while something that matches Source
// fires and agrees with it in Equal.
type Inhibit struct {
	Source, Target []*matcher.Matcher
	Equal          []string
}

// MuteTime is a recurring time in which nothing is told.
type MuteTime interface {
	Contains(t time.Time) bool
}

// Alert is how an alert stands.
type Alert struct {
	Key, Monitor string
	Incident     string
	Phase        alert.Phase
	Rank         int
	FiredAt      time.Time
	LevelAt      time.Time
	Flapping     bool
	// Snapshot is what a repeat says.
	Snapshot Snapshot
}

// NewAlert fills an Alert from a state; the caller adds the Snapshot.
func NewAlert(key, monitor string, s *alert.State) Alert {
	a := Alert{
		Key: key, Monitor: monitor, Incident: s.Incident, Phase: s.Phase, Rank: s.Rank,
		FiredAt: s.FiredAt, LevelAt: s.LevelAt, Flapping: s.Flapping(),
	}
	if a.Flapping { // be it that it is down
		a.Incident = s.Flap.Incident
		if !s.Phase.Told() && s.Last != nil {
			a.LevelAt = s.Last.Ended
		}
	}
	return a
}

// Open says whether the alert's incident goes on: it fires for its receivers,
// or it flaps and happens to be down.
func (a *Alert) Open() bool { return a.Phase.Told() || a.Flapping }

// levelless says whether what stands is of no level: data is missing.
func (a *Alert) levelless() bool { return a.Phase == alert.NoData || a.Phase.Told() && a.Rank == 0 }

// ThreadKey names a [Thread].
type ThreadKey struct{ Alert, Receiver string }

// Thread is what one receiver knows of one alert: a record of the ledger.
type Thread struct {
	V        int    `json:"v"`
	Alert    string `json:"alert"`
	Receiver string `json:"receiver"`
	// Incident is the latest that it has to do with; what follows is about
	// it, but for the times.
	Incident string    `json:"incident"`
	FiredAt  time.Time `json:"fired_at,omitzero"`
	// Seq is that of its latest row, Rank the level that it says.
	Seq  int `json:"seq"`
	Rank int `json:"rank,omitempty"`
	// Told says that something was told or may have been; ToldRank is the
	// level of which.
	Told     bool `json:"told,omitempty"`
	ToldRank int  `json:"told_rank,omitempty"`
	// Over says that the incident has ended, and its end is queued if due.
	Over bool `json:"over,omitempty"`
	// ToldAt is when a message about the alert was last delivered, TriedAt
	// when one was delivered or failed for good.
	ToldAt  time.Time `json:"told_at,omitzero"`
	TriedAt time.Time `json:"tried_at,omitzero"`
	// RepeatAt is when the next repeat is due, as far as that was written.
	RepeatAt time.Time `json:"repeat_at,omitzero"`
	// Instead are those for whom it stands in: it is, or was, told what they
	// couldn't be.
	Instead []string `json:"instead,omitempty"`
	// FlapsUntold says that it wasn't told that the incident flaps, because no
	// level of that is its own.
	FlapsUntold bool `json:"flaps_untold,omitempty"`
	// AckedBy is whose ack it was told of.
	AckedBy string `json:"acked_by,omitempty"`
	// Muted is what keeps it from hearing more, Held the reason for that.
	Muted *Mute  `json:"muted,omitempty"`
	Held  string `json:"held,omitempty"`
}

// Key returns what the thread is found by.
func (t *Thread) Key() ThreadKey { return ThreadKey{t.Alert, t.Receiver} }

// GroupKey names a group of a receiver: Values are those of its By.
type GroupKey struct{ Receiver, Values string }
