//go:build unix

package fleet

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/go-batteries/hawkeye/internal/alert"
)

// settle ends all faults and waits until nothing is left to be told.
func (w *wild) settle() {
	w.t.Helper()
	w.note("the faults are over")
	for len(w.there()) < wildReplicas {
		w.begin()
	}
	w.await("all replicas have the ledger", time.Minute, func() bool { return w.copies() == len(w.there()) })
	w.countWork()
	last := time.Now().Add(2*wildWindow).UnixNano() / int64(fleetTick)
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		if w.nothingToTell() && w.nothingOpen() {
			if head, _, ok, err := w.mirror.Head(); ok && err == nil && head.Tick > last {
				return
			}
		}
	}
	w.t.Error("after two minutes there still is something to tell, or an alert that fires")
}

// nothingOpen says whether no alert fires.
func (w *wild) nothingOpen() bool {
	for _, a := range w.book.Alerts() {
		if a.State.Phase != alert.Inactive {
			return false
		}
	}
	return true
}

// countWork sees that what living replicas counted counts, once.
func (w *wild) countWork() {
	var wait sync.WaitGroup
	defer wait.Wait()
	for _, by := range w.able() {
		wait.Go(func() {
			w.mu.Lock()
			parts := make(map[int64]wildWork)
			for slice, work := range by.work {
				if time.Since(time.Unix(slice, 0)) < wildRetention/2 {
					parts[slice] = *work
				}
			}
			w.mu.Unlock()
			for slice, work := range parts {
				w.countSlice(by, slice, work)
			}
		})
	}
}

// countSlice asks a replica what it counted within a slice, until that is
// found: it may have been lost, and is published again.
func (w *wild) countSlice(by *life, slice int64, work wildWork) {
	answer := ""
	for time.Since(time.Unix(slice, 0)) < wildRetention-2*wildSlice {
		answer, _ = by.ask("query work %d id=%d-%d", int(time.Since(time.Unix(slice, 0)).Seconds())+2, by.pid(), slice)
		text, _, _ := strings.Cut(answer, " ")
		n, err := strconv.Atoi(text)
		if err == nil && n >= work.sure && n <= work.most {
			return
		}
		if n > work.most {
			w.t.Errorf("double: process %d counted %d in slice %d, and there are %d", by.pid(), work.most, slice, n)
			return
		}
		time.Sleep(200 * time.Millisecond)
	}
	w.t.Errorf("lost: process %d, which lives, counted %d in slice %d, and the answer is %s", by.pid(), work.sure, slice, answer)
}

// wildRow is the ledger of a kind of receiver.
type wildRow struct {
	breaches, exempt, forgotten, told, untold, missing, twice, killed, stopped, unexplained int
}

// report judges the run and prints what was found.
func (w *wild) report(seed uint64) {
	w.t.Helper()
	e := w.gather()
	var out strings.Builder
	tw := tabwriter.NewWriter(&out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tw, "receiver\tbreaches\tdied unread\tforgotten\ttold\tuntold\tends missing\tas two incidents\trepeats after a kill\tafter a stop\tunexplained\t")
	for _, receiver := range []string{"plain", "waits", "chief"} {
		var r wildRow
		for _, b := range w.breaches {
			e.judge(&r, receiver, b)
		}
		fmt.Fprintf(tw, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t\n", receiver, r.breaches, r.exempt, r.forgotten, r.told, r.untold, r.missing, r.twice, r.killed, r.stopped, r.unexplained)
	}
	tw.Flush()
	killed, stopped, asked, failed := 0, 0, 0, 0
	for _, l := range w.lives {
		killed += map[bool]int{true: 1}[!l.killed.IsZero() && !l.failed]
		asked += map[bool]int{true: 1}[!l.asked.IsZero()]
		stopped += len(l.stops)
		if l.failed && l.asked.IsZero() {
			failed++
			w.t.Errorf("process %d ended by itself\n%s", l.pid(), w.logOf(l))
		}
	}
	w.t.Logf("seed %d: %d replicas, %d killed, %d stopped, %d asked to end, %d ended by themselves; the server lost something %d times; %d faults in all\n%s",
		seed, len(w.lives), killed, stopped, asked, failed, len(w.losses), len(w.log), &out)
	most := 0
	if !long() {
		most = len(w.breaches) / 10
	}
	if w.faults > most {
		w.t.Errorf("%d messages are wrong or missing, want at most %d", w.faults, most)
	}
	if w.t.Failed() || w.faults > 0 {
		w.keep()
	}
}

// found notes that a message is wrong or missing. The long run has to be
// without; the short one, which every change has to pass, allows some, because
// what is known to be open (docs/rough_edges.md) depends on the moment: it
// notices when that gets worse.
func (w *wild) found(format string, args ...any) {
	w.t.Helper()
	w.faults++
	w.t.Logf(format, args...)
}

func (w *wild) logOf(l *life) string {
	data, _ := os.ReadFile(fmt.Sprintf("%s/log-%d", w.dir, l.pid()))
	lines := strings.Split(string(data), "\n")
	return strings.Join(lines[max(0, len(lines)-30):], "\n")
}

// keep puts what the replicas wrote where it can be looked at.
func (w *wild) keep() {
	w.t.Logf("faults:\n%s", strings.Join(w.log, "\n"))
	if dir := os.Getenv("HAWKEYE_WILD_KEEP"); dir != "" {
		os.WriteFile(w.dir+"/faults", []byte(strings.Join(w.log, "\n")+"\n"), 0o600)
		os.CopyFS(dir, os.DirFS(w.dir))
	}
}

// judge adds what became of a breach for a kind of receiver.
func (e *evidence) judge(r *wildRow, receiver string, b *wildBreach) {
	t := e.wild.t
	threshold := 5
	if receiver == "chief" {
		threshold = 50
	}
	counts := slices.DeleteFunc(slices.Clone(b.counts), func(c *wildCount) bool { return c.amount < threshold })
	mails := slices.DeleteFunc(slices.Clone(e.mails[b.id]), func(m tracedMail) bool { return m.To != receiver })
	if len(counts) == 0 {
		if len(mails) > 0 {
			t.Errorf("%s is told of %s, which wasn't driven", receiver, b.id)
		}
		return
	}
	r.breaches++
	flaps := false // of two breaches in truth: the end is told when it is calm
	fired, ended, byID := make(map[string]bool), make(map[string]bool), make(map[string][]tracedMail)
	known := make(map[string]bool) // of the incidents that fired, those that somebody was left to know
	for _, m := range mails {
		byID[m.ID] = append(byID[m.ID], m)
		for row, tells := range e.rows[m.ID] { // of one incident, mostly
			incident, what, _ := strings.Cut(row, ".")
			if strings.HasPrefix(what, ":end.") {
				ended[incident] = true
			}
			flaps = flaps || strings.Contains(what, ":flapping.") && e.apart(b) > 1
			if tells {
				fired[incident] = true
				known[incident] = known[incident] || e.remembered(m)
			}
		}
	}
	if len(fired) > 0 {
		r.told++
	} else if why := e.unread(b, counts, threshold); why != "" {
		r.exempt++
		t.Logf("%s needn't be told of %s: %s", receiver, b.id, why)
	} else {
		r.untold++
		e.wild.found("untold: %s of %s%s", receiver, b.id, e.story(b))
	}
	for incident := range fired {
		if !known[incident] && len(e.wild.losses) > 0 {
			r.forgotten++
			t.Logf("nobody was left who knew that %s was told of %s, incident %s", receiver, b.id, incident)
			delete(fired, incident)
			continue
		}
		if !ended[incident] && !flaps {
			r.missing++
			e.wild.found("end missing: %s of %s, incident %s%s", receiver, b.id, incident, e.story(b))
		}
	}
	if len(fired) > 1 && len(fired) > e.apart(b) {
		r.twice++
		e.wild.found("told as %d incidents: %s of %s%s", len(fired), receiver, b.id, e.story(b))
	}
	for id, copies := range byID {
		for i := range copies[1:] {
			e.judgeRepeat(r, b, id, copies[i], copies[i+1])
		}
	}
}

// remembered says whether a message's sender lives, or another replica had
// copied the note that it was sent. If neither is so, and the server loses the
// ledger, the incident is known to nobody any more, and a new one takes its
// place.
func (e *evidence) remembered(m tracedMail) bool {
	for _, l := range e.wild.lives {
		if l.pid() == m.PID {
			return !gone(l) || e.outlived(l, m.ID)
		}
	}
	return true
}

// apart is how many incidents a breach may be: of counts in ticks that no
// window holds both two.
func (e *evidence) apart(b *wildBreach) int {
	var ticks []int64
	for _, bucket := range e.buckets[b.id] {
		ticks = append(ticks, bucket.tick)
	}
	if len(ticks) > 1 && slices.Max(ticks)-slices.Min(ticks) >= int64(wildWindow/fleetTick) {
		return 2
	}
	return 1
}

// unread says why what was counted may be known to nobody; empty if it
// mayn't.
func (e *evidence) unread(b *wildBreach, counts []*wildCount, threshold int) string {
	var reasons []string
	for _, c := range counts {
		why := e.died(b, c, threshold)
		if why == "" {
			return ""
		}
		reasons = append(reasons, why)
	}
	return strings.Join(reasons, "; ")
}

// died says how a count was lost with the processes that knew it.
func (e *evidence) died(b *wildBreach, c *wildCount, threshold int) string {
	if !gone(c.by) {
		return ""
	}
	stored := false
	for _, bucket := range e.buckets[b.id] {
		if bucket.by != c.by || e.amounts[bucket][b.id] < threshold {
			continue
		}
		stored = true
		for reader, at := range bucket.readers {
			if !gone(reader) || e.evaluated(reader, bucket.tick, at) {
				return ""
			}
		}
		lost := slices.ContainsFunc(e.wild.losses, func(at time.Time) bool { return at.After(bucket.published) })
		if !lost {
			return ""
		}
	}
	if stored {
		return fmt.Sprintf("the server lost what process %d and those that had read it could have published again", c.by.pid())
	}
	if c.answered.IsZero() {
		return fmt.Sprintf("process %d didn't live to count it", c.by.pid())
	}
	// A bucket that was stored after the tick had ended held everything.
	after := c.answered.UnixNano()/int64(fleetTick) + 5
	for _, ev := range e.traces[c.by].events {
		if tick, _ := strconv.ParseInt(argAt(ev, 1), 10, 64); ev.what == "published" && tick > after && e.writers[ev.args[0]] == c.by {
			return ""
		}
	}
	return fmt.Sprintf("process %d was gone %v after it had counted, before it could publish that", c.by.pid(), c.by.ended.Sub(c.answered).Round(time.Millisecond))
}

// evaluated says whether a replica stored the evaluation of a tick that it had
// read.
func (e *evidence) evaluated(l *life, tick int64, read time.Time) bool {
	for _, ev := range e.traces[l].events {
		if head, _ := strconv.ParseInt(argAt(ev, 0), 10, 64); ev.what == "head" && head >= tick && ev.at.After(read) {
			return true
		}
	}
	return false
}

func argAt(ev event, i int) string {
	if i < len(ev.args) {
		return ev.args[i]
	}
	return ""
}

func gone(l *life) bool { return !l.killed.IsZero() || !l.asked.IsZero() }

// judgeRepeat looks for the reason of a second copy.
func (e *evidence) judgeRepeat(r *wildRow, b *wildBreach, id string, first, second tracedMail) {
	var sender, other *life
	for _, l := range e.wild.lives {
		if l.pid() == first.PID {
			sender = l
		}
		if l.pid() == second.PID {
			other = l
		}
	}
	settled, known := e.settled[id][sender], e.outlived(sender, id)
	switch {
	case e.stoppedBetween(sender, id, settled) || e.stoppedBetween(other, id, time.Unix(0, second.At)):
		r.stopped++
	case gone(sender) && !known && second.Repeat:
		r.killed++
	default:
		r.unexplained++
		e.wild.found("unexplained repeat of %s %q: process %d (gone %t, settled %v) at %s, process %d at %s, which says so: %t%s", b.id, first.Subject,
			first.PID, gone(sender), settled.Format("15:04:05.000"), time.Unix(0, first.At).Format("15:04:05.000"),
			second.PID, time.Unix(0, second.At).Format("15:04:05.000"), second.Repeat, e.story(b))
	}
}

// stoppedBetween says whether a process stood still between a claim of a
// message and until, or for good if that is zero.
func (e *evidence) stoppedBetween(l *life, id string, until time.Time) bool {
	for _, claimed := range e.claimed[id][l] {
		for _, s := range l.stops {
			if (s.to.IsZero() || s.to.After(claimed)) && (until.IsZero() || s.from.Before(until)) {
				return true
			}
		}
	}
	return false
}
