package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-batteries/hawkeye/internal/bucket"
	"github.com/go-batteries/hawkeye/internal/series"
	"github.com/go-batteries/hawkeye/store"
	"github.com/go-batteries/hawkeye/store/memstore"
)

// writeState makes the state file of a program that counted failures for a
// minute.
func writeState(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "state")
	s, err := memstore.New(memstore.WithStateFile(path), memstore.WithTick(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	tags := []series.Tag{{Key: "method", Value: "POST"}, {Key: "route", Value: "/api/pay"}}
	p := store.Publication{Names: []store.Name{
		{ID: 1, Text: series.Canonical(series.KindCounter, "http.requests", tags)},
		{ID: 2, Text: series.Canonical(series.KindCounter, "http.response.5xx", tags)},
	}}
	first := time.Now().Unix() - 100
	for i := range int64(60) {
		b := bucket.Bucket{Counters: []bucket.Counter{{ID: 1, Delta: 10 * bucket.Unit}, {ID: 2, Delta: 5 * bucket.Unit}}}
		p.Buckets = append(p.Buckets, store.Bucket{Tick: first + i, Writer: store.ID{1}, Data: bucket.Append(nil, &b)})
	}
	if _, err := s.Publish(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if err := s.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestBacktestOfStateFile(t *testing.T) {
	t.Parallel()
	path := writeState(t)
	r := invoke(t, "backtest", "../../testdata/api-errors.yaml", "-s", path, "-m")
	if r.code != exitFine {
		t.Fatalf("exit code = %d, %s", r.code, r.err)
	}
	for _, want := range []string{"60 ticks", "api-errors would have fired once", "[critical] api-errors {route=/api/pay}"} {
		if !strings.Contains(r.out, want) {
			t.Errorf("backtest doesn't say %q:\n%s", want, r.out)
		}
	}
	r = invoke(t, "explain", "../../testdata/api-errors.yaml", "-s", path, "--at", "30s")
	if r.code != exitFine || !strings.Contains(r.out, "firing as critical") || !strings.Contains(r.out, "50% = 150 / 300") {
		t.Errorf("explain = %d, %s%s", r.code, r.out, r.err)
	}
}
