// Package guard stands between hawkeye and code that isn't its own: loggers,
// mailing services, stores, functions given by options, and the methods of the
// errors that they return. Whatever such code does on a goroutine of hawkeye's
// would otherwise end the process that hosts it.
//
//   - A panic becomes an error, a [PanicError].
//   - The end of a goroutine (runtime.Goexit, as t.FailNow of package testing
//     does) becomes [ErrExited], where the code is run by [Apart].
//   - An error's text is read once, by [Text], which can't panic; an error that
//     is a nil pointer in an interface is none, see [IsNil].
//
// Nothing here logs, so nothing that a logger does leads back to it.
package guard

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime/debug"
	"strings"
)

// ErrExited says that code ended the goroutine that it was run on.
var ErrExited = errors.New("its goroutine was ended")

// PanicError is a panic that was caught.
type PanicError struct {
	// Value is what was panicked with, as text.
	Value string
	// Stack is that of the goroutine when it panicked.
	Stack string
}

// Error says what the panic said, without the stack.
func (e *PanicError) Error() string { return "panic: " + e.Value }

// Call runs f and turns its panic into an error.
func Call(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = Caught(v)
		}
	}()
	return f()
}

// Apart is Call on a goroutine of its own, so that f may end that. It waits
// for f, however long that takes.
func Apart(f func() error) error {
	done := make(chan error, 1)
	go func() {
		err := ErrExited
		defer func() { done <- err }()
		err = Call(f)
	}()
	return <-done
}

// Step is Apart with an error that is safe to read: whatever code of others, a
// Store's say, does in a step, the steps that follow must be done, and the host
// must live.
func Step(step func() error) error { return Error(Apart(step)) }

// Caught returns the error for what recover has returned, which isn't nil.
func Caught(v any) *PanicError { return &PanicError{Value: show(v), Stack: string(debug.Stack())} }

// Stack returns the stack of the panic that err is about, or "".
func Stack(err error) string {
	var p *PanicError
	if errors.As(err, &p) {
		return p.Stack
	}
	return ""
}

// show is fmt.Sprint for what may panic, or end the goroutine, when it is
// printed: an error, say. fmt catches panics by itself.
func show(v any) (text string) {
	text = fmt.Sprintf("(a %T that can't be printed)", v)
	switch v.(type) {
	case error, fmt.Stringer, fmt.Formatter:
		done := make(chan string, 1)
		go func() {
			said := text
			defer func() { done <- said }()
			said = fmt.Sprint(v)
		}()
		return <-done
	}
	return fmt.Sprint(v)
}

// Misbehaved says whether err is of code that panicked or ended its goroutine.
func Misbehaved(err error) bool {
	var p *PanicError
	return errors.As(err, &p) || Is(err, ErrExited)
}

// IsNil says whether err is nil, or a nil pointer in an interface: the classic
// mistake of code that means to return no error.
func IsNil(err error) bool {
	if err == nil {
		return true
	}
	return IsNilPointer(err)
}

// IsNilPointer says whether v holds a nil pointer, or a nil function.
func IsNilPointer(v any) bool {
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.Pointer, reflect.Func:
		return r.IsNil()
	default:
		return false
	}
}

// Text is err's text. Where its Error method panics, or ends the goroutine, it
// says so instead.
func Text(err error) string {
	if err == nil {
		return "<nil>"
	}
	return show(err)
}

// MaxText bounds the texts of errors that are stored.
const MaxText = 4 << 10

// ShortText is Text, cut to [MaxText] bytes: what is stored stays bounded
// whatever a service answers.
func ShortText(err error) string {
	text := Text(err)
	if len(text) <= MaxText {
		return text
	}
	return strings.ToValidUTF8(text[:MaxText-3], "") + "..."
}

// Error returns an error with the text of err, which is read now, and of which
// errors.Is and errors.As know what err is, as far as its methods don't panic.
// It is nil for what [IsNil] takes for nil.
func Error(err error) error {
	if IsNil(err) {
		return nil
	}
	return &plain{text: Text(err), err: err}
}

type plain struct {
	text string
	err  error
}

func (p *plain) Error() string { return p.text }

// Is implements the interface of errors.Is. There is no Unwrap, which would
// lead to methods that panic.
func (p *plain) Is(target error) bool { return Is(p.err, target) }

// As implements the interface of errors.As.
func (p *plain) As(target any) bool {
	found := false
	_ = Call(func() error { found = errors.As(p.err, target); return nil })
	return found
}

// Is is errors.Is, and false if a method of err panics.
func Is(err, target error) bool {
	found := false
	_ = Call(func() error { found = errors.Is(err, target); return nil })
	return found
}

// Context returns ctx, or context.Background() for nil.
func Context(ctx context.Context) context.Context {
	if ctx == nil {
		return context.Background()
	}
	return ctx
}
