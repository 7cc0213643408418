package guard

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"testing/slogtest"

	"encoding/json"
)

// Errors whose methods do what they mustn't.
type (
	pointerError   struct{ text string }
	panickingError struct{}
	exitingError   struct{}
	panickingIs    struct{ error }
)

func (e *pointerError) Error() string { return e.text }
func (panickingError) Error() string  { panic("in Error") }
func (exitingError) Error() string    { runtime.Goexit(); return "" }
func (panickingIs) Is(error) bool     { panic("in Is") }
func (panickingIs) As(any) bool       { panic("in As") }
func (panickingIs) Unwrap() error     { panic("in Unwrap") }

func TestCallAndApart(t *testing.T) {
	t.Parallel()
	for name, run := range map[string]func(func() error) error{"Call": Call, "Apart": Apart} {
		if err := run(func() error { return io.EOF }); err != io.EOF {
			t.Errorf("%s() = %v, want what f returns", name, err)
		}
		err := run(func() error { panic(fmt.Errorf("oh: %w", io.EOF)) })
		if err == nil || err.Error() != "panic: oh: EOF" || !strings.Contains(Stack(err), "TestCallAndApart") || !Misbehaved(err) {
			t.Errorf("%s() of a panic = %v with the stack %q", name, err, Stack(err))
		}
		if err := run(func() error { panic(panickingError{}) }); err == nil || !strings.Contains(err.Error(), "PANIC") {
			t.Errorf("%s() of a panic that can't be printed = %v", name, err)
		}
		if err := run(func() error { panic(exitingError{}) }); err == nil || !strings.Contains(err.Error(), "can't be printed") {
			t.Errorf("%s() of a panic whose text ends the goroutine = %v", name, err)
		}
	}
	if err := Apart(func() error { runtime.Goexit(); return nil }); err != ErrExited || !Misbehaved(err) {
		t.Errorf("Apart() of Goexit = %v, want ErrExited", err)
	}
	if Misbehaved(io.EOF) || Misbehaved(nil) {
		t.Error("Misbehaved() of what did not")
	}
}

func TestTextAndError(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		give error
		text string // what it must have in it
		none bool
	}{
		{"nil", nil, "<nil>", true},
		{"a nil pointer", (*pointerError)(nil), "<nil>", true},
		{"an error", &pointerError{"oh"}, "oh", false},
		{"wrapped", fmt.Errorf("oh: %w", io.EOF), "oh: EOF", false},
		{"Error panics", panickingError{}, "PANIC", false},
		{"Error ends the goroutine", exitingError{}, "can't be printed", false},
		{"Is, As and Unwrap panic", panickingIs{io.EOF}, "EOF", false},
		{"joined with one whose Error panics", errors.Join(io.EOF, panickingError{}), "PANIC", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := Text(tt.give); !strings.Contains(got, tt.text) {
				t.Errorf("Text() = %q, want %q in it", got, tt.text)
			}
			got := Error(tt.give)
			if IsNil(tt.give) != tt.none || (got == nil) != tt.none {
				t.Fatalf("IsNil() = %v and Error() = %v, want none: %v", IsNil(tt.give), got, tt.none)
			}
			if got == nil {
				return
			}
			if !strings.Contains(got.Error(), tt.text) {
				t.Errorf("Error() says %q, want %q in it", got, tt.text)
			}
			errors.Is(got, io.ErrUnexpectedEOF) // must not panic
			var p interface{ Permanent() bool }
			errors.As(got, &p)
		})
	}
	if !errors.Is(Error(fmt.Errorf("oh: %w", io.EOF)), io.EOF) {
		t.Error("errors.Is() of a guarded error doesn't find what it wraps")
	}
	var found *pointerError
	if !errors.As(Error(fmt.Errorf("oh: %w", &pointerError{"deep"})), &found) || found.text != "deep" {
		t.Error("errors.As() of a guarded error doesn't find what it wraps")
	}
}

func TestShortText(t *testing.T) {
	t.Parallel()
	if got := ShortText(io.EOF); got != "EOF" {
		t.Errorf("ShortText() = %q, want EOF", got)
	}
	long := ShortText(errors.New(strings.Repeat("ä", MaxText)))
	if len(long) > MaxText || len(long) < MaxText-8 || !strings.HasSuffix(long, "ä...") {
		t.Errorf("ShortText() of a long one has %d bytes and ends with %q", len(long), long[len(long)-8:])
	}
}

func TestContext(t *testing.T) {
	t.Parallel()
	var none context.Context
	if Context(none) != context.Background() || Context(t.Context()) != t.Context() {
		t.Error("Context() is not Background for nil, and ctx else")
	}
}

// rude is a handler that does do, wherever it is called.
type rude struct{ do func() }

func (r rude) Enabled(context.Context, slog.Level) bool  { r.do(); return true }
func (r rude) Handle(context.Context, slog.Record) error { r.do(); return nil }
func (r rude) WithAttrs([]slog.Attr) slog.Handler        { r.do(); return nil }
func (r rude) WithGroup(string) slog.Handler             { r.do(); return nil }

func TestLoggerSurvives(t *testing.T) {
	t.Parallel()
	for name, do := range map[string]func(){
		"panics":           func() { panic("in the handler") },
		"gives no handler": func() {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := Logger(slog.New(rude{do}))
			l.With("a", 1).WithGroup("g").Error("lost", "error", panickingError{})
			l.Info("lost")
		})
	}
	onlyHandle := slog.New(handleOnly{func(r slog.Record) {
		if r.Message == "end" {
			runtime.Goexit()
		}
	}})
	ended := true
	func() {
		Logger(onlyHandle).Info("end")
		ended = false
	}()
	if ended {
		t.Error("the handler ended the goroutine of who logs")
	}
	Logger(nil).Info("lost")
	if once := Handler(slog.DiscardHandler); Handler(once) != once {
		t.Errorf("a handler is guarded twice: %#v", Handler(once))
	}
}

type handleOnly struct{ do func(slog.Record) }

func (handleOnly) Enabled(context.Context, slog.Level) bool { return true }
func (h handleOnly) Handle(_ context.Context, r slog.Record) error {
	h.do(r)
	return nil
}
func (h handleOnly) WithAttrs([]slog.Attr) slog.Handler { return h }
func (h handleOnly) WithGroup(string) slog.Handler      { return h }

// TestLoggerIsAHandler holds it to what slog asks of a handler.
func TestLoggerIsAHandler(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	err := slogtest.TestHandler(Handler(slog.NewJSONHandler(&out, nil)), func() (records []map[string]any) {
		for line := range bytes.Lines(out.Bytes()) {
			var r map[string]any
			if err := json.Unmarshal(line, &r); err != nil {
				t.Fatal(err)
			}
			records = append(records, r)
		}
		return records
	})
	if err != nil {
		t.Error(err)
	}
}
