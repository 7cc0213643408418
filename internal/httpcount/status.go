package httpcount

import (
	"context"
	"net/http"
	"runtime"
	"strings"
	"time"
)

// status is what is known of a response: in its low bits the final status
// code, 0 until there is one, and above it how the response came about.
type status uint32

const (
	codeBits status = 1<<10 - 1

	hijacked status = 1 << 10 << iota
	streamed        // its body is an event stream
	hungUp          // the client had gone before there was a status
	panicked        // a panic was caught after there was a status
	awaited         // next has returned without one: see Meter.await
	counted

	// settled is what a status is never added to.
	settled = codeBits | hijacked | hungUp | counted
)

// exchange returns what a response counts as.
func (s status) exchange(method string, took time.Duration) Exchange {
	return Exchange{
		Method:   method,
		Status:   int(s & codeBits),
		Duration: took,
		Hijacked: s&hijacked != 0,
		Streamed: s&streamed != 0,
		Aborted:  s&(hungUp|hijacked) == hungUp,
		Panicked: s&panicked != 0,
	}
}

// isFinal says whether a code is a final status. 1xx are informational, but
// for 101 (RFC 9110, section 15.2).
func isFinal(code int) bool { return code >= 200 || code == http.StatusSwitchingProtocols }

// clientGone says whether the client of a request hung up. A context that ran
// out of time is none of the client's doing.
func clientGone(ctx context.Context) bool { return ctx.Err() == context.Canceled }

// isEventStream says whether a response is a stream of server-sent events,
// which lasts for as long as both sides like.
func isEventStream(header http.Header) bool {
	v := header["Content-Type"]
	if len(v) == 0 {
		return false
	}
	media, _, _ := strings.Cut(v[0], ";")
	return strings.EqualFold(strings.TrimSpace(media), "text/event-stream")
}

// status returns what is known so far.
func (w *response) status() status { return status(w.state.Load()) }

// note takes a final status code that was, or is about to be, written. Only
// the first one counts; but one of failure that comes too late, from a deferred
// function of a panic, says that the handler failed.
func (w *response) note(code int) {
	s := w.status()
	switch {
	case s&settled == 0:
		w.first(code)
	case code >= http.StatusBadRequest && s&(counted|panicked) == 0 && panicking():
		w.add(panicked)
	}
}

func (w *response) first(code int) {
	s := status(code)
	switch {
	case clientGone(w.ctx):
		s |= hungUp
	case code == http.StatusOK && isEventStream(w.Header()):
		s |= streamed
	}
	for {
		old := w.status()
		if old&settled != 0 || w.change(old, old|s) {
			return
		}
	}
}

// add adds one of the flags, whatever the status code, unless all of it has
// been counted.
func (w *response) add(flag status) {
	for {
		old := w.status()
		if old&counted != 0 || w.change(old, old|flag) {
			return
		}
	}
}

// change goes from old to s, if old still stands, and counts what was awaited.
func (w *response) change(old, s status) bool {
	if old&awaited == 0 {
		return w.state.CompareAndSwap(uint32(old), uint32(s))
	}
	if !w.state.CompareAndSwap(uint32(old), uint32(s|counted)) {
		return false
	}
	w.meter.count(w.pending, s)
	return true
}

// known returns what is known when the handler has returned. If that is
// nothing and the client has gone, it will stay so.
func (w *response) known() status {
	if s := w.status(); s&settled != 0 || !clientGone(w.ctx) {
		return s
	}
	w.add(hungUp)
	return w.status()
}

// await makes whoever writes the status count it, and says whether it could:
// not if there is one.
func (w *response) await() bool { return w.state.CompareAndSwap(0, uint32(awaited)) }

// close takes an awaited response from whoever would write to it, and says
// whether it could: not if it has been counted.
func (w *response) close() bool { return w.state.CompareAndSwap(uint32(awaited), uint32(counted)) }

// panicking says whether its caller runs as a deferred function of a panic.
// It walks the stack, so it is for what happens seldom.
func panicking() bool {
	var callers [64]uintptr
	frames := runtime.CallersFrames(callers[:runtime.Callers(2, callers[:])])
	for {
		f, more := frames.Next()
		if f.Function == "runtime.gopanic" {
			return true
		}
		if !more {
			return false
		}
	}
}
