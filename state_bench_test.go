package hawkeye_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-batteries/hawkeye"
	"github.com/go-batteries/hawkeye/store/memstore"
)

// What a state file costs. docs/standalone.md has the figures, and how to get
// them.

// paired is a handle whose mails are told to the channel.
func paired(b *testing.B, opts ...memstore.Option) (*hawkeye.Hawkeye, <-chan time.Time) {
	b.Helper()
	s, err := memstore.New(append(opts, memstore.WithLogger(quiet()))...)
	if err != nil {
		b.Fatal(err)
	}
	mails := make(chan time.Time, 1)
	h, err := hawkeye.New(hawkeye.WithoutSocket(), hawkeye.WithLogger(quiet()), hawkeye.WithStore(s),
		hawkeye.WithReceiver("team", hawkeye.Receiver{To: []string{"a@example.com"}, GroupBy: []string{"g"}}),
		hawkeye.WithMonitors(hawkeye.Monitor{Metric: "m", By: []string{"g"}, MaxGroups: 100_000, Window: 5 * time.Minute, Notify: []string{"team"},
			Triggers: []hawkeye.Trigger{{Threshold: 1}}}),
		hawkeye.WithMailer(hawkeye.MailerFunc(func(context.Context, hawkeye.MailerConfig) error {
			mails <- time.Now()
			return nil
		})))
	if err != nil {
		b.Fatal(err)
	}
	if err := h.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := h.Shutdown(context.Background()); err != nil {
			b.Errorf("Shutdown() = %v", err)
		}
	})
	return h, mails
}

func mailed(b *testing.B, mails <-chan time.Time) time.Time {
	b.Helper()
	select {
	case at := <-mails:
		return at
	case <-time.After(2 * time.Minute):
		b.Fatal("no mail within two minutes")
		return time.Time{}
	}
}

// BenchmarkBreachToMail has two handles breach at the same moment, one with a
// state file and one without: their ticks end together.
func BenchmarkBreachToMail(b *testing.B) {
	kept, keptMails := paired(b, memstore.WithStateFile(filepath.Join(b.TempDir(), "state")))
	plain, plainMails := paired(b)
	var with, without, added []time.Duration
	for n := 0; b.Loop(); n++ {
		g := hawkeye.T("g", strconv.Itoa(n))
		began := time.Now()
		kept.Incr("m", g)
		plain.Incr("m", g)
		a, p := mailed(b, keptMails).Sub(began), mailed(b, plainMails).Sub(began)
		with, without, added = append(with, a), append(without, p), append(added, a-p)
	}
	for unit, all := range map[string][]time.Duration{"with": with, "without": without, "added": added} {
		slices.Sort(all)
		b.ReportMetric(float64(all[len(all)/2])/1e6, "ms-"+unit+"-p50")
		b.ReportMetric(float64(all[len(all)*99/100])/1e6, "ms-"+unit+"-p99")
	}
	b.ReportMetric(0, "ns/op") // that is the length of a tick
}

// written returns how many bytes this process has handed to write so far.
func written(t *testing.T) int64 {
	t.Helper()
	data, err := os.ReadFile("/proc/self/io")
	if err != nil {
		t.Skip("the system doesn't say how much was written")
	}
	for line := range strings.Lines(string(data)) {
		if n, ok := strings.CutPrefix(line, "wchar: "); ok {
			v, err := strconv.ParseInt(strings.TrimSpace(n), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
	}
	t.Fatal("/proc/self/io has no wchar")
	return 0
}

// TestWrittenAtRest: while alerts fire on and nothing changes, the state is
// written in its rhythm, and next to nothing besides.
func TestWrittenAtRest(t *testing.T) { // not parallel: it counts what the process writes
	sizes := []int{0, 100}
	if os.Getenv("HAWKEYE_LONG") != "" {
		sizes = append(sizes, 10_000)
	}
	for _, alerts := range sizes {
		t.Run(fmt.Sprintf("%d alerts", alerts), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "state")
			synctest.Test(t, func(t *testing.T) {
				h := manyFiring(t, path, alerts)
				after(memstore.DefaultRetention + 30*time.Second) // until the state grows no more
				const minutes = 2
				before := written(t)
				after(minutes * time.Minute)
				perMinute := (written(t) - before) / minutes
				info, err := os.Stat(path)
				if err != nil {
					t.Fatal(err)
				}
				t.Logf("%d bytes a minute, a state of %d bytes", perMinute, info.Size())
				if most := (int64(time.Minute/memstore.DefaultStateInterval)+2)*info.Size() + 64<<10; perMinute > most {
					t.Errorf("%d bytes a minute are written, want at most %d: the state of %d bytes in its rhythm", perMinute, most, info.Size())
				}
				if err := h.Shutdown(context.Background()); err != nil {
					t.Errorf("Shutdown() = %v", err)
				}
			})
		})
	}
}

// watchingFailures starts a handle with a state file that watches a counter.
func watchingFailures(tb testing.TB, path string) *hawkeye.Hawkeye {
	tb.Helper()
	s, err := memstore.New(memstore.WithStateFile(path), memstore.WithLogger(quiet()))
	if err != nil {
		tb.Fatal(err)
	}
	h, err := hawkeye.New(hawkeye.WithoutSocket(), hawkeye.WithLogger(quiet()), hawkeye.WithService("shop", "test"),
		hawkeye.WithStore(s), hawkeye.WithMailer(new(mailbox)), hawkeye.WithReceiver("team", hawkeye.Receiver{To: []string{"a@example.com"}}),
		hawkeye.WithMonitors(hawkeye.Monitor{Metric: "failed", By: []string{"g"}, Window: time.Hour, MaxGroups: 20_000, Notify: []string{"team"},
			Triggers: []hawkeye.Trigger{{Threshold: 1}}}))
	if err != nil {
		tb.Fatal(err)
	}
	if err := h.Start(context.Background()); err != nil {
		tb.Fatal(err)
	}
	return h
}

// manyFiring returns such a handle with so many alerts that fire on.
func manyFiring(tb testing.TB, path string, alerts int) *hawkeye.Hawkeye {
	tb.Helper()
	h := watchingFailures(tb, path)
	for i := range alerts {
		h.Incr("failed", hawkeye.T("g", strconv.Itoa(i)))
	}
	for firingNow(h) < alerts {
		time.Sleep(100 * time.Millisecond)
	}
	return h
}

func firingNow(h *hawkeye.Hawkeye) (n int) {
	for _, a := range h.Alerts() {
		if a.State == "firing" {
			n++
		}
	}
	return n
}

// BenchmarkRecovery starts on what a process leaves behind that is killed while
// 10,000 alerts fire, until a tick is evaluated and all of them fire on.
func BenchmarkRecovery(b *testing.B) {
	const alerts = 10_000
	dir := b.TempDir()
	h := manyFiring(b, filepath.Join(dir, "state"), alerts)
	time.Sleep(memstore.DefaultStateInterval + 3*time.Second) // what was counted is in the state file
	image := filepath.Join(b.TempDir(), "image")
	if err := os.CopyFS(image, os.DirFS(dir)); err != nil { // as it is in this moment
		b.Fatal(err)
	}
	if err := h.Shutdown(context.Background()); err != nil {
		b.Fatal(err)
	}
	var started, evaluated time.Duration
	n := 0
	for b.Loop() {
		b.StopTimer()
		copied := filepath.Join(b.TempDir(), "copy")
		if err := os.CopyFS(copied, os.DirFS(image)); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		began := time.Now()
		h := watchingFailures(b, filepath.Join(copied, "state"))
		started += time.Since(began)
		for h.Stats().EvaluatedTick.Before(began) || firingNow(h) < alerts {
			if time.Since(began) > time.Minute {
				b.Fatalf("%d alerts fire after a minute, evaluated up to %v ago", firingNow(h), time.Since(h.Stats().EvaluatedTick))
			}
			time.Sleep(5 * time.Millisecond)
		}
		evaluated += time.Since(began)
		n++
		b.StopTimer()
		if err := h.Shutdown(context.Background()); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	b.ReportMetric(float64(started.Milliseconds())/float64(n), "ms-start")
	b.ReportMetric(float64(evaluated.Milliseconds())/float64(n), "ms-evaluated")
	b.ReportMetric(0, "ns/op")
}
