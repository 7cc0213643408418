//go:build race

package hawkeyegin

// poolMisses is what a request may allocate: under the race detector a
// sync.Pool, gin's, throws things away at random.
const poolMisses = 5
