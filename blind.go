package hawkeye

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
	"github.com/go-batteries/hawkeye/internal/evaluate"
	"github.com/go-batteries/hawkeye/internal/ledger"
	"github.com/go-batteries/hawkeye/internal/notify"
	"github.com/go-batteries/hawkeye/internal/pulse"
	"github.com/go-batteries/hawkeye/internal/window"
	"github.com/go-batteries/hawkeye/store"
)

const (
	// DefaultBlindAfter is how long a shared Store may be away before a
	// replica looks at its own counts alone.
	DefaultBlindAfter = 30 * time.Second
	// blindStep is how much later each further replica tells, maxBlindRanks
	// how many do.
	blindStep     = 60 * time.Second
	maxBlindRanks = 3
	// maxBlindAlerts is how many alerts a replica tells of while it is blind.
	maxBlindAlerts = 100
	// blindTries is for how long it tries to hand in what it told.
	blindTries = 10 * time.Minute
)

// WithBlindAfter sets how long a shared Store may be away, or nothing may be
// evaluated in the whole fleet for another reason, before this process
// evaluates what it counts itself, and tells of it if it is among the first
// three of the replicas it last knew. Only growing counters are looked at:
// what one replica counts is in breach for the whole fleet, too. Default
// [DefaultBlindAfter].
func WithBlindAfter(d time.Duration) Option {
	return optionFunc(func(c *config) { c.blindAfter = c.positive("WithBlindAfter", d) })
}

// blind is the watch over a Store that is away.
type blind struct {
	h       *Hawkeye
	logger  *slog.Logger
	results chan sendResult

	published standstill[time.Time]     // for run alone
	evaluated standstill[follower.Sign] // for run alone
}

func newBlind(h *Hawkeye) *blind {
	return &blind{h: h, logger: h.logger, results: make(chan sendResult, 64)}
}

// run looks once a tick whether the Store is away.
func (b *blind) run(ctx context.Context) error {
	step := max(b.h.store.Traits().Tick, 100*time.Millisecond)
	ticker := time.NewTicker(step)
	defer ticker.Stop()
	began := time.Now()
	var out *outage
	alive := pulse.Of(ctx)
	for {
		alive.Rest()
		select {
		case r := <-b.results:
			if out != nil {
				out.settle(r)
			}
			continue
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
		alive.Work()
		away, why := b.away(began, step)
		switch {
		case away >= b.h.cfg.blindAfter && out == nil && b.h.mirror.Refused() == nil:
			out = b.begin(ctx, why)
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
func (b *blind) away(began time.Time, step time.Duration) (time.Duration, string) {
	stats := b.h.publisher.Stats()
	b.published.look(stats.LastSuccess, step)
	b.evaluated.look(b.h.follower.Sign(), step)
	if stats.LastError != nil {
		since := stats.LastSuccess
		if since.IsZero() {
			since = began
		}
		return time.Since(since), "the store is away"
	}
	if quiet := b.published.quiet; quiet > b.h.cfg.blindAfter { // a call that ignores its deadline
		return quiet, "the store doesn't answer"
	}
	// A head is replaced in each tick, and by somebody else after a lease.
	if quiet := b.evaluated.quiet; quiet > max(b.h.cfg.blindAfter, 3*b.h.agent.Lease()) {
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
// blind.run.
type outage struct {
	*blind
	setup    *ruleset.Ruleset
	began    time.Time
	rank     int    // among the replicas that were live
	incident string // of the outage itself; what it is made of changes when it is over

	seq     int64 // of the newest bucket that was taken
	engine  *window.Engine
	handles []window.Handle
	eval    *evaluate.Evaluator

	alerts  map[string]*blindAlert
	rows    map[string]*notify.Row
	threads map[notify.ThreadKey]*notify.Thread
	clocks  map[string]*notify.Clock
	groups  map[notify.GroupKey]*notify.GroupState
	history []notify.Entry
	sent    []notify.Row
	busy    map[string]*notify.Message
}

// blindAlert is one that fires by what this process counted.
type blindAlert struct {
	record ledger.AlertRecord
	alert  notify.Alert
}

// begin starts to look at our own counts, those of the last minutes included.
func (b *blind) begin(ctx context.Context, why string) *outage {
	traits := b.h.store.Traits()
	o := &outage{
		blind: b, setup: b.h.setup(), began: time.Now(), rank: b.rank(), incident: b.id(""),
		engine:  window.New(traits.Tick, traits.Retention, 0),
		alerts:  make(map[string]*blindAlert),
		rows:    make(map[string]*notify.Row),
		threads: make(map[notify.ThreadKey]*notify.Thread),
		clocks:  make(map[string]*notify.Clock),
		groups:  make(map[notify.GroupKey]*notify.GroupState),
		busy:    make(map[string]*notify.Message),
	}
	for _, q := range o.setup.Plan.Queries {
		o.handles = append(o.handles, o.engine.Register(q))
	}
	states := make(map[string]alert.State)
	for key, r := range b.h.book.Alerts() {
		states[key] = r.State
	}
	o.eval = evaluate.New(evaluate.Config{
		Plan: o.setup.Plan, Handles: o.handles, States: states, Loaded: math.MaxInt64, // we know too little to call anything young
		NewID: func() string { return store.NewID().String() }, // replaced by one that all replicas know
	})
	b.logger.LogAttrs(ctx, slog.LevelError, "only what this process counts is looked at", slog.String("reason", why),
		slog.Duration("after", b.h.cfg.blindAfter), slog.Int("rank", o.rank))
	return o
}

// rank is our place among the replicas that were live when that was last
// known. Who knows of none is the first.
func (b *blind) rank() int {
	fleet, ok := b.h.book.Fleet()
	if !ok {
		return 0
	}
	var live []string
	self := b.h.publisher.Writer().String()
	for _, id := range fleet.Live() {
		if m := fleet.Writers[id]; id == self || m.Agent && m.Notifier && b.h.owner.Same(m) {
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
	return o.rank < maxBlindRanks && time.Since(o.began) >= time.Duration(o.rank)*blindStep
}

// step takes what was closed since the last one, judges it, and sends what is
// to be sent.
func (o *outage) step(ctx context.Context) {
	if tick, ok := o.take(); ok {
		changes := o.eval.Step(o.engine, evaluate.Tick{N: tick, End: o.h.clock().End(tick)})
		for i := range changes {
			o.judge(&changes[i])
		}
	}
	if !o.tells() {
		return
	}
	plan := notify.Decide(o.view(), o.h.clock().Now())
	o.apply(&plan)
	for i := range plan.Send {
		o.send(ctx, &plan.Send[i])
	}
}

// take reads our own buckets into the windows.
func (o *outage) take() (tick int64, ok bool) {
	writer := o.h.publisher.Writer()
	var b bucket.Bucket
	for _, held := range o.h.publisher.Held(o.seq) {
		o.seq = held.Seq
		if bucket.Decode(held.Data, &b) != nil {
			continue
		}
		for _, name := range o.h.reg.NamesOf(o.engine.Unknown(nil, &b)) {
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
		!a.Value.Monotone || !a.State.Phase.Told() || o.alerts[a.Key] != nil || len(o.alerts) >= maxBlindAlerts ||
		o.h.book.Kept(a.Key) {
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
		Monitor: a.Rule.Alert.Key, State: a.State, Snapshot: a.Snapshot(o.h.cfg.service, o.h.cfg.environment),
	}
	record.Snapshot.Blind = true
	na := notify.NewAlert(a.Key, record.Monitor, &record.State)
	na.Snapshot = record.Snapshot
	o.alerts[a.Key] = &blindAlert{record: record, alert: na}
	plan := notify.OnEvents(o.view(), &na, []alert.Event{e}, o.h.clock().Now())
	o.apply(&plan)
}

// id makes an incident's id that all replicas come to by themselves: of the
// ledger, and the latest that is known of the alert. With an empty key it is
// that of the outage.
func (b *blind) id(alertKey string) string {
	last, _ := b.h.mirror.Get(ledger.AlertKey(alertKey))
	if alertKey == "" {
		last, _ = b.h.mirror.Get(ledger.FleetKey)
	}
	epoch := b.h.mirror.Cursor().Epoch
	sum := sha256.Sum256(slices.Concat(epoch[:], last.Commit[:], []byte(alertKey)))
	return hex.EncodeToString(sum[:16])
}

// view is what is decided from: our own outbox, and what was last known of
// the rest.
func (o *outage) view() *notify.View {
	known := o.h.book.View()
	v := &notify.View{
		Alerts: make(map[string]*notify.Alert, len(o.alerts)), Threads: make(map[notify.ThreadKey]*notify.Thread),
		Clocks: o.clocks, Groups: o.groups, Silences: known.Silences, Acks: known.Acks, Sent: known.Sent,
		Config: o.setup.Routes, Self: o.h.publisher.Writer().String(),
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
	if o.history = append(o.history, p.History...); len(o.history) > maxBlindAlerts*10 {
		o.history = o.history[len(o.history)-maxBlindAlerts*10:]
	}
}

// send hands a message to its receiver: one at a time each, so that one that
// hangs costs one goroutine.
func (o *outage) send(ctx context.Context, m *notify.Message) {
	o.busy[m.ID] = m
	set, n, results, timeout := o.setup, o.h.notifier, o.results, o.h.cfg.sendTimeout
	go func() { // it may outlive the outage, if the receiver ignores its deadline
		attempt, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
		defer cancel()
		res := n.Deliver(attempt, set, m)
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
	now := o.h.clock().Now()
	if r.Kind == notify.Delivered && len(r.Failed) == 0 {
		o.h.sent.Delivered(m, now)
	}
	if r.Error != "" {
		o.h.notifier.LogFailed(m, &r.Result)
	}
	plan := notify.Settle(o.view(), m, r.Result, now, rand.Float64())
	o.apply(&plan)
	o.h.notifier.LogDead(context.Background(), plan.Rows)
}
