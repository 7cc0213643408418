// Package fleet holds the tests of what happens when replicas, the store or
// the network fail: real processes on a real redis-server, killed, paused and
// cut off. They run in a short form; with HAWKEYE_LONG=1 in a long one, which
// prints what was lost, counted twice, missed and told twice. TestWild has many
// faults at a time; its seed is set by HAWKEYE_SEED.
//
//	go test ./test/fleet
//	HAWKEYE_LONG=1 go test -v -timeout 30m ./test/fleet
package fleet
