package httpcount

import (
	"net/http"
	"slices"
	"time"
)

// maxAwaited bounds the exchanges whose status is yet to come. They are as
// many as requests are being served; beyond the bound a missing status is 200.
const maxAwaited = 4096

// pending is an exchange whose handler returned without a status.
type pending struct {
	response *response
	route    *routeCells
	method   string
	took     time.Duration
}

// mayFollow says whether a status may follow after the middleware's handler
// has returned, and whether the end of the request will be noticed. A
// framework that keeps a handler's error and answers later, as echo does, does
// so before net/http ends the request's context. Of other servers nobody knows
// when a context of theirs ends.
func mayFollow(r *http.Request) bool {
	ctx := r.Context()
	return ctx.Done() != nil && ctx.Value(http.ServerContextKey) != nil
}

// await counts an exchange when its status is written, or else as the 200 that
// net/http answers by itself, when its request is over: in the next Settle.
func (m *Meter) await(p *pending) {
	m.waiting.Lock()
	defer m.waiting.Unlock()
	if len(m.pending) >= m.sweepAt {
		m.settle()
		m.sweepAt = min(max(2*len(m.pending), 64), maxAwaited)
	}
	p.response.pending = p
	if len(m.pending) >= maxAwaited || !p.response.await() { // the latter if it was written to meanwhile
		m.count(p, p.response.known())
		return
	}
	m.pending = append(m.pending, p)
}

// Settle counts what was awaited by requests that are over.
func (m *Meter) Settle() {
	if m == nil {
		return
	}
	m.waiting.Lock()
	defer m.waiting.Unlock()
	m.settle()
}

// settle wants waiting held.
func (m *Meter) settle() {
	m.pending = slices.DeleteFunc(m.pending, func(p *pending) bool {
		switch {
		case p.response.status()&counted != 0: // by whoever wrote the status
			return true
		case p.response.ctx.Err() == nil:
			return false
		}
		if p.response.close() {
			m.count(p, http.StatusOK)
		}
		return true
	})
}

func (m *Meter) count(p *pending, s status) {
	e := s.exchange(p.method, p.took)
	m.record(p.route, &e)
}
