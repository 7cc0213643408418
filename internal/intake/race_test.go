//go:build race

package intake

// raceEnabled says that sync.Pool drops some of what it is given, and that
// memory can't be measured.
const raceEnabled = true
