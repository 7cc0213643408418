package redisstore

import (
	"fmt"
	"strconv"
	"time"

	"github.com/go-batteries/hawkeye/store"
)

// keys builds every key of a Store; nothing else does.
type keys struct {
	// fine and coarse begin the keys of buckets. They have no hash tag, so
	// that ticks spread over a Cluster. The width is a part of fine: replicas
	// that disagree about it must not add up different spans of time.
	fine, coarse string
	// names is the hash of the texts of all series, until the sorted set of
	// when each is needed no more. A script uses both, hence the hash tag.
	names, until string
	// ledger is the hash of the ledger. Its hash tag lets a script use it
	// together with a staging key.
	ledger string
}

func newKeys(prefix string, tick time.Duration) keys {
	names := fmt.Sprintf("%s:{%s:names}", prefix, prefix)
	return keys{
		fine:   fmt.Sprintf("%s:b:%dms:", prefix, tick.Milliseconds()),
		coarse: prefix + ":b:",
		names:  names,
		until:  names + ":until",
		ledger: fmt.Sprintf("%s:{%s:ledger}", prefix, prefix),
	}
}

// bucket is the key of a tick: "hawkeye:b:1000ms:1753900000", or with the name
// of a coarse tier "hawkeye:b:1m0s:29231666".
func (k keys) bucket(tier store.Tier, tick int64) string {
	head := k.fine
	if tier != store.TierFine {
		head = k.coarse + tier.Width().String() + ":"
	}
	var buf [64]byte
	return string(strconv.AppendInt(append(buf[:0], head...), tick, 10))
}

// staging is where an offer is collected before it becomes the ledger.
func (k keys) staging(offer store.ID) string {
	return k.ledger + ":offer:" + offer.String()
}

// nameField is the field of a series in the names hash. One more, "tick", is the
// width of a tick, in milliseconds, of who made the hash.
func nameField(id uint64) string { return fmt.Sprintf("%016x", id) }

// Fields of the ledger hash. "l:<rev>" is the log, read and written by the
// scripts alone: the commit's id and the keys that it touched, or a "!" if those
// were dropped; "log" says up to which revision they were, and how many bytes
// of keys are left; "c:<commit>" is the revision of a commit in the log.
const (
	fieldVersion = "v"
	fieldEpoch   = "epoch"
	fieldRev     = "rev"
	fieldCommit  = "commit"
	recordPrefix = "r:"
	logPrefix    = "l:"

	ledgerVersion = "1"
)
