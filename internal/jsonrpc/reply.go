package jsonrpc

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/go-batteries/hawkeye/internal/statsd"
)

// null is the id of an answer to a request whose id could not be read.
var null = []byte("null")

// rpcError is an error of a call. 2.0 sends it as an object, 1.0 as a string.
type rpcError struct {
	code    int
	message string
	detail  string
	line    *statsd.LineError
}

// The errors that JSON-RPC 2.0 names in its section 5.1.
var (
	errParse          = &rpcError{code: -32700, message: "parse error"}
	errInvalidRequest = &rpcError{code: -32600, message: "invalid request"}
	errMethodNotFound = &rpcError{code: -32601, message: "method not found"}
	errInvalidParams  = &rpcError{code: -32602, message: "invalid params"}
	errInternal       = &rpcError{code: -32603, message: "internal error"}
)

// because returns e with a reason.
func (e *rpcError) because(detail string) *rpcError {
	return &rpcError{code: e.code, message: e.message, detail: detail}
}

// at returns e with the place where text stops being JSON.
func (e *rpcError) at(text []byte, i int) *rpcError {
	return e.because(fmt.Sprintf("unexpected %q at byte %d", text[i:i+1], i))
}

func (e *rpcError) text() string {
	if e.detail == "" {
		return e.message
	}
	return e.message + ": " + e.detail
}

// errorOfLine is the error of a call of which one line or more could not be
// recorded. The others were.
func errorOfLine(err error) *rpcError {
	e := errInvalidParams.because(err.Error())
	errors.As(err, &e.line)
	return e
}

// appendResult appends an answer with result, which is JSON.
func appendResult(out []byte, d dialect, id []byte, result string) []byte {
	if d == v2 {
		out = append(out, `{"jsonrpc":"2.0","id":`...)
		out = append(out, id...)
		out = append(out, `,"result":`...)
		out = append(out, result...)
		return append(out, "}\n"...)
	}
	out = append(out, `{"id":`...)
	out = append(out, id...)
	out = append(out, `,"result":`...)
	out = append(out, result...)
	return append(out, `,"error":null}`+"\n"...)
}

// appendError appends an answer with an error; an id of nil is null.
func appendError(out []byte, d dialect, id []byte, e *rpcError) []byte {
	if id == nil {
		id = null
	}
	if d == v1 {
		out = append(out, `{"id":`...)
		out = append(out, id...)
		out = append(out, `,"result":null,"error":`...)
		out = append(out, quote(e.text())...)
		return append(out, "}\n"...)
	}
	out = append(out, `{"jsonrpc":"2.0","id":`...)
	out = append(out, id...)
	out = append(out, `,"error":{"code":`...)
	out = strconv.AppendInt(out, int64(e.code), 10)
	out = append(out, `,"message":`...)
	out = append(out, quote(e.text())...)
	if e.line != nil {
		out = fmt.Appendf(out, `,"data":{"line":%d,"reason":%q,"accepted":%d,"rejected":%d}`,
			e.line.Line, e.line.Reason.Key(), e.line.Accepted, e.line.Rejected)
	}
	return append(out, "}}\n"...)
}

// quote returns s as a JSON string.
func quote(s string) string {
	text, err := json.Marshal(s)
	if err != nil {
		return `""` // can't be: every string can be marshalled
	}
	return string(text)
}
