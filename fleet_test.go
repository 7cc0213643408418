package hawkeye_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-batteries/hawkeye"
	"github.com/go-batteries/hawkeye/store"
	"github.com/go-batteries/hawkeye/store/memstore"
)

// tick is how wide the ticks of a fleet's Store are.
const tick = time.Second

// fleet is some replicas on one Store, in one process and on virtual time.
type fleet struct {
	t    *testing.T
	box  *mailbox
	dir  string
	logs *logBook

	mu     sync.Mutex // guards what follows
	inner  *memstore.Store
	jump   time.Duration
	stands time.Time // the Store's clock, if it stands still
	closed map[string][]byte
	copies int
	all    []*replica
}

// replica is one of them, with the link by which it reaches the Store.
type replica struct {
	*hawkeye.Hawkeye
	link  *link
	tries atomic.Int64 // mails that it began to deliver
	sent  atomic.Int64 // and those that it did
	down  bool
}

// Send is the replica's MailingService: the fleet's mailbox, counted.
func (r *replica) Send(ctx context.Context, cfg hawkeye.MailerConfig) error {
	r.tries.Add(1)
	err := r.link.fleet.box.Send(ctx, cfg)
	if err == nil {
		r.sent.Add(1)
	}
	return err
}

func newFleet(t *testing.T) *fleet {
	t.Helper()
	f := &fleet{t: t, box: &mailbox{}, dir: t.TempDir(), logs: &logBook{}, closed: map[string][]byte{}}
	f.inner = f.open("state")
	t.Cleanup(func() {
		f.box.release()
		for _, r := range f.all {
			f.stop(r)
		}
	})
	return f
}

func (f *fleet) open(name string) *memstore.Store {
	f.t.Helper()
	return newMemory(f.t, memstore.WithTick(tick), memstore.WithRetention(5*time.Minute),
		memstore.WithStateFile(filepath.Join(f.dir, name)), memstore.WithLogger(quiet()))
}

// start adds a replica.
func (f *fleet) start(config string, opts ...hawkeye.Option) *replica {
	f.t.Helper()
	l := &link{fleet: f}
	opts = append([]hawkeye.Option{hawkeye.WithStore(l), hawkeye.WithLogger(slog.New(f.logs))}, opts...)
	r := &replica{link: l}
	r.Hawkeye = start(f.t, config, r, opts...)
	f.all = append(f.all, r)
	return r
}

func (f *fleet) startN(n int, config string, opts ...hawkeye.Option) []*replica {
	f.t.Helper()
	replicas := make([]*replica, n)
	for i := range replicas {
		replicas[i] = f.start(config, opts...)
	}
	after(6 * tick)
	return replicas
}

// stop shuts a replica down in an orderly way.
func (f *fleet) stop(r *replica) {
	if r.down {
		return
	}
	r.down = true
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := r.Shutdown(ctx); err != nil && !r.link.cut.Load() {
		f.t.Errorf("Shutdown() = %v, want nil", err)
	}
}

// kill ends a replica as a power cut would, as far as the others can see.
func (f *fleet) kill(r *replica) {
	r.link.cut.Store(true)
	r.down = true
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	_ = r.Shutdown(ctx) // it fails: nothing can be stored any more
}

// up returns the replicas that are there.
func (f *fleet) up() (up []*replica) {
	for _, r := range f.all {
		if !r.down && !r.link.cut.Load() {
			up = append(up, r)
		}
	}
	return up
}

// evaluator returns the replica that decides.
func (f *fleet) evaluator() *replica {
	f.t.Helper()
	for _, r := range f.up() {
		if r.Health().Evaluates {
			return r
		}
	}
	f.t.Fatal("no replica evaluates")
	return nil
}

// sender returns the replica that has sent something.
func (f *fleet) sender() *replica {
	f.t.Helper()
	for _, r := range f.up() {
		if r.sent.Load() > 0 {
			return r
		}
	}
	f.t.Fatal("no replica has sent anything")
	return nil
}

// other returns a replica that doesn't decide.
func (f *fleet) other() *replica {
	f.t.Helper()
	ev := f.evaluator()
	for _, r := range f.up() {
		if r != ev {
			return r
		}
	}
	f.t.Fatal("there is no other replica")
	return nil
}

func (f *fleet) store() *memstore.Store {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.inner
}

// checkpoint returns what takes the Store back to how it is now, as a
// failover does to a replica that lagged.
func (f *fleet) checkpoint() (rollBack func()) {
	f.t.Helper()
	f.mu.Lock()
	f.copies++
	name := "state" + strings.Repeat("'", f.copies)
	f.mu.Unlock()
	s := f.store()
	if err := s.Sync(f.t.Context()); err != nil {
		f.t.Fatalf("Sync() = %v", err)
	}
	current := "state" + strings.Repeat("'", f.copies-1)
	data, err := os.ReadFile(filepath.Join(f.dir, current))
	if err != nil {
		f.t.Fatal(err)
	}
	return func() {
		if err := os.WriteFile(filepath.Join(f.dir, name), data, 0o600); err != nil {
			f.t.Fatal(err)
		}
		old := f.open(name)
		f.mu.Lock()
		f.inner = old
		f.mu.Unlock()
	}
}

// flushAll empties the Store.
func (f *fleet) flushAll() {
	empty := newMemory(f.t, memstore.WithTick(tick), memstore.WithRetention(5*time.Minute))
	f.mu.Lock()
	defer f.mu.Unlock()
	f.inner = empty
}

// setJump moves the Store's clock.
func (f *fleet) setJump(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.jump = d
}

// freeze stops the Store's clock.
func (f *fleet) freeze() {
	now := f.shift(time.Now())
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stands = now
}

// thaw lets it go on, by which it has lost so much time.
func (f *fleet) thaw(lost time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stands, f.jump = time.Time{}, f.jump-lost
}

func (f *fleet) shift(t time.Time) time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.stands.IsZero() {
		return f.stands
	}
	return t.Add(f.jump)
}

// closesOnce checks that no writer closes a tick twice.
func (f *fleet) closesOnce(p store.Publication) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, b := range p.Buckets {
		key := fmt.Sprint(b.Writer, b.Tier, b.Tick)
		if before, ok := f.closed[key]; ok && b.Tier == store.TierFine && !bytes.Equal(before, b.Data) {
			f.t.Errorf("bucket %s was published with other data before", key)
		}
		f.closed[key] = b.Data
	}
}

// link is a replica's way to the Store.
type link struct {
	fleet *fleet
	cut   atomic.Bool
	calls atomic.Int64
}

var errCut = errors.New("no route to the store")

func (l *link) reach() (*memstore.Store, error) {
	l.calls.Add(1)
	if l.cut.Load() {
		return nil, errCut
	}
	return l.fleet.store(), nil
}

func (l *link) Traits() store.Traits {
	t := l.fleet.store().Traits()
	t.Shared, t.Name = true, "shared"
	return t
}

func (l *link) Now(ctx context.Context) (time.Time, error) {
	s, err := l.reach()
	if err != nil {
		return time.Time{}, err
	}
	now, err := s.Now(ctx)
	return l.fleet.shift(now), err
}

func (l *link) Publish(ctx context.Context, p store.Publication) (store.PublishReply, error) {
	s, err := l.reach()
	if err != nil {
		return store.PublishReply{}, err
	}
	l.fleet.closesOnce(p)
	reply, err := s.Publish(ctx, p)
	reply.Now = l.fleet.shift(reply.Now)
	return reply, err
}

func (l *link) Read(ctx context.Context, q []store.TickQuery) ([]store.TickBuckets, error) {
	s, err := l.reach()
	if err != nil {
		return nil, err
	}
	return s.Read(ctx, q)
}

func (l *link) Names(ctx context.Context, ids []uint64) (map[uint64]string, error) {
	s, err := l.reach()
	if err != nil {
		return nil, err
	}
	return s.Names(ctx, ids)
}

func (l *link) Changes(ctx context.Context, after store.Cursor) (store.Changes, error) {
	s, err := l.reach()
	if err != nil {
		return store.Changes{}, err
	}
	return s.Changes(ctx, after)
}

func (l *link) Commit(ctx context.Context, c store.Commit) (store.Cursor, error) {
	s, err := l.reach()
	if err != nil {
		return store.Cursor{}, err
	}
	return s.Commit(ctx, c)
}

func (l *link) Restore(ctx context.Context, o store.Offer) error {
	s, err := l.reach()
	if err != nil {
		return err
	}
	return s.Restore(ctx, o)
}

// logBook is a slog.Handler that keeps the messages.
type logBook struct {
	mu    sync.Mutex
	lines []string
}

func (*logBook) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelInfo }
func (b *logBook) WithAttrs([]slog.Attr) slog.Handler             { return b }
func (b *logBook) WithGroup(string) slog.Handler                  { return b }
func (b *logBook) Handle(_ context.Context, r slog.Record) error {
	line := r.Level.String() + " " + r.Message
	r.Attrs(func(a slog.Attr) bool { line += " " + a.String(); return true })
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lines = append(b.lines, line)
	return nil
}

// count returns how many lines hold text.
func (b *logBook) count(text string) (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, line := range b.lines {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}

// errorsFile fires at 10 errors within 10 s, at once.
const errorsFile = `version: 2
receivers:
  ops: {email: {to: [ops@example.com]}, group: {interval: 1s}}
monitors:
  - name: errors
    metric: errors
    window: 10s
    triggers:
      - {level: critical, threshold: 10, notify: [ops]}
`

const (
	fired = "ops@example.com: [critical] errors in shop (test)"
	ended = "ops@example.com: [ended] errors in shop (test)"
)

func TestFleetTellsOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		for _, r := range f.startN(5, errorsFile) {
			count(r.Hawkeye, "errors", 2)
		}
		after(4 * tick)
		want(t, "after 2 errors in each of 5 replicas", f.box.lines(), fired)
		after(30 * tick)
		want(t, "when it is over", f.box.lines(), ended)
	})
}

func TestTakeOverAfterKill(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		f.startN(3, errorsFile)
		f.kill(f.evaluator())
		killed := time.Now()
		for _, r := range f.up() {
			count(r.Hawkeye, "errors", 5)
		}
		for f.box.count() == 0 && time.Since(killed) < time.Minute {
			after(tick / 10)
		}
		if took := time.Since(killed); took > 6*time.Second {
			t.Errorf("told %v after the evaluator was killed, want at most 6s", took)
		}
		want(t, "after the evaluator was killed", f.box.lines(), fired)
		after(30 * tick)
		want(t, "when it is over", f.box.lines(), ended)
	})
}

func TestTakeOverAfterShutdown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		f.startN(3, errorsFile)
		for range 2 {
			f.stop(f.evaluator())
			left := time.Now()
			after(2 * tick)
			f.evaluator()
			if took := time.Since(left); took > 2*tick {
				t.Errorf("took over after %v, want at most two ticks", took)
			}
		}
		want(t, "after two shutdowns", f.box.lines())
	})
}

// A message a minute of outage: all that happened is told in sum.
func TestGapIsToldInOneMessage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		f.startN(1, errorsFile)
		late := f.start(errorsFile, hawkeye.WithoutAgent(), hawkeye.WithoutNotifier())
		after(3 * tick)
		f.kill(f.all[0])
		count(late.Hawkeye, "errors", 10) // one incident while nobody evaluates
		after(30 * tick)
		count(late.Hawkeye, "errors", 10) // and one that lasts until somebody does
		after(tick)
		f.start(errorsFile)
		after(8 * tick)
		want(t, "two incidents in a gap", f.box.lines(), fired)
	})
}

// Two commits are lost in a failover after their message has left. What is
// decided again is the same incident, and isn't told again.
func TestRollBackRepeatsNothing(t *testing.T) {
	t.Parallel()
	for _, killSender := range []bool{false, true} {
		t.Run(fmt.Sprintf("killSender=%t", killSender), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t)
				f.startN(1, errorsFile, hawkeye.WithoutNotifier()) // whoever evaluates, knows what others sent
				f.startN(3, errorsFile, hawkeye.WithoutAgent())
				rollBack := f.checkpoint()
				count(f.evaluator().Hawkeye, "errors", 20)
				after(4 * tick)
				want(t, "before the failover", f.box.lines(), fired)
				if killSender {
					f.kill(f.sender())
				}
				rollBack()
				after(6 * tick)
				want(t, "after the failover", f.box.lines())
				after(40 * tick)
				want(t, "the end", f.box.lines(), ended)
				count(f.other().Hawkeye, "errors", 20)
				after(4 * tick)
				want(t, "the next one", f.box.lines(), fired)
			})
		})
	}
}

// The roll-back loses firing and end, both told.
func TestRollBackOverAnEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		f.startN(3, errorsFile)
		rollBack := f.checkpoint()
		count(f.other().Hawkeye, "errors", 20)
		after(20 * tick)
		want(t, "before the failover", f.box.lines(), fired, ended)
		rollBack()
		after(30 * tick)
		want(t, "after the failover", f.box.lines())
		count(f.other().Hawkeye, "errors", 20)
		after(4 * tick)
		want(t, "the next one", f.box.lines(), fired)
	})
}

// The roll-back loses repeats and the end that came after them. Decided again
// the end follows other repeats, or none, and is the same all the same.
func TestRollBackOverRepeatsAndAnEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		f.startN(3, strings.Replace(errorsFile, "threshold: 10,", "threshold: 10, repeat: 4s,", 1))
		count(f.other().Hawkeye, "errors", 20)
		after(3 * tick)
		rollBack := f.checkpoint()
		after(20 * tick)
		told := f.box.lines()
		if len(told) != 4 || told[len(told)-1] != ended {
			t.Errorf("before the failover: told %q, want the firing, two repeats and the end", told)
		}
		rollBack()
		after(30 * tick)
		want(t, "after the failover", f.box.lines())
		count(f.other().Hawkeye, "errors", 20)
		after(4 * tick)
		want(t, "the next one", f.box.lines(), fired)
	})
}

func TestFlushAllWhileFiring(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		f.startN(3, errorsFile)
		count(f.other().Hawkeye, "errors", 20)
		after(3 * tick)
		want(t, "before the flush", f.box.lines(), fired)
		f.flushAll()
		after(6 * tick)
		want(t, "after the flush", f.box.lines())
		after(30 * tick)
		want(t, "the end", f.box.lines(), ended)
	})
}

// A replica is cut off for 20 s, and what it counted then decides.
func TestSamplesOfAReplicaThatWasCutOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		f.startN(3, errorsFile)
		r := f.other()
		r.link.cut.Store(true)
		after(5 * tick)
		count(r.Hawkeye, "errors", 20)
		after(15 * tick)
		want(t, "while it is cut off", f.box.lines())
		r.link.cut.Store(false)
		after(10 * tick)
		if got := f.box.lines(); len(got) == 0 || !strings.Contains(got[0], "errors in shop") {
			t.Errorf("told after its return: %q, want a late firing", got)
		}
		after(60 * tick)
		f.box.lines()
	})
}

func TestStoreTimeJumps(t *testing.T) {
	t.Parallel()
	for _, jump := range []time.Duration{time.Hour, -time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			f := newFleet(t)
			f.startN(3, errorsFile)
			f.setJump(jump)
			after(5 * tick)
			joined := f.start(errorsFile)
			after(15 * tick)
			want(t, "after the jump", f.box.lines())
			count(joined.Hawkeye, "errors", 10)
			count(f.all[0].Hawkeye, "errors", 10)
			after(5 * tick)
			want(t, "a breach after "+jump.String(), f.box.lines(), fired)
			after(40 * tick)
			want(t, "its end after "+jump.String(), f.box.lines(), ended)
		})
	}
}

func TestBurstOverBothTriggersInAFleet(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		for _, r := range f.startN(5, twoSLAs) {
			count(r.Hawkeye, "http.response.400", 5)
		}
		after(60 * tick)
		want(t, "a burst of 25", f.box.lines(), "lead@example.com: many 4xx errors", "oncall@example.com: 4xx errors exceeded")
	})
}
