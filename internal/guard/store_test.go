package guard

import (
	"context"
	"errors"
	"io"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/go-batteries/hawkeye/store"
)

// broken is a Store all of whose calls do do, and return err.
type broken struct {
	do     func()
	err    error
	traits store.Traits
}

func (b broken) Traits() store.Traits { return b.traits }
func (b broken) Now(context.Context) (time.Time, error) {
	b.do()
	return time.Time{}, b.err
}
func (b broken) Publish(context.Context, store.Publication) (store.PublishReply, error) {
	b.do()
	return store.PublishReply{}, b.err
}
func (b broken) Read(context.Context, []store.TickQuery) ([]store.TickBuckets, error) {
	b.do()
	return nil, b.err
}
func (b broken) Names(context.Context, []uint64) (map[uint64]string, error) {
	b.do()
	return nil, b.err
}
func (b broken) Changes(context.Context, store.Cursor) (store.Changes, error) {
	b.do()
	return store.Changes{}, b.err
}
func (b broken) Commit(context.Context, store.Commit) (store.Cursor, error) {
	b.do()
	return store.Cursor{}, b.err
}
func (b broken) Restore(context.Context, store.Offer) error { b.do(); return b.err }
func (b broken) Sync(context.Context) error                 { b.do(); return b.err }

var fine = store.Traits{Tick: time.Second, Name: "broken"}

// TestStoreSurvives calls each method of Stores that do what they mustn't.
func TestStoreSurvives(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		do   func()
		err  error
		want func(error) bool
	}{
		{"fine", func() {}, nil, func(err error) bool { return err == nil }},
		{"an error", func() {}, store.ErrConflict, func(err error) bool { return errors.Is(err, store.ErrConflict) }},
		{"panics", func() { panic("oh") }, nil, func(err error) bool { return Misbehaved(err) }},
		{"ends the goroutine", runtime.Goexit, nil, func(err error) bool { return errors.Is(err, ErrExited) }},
		{"a nil pointer", func() {}, (*pointerError)(nil), func(err error) bool { return err == nil }},
		{"Error panics", func() {}, panickingError{}, func(err error) bool { return strings.Contains(err.Error(), "PANIC") }},
		{"Is panics", func() {}, panickingIs{io.EOF}, func(err error) bool { return !errors.Is(err, store.ErrEpoch) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, err := NewStore(broken{tt.do, tt.err, fine})
			if err != nil {
				t.Fatal(err)
			}
			v := reflect.ValueOf(s)
			for i := range v.NumMethod() {
				name, m := v.Type().Method(i).Name, v.Method(i)
				if name == "Traits" || name == "Left" || name == "Problem" {
					continue
				}
				args := []reflect.Value{reflect.ValueOf(t.Context())}
				for j := 1; j < m.Type().NumIn(); j++ {
					args = append(args, reflect.Zero(m.Type().In(j)))
				}
				out := m.Call(args)
				err, _ := out[len(out)-1].Interface().(error)
				if !tt.want(err) {
					t.Errorf("%s() = %v", name, err)
				}
			}
		})
	}
}

func TestNewStore(t *testing.T) {
	t.Parallel()
	if _, err := NewStore(broken{}); err == nil {
		t.Error("NewStore() of a Store without ticks = nil")
	}
	if _, err := NewStore((*nilStore)(nil)); err == nil {
		t.Error("NewStore() of a Store whose Traits panic = nil")
	}
	s, err := NewStore(broken{func() {}, nil, fine})
	if err != nil {
		t.Fatal(err)
	}
	if again, err := NewStore(s); again != s || err != nil {
		t.Errorf("NewStore() of a guarded one = %p, %v; want it", again, err)
	}
	if _, ok := As[store.Syncer](s); !ok {
		t.Error("As() doesn't find a capability")
	}
	if _, ok := As[store.Opener](s); ok {
		t.Error("As() finds a capability that isn't there")
	}
	if _, err := s.Read(t.Context(), make([]store.TickQuery, 2)); err == nil {
		t.Error("Read() with fewer answers than questions = nil")
	}
}

type nilStore struct{ broken }
