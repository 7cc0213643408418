// Package simulate runs a configuration over virtual time: the windows, the
// evaluation, the decisions whom to tell and the rendering are the very code
// that a running hawkeye uses, without its store, its clock and its
// goroutines. Tools and tests feed it with samples and step it from tick to
// tick.
package simulate

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/go-batteries/hawkeye/internal/alert"
	"github.com/go-batteries/hawkeye/internal/bucket"
	"github.com/go-batteries/hawkeye/internal/evaluate"
	"github.com/go-batteries/hawkeye/internal/message"
	"github.com/go-batteries/hawkeye/internal/monitor"
	"github.com/go-batteries/hawkeye/internal/notify"
	"github.com/go-batteries/hawkeye/internal/notify/routing"
	"github.com/go-batteries/hawkeye/internal/window"
	"github.com/go-batteries/hawkeye/store"
)

const (
	// DefaultTick is the width of a tick unless a [Config] says otherwise.
	DefaultTick = time.Second
	// retention is how long a store keeps its ticks by default. It decides
	// how finely long windows are cut.
	retention = 5 * time.Minute
	// writer is what a simulation calls itself where it claims messages.
	writer = "simulation"
	// jitter is what stands for the random part of a pause between attempts.
	jitter = 0.5
	// maxRounds bounds the decisions of one moment; they come to rest long
	// before.
	maxRounds = 1000
	// MaxHistory is how many entries of the history are kept, the newest.
	MaxHistory = 10_000
)

// Config is what a simulation runs.
type Config struct {
	Set *monitor.Set
	// Start is the beginning of the first tick, cut to one.
	Start time.Time
	// Tick is the width of a tick; default [DefaultTick].
	Tick time.Duration
	// Service and Environment are used where Set has none.
	Service, Environment string
	// Send is what a receiver answers to an attempt; nil: all is delivered.
	Send func(m *notify.Message, at time.Time) notify.Result
	// OnMessage and OnChange hear of what happens, in order. Both may be nil.
	OnMessage func(*Message)
	OnChange  func(c *evaluate.Change, at time.Time)
	// Quiet leaves messages unrendered.
	Quiet bool
}

// Message is a message that was handed to a receiver.
type Message struct {
	At       time.Time
	Receiver string
	// Rows are what it tells.
	Rows []*notify.Row
	// Text is empty if the simulation is quiet.
	Text message.Text
	// Result is what the receiver answered.
	Result notify.Result
	// Sent is the message as the receiver got it.
	Sent *notify.Message
}

// Simulation is a configuration on virtual time. It is not safe for
// concurrent use.
type Simulation struct {
	cfg       Config
	engine    *window.Engine
	evaluator *evaluate.Evaluator
	renderer  *message.Renderer
	desk      *desk

	tick    int64 // the one that is open
	end     time.Time
	fed     bool          // somebody published in the open tick
	unknown time.Duration // of the open tick, and of those before that were skipped
	began   bool
	actions []action
	ids     int

	texts     map[uint64]string // of series, whether the windows know them or not
	saturated atomic.Uint64     // see Saturated
}

type action struct {
	at time.Time
	do func()
}

// New returns a simulation that stands at the beginning of its first tick.
func New(cfg Config) *Simulation {
	if cfg.Tick <= 0 {
		cfg.Tick = DefaultTick
	}
	if cfg.Set.Service != "" {
		cfg.Service = cfg.Set.Service
	}
	if cfg.Set.Environment != "" {
		cfg.Environment = cfg.Set.Environment
	}
	s := &Simulation{
		cfg:      cfg,
		engine:   window.New(cfg.Tick, retention, window.LiveTicks),
		renderer: message.New(cfg.Set, cfg.Service, cfg.Environment),
		tick:     cfg.Start.UnixNano() / int64(cfg.Tick),
		texts:    make(map[uint64]string),
	}
	s.engine.CountSaturated(&s.saturated)
	s.desk = newDesk(routing.Routes(cfg.Set))
	s.end = s.endOf(s.tick)
	plan := evaluate.NewPlan(cfg.Set, cfg.Tick)
	s.engine.Advance(s.tick - 1)
	handles := make([]window.Handle, len(plan.Queries))
	for i, q := range plan.Queries {
		handles[i] = s.engine.Register(q)
	}
	s.evaluator = evaluate.New(evaluate.Config{
		Plan: plan, Handles: handles, Born: s.tick - 1,
		NewID: func() string {
			s.ids++
			return "incident-" + strconv.Itoa(s.ids)
		},
		Told: func(key string) []alert.Told { return notify.Unended(s.desk.view(), key) },
	})
	s.desk.latest = s.latest
	return s
}

func (s *Simulation) latest(alertKey string) (notify.Snapshot, bool) {
	a := s.evaluator.Alert(alertKey)
	if a == nil || !a.Read {
		return notify.Snapshot{}, false
	}
	return routing.Snapshot(a, s.cfg.Service, s.cfg.Environment), true
}

// Tick returns the tick that is open, and when it ends.
func (s *Simulation) Tick() (n int64, end time.Time) { return s.tick, s.end }

// Now returns the beginning of the open tick: everything before has happened.
func (s *Simulation) Now() time.Time { return s.end.Add(-s.cfg.Tick) }

// TickOf returns the tick that a time lies in.
func (s *Simulation) TickOf(t time.Time) int64 { return floorDiv(t.UnixNano(), int64(s.cfg.Tick)) }

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func (s *Simulation) endOf(tick int64) time.Time {
	return time.Unix(0, (tick+1)*int64(s.cfg.Tick)).UTC()
}

// Learn tells the canonical text of a series, before its first sample. To the
// monitors it is there from that sample on, as for a program.
func (s *Simulation) Learn(id uint64, text string) { s.texts[id] = text }

// Saturated returns how often a sample, or a sum that was looked at, had to be
// cut, as a program would have done.
func (s *Simulation) Saturated() uint64 { return s.saturated.Load() }

// At plans something for a time; it is done before what is judged or decided
// at that time. What lies in the past is done at once.
func (s *Simulation) At(t time.Time, do func()) {
	if !t.After(s.Now()) {
		do()
		return
	}
	i, _ := slices.BinarySearchFunc(s.actions, t, func(a action, t time.Time) int {
		if a.at.After(t) {
			return 1
		}
		return -1 // those of the same time keep their order
	})
	s.actions = slices.Insert(s.actions, i, action{t, do})
}

// Take adds what a writer counted in the open tick. A writer is live from its
// first bucket on for ten ticks after its last one, or until a final one. A
// tick without any bucket is one of which nothing is known. It returns false
// if a series of the bucket was not learned.
func (s *Simulation) Take(writer store.ID, b *bucket.Bucket) bool {
	s.open()
	s.fed = true
	if s.engine.Take(s.tick, writer, b) {
		return true
	}
	for _, id := range s.engine.Unknown(nil, b) { // new, or of a group that was dropped
		if text, ok := s.texts[id]; ok {
			s.engine.Learn(id, text)
		}
	}
	return s.engine.Take(s.tick, writer, b)
}

// open moves the windows on to the open tick.
func (s *Simulation) open() {
	if s.began {
		return
	}
	s.began = true
	s.engine.Evaluated(s.tick - 1)
	s.engine.Advance(s.tick)
}

// Step ends the open tick: what was planned up to then is done, what was due
// before is told, the tick is judged, and what that brings is told.
func (s *Simulation) Step() {
	s.open()
	s.pass(s.end)
	if s.fed {
		s.engine.MarkComplete(s.tick)
	} else {
		s.engine.MarkUnknown(s.tick, s.tick)
		s.unknown += s.cfg.Tick
	}
	s.engine.Folds() // nobody stores them
	changes := s.evaluator.Step(s.engine, evaluate.Tick{N: s.tick, End: s.end, Unknown: s.unknown})
	s.unknown, s.fed, s.began = 0, false, false
	if len(changes) > 0 {
		s.commit(changes, s.end)
	}
	s.decide(s.end)
	s.tick++
	s.end = s.endOf(s.tick)
}

// pass lets time go by until then: actions, and what is due without anything
// new being judged.
func (s *Simulation) pass(until time.Time) {
	for {
		next := until
		if len(s.actions) > 0 && s.actions[0].at.Before(next) {
			next = s.actions[0].at
		}
		if wake := s.desk.wake; !wake.IsZero() && wake.Before(next) {
			next = wake
		}
		for len(s.actions) > 0 && !s.actions[0].at.After(next) {
			do := s.actions[0].do
			s.actions = s.actions[1:]
			do()
		}
		if !next.Before(until) {
			return
		}
		s.decide(next)
	}
}

// commit queues what an evaluation brought.
func (s *Simulation) commit(changes []evaluate.Change, now time.Time) {
	var plan notify.Plan
	view := s.desk.view()
	for i := range changes {
		c := &changes[i]
		a := routing.Alert(c.Alert, routing.Snapshot(c.Alert, s.cfg.Service, s.cfg.Environment))
		plan.Add(notify.OnEvents(view, &a, c.Events, now))
		s.desk.stands(&a)
		if s.cfg.OnChange != nil {
			s.cfg.OnChange(c, now)
		}
	}
	s.desk.apply(&plan)
	s.desk.wake = now
}

// decide tells what is due at now, if anything may be.
func (s *Simulation) decide(now time.Time) {
	if s.desk.wake.IsZero() || s.desk.wake.After(now) {
		return
	}
	for range maxRounds {
		plan := notify.Decide(s.desk.view(), now)
		s.desk.wake = plan.Next
		s.desk.apply(&plan)
		for i := range plan.Send {
			s.send(&plan.Send[i], now)
		}
		if plan.Empty() && len(plan.Send) == 0 {
			return
		}
	}
	panic(fmt.Sprintf("simulate: decisions at %v don't come to rest", now))
}

func (s *Simulation) send(m *notify.Message, now time.Time) {
	var res notify.Result
	if s.cfg.Send != nil {
		res = s.cfg.Send(m, now)
	}
	if s.cfg.OnMessage != nil {
		out := &Message{At: now, Receiver: m.Receiver, Rows: m.Rows, Result: res, Sent: m}
		if !s.cfg.Quiet {
			out.Text = s.renderer.Render(m, now)
		}
		s.cfg.OnMessage(out)
	}
	plan := notify.Settle(s.desk.view(), m, res, now, jitter)
	s.desk.apply(&plan)
}

// Silence keeps messages back from now on, or from its Start if that is
// later.
func (s *Simulation) Silence(silence notify.Silence, now time.Time) error {
	made, err := notify.NewSilence(silence, now, func() string {
		s.ids++
		return "silence-" + strconv.Itoa(s.ids)
	})
	if err != nil {
		return err
	}
	s.desk.silences = append(s.desk.silences, made)
	s.desk.touch(now)
	return nil
}

// Ack says that somebody looks after what an alert tells of now, sticky also
// if it rises. It returns false if the alert doesn't fire.
func (s *Simulation) Ack(alertKey, author string, now, until time.Time, sticky bool) bool {
	a := s.desk.alerts[alertKey]
	if a == nil || !a.Open() {
		return false
	}
	rank := notify.AckRank(s.desk.view(), a)
	s.desk.acks[a.Incident] = &notify.Ack{
		V: notify.RecordVersion, Incident: a.Incident, Author: author, At: now, Until: until, Sticky: sticky,
		Rank: rank, Level: s.desk.config.LevelName(a.Monitor, rank),
	}
	s.desk.touch(now)
	return true
}

// Alerts returns all alerts that there are, in the order of their keys. They
// are valid until the next step.
func (s *Simulation) Alerts() []*evaluate.Alert { return s.evaluator.Alerts() }

// History returns what happened, oldest first.
func (s *Simulation) History() []notify.Entry { return s.desk.history }

// Outbox returns what waits to be told, in the order of its ids.
func (s *Simulation) Outbox() []*notify.Row {
	rows := make([]*notify.Row, 0, len(s.desk.rows))
	for _, id := range slices.Sorted(maps.Keys(s.desk.rows)) {
		rows = append(rows, s.desk.rows[id])
	}
	return rows
}
