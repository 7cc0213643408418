package hawkeye

import (
	"context"
	"log/slog"
	"maps"
	"sync"

	"github.com/go-batteries/hawkeye/internal/alert"
	"github.com/go-batteries/hawkeye/internal/bucket"
	"github.com/go-batteries/hawkeye/internal/ledger"
	"github.com/go-batteries/hawkeye/internal/notify"
	"github.com/go-batteries/hawkeye/store"
)

// keepLeft is for how many ticks those that said goodbye are remembered: they
// may still be sending.
const keepLeft = 120

// formats are those that this version reads, which replicas tell each other:
// a format that is new may be written when all of them read it.
var formats = ledger.Formats{Bucket: bucket.Version, Record: notify.RecordVersion, State: alert.StateVersion}

// roster is who is there, by what their buckets say. Only the evaluator reads
// buckets; it tells the others by the ledger's Fleet record.
type roster struct {
	h *Hawkeye

	mu      sync.Mutex // guards what follows
	members map[string]ledger.Member
	seen    map[string]int64 // the newest bucket of each
}

func newRoster(h *Hawkeye) *roster {
	return &roster{h: h, members: make(map[string]ledger.Member), seen: make(map[string]int64)}
}

// self is what this process says of itself.
func (r *roster) self() ledger.Member {
	return ledger.Member{
		Config: r.h.setup().Set.Hash, Agent: !r.h.cfg.noAgent, Notifier: !r.h.cfg.noNotifier, Reads: r.h.cfg.reads,
		Service: r.h.cfg.identity(),
	}
}

// took takes what a bucket says of its writer and of what that has sent.
func (r *roster) took(tick int64, writer store.ID, b *bucket.Bucket) {
	said := r.h.sent.Read(b.Notes)
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

// fleet returns who is live at a tick, or has just left.
func (r *roster) fleet(tick int64, live []store.ID) *ledger.Fleet {
	before, _ := r.h.book.Fleet()
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
	if self := r.h.publisher.Writer().String(); f.Writers[self].Left == 0 {
		f.Writers[self] = r.self()
	}
	f.Reads = f.Lowest()
	return f
}

// configs returns the configurations that live agents run, our own among
// them, by hash. Those of which a newer version keeps the record, and with an
// empty hash those of a fleet of which it does, are zero: they win over none.
func (r *roster) configs() map[string]*ledger.ConfigRecord {
	known := r.h.book.Configs()
	live := make(map[string]*ledger.ConfigRecord)
	if fleet, ok := r.h.book.Fleet(); ok {
		for _, m := range fleet.Writers {
			switch c := known[m.Config]; {
			case !m.Agent || m.Left != 0 || !r.h.cfg.same(m):
			case c != nil:
				live[m.Config] = c
			case r.h.mirror.IsNewer(ledger.ConfigKey(m.Config)):
				live[m.Config] = new(ledger.ConfigRecord)
			}
		}
	} else if r.h.mirror.IsNewer(ledger.FleetKey) {
		live[""] = new(ledger.ConfigRecord)
	}
	if own := known[r.h.setup().Set.Hash]; own != nil {
		live[r.h.setup().Set.Hash] = own
	}
	return live
}

// winner returns the hash of the configuration that decides: of those that
// live agents run the one with the highest generation, else the one that the
// ledger has known for the shortest time. Ours if nothing else is known.
func (r *roster) winner() string {
	return newest(r.configs(), r.h.setup().Set.Hash)
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

// wanted says whether some live agent has the monitor of an alert, or may have
// it.
func (r *roster) wanted() func(monitorKey string) bool {
	keys := make(map[string]bool)
	for _, c := range r.configs() {
		if c.First == 0 { // a newer version's
			return func(string) bool { return true }
		}
		for _, key := range c.Keys {
			keys[key] = true
		}
	}
	return func(key string) bool { return keys[key] }
}

// outranked says whether a live process with a notifier has the winning
// configuration while we have another: it knows better whom to tell.
func (r *roster) outranked() bool {
	if !r.h.store.Traits().Shared {
		return false
	}
	own, winner := r.h.setup().Set.Hash, r.winner()
	fleet, ok := r.h.book.Fleet()
	if !ok && r.h.mirror.IsNewer(ledger.FleetKey) {
		head, _, _, err := r.h.mirror.Head()
		return err != nil || head.Config != own // whoever evaluates has more to go by
	}
	if !ok || winner == own {
		return false
	}
	for _, m := range fleet.Writers {
		if m.Config == winner && m.Notifier && m.Left == 0 && r.h.cfg.same(m) {
			return true
		}
	}
	return false
}

// decides says whether whom to tell is ours to say: no newer configuration is
// known, and the alerts stand as they were judged by ours.
func (r *roster) decides() bool {
	own := r.h.setup().Set.Hash
	head, _, ok, err := r.h.mirror.Head()
	if err != nil || ok && head.Config != own {
		return false
	}
	return !r.h.store.Traits().Shared || r.winner() == own
}

// succeeded says whether another live process sends what we leave.
func (r *roster) succeeded() bool {
	fleet, ok := r.h.book.Fleet()
	if !ok {
		return false
	}
	self := r.h.publisher.Writer().String()
	for id, m := range fleet.Writers {
		if id != self && m.Notifier && m.Left == 0 && r.h.cfg.same(m) {
			return true
		}
	}
	return false
}

// gone says whether a writer, which did something at a tick, has vanished
// since without a goodbye: not live for more than ten ticks.
func (r *roster) gone(writer string, at int64) bool {
	fleet, ok := r.h.book.Fleet()
	if !ok {
		return false
	}
	if _, there := fleet.Writers[writer]; there {
		return false
	}
	// The record is as of its last change; that it still holds is known by
	// the head, which moves on with each tick.
	head, _, ok, err := r.h.mirror.Head()
	return err == nil && ok && head.Tick > at+liveTicks
}

// liveTicks is how long a writer is live after a bucket, in ticks.
const liveTicks = 10

// register adds our configuration to those that the ledger has seen.
func (r *roster) register(ctx context.Context) error {
	own := r.h.setup().Set.Hash
	if r.h.book.Configs()[own] != nil || r.h.mirror.IsNewer(ledger.ConfigKey(own)) {
		return nil
	}
	tx := r.h.mirror.Begin()
	c := ledger.ConfigRecord{Generation: r.h.setup().Set.Generation}
	for _, rule := range r.h.setup().Plan.Rules {
		c.Keys = append(c.Keys, rule.Alert.Key)
	}
	if err := r.h.book.PutConfig(tx, own, c); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	return r.h.mirror.Commit(ctx, tx)
}

// sameConfigs says whether two sets of configurations have the same hashes.
func sameConfigs(a, b map[string]*ledger.ConfigRecord) bool {
	return maps.EqualFunc(a, b, func(*ledger.ConfigRecord, *ledger.ConfigRecord) bool { return true })
}

// logLoses says that another configuration decides: once, also if its replicas
// come and go, until there is another winner.
func (a *agent) logLoses(ctx context.Context, winner string) {
	if a.lostTo == winner {
		return
	}
	a.lostTo = winner
	a.logger.LogAttrs(ctx, slog.LevelWarn, "another replica has a newer configuration, which decides",
		slog.String("ours", a.h.setup().Set.Hash), slog.String("theirs", winner))
}
