// Package redistest starts real Redis servers for tests, alone, behind
// Sentinels or as a Cluster, on loopback ports and in temporary folders, ends
// them with the test, and has a proxy that does to a connection what networks
// do. It needs a Unix and redis-server or valkey-server on the PATH.
package redistest
