package memstore

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestNewRefusesBadOptions(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name string
		opts []Option
		want []string // in the error, each
	}{
		{"tick too short", []Option{WithTick(9 * time.Millisecond)}, []string{"WithTick(9ms)"}},
		{"no tick", []Option{WithTick(0)}, []string{"WithTick(0s)"}},
		{"negative tick", []Option{WithTick(-time.Second)}, []string{"WithTick(-1s)"}},
		{"retention shorter than ten ticks", []Option{WithTick(time.Second), WithRetention(9 * time.Second)}, []string{"WithRetention(9s)"}},
		{"the same in the other order", []Option{WithRetention(9 * time.Second), WithTick(time.Second)}, []string{"WithRetention(9s)"}},
		{"no retention", []Option{WithRetention(0)}, []string{"WithRetention(0s)"}},
		{"interval too short", []Option{WithStateInterval(time.Millisecond)}, []string{"WithStateInterval(1ms)"}},
		{"no logger", []Option{WithLogger(nil)}, []string{"WithLogger(nil)"}},
		{"no path", []Option{WithStateFile("")}, []string{`WithStateFile("")`, "empty"}},
		{"no directory", []Option{WithStateFile(filepath.Join(dir, "none", "state"))}, []string{"WithStateFile", "none"}},
		{"a file for a directory", []Option{WithStateFile(filepath.Join(file, "state"))}, []string{"WithStateFile"}},
		{"a directory for a file", []Option{WithStateFile(dir)}, []string{"WithStateFile", "not a regular file"}},
		{"a symbolic link", []Option{WithStateFile(link)}, []string{"WithStateFile", "not a regular file"}},
		{"all at once", []Option{WithTick(0), WithStateInterval(0), WithRetention(-1), WithLogger(nil), WithStateFile("")},
			[]string{"WithTick", "WithStateInterval", "WithRetention", "WithLogger", "WithStateFile"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s, err := New(row.opts...)
			if s != nil || !errors.Is(err, ErrInvalidOption) {
				t.Fatalf("New() = %v, %v, want nil and ErrInvalidOption", s, err)
			}
			for _, want := range row.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("New() = %q, want %q in it", err, want)
				}
			}
		})
	}
}

func TestNewTakesTheLeast(t *testing.T) {
	t.Parallel()
	s, err := New(WithTick(minTick), WithRetention(minRetentionTicks*minTick), WithStateInterval(minStateInterval))
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Traits(); got.Tick != minTick || got.Retention != minRetentionTicks*minTick || got.Shared || got.Name != "memory" {
		t.Errorf("Traits() = %+v", got)
	}
}
