// Package membership knows which replicas are there, and whose configuration
// decides.
//
//	buckets ─ Took ─→ Roster ─ Fleet ─→ ledger's Fleet record ─→ every replica's copy
//	(read by the                          (by whoever evaluates)        │
//	 evaluator)                                                         ↓
//	             Winner, Wanted, Outranked, Decides, Succeeded, Gone ←──┘
//
// Each writer says in its buckets who it is: which configuration it runs, and
// whether it evaluates and sends. Only the evaluator reads buckets; it writes
// down who is live, and all others go by that record. Of the configurations that
// live agents run the one with the highest generation wins, else the one that
// the ledger saw first at the latest time. Our own configuration is always the
// one in force.
package membership

import (
	"context"
	"sync"
	"time"

	"github.com/go-batteries/hawkeye/internal/alert"
	"github.com/go-batteries/hawkeye/internal/bucket"
	"github.com/go-batteries/hawkeye/internal/engine/ruleset"
	"github.com/go-batteries/hawkeye/internal/engine/sentlog"
	"github.com/go-batteries/hawkeye/internal/ledger"
	"github.com/go-batteries/hawkeye/internal/notify"
	"github.com/go-batteries/hawkeye/internal/publish"
	"github.com/go-batteries/hawkeye/internal/window"
	"github.com/go-batteries/hawkeye/store"
)

// keepLeft is for how many ticks those that said goodbye are remembered: they
// may still be sending.
const keepLeft = 120

// Formats are those that this version reads, which replicas tell each other: a
// format that is new may be written when all of them read it.
var Formats = ledger.Formats{Bucket: bucket.Version, Record: notify.RecordVersion, State: alert.StateVersion}

// Config is what a Roster needs. Nothing in it changes.
type Config struct {
	Mirror  *ledger.Mirror
	Book    *ledger.Book
	Owner   *ledger.Owner
	Current *ruleset.Current
	Sent    *sentlog.Log
	Writer  func() store.ID // under which this process publishes; it may be drawn anew

	Recovered func() time.Time // when this process last found the Store again

	Agent, Notifier bool           // what this process does
	Reads           ledger.Formats // what it reads
}

// Roster is who is there, by what their buckets say. Only the evaluator reads
// buckets; it tells the others by the ledger's Fleet record. It is safe for
// concurrent use.
type Roster struct {
	cfg Config

	mu      sync.Mutex // guards what follows
	members map[string]ledger.Member
	seen    map[string]int64 // the newest bucket of each
}

// New returns a roster that knows what the ledger says.
func New(cfg Config) *Roster {
	return &Roster{cfg: cfg, members: make(map[string]ledger.Member), seen: make(map[string]int64)}
}

// Self is what this process says of itself.
func (r *Roster) Self() ledger.Member {
	return ledger.Member{
		Config: r.cfg.Current.Load().Set.Hash, Agent: r.cfg.Agent, Notifier: r.cfg.Notifier, Reads: r.cfg.Reads,
		Service: r.cfg.Owner.Service,
	}
}

// Took takes what a bucket says of its writer and of what that has sent.
func (r *Roster) Took(tick int64, writer store.ID, b *bucket.Bucket) {
	said := r.cfg.Sent.Read(b.Notes)
	id := writer.String()
	r.mu.Lock()
	defer r.mu.Unlock()
	m := r.members[id]
	if said != nil {
		said.Left = m.Left
		m = *said
	}
	if b.Final {
		m.Left = tick
	}
	r.members[id] = m
	r.seen[id] = max(r.seen[id], tick)
}

// Fleet returns who is live at a tick, or has just left.
func (r *Roster) Fleet(tick int64, live []store.ID) *ledger.Fleet {
	before, _ := r.cfg.Book.Fleet()
	r.mu.Lock()
	defer r.mu.Unlock()
	f := &ledger.Fleet{Tick: tick, Writers: make(map[string]ledger.Member, len(live)+1)}
	for _, w := range live {
		id := w.String()
		m, known := r.members[id]
		if before != nil && (!known || m.Config == "") {
			m = before.Writers[id]
		}
		f.Writers[id] = m
	}
	for id, m := range r.members {
		if m.Left > tick-keepLeft && m.Left <= tick {
			f.Writers[id] = m
		} else if r.seen[id] < tick-keepLeft {
			delete(r.members, id)
			delete(r.seen, id)
		}
	}
	if self := r.cfg.Writer().String(); f.Writers[self].Left == 0 {
		f.Writers[self] = r.Self()
	}
	f.Reads = f.Lowest()
	return f
}

// Configs returns the configurations that live agents run, our own among
// them, by hash. Those of which a newer version keeps the record, and with an
// empty hash those of a fleet of which it does, are zero: they win over none.
func (r *Roster) Configs() map[string]*ledger.ConfigRecord {
	known := r.cfg.Book.Configs()
	live := make(map[string]*ledger.ConfigRecord)
	if fleet, ok := r.cfg.Book.Fleet(); ok {
		for _, m := range fleet.Writers {
			switch c := known[m.Config]; {
			case !m.Agent || m.Left != 0 || !r.cfg.Owner.Same(m):
			case c != nil:
				live[m.Config] = c
			case r.cfg.Mirror.IsNewer(ledger.ConfigKey(m.Config)):
				live[m.Config] = new(ledger.ConfigRecord)
			}
		}
	} else if r.cfg.Mirror.IsNewer(ledger.FleetKey) {
		live[""] = new(ledger.ConfigRecord)
	}
	if own := known[r.cfg.Current.Load().Set.Hash]; own != nil {
		live[r.cfg.Current.Load().Set.Hash] = own
	}
	return live
}

// Winner returns the hash of the configuration that decides: of those that
// live agents run the one with the highest generation, else the one that the
// ledger has known for the shortest time. Ours if nothing else is known.
func (r *Roster) Winner() string {
	return newest(r.Configs(), r.cfg.Current.Load().Set.Hash)
}

// newest returns the configuration that wins over the others, fallback if
// there are none.
func newest(configs map[string]*ledger.ConfigRecord, fallback string) string {
	var winner string
	for hash, c := range configs {
		if winner == "" || c.Newer(hash, configs[winner], winner) {
			winner = hash
		}
	}
	if winner == "" {
		return fallback
	}
	return winner
}

// Wanted says whether some live agent has the monitor of an alert, or may have
// it.
func (r *Roster) Wanted() func(monitorKey string) bool {
	keys := make(map[string]bool)
	for _, c := range r.Configs() {
		if c.First == 0 { // a newer version's
			return func(string) bool { return true }
		}
		for _, key := range c.Keys {
			keys[key] = true
		}
	}
	return func(key string) bool { return keys[key] }
}

// Outranked says whether a live process with a notifier has the winning
// configuration while we have another: it knows better whom to tell.
func (r *Roster) Outranked() bool {
	if !r.cfg.Owner.Traits.Shared {
		return false
	}
	own, winner := r.cfg.Current.Load().Set.Hash, r.Winner()
	fleet, ok := r.cfg.Book.Fleet()
	if !ok && r.cfg.Mirror.IsNewer(ledger.FleetKey) {
		head, _, _, err := r.cfg.Mirror.Head()
		return err != nil || head.Config != own // whoever evaluates has more to go by
	}
	if !ok || winner == own {
		return false
	}
	for _, m := range fleet.Writers {
		if m.Config == winner && m.Notifier && m.Left == 0 && r.cfg.Owner.Same(m) {
			return true
		}
	}
	return false
}

// Decides says whether whom to tell is ours to say: no newer configuration is
// known, and the alerts stand as they were judged by ours.
func (r *Roster) Decides() bool {
	own := r.cfg.Current.Load().Set.Hash
	head, _, ok, err := r.cfg.Mirror.Head()
	if err != nil || ok && head.Config != own {
		return false
	}
	return !r.cfg.Owner.Traits.Shared || r.Winner() == own
}

// Succeeded says whether another live process sends what we leave.
func (r *Roster) Succeeded() bool {
	fleet, ok := r.cfg.Book.Fleet()
	if !ok {
		return false
	}
	self := r.cfg.Writer().String()
	for id, m := range fleet.Writers {
		if id != self && m.Notifier && m.Left == 0 && r.cfg.Owner.Same(m) {
			return true
		}
	}
	return false
}

// Gone says whether a writer, which did something at a tick, has vanished
// since without a goodbye: not live for more than ten ticks.
//
// After an outage of the Store replicas find it again at different times, and
// who is late looks like one that vanished. So once we have found it again, we
// wait for as long as another one may take.
func (r *Roster) Gone(writer string, at int64) bool {
	if time.Since(r.cfg.Recovered()) < publish.MaxRetry+window.LiveTicks*r.cfg.Owner.Traits.Tick {
		return false
	}
	fleet, ok := r.cfg.Book.Fleet()
	if !ok {
		return false
	}
	if _, there := fleet.Writers[writer]; there {
		return false
	}
	// The record is as of its last change; that it still holds is known by
	// the head, which moves on with each tick.
	head, _, ok, err := r.cfg.Mirror.Head()
	return err == nil && ok && head.Tick > at+window.LiveTicks
}

// Register adds our configuration to those that the ledger has seen.
func (r *Roster) Register(ctx context.Context) error {
	own := r.cfg.Current.Load().Set.Hash
	if r.cfg.Book.Configs()[own] != nil || r.cfg.Mirror.IsNewer(ledger.ConfigKey(own)) {
		return nil
	}
	tx := r.cfg.Mirror.Begin()
	c := ledger.ConfigRecord{Generation: r.cfg.Current.Load().Set.Generation}
	for _, rule := range r.cfg.Current.Load().Plan.Rules {
		c.Keys = append(c.Keys, rule.Alert.Key)
	}
	if err := r.cfg.Book.PutConfig(tx, own, c); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, ledger.CommitTimeout)
	defer cancel()
	return r.cfg.Mirror.Commit(ctx, tx)
}
