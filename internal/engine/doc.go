// Package engine is the wing of the shells: they run the pure parts, evaluation
// and the outbox, over a Store that others share. It holds nothing itself; this
// is its map.
//
//	          feed ─→ agent ─ commit ─→ ledger ─→ notifier ─→ senders
//	                    │                 ↑↓          │
//	ruleset ── pinned ──┘              follower       └── sentlog: what was sent
//	   └────── in force: membership, whose turn it is, whom to tell
//	degraded: the same alone, while the Store is away     checkpoint: the disk first
//
// Where to change what:
//
//	ruleset     what a configuration is made ready as; pinned and in force
//	membership  who is there, whose configuration decides, who is superseded
//	follower    how the copy of the ledger is kept up to date, and how it stands
//	agent       whose turn it is (election.go), what is loaded, evaluated and stored
//	notifier    claims, sends, their outcome, and what a process does at its end
//	sentlog     what was sent, in spite of a ledger that forgot it
//	degraded    what is told while the Store is away, and how that is handed in
//	checkpoint  what is on the disk before anybody hears of it
//	explain     why an alert stands as it does
//
// The parts share pointers that are safe for concurrent use: the ledger's copy
// and its Book, the clock, ruleset.Current, the log of what was sent. What else a
// part needs of another one is in its Config, mostly as a func. None of them
// knows the handle, which the compiler makes sure of.
package engine
