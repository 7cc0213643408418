//go:build unix

package fleet

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// wildBucket is a bucket that holds a count.
type wildBucket struct {
	writer    string
	tick      int64
	by        *life // whose count it is
	published time.Time
	readers   map[*life]time.Time
}

// evidence is what all replicas wrote down.
type evidence struct {
	wild     *wild
	traces   map[*life]trace
	writers  map[string]*life
	buckets  map[string]map[string]*wildBucket // by breach, then by writer and tick
	amounts  map[*wildBucket]map[string]int    // by breach
	mails    map[string][]tracedMail           // by breach
	settled  map[string]map[*life]time.Time    // by Message-ID
	claimed  map[string]map[*life][]time.Time  // by Message-ID
	outcomes map[string]map[*life]commitAt     // the same, by the commit that wrote it down
	stored   commitAt                          // that was read last
	copied   map[*life]map[string]int          // the latest revision of each epoch that a replica copied
	rows     map[string]map[string]bool        // the rows of a message, and whether each tells more than an end
}

// commitAt is a commit, by the epoch and revision of the ledger.
type commitAt struct {
	epoch string
	rev   int
}

func revOf(ev event) int {
	rev, _ := strconv.Atoi(argAt(ev, 1))
	return rev
}

// outlived says whether the note that a replica delivered a message was copied
// by another one: otherwise the server may have lost it together with that
// replica, as if it had never been written.
func (e *evidence) outlived(l *life, id string) bool {
	at, ok := e.outcomes[id][l]
	for other, copied := range e.copied {
		if ok && other != l && copied[at.epoch] >= at.rev {
			return true
		}
	}
	return false
}

func (w *wild) gather() *evidence {
	e := &evidence{
		wild: w, traces: make(map[*life]trace), writers: make(map[string]*life),
		buckets: make(map[string]map[string]*wildBucket), amounts: make(map[*wildBucket]map[string]int), mails: make(map[string][]tracedMail),
		settled: make(map[string]map[*life]time.Time), claimed: make(map[string]map[*life][]time.Time),
		rows: make(map[string]map[string]bool), outcomes: make(map[string]map[*life]commitAt), copied: make(map[*life]map[string]int),
	}
	names := make(map[string]string)
	for _, l := range w.lives {
		e.traces[l] = readTrace(w.t, fmt.Sprintf("%s-%d", w.tracePath(), l.pid()))
		for _, ev := range e.traces[l].events {
			if id, ok := strings.CutPrefix(strings.Join(ev.args[min(1, len(ev.args)):], " "), "c|orders|id="); ok && ev.what == "name" {
				names[ev.args[0]] = id
			}
		}
	}
	for _, l := range w.lives {
		for _, ev := range e.traces[l].events {
			e.take(l, ev, names)
		}
	}
	for _, at := range e.buckets {
		for _, b := range at {
			b.by = e.writers[b.writer]
		}
	}
	e.readMails()
	return e
}

func (e *evidence) take(l *life, ev event, names map[string]string) {
	switch ev.what {
	case "published", "read":
		if len(ev.args) < 3 {
			return
		}
		if ev.what == "published" && e.writers[ev.args[0]] == nil {
			e.writers[ev.args[0]] = l // others publish it later, if it has to be again
		}
		for part := range strings.SplitSeq(ev.args[2], ",") {
			id, amount, _ := strings.Cut(part, ":")
			if breach, ok := names[id]; ok {
				e.bucket(l, ev, breach, amount)
			}
		}
	case "stored":
		e.stored = commitAt{ev.args[0], revOf(ev)} // what follows is of it
	case "copied":
		if e.copied[l] == nil {
			e.copied[l] = make(map[string]int)
		}
		e.copied[l][ev.args[0]] = max(e.copied[l][ev.args[0]], revOf(ev))
	case "claimed":
		id := messageID(ev.args[1])
		if e.rows[id] == nil {
			e.rows[id] = make(map[string]bool)
		}
		e.rows[id][ev.args[0]] = argAt(ev, 3) == "true"
		if e.claimed[id] == nil {
			e.claimed[id] = make(map[*life][]time.Time)
		}
		e.claimed[id][l] = append(e.claimed[id][l], ev.at)
	case "sent":
		id := messageID(ev.args[0])
		if e.settled[id] == nil {
			e.settled[id] = make(map[*life]time.Time)
		}
		if _, ok := e.settled[id][l]; !ok {
			e.settled[id][l] = ev.at
			if e.outcomes[id] == nil {
				e.outcomes[id] = make(map[*life]commitAt)
			}
			e.outcomes[id][l] = e.stored
		}
	}
}

func (e *evidence) bucket(l *life, ev event, breach, amount string) {
	key := ev.args[0] + " " + ev.args[1]
	if e.buckets[breach] == nil {
		e.buckets[breach] = make(map[string]*wildBucket)
	}
	b := e.buckets[breach][key]
	if b == nil {
		tick, _ := strconv.ParseInt(ev.args[1], 10, 64)
		b = &wildBucket{writer: ev.args[0], tick: tick, readers: make(map[*life]time.Time)}
		e.buckets[breach][key] = b
		e.amounts[b] = make(map[string]int)
	}
	units, _ := strconv.Atoi(amount)
	e.amounts[b][breach] = units / 1_000_000
	if ev.what == "read" {
		if _, ok := b.readers[l]; !ok {
			b.readers[l] = ev.at
		}
	} else if b.published.IsZero() || ev.at.Before(b.published) {
		b.published = ev.at
	}
}

func (e *evidence) readMails() {
	f, err := os.Open(e.wild.mailFile())
	if err != nil {
		e.wild.t.Error(err)
		return
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var m tracedMail
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			e.wild.t.Errorf("read mails: %v", err)
			continue
		}
		_, rest, _ := strings.Cut(m.Subject, "id=")
		breach, _, _ := strings.Cut(rest, "}")
		m.To, _, _ = strings.Cut(m.To, "@")
		e.mails[breach] = append(e.mails[breach], m)
	}
}

// story is what is known of a breach, in the order in which it happened.
func (e *evidence) story(b *wildBreach) string {
	type line struct {
		at   time.Time
		text string
	}
	var lines []line
	add := func(at time.Time, format string, args ...any) {
		lines = append(lines, line{at, fmt.Sprintf(format, args...)})
	}
	for _, c := range b.counts {
		add(c.at, "process %d is asked to count %d, answered %t", c.by.pid(), c.amount, !c.answered.IsZero())
	}
	for _, bucket := range e.buckets[b.id] {
		var readers []int
		for l := range bucket.readers {
			readers = append(readers, l.pid())
		}
		slices.Sort(readers)
		by := 0
		if bucket.by != nil {
			by = bucket.by.pid()
		}
		add(bucket.published, "process %d published tick %d (%s) with %d, read by %v", by, bucket.tick,
			time.Unix(0, bucket.tick*int64(fleetTick)).Format("15:04:05.000"), e.amounts[bucket][b.id], readers)
	}
	for _, m := range e.mails[b.id] {
		add(time.Unix(0, m.At), "process %d tells %s %q, incident %s, maybe a repeat: %t, %s", m.PID, m.To, m.Subject, m.Incident, m.Repeat, m.ID)
	}
	for id, by := range e.claimed {
		if !slices.ContainsFunc(e.mails[b.id], func(m tracedMail) bool { return m.ID == id }) {
			continue
		}
		for l, at := range by {
			for _, at := range at {
				add(at, "process %d claimed %s", l.pid(), id)
			}
		}
		for l, at := range e.settled[id] {
			add(at, "process %d wrote down that %s is told", l.pid(), id)
		}
	}
	for l, t := range e.traces {
		for _, ev := range t.events {
			if ev.what == "history" && strings.Contains(strings.Join(ev.args, " "), b.id) {
				add(ev.at, "process %d stored %s", l.pid(), strings.Join(ev.args, " "))
			}
		}
	}
	slices.SortFunc(lines, func(x, y line) int { return x.at.Compare(y.at) })
	var out strings.Builder
	for _, l := range lines {
		out.WriteString("\n\t" + l.at.Format("15:04:05.000") + " " + l.text)
	}
	return out.String()
}
