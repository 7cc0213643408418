//go:build !race

package hawkeyegin

const poolMisses = 0
