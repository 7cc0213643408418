//go:build unix

// Package redis measures a fleet on a real redis-server on a loopback port,
// beside the layout of the system that hawkeye replaces: for each event an
// HSET of its count and a ZADD of its time; for each evaluation a
// ZRANGEBYSCORE of the window and an HGET for each member.
//
// Beside the client's time there are, per operation: server-µs, the processor
// time of the server's main thread; command-µs, the part of it that ran
// commands and not the network; B-in and B-out, the bytes that it got and sent;
// commands.
package redis

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/go-batteries/hawkeye/internal/bucket"
	"github.com/go-batteries/hawkeye/internal/publish"
	"github.com/go-batteries/hawkeye/internal/series"
	"github.com/go-batteries/hawkeye/store"
	"github.com/go-batteries/hawkeye/store/redisstore"
	"github.com/go-batteries/hawkeye/store/redisstore/redistest"
)

// TestMain silences go-redis, which logs each attempt to reach a server that
// is still starting.
func TestMain(m *testing.M) {
	redis.SetLogger(silence{})
	os.Exit(m.Run())
}

type silence struct{}

func (silence) Printf(context.Context, string, ...any) {}

var quiet = slog.New(slog.DiscardHandler)

// usage is what a server has used since it started.
type usage struct{ micros, running, in, out, commands, memory float64 }

func used(b *testing.B, c *redis.Client) (u usage) {
	b.Helper()
	info := ""
	for _, section := range []string{"cpu", "stats", "memory", "commandstats"} {
		text, err := c.Info(b.Context(), section).Result()
		if err != nil {
			b.Fatal(err)
		}
		info += text
	}
	fields := map[string]float64{}
	for line := range strings.Lines(info) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if _, usec, ok := strings.Cut(value, ",usec="); ok { // cmdstat_get:calls=1,usec=2,...
			usec, _, _ = strings.Cut(usec, ",")
			n, _ := strconv.ParseFloat(usec, 64)
			u.running += n
		}
		if n, err := strconv.ParseFloat(value, 64); err == nil {
			fields[name] = n
		}
	}
	u.micros = 1e6 * (fields["used_cpu_sys_main_thread"] + fields["used_cpu_user_main_thread"])
	u.in = fields["total_net_input_bytes"]
	u.out = fields["total_net_output_bytes"]
	u.commands = fields["total_commands_processed"]
	u.memory = fields["used_memory"]
	return u
}

// reportUsed reports what n operations used since before.
func reportUsed(b *testing.B, c *redis.Client, before usage, n int) {
	b.Helper()
	after := used(b, c)
	b.ReportMetric((after.micros-before.micros)/float64(n), "server-µs/op")
	b.ReportMetric((after.running-before.running)/float64(n), "command-µs/op")
	b.ReportMetric((after.in-before.in)/float64(n), "B-in/op")
	b.ReportMetric((after.out-before.out)/float64(n), "B-out/op")
	b.ReportMetric((after.commands-before.commands)/float64(n), "commands/op")
}

func metric(i int) string { return fmt.Sprint("metric.", i) }

// replica is a process with a number of counters.
type replica struct {
	*series.Registry
	writer   store.ID
	counters []*series.Counter
	data     bucket.Bucket
	encoded  []byte
	newest   int64 // the tick that it published last, for who asks
}

func newReplica(n int) *replica {
	r := &replica{Registry: series.New(series.Limits{}), writer: store.NewID()}
	for i := range n {
		r.counters = append(r.counters, r.Counter(metric(i)))
	}
	return r
}

// flush publishes a tick in which the first busy counters were counted once,
// and looks for older ones as a publisher does.
func (r *replica) flush(b *testing.B, s store.Store, tick int64, busy int) {
	b.Helper()
	for _, c := range r.counters[:busy] {
		c.Inc()
	}
	r.Collect(&r.data, false)
	r.encoded = bucket.Append(r.encoded[:0], &r.data)
	p := store.Publication{
		Writer: r.writer, Check: lookedFor(tick),
		Buckets: []store.Bucket{{Tick: tick, Writer: r.writer, Data: r.encoded}},
	}
	ctx, cancel := context.WithTimeout(b.Context(), publish.DefaultFlushTimeout)
	defer cancel()
	if _, err := s.Publish(ctx, p); err != nil {
		b.Fatal(err)
	}
}

// lookedFor are the ticks that a publisher of tick looks for if all is well:
// the newest, that of 15 s before, and two others in turn.
func lookedFor(tick int64) []int64 { return []int64{tick - 1, tick - 16, tick - 140, tick - 141} }

// publishNames tells the store the names of the replica's series.
func (r *replica) publishNames(b *testing.B, s store.Store) {
	b.Helper()
	names, _ := r.Names(0)
	if _, err := s.Publish(b.Context(), store.Publication{Writer: r.writer, Names: names}); err != nil {
		b.Fatal(err)
	}
}

// newClient is a client with the settings that docs/redis.md recommends.
func newClient(b *testing.B, s *redistest.Server) *redis.Client {
	b.Helper()
	o := s.Options()
	o.ContextTimeoutEnabled = true
	c := redis.NewClient(o)
	b.Cleanup(func() { c.Close() })
	return c
}

func newStore(c *redis.Client) *redisstore.Store {
	return redisstore.New(c, redisstore.WithLogger(quiet))
}
