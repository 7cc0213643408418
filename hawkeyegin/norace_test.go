//go:build !race

package hawkeyegin

// poolMisses is what a request may allocate: its writer.
const poolMisses = 1
