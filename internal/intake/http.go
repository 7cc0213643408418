package intake

import (
	"bytes"
	"fmt"
)

// isHTTP says whether a line is the first of an HTTP request (RFC 9112,
// section 3), which no line with a sample is.
func isHTTP(line []byte) bool {
	line = bytes.TrimSuffix(line, []byte{'\r'})
	method, rest, found := bytes.Cut(line, []byte{' '})
	if !found || len(method) == 0 || bytes.IndexByte(line, '|') >= 0 {
		return false
	}
	for _, c := range method {
		if c < 'A' || c > 'Z' {
			return false
		}
	}
	at := bytes.LastIndexByte(rest, ' ')
	return at > 0 && bytes.HasPrefix(rest[at+1:], []byte("HTTP/"))
}

const httpText = `This is the metric socket of hawkeye. It doesn't speak HTTP, but
  statsd lines (name:1|c|#tag:value, each ended by a newline) and
  JSON-RPC ({"method":"Metric.Handle","params":[{"Text":"name:1|c"}],"id":1}).
`

// answerHTTP tells a client that speaks HTTP what speaks here. It is the last
// thing that the connection is told.
func (c *conn) answerHTTP() error {
	c.server.counts.badDocuments.Add(1)
	c.server.limited.warn("http", "an HTTP request came on the metric socket; answered and closed")
	c.work.out = fmt.Appendf(c.work.out, "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n"+
		"Connection: close\r\nContent-Length: %d\r\n\r\n%s", len(httpText), httpText)
	return errGarbled
}
