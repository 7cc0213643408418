package redisstore_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/go-batteries/hawkeye/store"
	"github.com/go-batteries/hawkeye/store/redisstore"
)

func TestValidate(t *testing.T) {
	t.Parallel()
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1"})
	defer client.Close()
	var none *redis.Client
	ring := redis.NewRing(&redis.RingOptions{Addrs: map[string]string{"a": "127.0.0.1:1"}})
	defer ring.Close()
	for _, c := range []struct {
		name   string
		client redis.UniversalClient
		opts   []redisstore.Option
		want   []string // nil: valid
	}{
		{"defaults", client, nil, nil},
		{"smallest", client, []redisstore.Option{
			redisstore.WithPrefix("a"), redisstore.WithTick(10 * time.Millisecond),
			redisstore.WithRetention(200 * time.Millisecond), redisstore.WithLedgerTTL(time.Hour),
		}, nil},
		{"retention before tick", client, []redisstore.Option{
			redisstore.WithRetention(time.Second), redisstore.WithTick(50 * time.Millisecond),
		}, nil},
		{"prefix with colon", client, []redisstore.Option{redisstore.WithPrefix("team:checkout")}, nil},
		{"nil client", nil, nil, []string{"client is nil"}},
		{"nil pointer", none, nil, []string{"client is nil"}},
		{"ring", ring, nil, []string{"Ring"}},
		{"empty prefix", client, []redisstore.Option{redisstore.WithPrefix("")}, []string{"WithPrefix"}},
		{"hash tag in prefix", client, []redisstore.Option{redisstore.WithPrefix("{a}")}, []string{"WithPrefix"}},
		{"pattern in prefix", client, []redisstore.Option{redisstore.WithPrefix("a*")}, []string{"WithPrefix"}},
		{"space in prefix", client, []redisstore.Option{redisstore.WithPrefix("a b")}, []string{"WithPrefix"}},
		{"unicode in prefix", client, []redisstore.Option{redisstore.WithPrefix("höhe")}, []string{"WithPrefix"}},
		{"long prefix", client, []redisstore.Option{redisstore.WithPrefix(strings.Repeat("a", 101))}, []string{"WithPrefix"}},
		{"short tick", client, []redisstore.Option{redisstore.WithTick(9 * time.Millisecond)}, []string{"WithTick"}},
		{"odd tick", client, []redisstore.Option{redisstore.WithTick(time.Second + 1)}, []string{"WithTick"}},
		{"long tick", client, []redisstore.Option{redisstore.WithTick(2 * time.Minute), redisstore.WithRetention(time.Hour)}, []string{"WithTick"}},
		{"negative retention", client, []redisstore.Option{redisstore.WithRetention(-1)}, []string{"WithRetention"}},
		{"long retention", client, []redisstore.Option{redisstore.WithRetention(25 * time.Hour)}, []string{"WithRetention"}},
		{"short ledger", client, []redisstore.Option{redisstore.WithLedgerTTL(time.Minute)}, []string{"WithLedgerTTL"}},
		{"ledger shorter than samples", client, []redisstore.Option{
			redisstore.WithLedgerTTL(time.Hour), redisstore.WithRetention(2 * time.Hour),
		}, []string{"WithLedgerTTL"}},
		{"nil logger", client, []redisstore.Option{redisstore.WithLogger(nil)}, []string{"WithLogger"}},
		{"all at once", nil, []redisstore.Option{
			redisstore.WithLogger(nil), redisstore.WithTick(0), redisstore.WithPrefix(""), redisstore.WithRetention(-1), redisstore.WithLedgerTTL(0),
		}, []string{"client", "WithLogger", "WithTick", "WithPrefix", "WithRetention", "WithLedgerTTL"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			err := redisstore.New(c.client, c.opts...).Validate()
			if (err == nil) != (c.want == nil) {
				t.Fatalf("Validate() = %v, want mentions of %q", err, c.want)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) || !errors.Is(err, redisstore.ErrInvalidOption) {
					t.Errorf("Validate() = %v, want ErrInvalidOption and a mention of %q", err, want)
				}
			}
		})
	}
}

// TestInvalidStoreFailsAtFirstUse: whoever doesn't call Validate gets its
// error all the same.
func TestInvalidStoreFailsAtFirstUse(t *testing.T) {
	t.Parallel()
	s, ctx := redisstore.New(nil), t.Context()
	for call, do := range map[string]func() error{
		"Now":      func() error { _, err := s.Now(ctx); return err },
		"Publish":  func() error { _, err := s.Publish(ctx, store.Publication{}); return err },
		"Read":     func() error { _, err := s.Read(ctx, []store.TickQuery{{}}); return err },
		"Names":    func() error { _, err := s.Names(ctx, []uint64{1}); return err },
		"Changes":  func() error { _, err := s.Changes(ctx, store.Cursor{}); return err },
		"Commit":   func() error { _, err := s.Commit(ctx, store.Commit{ID: store.NewID()}); return err },
		"Restore":  func() error { return s.Restore(ctx, store.Offer{}) },
		"Maintain": func() error { return s.Maintain(ctx) },
	} {
		if err := do(); !errors.Is(err, redisstore.ErrInvalidOption) {
			t.Errorf("%s() without a client = %v, want %v", call, err, redisstore.ErrInvalidOption)
		}
	}
}

func TestTraits(t *testing.T) {
	t.Parallel()
	s := redisstore.New(nil, redisstore.WithTick(2*time.Second), redisstore.WithRetention(time.Hour))
	want := store.Traits{Tick: 2 * time.Second, Retention: time.Hour, Shared: true, Name: "redis"}
	if got := s.Traits(); got != want {
		t.Errorf("Traits() = %+v, want %+v", got, want)
	}
}

func TestPrefixesAreApart(t *testing.T) {
	t.Parallel()
	s, client := onMini(t)
	other := redisstore.New(client, redisstore.WithPrefix("hawkeye:b"), redisstore.WithLogger(quiet))
	w := store.NewID()
	mustPublish(t, s, store.Publication{Writer: w, Buckets: []store.Bucket{{Tick: 5, Writer: w}}, Names: []store.Name{{ID: 1, Text: "one"}}})
	if err := s.Restore(t.Context(), store.Offer{Open: store.NewID()}); err != nil {
		t.Fatal(err)
	}
	reply := mustPublish(t, other, store.Publication{Writer: w, Check: []int64{5}})
	if len(reply.Missing) != 1 || reply.Ledger != (store.Cursor{}) {
		t.Errorf("Publish() under another prefix = %+v, want nothing of the first's", reply)
	}
	if names, err := other.Names(t.Context(), []uint64{1}); err != nil || len(names) > 0 {
		t.Errorf("Names() under another prefix = %v, %v, want none", names, err)
	}
}

// TestAnotherTick: replicas that disagree about the tick are told, and don't
// add up spans of different lengths.
func TestAnotherTick(t *testing.T) {
	t.Parallel()
	s, client := onMini(t)
	logger, logged := capture()
	other := redisstore.New(client, redisstore.WithTick(2*time.Second), redisstore.WithLogger(logger))
	w := store.NewID()
	p := store.Publication{Writer: w, Buckets: []store.Bucket{{Tick: 5, Writer: w}}, Names: []store.Name{{ID: 1, Text: "one"}}}
	mustPublish(t, s, p)
	if strings.Contains(logged(), "another tick") {
		t.Errorf("warned before there was a reason:\n%s", logged())
	}
	if got, err := other.Read(t.Context(), []store.TickQuery{{Tick: 5}}); err != nil || got[0].Count != 0 {
		t.Errorf("Read() with another tick = %+v, %v, want nothing", got, err)
	}
	for range 3 {
		mustPublish(t, other, p)
	}
	if n := strings.Count(logged(), "another tick"); n != 1 {
		t.Errorf("%d warnings about the tick, want 1:\n%s", n, logged())
	}
}

func TestCommitWithoutID(t *testing.T) {
	t.Parallel()
	s, _ := onMini(t)
	if _, err := s.Commit(t.Context(), store.Commit{}); err == nil || !strings.Contains(err.Error(), "id is zero") {
		t.Errorf("Commit() without an id = %v, want an error that says so", err)
	}
}

func TestRevisionOutOfRange(t *testing.T) {
	t.Parallel()
	s, _ := onMini(t)
	for _, rev := range []uint64{1 << 53, 1<<64 - 1} {
		if err := s.Restore(t.Context(), store.Offer{Cursor: store.Cursor{Rev: rev}}); err == nil {
			t.Errorf("Restore() of revision %d succeeded", rev)
		}
		c, err := s.Changes(t.Context(), store.Cursor{Epoch: store.NewID(), Rev: rev})
		if err != nil || !c.Reset {
			t.Errorf("Changes() after revision %d = %+v, %v, want a snapshot", rev, c, err)
		}
	}
}

func TestServerThatIsAway(t *testing.T) {
	t.Parallel()
	m := miniredis.RunT(t)
	client := redis.NewClient(&redis.Options{Addr: m.Addr(), MaxRetries: -1, DialerRetries: 1})
	defer client.Close()
	s := redisstore.New(client, redisstore.WithLogger(quiet))
	m.Close()
	if _, err := s.Publish(t.Context(), store.Publication{}); err == nil || !strings.HasPrefix(err.Error(), "publish: ") {
		t.Errorf("Publish() to a server that is away = %v, want an error that says which call", err)
	}
	if s.Stats().Reloads != 0 {
		t.Errorf("Stats().Reloads = %d without a Cluster", s.Stats().Reloads)
	}
}
