package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// BenchmarkBacktest plays a generated day, 86,400 s of 100 series, reading
// included.
func BenchmarkBacktest(b *testing.B) {
	var day bytes.Buffer
	if code := run([]string{"generate"}, &console{out: &day, err: io.Discard}); code != exitFine {
		b.Fatal("generate:", code)
	}
	samples := filepath.Join(b.TempDir(), "day.jsonl")
	if err := os.WriteFile(samples, day.Bytes(), 0o600); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		c := &console{out: io.Discard, err: io.Discard, lookupEnv: os.LookupEnv}
		if code := run([]string{"backtest", "../../testdata/api-errors.yaml", "-s", samples}, c); code != exitFine {
			b.Fatal("backtest:", code)
		}
	}
}
