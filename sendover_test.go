package hawkeye_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-batteries/hawkeye"
	"github.com/go-batteries/hawkeye/internal/ledger"
	"github.com/go-batteries/hawkeye/internal/notify"
	"github.com/go-batteries/hawkeye/store"
)

// slowly makes each Send take some time, and counts those that have begun.
func (f *fleet) slowly(d time.Duration) (begun *atomic.Int64) {
	begun = new(atomic.Int64)
	f.box.hang = func(hawkeye.MailerConfig) {
		begun.Add(1)
		time.Sleep(d)
	}
	return begun
}

// until waits for something.
func (f *fleet) until(what string, ok func() bool) {
	f.t.Helper()
	for began := time.Now(); !ok(); after(10 * time.Millisecond) {
		if time.Since(began) > time.Minute {
			f.t.Fatalf("waited in vain for %s", what)
		}
	}
}

const risingFile = `version: 2
receivers:
  ops: {email: {to: [ops@example.com]}, group: {interval: 1s}}
monitors:
  - name: errors
    metric: errors
    window: 10s
    triggers:
      - {level: warning, threshold: 10, notify: [ops]}
      - {level: critical, threshold: 30, notify: [ops]}
`

// The store goes back to before a decision while its message is being sent, or
// loses everything: nobody begins to send it once more, and what is decided
// again is the same incident, whose end is told.
func TestLossWhileAMessageIsSent(t *testing.T) {
	t.Parallel()
	const warned = "ops@example.com: [warning] errors in shop (test)"
	const rose = "ops@example.com: [critical] errors rose from warning in shop (test)"
	for _, c := range []struct {
		name  string
		told  []string // in the end
		until func(f *fleet, begun *atomic.Int64) (lose func())
	}{
		{"the firing", []string{fired, ended}, func(f *fleet, begun *atomic.Int64) func() {
			rollBack := f.checkpoint()
			count(f.evaluator().Hawkeye, "errors", 40)
			f.until("the Send", func() bool { return begun.Load() == 1 })
			return rollBack
		}},
		{"the end", []string{fired, ended}, func(f *fleet, begun *atomic.Int64) func() {
			count(f.evaluator().Hawkeye, "errors", 40)
			f.until("the firing to be told", func() bool { return f.box.count() == 1 })
			after(tick)
			rollBack := f.checkpoint()
			f.until("the Send of the end", func() bool { return begun.Load() == 2 })
			return rollBack
		}},
		{"a rise", []string{rose, ended, warned}, func(f *fleet, begun *atomic.Int64) func() {
			count(f.evaluator().Hawkeye, "errors", 15)
			f.until("the firing to be told", func() bool { return f.box.count() == 1 })
			rollBack := f.checkpoint()
			count(f.evaluator().Hawkeye, "errors", 40)
			f.until("the Send of the rise", func() bool { return begun.Load() == 2 })
			return rollBack
		}},
		{"everything", []string{fired, ended}, func(f *fleet, begun *atomic.Int64) func() {
			count(f.evaluator().Hawkeye, "errors", 40)
			f.until("the Send", func() bool { return begun.Load() == 1 })
			return f.flushAll
		}},
	} {
		for _, n := range []int{1, 3} {
			for tenth := range 10 {
				t.Run(fmt.Sprintf("%s/%d/%d", c.name, n, tenth), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						f := newFleet(t)
						begun := f.slowly(4 * time.Second)
						f.startN(n, risingFile)
						after(10*tick + time.Duration(tenth)*tick/10)
						lose := c.until(f, begun)
						after(time.Duration(tenth) * tick / 10)
						lose()
						after(40 * tick)
						f.box.mu.Lock()
						for id, times := range f.box.delivered {
							if times > 1 {
								t.Errorf("%s was delivered %d times", id, times)
							}
						}
						for _, m := range f.box.mails {
							if strings.Contains(m.Body, "may be a repeat") {
								t.Errorf("%q says that it may be a repeat", m.Subject)
							}
						}
						f.box.mu.Unlock()
						want(t, "in the end", f.box.lines(), c.told...)
						if int(begun.Load()) != len(c.told) {
							t.Errorf("%d Sends began, want %d", begun.Load(), len(c.told))
						}
					})
				})
			}
		}
	}
}

// A Send has no outcome, and then the ledger loses that it was ever tried: the
// next attempt, whoever makes it, says that it may be a repeat.
func TestRollBackAfterAnUnknownOutcome(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 3} {
		for _, wait := range []time.Duration{500 * time.Millisecond, 3 * tick} {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t)
				var begun atomic.Int64
				f.box.hang = func(hawkeye.MailerConfig) {
					if begun.Add(1) == 1 {
						time.Sleep(3 * tick) // longer than a Send may take
					}
				}
				f.box.fail = func(n int, _ hawkeye.MailerConfig) error {
					if n == 1 {
						return context.DeadlineExceeded
					}
					return nil
				}
				f.startN(n, fourMinutes, hawkeye.WithSendTimeout(2*tick))
				rollBack := f.checkpoint()
				count(f.evaluator().Hawkeye, "errors", 40)
				f.until("the outcome", func() bool { return strings.Contains(fmt.Sprint(f.records()), `"uncertain":true`) })
				after(wait)
				rollBack()
				after(time.Minute)
				f.box.mu.Lock()
				if len(f.box.mails) != 1 || !strings.Contains(f.box.mails[0].Body, "may be a repeat") {
					t.Errorf("%d mails, want one that says that it may be a repeat: %+v", len(f.box.mails), f.box.mails)
				}
				f.box.mu.Unlock()
			})
		}
	}
}

// slowClaims is a way to the store on which a commit that claims something is
// answered late.
type slowClaims struct {
	*link
	mu    sync.Mutex
	delay time.Duration
	done  func(c store.Commit) // while the answer is on its way
}

func (s *slowClaims) Commit(ctx context.Context, c store.Commit) (store.Cursor, error) {
	cursor, err := s.link.Commit(ctx, c)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.delay == 0 || err != nil || !strings.Contains(fmt.Sprintf("%s", c.Put), `"claim":{`) {
		return cursor, err
	}
	delay := s.delay
	s.delay = 0
	time.Sleep(delay / 2)
	if s.done != nil {
		s.done(c)
	}
	time.Sleep(delay / 2)
	return cursor, err
}

// A process is stopped, or waits, between its claim and the Send: if somebody
// else has the row by then, it doesn't send it.
func TestOldClaimIsLookedAtAgain(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		delay time.Duration
		taken bool // by somebody else, meanwhile
		sent  int
	}{
		{"at once", 0, false, 1},
		{"late", 4 * time.Second, false, 1},
		{"taken over meanwhile", 4 * time.Second, true, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := newFleet(t)
			s := &slowClaims{link: &link{fleet: f}, delay: c.delay}
			if c.taken {
				s.done = func(commit store.Commit) {
					records := make(map[string]string)
					for _, p := range commit.Put {
						if ledger.Class(p.Key) != ledger.ClassRow {
							continue
						}
						var row notify.Row
						if err := json.Unmarshal(p.Value, &row); err != nil {
							t.Fatal(err)
						}
						row.Claim.Writer = store.NewID().String()
						data, err := json.Marshal(row)
						if err != nil {
							t.Fatal(err)
						}
						records[p.Key] = string(data)
					}
					f.put(records)
				}
			}
			r := &replica{link: s.link}
			r.Hawkeye = start(t, fourMinutes, r, hawkeye.WithStore(s), hawkeye.WithLogger(quiet()))
			f.all = append(f.all, r)
			after(7 * tick)
			count(r.Hawkeye, "errors", 20)
			after(10 * tick)
			if got := f.box.count(); got != c.sent {
				t.Errorf("%s: %d mails, want %d", c.name, got, c.sent)
			}
			f.box.lines()
		})
	}
}

// A store is away for longer than it takes to count as gone, while a message is
// being sent. Whoever sends it is back a little later than the others, who leave
// it to that one.
func TestSenderIsBackLate(t *testing.T) {
	t.Parallel()
	for _, late := range []time.Duration{0, 1500 * time.Millisecond, 5 * time.Second, 10 * time.Second} {
		for _, long := range []time.Duration{8 * time.Second, 14 * time.Second, 25 * time.Second} {
			t.Run(fmt.Sprintf("%v/%v", late, long), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					f := newFleet(t)
					begun := f.slowly(2 * time.Second)
					f.startN(3, errorsFile)
					count(f.evaluator().Hawkeye, "errors", 40)
					f.until("the Send", func() bool { return begun.Load() == 1 })
					var sender *replica
					for _, r := range f.all {
						if r.tries.Load() > 0 {
							sender = r
						}
					}
					f.away(true)
					after(long)
					for _, r := range f.all {
						r.link.cut.Store(r == sender)
					}
					after(late)
					f.away(false)
					after(40 * tick)
					f.box.mu.Lock()
					defer f.box.mu.Unlock()
					for id, times := range f.box.delivered {
						if times > 1 {
							t.Errorf("%s was delivered %d times", id, times)
						}
					}
				})
			})
		}
	}
}
