package hawkeye_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-batteries/hawkeye"
	"github.com/go-batteries/hawkeye/internal/lifetest"
	"github.com/go-batteries/hawkeye/internal/notify"
	"github.com/go-batteries/hawkeye/store/memstore"
)

var (
	livesSeeds = flag.Uint64("lives.seeds", 2, "how many random lives of internal/lifetest a real handle lives")
	livesFrom  = flag.Uint64("lives.from", 1, "the first seed")
)

// TestLives are the lives of package lifetest through a real handle: the file
// is read, gauges are set, a MailingService is called that may be away or take
// its time, silences and acks are made in Go. The same observer judges what was
// told. It is a hundred times as slow as the lives of that package.
func TestLives(t *testing.T) {
	t.Parallel()
	for seed := *livesFrom; seed < *livesFrom+*livesSeeds; seed++ {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := lifetest.New(seed)
				rec := newLived(t, l).live()
				shown := 0
				for _, v := range lifetest.Judge(l, rec) {
					if !slices.Contains(lifetest.Held, v.Rule) {
						continue
					}
					if shown++; shown > 3 {
						break // what follows may follow from these
					}
					t.Errorf("%v\n%s%s", &v, l, rec.Story(&v))
				}
				t.Logf("%d messages", len(rec.Messages))
			})
		})
	}
}

// lived is a life of a real handle under way.
type lived struct {
	*hawkeye.Hawkeye
	*lifetest.Life
	t     *testing.T
	began time.Time

	mu    sync.Mutex // guards what follows
	rng   *rand.Rand
	rec   *lifetest.Record
	fired map[string]bool // entries of the history that are in rec
}

const longestSend = 5 * time.Second

func newLived(t *testing.T, l *lifetest.Life) *lived {
	morning := lifetest.Start.Sub(lifetest.Start.Truncate(24 * time.Hour))
	after(morning - time.Since(time.Now().Truncate(24*time.Hour))) // mute times are times of day
	in := &lived{
		Life: l, t: t, rng: rand.New(rand.NewPCG(l.Seed, 2)), began: time.Now(), fired: map[string]bool{},
		rec: &lifetest.Record{Alerts: map[string]lifetest.Name{}, Slack: 2*l.Tick + longestSend},
	}
	file := t.TempDir() + "/monitors.yaml"
	if err := os.WriteFile(file, []byte(l.Config()), 0o600); err != nil {
		t.Fatal(err)
	}
	h, err := hawkeye.New(hawkeye.WithService("shop", ""), hawkeye.WithConfigFile(file), hawkeye.WithoutReload(), hawkeye.WithMailer(in),
		hawkeye.WithLogger(quiet()), hawkeye.WithoutSocket(), hawkeye.WithStore(newMemory(t, memstore.WithTick(l.Tick))))
	if err != nil {
		t.Fatal(err)
	}
	in.Hawkeye = h
	h.Watch(in.told)
	in.set(0)
	if err := h.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := h.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown() = %v", err)
		}
	})
	return in
}

// Send is a MailingService that is away now and then, and sometimes slow.
func (in *lived) Send(ctx context.Context, cfg hawkeye.MailerConfig) error {
	receiver, _, _ := strings.Cut(cfg.Recipients[0], "@")
	in.mu.Lock()
	slow := time.Duration(0)
	if in.rng.IntN(10) == 0 && time.Since(in.began) < in.Calm {
		slow = time.Duration(in.rng.Int64N(int64(longestSend)))
	}
	in.mu.Unlock()
	away := in.Away(receiver, time.Since(in.began))
	select {
	case <-time.After(slow):
	case <-ctx.Done():
		return ctx.Err()
	}
	switch {
	case away == nil:
		return nil
	case away.Permanent:
		return hawkeye.Permanent(errors.New("550 refused"))
	}
	return errors.New("451 try again later")
}

// told writes down what a receiver was sent.
func (in *lived) told(m *notify.Message, at time.Time, err error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	var permanent interface{ Permanent() bool }
	outcome := lifetest.Delivered
	switch {
	case errors.As(err, &permanent) && permanent.Permanent():
		outcome = lifetest.Refused
	case err != nil:
		outcome = lifetest.Failed
	}
	in.rec.Messages = append(in.rec.Messages, lifetest.NewMessage(m, at.Sub(in.began), outcome))
}

// live lets it all happen.
func (in *lived) live() *lifetest.Record {
	plan := in.plan()
	for at := time.Duration(0); at < in.End; at += in.Tick {
		after(at + in.Tick/10 - time.Since(in.began)) // well within the tick
		in.set(at)
		for len(plan) > 0 && plan[0].at < at+in.Tick {
			after(plan[0].at - time.Since(in.began))
			plan[0].do()
			plan = plan[1:]
		}
		after(at + in.Tick - time.Since(in.began))
		if at%time.Minute == 0 {
			in.look()
		}
	}
	in.look()
	in.mu.Lock()
	defer in.mu.Unlock()
	slices.SortStableFunc(in.rec.Messages, func(a, b lifetest.Message) int { return int(a.At - b.At) })
	slices.SortStableFunc(in.rec.History, func(a, b lifetest.Entry) int { return int(a.At - b.At) })
	return in.rec
}

func (in *lived) set(at time.Duration) {
	for i := range in.Courses {
		c := &in.Courses[i]
		var tags []hawkeye.Tag
		if c.Alert.Host != "" {
			tags = append(tags, hawkeye.T("host", c.Alert.Host))
		}
		in.SetGauge(c.Alert.Monitor, lifetest.Value(c.Rank(at)), tags...)
	}
}

// byHand is something that is done by hand.
type byHand struct {
	at time.Duration
	do func()
}

func (in *lived) plan() []byHand {
	var all []byHand
	for _, s := range in.Life.Silences {
		all = append(all, byHand{s.At, func() {
			_, err := in.Silence(in.t.Context(), hawkeye.Silence{
				Matchers: []string{fmt.Sprintf("%s=%q", s.Name, s.Value)}, End: time.Now().Add(s.For), Author: "ann",
			})
			if err != nil {
				in.t.Errorf("Silence() = %v", err)
			}
		}})
	}
	for _, a := range in.Acks {
		all = append(all, byHand{a.At, func() { in.ack(&a) }})
	}
	slices.SortStableFunc(all, func(a, b byHand) int { return int(a.at - b.at) })
	return all
}

func (in *lived) ack(a *lifetest.Ack) {
	o := hawkeye.AckOptions{Author: "ann", Sticky: a.Sticky}
	if a.For > 0 {
		o.Until = time.Now().Add(a.For)
	}
	for key, name := range in.names() {
		if name == a.Alert {
			if err := in.Ack(in.t.Context(), key, o); err != nil && !errors.Is(err, hawkeye.ErrNotFound) {
				in.t.Errorf("Ack(%q) = %v", key, err)
			}
		}
	}
}

func (in *lived) names() map[string]lifetest.Name {
	names := make(map[string]lifetest.Name)
	for _, a := range in.Alerts() {
		names[a.Key] = lifetest.Name{Monitor: a.Monitor, Host: a.Tags["host"]}
	}
	return names
}

// look writes down what the history has by now, of which only the newest is
// kept.
func (in *lived) look() {
	for key, name := range in.names() {
		in.rec.Alerts[key] = name
		for _, e := range in.History(key) {
			if id := fmt.Sprint(e); !in.fired[id] {
				in.fired[id] = true
				in.rec.History = append(in.rec.History, lifetest.Entry{
					At: e.At.Sub(in.began), Alert: e.Alert, Incident: e.Incident, Receiver: e.Receiver, What: e.What, Reason: e.Reason,
				})
			}
		}
	}
}
