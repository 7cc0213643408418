package jsonrpc

import (
	"bytes"
	"encoding/json"
	"runtime/debug"
)

// handleFast answers s.call. It reports false if the call has to go the
// general way after all.
func (s *Session) handleFast(out []byte) ([]byte, bool) {
	text := s.call.text
	if s.call.escaped {
		var valid bool
		if s.scratch, valid = unescape(s.scratch[:0], text); !valid {
			return out, false
		}
		text = s.scratch
	}
	s.Stats.Calls++
	s.Stats.FastCalls++
	s.last = s.call.dialect
	return s.reply(out, s.call.dialect, s.call.id, "0", s.record(text)), true
}

// reply answers one call, unless it is a notification.
func (s *Session) reply(out []byte, d dialect, id []byte, result string, e *rpcError) []byte {
	if e != nil {
		s.Stats.Failed++
	}
	if isNotification(d, id) {
		return out
	}
	if e != nil {
		return appendError(out, d, id, e)
	}
	return appendResult(out, d, id, result)
}

// isNotification reports whether nobody waits for an answer: 1.0 says so by
// an id of null, 2.0 by having none.
func isNotification(d dialect, id []byte) bool {
	return id == nil || d == v1 && string(id) == "null"
}

// record hands text to the Recorder. A panic there is this call's error and
// nobody else's.
func (s *Session) record(text []byte) (e *rpcError) {
	defer func() {
		if recovered := recover(); recovered != nil {
			s.Stats.Panics++
			if s.OnPanic != nil {
				s.OnPanic(recovered, debug.Stack())
			}
			e = errInternal
		}
	}()
	if err := s.Recorder.Apply(text); err != nil {
		return errorOfLine(err)
	}
	return nil
}

// handleDocument answers a document that is valid JSON, an object or array.
func (s *Session) handleDocument(doc, out []byte) []byte {
	if doc[0] == '{' {
		return s.handleRequest(doc, false, out)
	}
	s.last = v2
	var requests []json.RawMessage
	if err := json.Unmarshal(doc, &requests); err != nil {
		return s.reply(out, v2, null, "", errParse.because(err.Error()))
	}
	if len(requests) == 0 {
		return s.reply(out, v2, null, "", errInvalidRequest.because("the batch is empty"))
	}
	if len(requests) > maxBatch {
		return s.reply(out, v2, null, "", errInvalidRequest.because("the batch has too many requests"))
	}
	return s.handleBatch(requests, out)
}

// handleBatch answers with an array of the replies in the order of their
// requests, or with nothing if all were notifications.
func (s *Session) handleBatch(requests []json.RawMessage, out []byte) []byte {
	start := len(out)
	out = append(out, '[')
	for _, r := range requests {
		s.Stats.BatchCalls++
		before := len(out)
		if out = s.handleRequest(r, true, out); len(out) > before {
			out[len(out)-1] = ',' // instead of the newline
		}
	}
	if len(out) == start+1 {
		return out[:start]
	}
	out[len(out)-1] = ']'
	return append(out, '\n')
}

// request is a call, decoded. Its parts are as they were sent.
type request struct {
	dialect dialect
	id      []byte // nil if there is none
	method  string
	params  []byte // nil if there are none
}

func (s *Session) handleRequest(doc []byte, inBatch bool, out []byte) []byte {
	s.Stats.Calls++
	r, e := s.decode(doc, inBatch)
	s.last = r.dialect
	if e != nil {
		// Who sent something that is no request is answered in any case.
		s.Stats.Failed++
		id := r.id
		if id == nil {
			id = null
		}
		return appendError(out, r.dialect, id, e)
	}
	result, e := s.dispatch(r)
	return s.reply(out, r.dialect, r.id, result, e)
}

// decode reads a request by the rules of its dialect. Member names are case
// sensitive, and unknown members are ignored.
func (s *Session) decode(doc []byte, inBatch bool) (r request, e *rpcError) {
	r.dialect = v2
	var members map[string]json.RawMessage
	if bytes.TrimLeft(doc, " \t\r\n")[0] != '{' || json.Unmarshal(doc, &members) != nil {
		return r, errInvalidRequest.because("it is not an object")
	}
	version, versioned := members["jsonrpc"]
	if _, called := members["method"]; !versioned && !inBatch && (called || s.last == v1) {
		r.dialect = v1
	}
	if id, found := members["id"]; found {
		if r.dialect == v2 && !validID(id) {
			return r, errInvalidRequest.because("id is neither a string nor a number nor null")
		}
		r.id = id
	}
	if r.dialect == v2 && string(version) != `"2.0"` {
		return r, errInvalidRequest.because(`jsonrpc is not "2.0"`)
	}
	method := members["method"]
	if len(method) == 0 || method[0] != '"' || json.Unmarshal(method, &r.method) != nil {
		return r, errInvalidRequest.because("method is not a string")
	}
	if params, found := members["params"]; found {
		if params[0] != '[' && params[0] != '{' {
			return r, errInvalidRequest.because("params is neither an array nor an object")
		}
		r.params = params
	}
	return r, nil
}

// validID reports whether a JSON value may be the id of a 2.0 request.
func validID(id []byte) bool {
	switch id[0] {
	case '{', '[', 't', 'f':
		return false
	}
	return true
}

// dispatch runs the method and returns its result as JSON.
func (s *Session) dispatch(r request) (result string, e *rpcError) {
	switch r.method {
	case methodHandle:
		var p struct{ Text *string }
		if e := decodeParams(r.params, &p, &p.Text, "Text is not a string"); e != nil {
			return "", e
		}
		if p.Text == nil {
			return "", errInvalidParams.because("Text is missing")
		}
		return "0", s.record([]byte(*p.Text))
	case methodBatch:
		var p struct{ Lines []string }
		if e := decodeParams(r.params, &p, &p.Lines, "Lines is not an array of strings"); e != nil {
			return "", e
		}
		if len(p.Lines) == 0 {
			return "", errInvalidParams.because("Lines is missing or empty")
		}
		s.scratch = s.scratch[:0]
		for _, line := range p.Lines {
			s.scratch = append(append(s.scratch, line...), '\n')
		}
		return "0", s.record(s.scratch)
	case methodPing:
		return `"pong"`, nil
	}
	return "", errMethodNotFound.because(quote(r.method))
}

// decodeParams reads params into named if they are an object, or an array of
// one object, as Go's client sends it; and into positional if they are an
// array of one other value. A wrong type is answered with mismatch.
func decodeParams(params []byte, named, positional any, mismatch string) *rpcError {
	if params == nil {
		return errInvalidParams.because("params is missing")
	}
	target := named
	if params[0] == '[' {
		var list []json.RawMessage
		if err := json.Unmarshal(params, &list); err != nil || len(list) != 1 {
			return errInvalidParams.because("want one parameter")
		}
		if params = list[0]; params[0] != '{' {
			target = positional
		}
	}
	if json.Unmarshal(params, target) != nil {
		return errInvalidParams.because(mismatch)
	}
	return nil
}
