// Package wire holds hawkeye's middlewares against web frameworks once more,
// byte for byte on the wire: what the clients get must be what they get
// without hawkeye, whatever the handlers do, and what is counted, codes, routes
// and durations, must be what they got.
//
// The handlers succeed, fail in the way of their framework, panic before and
// after the first byte, abort, hijack, stream, write nothing, and write after
// they have returned; clients hang up while they work. 64 clients ask at the
// same time, each for answers of its own; run it with -race.
package wire
