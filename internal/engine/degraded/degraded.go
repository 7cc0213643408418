// Package degraded evaluates what this process counts by itself while the Store
// is away, and reconciles that with the ledger when it is back.
//
//	publisher, head of the ledger ─ no sign of life for 30 s ─→ outage begins
//	own buckets ─→ window ─→ evaluate ─→ an outbox in memory ─→ Deliver
//	the Store is back ─→ hand in: alerts fire, who was told is known, messages on
//	                     the way are told again and say so (reconcile.go)
//
// Only growing counters are looked at: what one replica counts is in breach for
// the whole fleet, too. The first three of the replicas that were last known
// tell, one minute after the other. Incidents get ids that all replicas come to
// by themselves, so that what several of them told is one incident afterwards.
package degraded

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/go-batteries/hawkeye/internal/alert"
	"github.com/go-batteries/hawkeye/internal/bucket"
	"github.com/go-batteries/hawkeye/internal/engine/follower"
	"github.com/go-batteries/hawkeye/internal/engine/ruleset"
	"github.com/go-batteries/hawkeye/internal/engine/sentlog"
	"github.com/go-batteries/hawkeye/internal/evaluate"
	"github.com/go-batteries/hawkeye/internal/ledger"
	"github.com/go-batteries/hawkeye/internal/notify"
	"github.com/go-batteries/hawkeye/internal/notify/routing"
	"github.com/go-batteries/hawkeye/internal/publish"
	"github.com/go-batteries/hawkeye/internal/pulse"
	"github.com/go-batteries/hawkeye/internal/samples/clock"
	"github.com/go-batteries/hawkeye/internal/series"
	"github.com/go-batteries/hawkeye/internal/window"
	"github.com/go-batteries/hawkeye/store"
)

const (
	// rankStep is how much later each further replica tells, maxRanks
	// how many do.
	rankStep = 60 * time.Second
	maxRanks = 3
	// maxAlerts is how many alerts a replica tells of while it is blind.
	maxAlerts = 100
	// handInTries is for how long it tries to hand in what it told.
	handInTries = 10 * time.Minute
)

// Config is what a Watch needs. Nothing in it changes.
type Config struct {
	Traits    store.Traits
	Mirror    *ledger.Mirror
	Book      *ledger.Book
	Owner     *ledger.Owner
	Clock     *clock.Clock
	Current   *ruleset.Current
	Sent      *sentlog.Log
	Follower  *follower.Follower
	Publisher *publish.Publisher
	Registry  *series.Registry
	Logger    *slog.Logger

	After                time.Duration // how long the Store, or evaluation, may be away
	Lease                time.Duration // of the agents
	SendTimeout          time.Duration
	Service, Environment string // as messages say them

	// Of the notifier: Deliver sends, and the others log what failed.
	Deliver   func(ctx context.Context, pinned *ruleset.Ruleset, m *notify.Message) notify.Result
	LogFailed func(m *notify.Message, res *notify.Result)
	LogDead   func(ctx context.Context, rows []*notify.Row)
}

// Watch looks whether the Store is away, and does what can be done without it.
// All of it belongs to the goroutine of Run.
type Watch struct {
	cfg     Config
	logger  *slog.Logger
	results chan sendResult

	published standstill[time.Time]
	evaluated standstill[follower.Sign]
}

// New returns a watch that works when Run does.
func New(cfg Config) *Watch {
	return &Watch{cfg: cfg, logger: cfg.Logger, results: make(chan sendResult, 64)}
}

// Run looks once a tick whether the Store is away.
func (w *Watch) Run(ctx context.Context) error {
	step := max(w.cfg.Traits.Tick, 100*time.Millisecond)
	ticker := time.NewTicker(step)
	defer ticker.Stop()
	began := time.Now()
	var out *outage
	alive := pulse.Of(ctx)
	for {
		alive.Rest()
		select {
		case r := <-w.results:
			if out != nil {
				out.settle(r)
			}
			continue
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
		alive.Work()
		away, why := w.away(began, step)
		switch {
		case away >= w.cfg.After && out == nil && w.cfg.Mirror.Refused() == nil:
			out = w.begin(ctx, why)
		case away == 0 && out != nil:
			out.end(ctx)
			out = nil
			continue
		}
		if out != nil {
			out.step(ctx)
		}
	}
}

// standstill measures for how long there was no sign of life of something: in
// time that this process was awake, for when it wakes it has not looked yet.
type standstill[T comparable] struct {
	last   T
	looked time.Time
	quiet  time.Duration
}

// look takes the latest sign of life; step is how often it is called.
func (s *standstill[T]) look(now T, step time.Duration) {
	if now != s.last {
		s.quiet = 0
	} else if !s.looked.IsZero() {
		s.quiet += min(time.Since(s.looked), 2*step)
	}
	s.last, s.looked = now, time.Now()
}

// away returns for how long the fleet has been of no use, and why: the Store
// takes nothing from this process, or nothing is evaluated although it does,
// whatever the reason is (a right that is missing, commits that fail). It is 0
// when neither is so.
func (w *Watch) away(began time.Time, step time.Duration) (time.Duration, string) {
	stats := w.cfg.Publisher.Stats()
	w.published.look(stats.LastSuccess, step)
	w.evaluated.look(w.cfg.Follower.Sign(), step)
	if stats.LastError != nil {
		since := stats.LastSuccess
		if since.IsZero() {
			since = began
		}
		return time.Since(since), "the store is away"
	}
	if quiet := w.published.quiet; quiet > w.cfg.After { // a call that ignores its deadline
		return quiet, "the store doesn't answer"
	}
	// A head is replaced in each tick, and by somebody else after a lease.
	if quiet := w.evaluated.quiet; quiet > max(w.cfg.After, 3*w.cfg.Lease) {
		return quiet, "nothing is evaluated in the fleet"
	}
	return 0, ""
}

// sendResult is how a Send ended.
type sendResult struct {
	id string
	notify.Result
}

// outage is a time without the Store: what this process measures by itself,
// and an outbox of its own, decided about as the fleet's is. It belongs to
// Watch.Run.
type outage struct {
	*Watch
	pinned   *ruleset.Ruleset
	began    time.Time
	rank     int    // among the replicas that were live
	incident string // of the outage itself; what it is made of changes when it is over

	seq     int64 // of the newest bucket that was taken
	engine  *window.Engine
	handles []window.Handle
	eval    *evaluate.Evaluator

	alerts  map[string]*localAlert
	rows    map[string]*notify.Row
	threads map[notify.ThreadKey]*notify.Thread
	clocks  map[string]*notify.Clock
	groups  map[notify.GroupKey]*notify.GroupState
	history []notify.Entry
	sent    []notify.Row
	busy    map[string]*notify.Message
}

// localAlert is one that fires by what this process counted.
type localAlert struct {
	record ledger.AlertRecord
	alert  notify.Alert
}

// begin starts to look at our own counts, those of the last minutes included.
func (w *Watch) begin(ctx context.Context, why string) *outage {
	traits := w.cfg.Traits
	o := &outage{
		Watch: w, pinned: w.cfg.Current.Load(), began: time.Now(), rank: w.rank(), incident: w.id(""),
		engine:  window.New(traits.Tick, traits.Retention, 0),
		alerts:  make(map[string]*localAlert),
		rows:    make(map[string]*notify.Row),
		threads: make(map[notify.ThreadKey]*notify.Thread),
		clocks:  make(map[string]*notify.Clock),
		groups:  make(map[notify.GroupKey]*notify.GroupState),
		busy:    make(map[string]*notify.Message),
	}
	for _, q := range o.pinned.Plan.Queries {
		o.handles = append(o.handles, o.engine.Register(q))
	}
	states := make(map[string]alert.State)
	for key, r := range w.cfg.Book.Alerts() {
		states[key] = r.State
	}
	o.eval = evaluate.New(evaluate.Config{
		Plan: o.pinned.Plan, Handles: o.handles, States: states, Loaded: math.MaxInt64, // we know too little to call anything young
		NewID: func() string { return store.NewID().String() }, // replaced by one that all replicas know
	})
	w.logger.LogAttrs(ctx, slog.LevelError, "only what this process counts is looked at", slog.String("reason", why),
		slog.Duration("after", w.cfg.After), slog.Int("rank", o.rank))
	return o
}

// rank is our place among the replicas that were live when that was last
// known. Who knows of none is the first.
func (w *Watch) rank() int {
	fleet, ok := w.cfg.Book.Fleet()
	if !ok {
		return 0
	}
	var live []string
	self := w.cfg.Publisher.Writer().String()
	for _, id := range fleet.Live() {
		if m := fleet.Writers[id]; id == self || m.Agent && m.Notifier && w.cfg.Owner.Same(m) {
			live = append(live, id)
		}
	}
	if i := slices.Index(live, self); i >= 0 {
		return i
	}
	return len(live)
}

// tells says whether it is our turn to tell.
func (o *outage) tells() bool {
	return o.rank < maxRanks && time.Since(o.began) >= time.Duration(o.rank)*rankStep
}

// step takes what was closed since the last one, judges it, and sends what is
// to be sent.
func (o *outage) step(ctx context.Context) {
	if tick, ok := o.take(); ok {
		changes := o.eval.Step(o.engine, evaluate.Tick{N: tick, End: o.cfg.Clock.End(tick)})
		for i := range changes {
			o.judge(&changes[i])
		}
	}
	if !o.tells() {
		return
	}
	plan := notify.Decide(o.view(), o.cfg.Clock.Now())
	o.apply(&plan)
	for i := range plan.Send {
		o.send(ctx, &plan.Send[i])
	}
}

// take reads our own buckets into the windows.
func (o *outage) take() (tick int64, ok bool) {
	writer := o.cfg.Publisher.Writer()
	var b bucket.Bucket
	for _, held := range o.cfg.Publisher.Held(o.seq) {
		o.seq = held.Seq
		if bucket.Decode(held.Data, &b) != nil {
			continue
		}
		for _, name := range o.cfg.Registry.NamesOf(o.engine.Unknown(nil, &b)) {
			o.engine.Learn(name.ID, name.Text)
		}
		o.engine.Advance(held.Tick)
		o.engine.Take(held.Tick, writer, &b)
		o.engine.MarkPartial(held.Tick)
		tick, ok = max(tick, held.Tick), true
	}
	return tick, ok
}

// judge queues a message about an alert that began to fire by what can only be
// more in the whole fleet.
func (o *outage) judge(c *evaluate.Change) {
	a := c.Alert
	if a.Rule == nil || a.Rule.Source != "" || a.Rule.Monitor.DivideBy != "" || a.Rule.Monitor.CompareTo > 0 ||
		!a.Value.Monotone || !a.State.Phase.Told() || o.alerts[a.Key] != nil || len(o.alerts) >= maxAlerts ||
		o.cfg.Book.Kept(a.Key) {
		return
	}
	i := slices.IndexFunc(c.Events, func(e alert.Event) bool { return e.Kind == alert.Fired && e.HasValue })
	if i < 0 {
		return
	}
	e := c.Events[i]
	e.Incident, e.To, e.Level = o.id(a.Key), a.State.Rank, a.State.Level
	a.State.Incident = e.Incident
	record := ledger.AlertRecord{
		Monitor: a.Rule.Alert.Key, State: a.State, Snapshot: routing.Snapshot(a, o.cfg.Service, o.cfg.Environment),
	}
	record.Snapshot.Blind = true
	na := notify.NewAlert(a.Key, record.Monitor, &record.State)
	na.Snapshot = record.Snapshot
	o.alerts[a.Key] = &localAlert{record: record, alert: na}
	plan := notify.OnEvents(o.view(), &na, []alert.Event{e}, o.cfg.Clock.Now())
	o.apply(&plan)
}

// id makes an incident's id that all replicas come to by themselves: of the
// ledger, and the latest that is known of the alert. With an empty key it is
// that of the outage.
func (w *Watch) id(alertKey string) string {
	last, _ := w.cfg.Mirror.Get(ledger.AlertKey(alertKey))
	if alertKey == "" {
		last, _ = w.cfg.Mirror.Get(ledger.FleetKey)
	}
	epoch := w.cfg.Mirror.Cursor().Epoch
	sum := sha256.Sum256(slices.Concat(epoch[:], last.Commit[:], []byte(alertKey)))
	return hex.EncodeToString(sum[:16])
}

// view is what is decided from: our own outbox, and what was last known of
// the rest.
func (o *outage) view() *notify.View {
	known := o.cfg.Book.View()
	v := &notify.View{
		Alerts: make(map[string]*notify.Alert, len(o.alerts)), Threads: make(map[notify.ThreadKey]*notify.Thread),
		Clocks: o.clocks, Groups: o.groups, Silences: known.Silences, Acks: known.Acks, Sent: known.Sent,
		Config: o.pinned.Routes, Self: o.cfg.Publisher.Writer().String(),
		Capacity: func(receiver string) int {
			for _, m := range o.busy {
				if m.Receiver == receiver {
					return 0
				}
			}
			return 1
		},
	}
	for _, row := range o.rows {
		v.Rows = append(v.Rows, row)
	}
	slices.SortFunc(v.Rows, func(a, b *notify.Row) int { return cmp.Compare(a.ID, b.ID) })
	for key, a := range o.alerts {
		v.Alerts[key] = &a.alert
	}
	for key, t := range known.Threads { // for run_every
		if o.alerts[key.Alert] != nil {
			v.Threads[key] = t
		}
	}
	for key, t := range o.threads {
		v.Threads[key] = t
	}
	return v
}

// apply writes a plan into our own outbox.
func (o *outage) apply(p *notify.Plan) {
	for _, r := range p.Rows {
		if r.Live() {
			o.rows[r.ID] = r
			continue
		}
		delete(o.rows, r.ID)
		if r.Outcome == notify.Sent {
			o.sent = append(o.sent, *r)
		}
	}
	for _, t := range p.Threads {
		o.threads[t.Key()] = t
	}
	for _, c := range p.Clocks {
		o.clocks[c.Alert] = c
	}
	for _, g := range p.Groups {
		o.groups[g.Key()] = g
	}
	if o.history = append(o.history, p.History...); len(o.history) > maxAlerts*10 {
		o.history = o.history[len(o.history)-maxAlerts*10:]
	}
}

// send hands a message to its receiver: one at a time each, so that one that
// hangs costs one goroutine.
func (o *outage) send(ctx context.Context, m *notify.Message) {
	o.busy[m.ID] = m
	pinned, results := o.pinned, o.results
	go func() { // it may outlive the outage, if the receiver ignores its deadline
		attempt, cancel := context.WithTimeout(context.WithoutCancel(ctx), o.cfg.SendTimeout)
		defer cancel()
		res := o.cfg.Deliver(attempt, pinned, m)
		select {
		case results <- sendResult{id: m.ID, Result: res}:
		case <-ctx.Done():
		}
	}()
}

// settle takes note of how a Send ended.
func (o *outage) settle(r sendResult) {
	m := o.busy[r.id]
	if m == nil {
		return // of an outage before this one
	}
	delete(o.busy, r.id)
	now := o.cfg.Clock.Now()
	if r.Kind == notify.Delivered && len(r.Failed) == 0 {
		o.cfg.Sent.Delivered(m, now)
	}
	if r.Error != "" {
		o.cfg.LogFailed(m, &r.Result)
	}
	plan := notify.Settle(o.view(), m, r.Result, now, rand.Float64())
	o.apply(&plan)
	o.cfg.LogDead(context.Background(), plan.Rows)
}
