package redisstore

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/go-batteries/hawkeye/store"
)

// A record is stored as "<rev, 16 digits> <commit, 32 hexadecimal digits> "
// and its value: readable by people, and at fixed places for the scripts.
const (
	revDigits    = 16
	markLen      = revDigits + 1 + 32 + 1
	maxRev       = 1 << 53 // scripts count in float64
	markSplit    = revDigits
	commitBegins = revDigits + 1
)

var errRevision = errors.New("revision is out of range")

func formatRev(rev uint64) string { return fmt.Sprintf("%0*d", revDigits, rev) }

func parseRev(s string) (uint64, bool) {
	rev, err := strconv.ParseUint(s, 10, 64)
	return rev, err == nil && len(s) == revDigits && rev < maxRev
}

func formatRecord(r store.Record) string {
	return formatRev(r.Rev) + " " + r.Commit.String() + " " + string(r.Value)
}

// parseMark reads what stands before a value.
func parseMark(s string) (rev uint64, commit store.ID, ok bool) {
	if len(s) < markLen || s[markSplit] != ' ' || s[markLen-1] != ' ' {
		return 0, store.ID{}, false
	}
	rev, ok = parseRev(s[:markSplit])
	if !ok {
		return 0, store.ID{}, false
	}
	commit, err := store.ParseID(s[commitBegins : markLen-1])
	return rev, commit, err == nil
}

func parseRecord(key, stored string) (store.Record, bool) {
	rev, commit, ok := parseMark(stored)
	if !ok {
		return store.Record{}, false
	}
	return store.Record{Key: key, Value: []byte(stored[markLen:]), Rev: rev, Commit: commit}, true
}

// parseHead reads the fields v, epoch, rev and commit of the ledger. No ledger
// is the zero Cursor; one of another version, or damaged, is not ok.
func parseHead(fields []any) (store.Cursor, bool) {
	var c store.Cursor
	if len(fields) != 4 {
		return c, false
	}
	if fields[0] == nil && fields[1] == nil && fields[2] == nil && fields[3] == nil {
		return c, true
	}
	rev, ok := parseRev(text(fields[2]))
	commit, err := store.ParseID(text(fields[3]))
	if text(fields[0]) != ledgerVersion || !ok || err != nil {
		return c, false
	}
	if epoch := text(fields[1]); epoch != "" {
		if c.Epoch, err = store.ParseID(epoch); err != nil {
			return store.Cursor{}, false
		}
	}
	c.Rev, c.Commit = rev, commit
	return c, true
}

// parseSnapshot reads the whole ledger; broken are the keys of damaged
// records, which count as absent.
func parseSnapshot(fields map[string]string) (c store.Changes, broken []string, ok bool) {
	c.Reset = true
	if len(fields) == 0 {
		return c, nil, true
	}
	head := make([]any, 0, 4)
	for _, f := range []string{fieldVersion, fieldEpoch, fieldRev, fieldCommit} {
		if v, there := fields[f]; there {
			head = append(head, v)
		} else {
			head = append(head, nil)
		}
	}
	if head[0] == nil {
		return c, nil, false
	}
	if c.Cursor, ok = parseHead(head); !ok {
		return c, nil, false
	}
	for field, stored := range fields {
		key, isRecord := strings.CutPrefix(field, recordPrefix)
		if !isRecord {
			continue
		}
		r, ok := parseRecord(key, stored)
		if !ok {
			broken = append(broken, key)
			continue
		}
		c.Records = append(c.Records, r)
	}
	sortRecords(c.Records)
	return c, broken, true
}

func sortRecords(records []store.Record) {
	slices.SortFunc(records, func(a, b store.Record) int {
		return cmp.Or(cmp.Compare(a.Rev, b.Rev), strings.Compare(a.Key, b.Key))
	})
}
