// Package interop holds hawkeye's socket against clients that others wrote,
// unmodified: Go's net/rpc/jsonrpc, Python's standard library, jayson and
// hot-shots from npm, datadog-go. Each records from a process of its own, and
// h.Query must say exactly what was sent.
//
// The clients from npm are fetched into a temporary directory, at pinned
// versions, when HAWKEYE_INTEROP=1 is set; without it those tests are skipped,
// so that `go test work` asks nothing of the network.
package interop
