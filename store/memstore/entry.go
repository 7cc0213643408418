package memstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"

	"github.com/go-batteries/hawkeye/store"
)

// A journal is what happened to the ledger after a state file was written:
//
//	magic    8 bytes, "hawkjrn\n"
//	version  1 byte
//	entries  each one
//	  length    4 bytes, little-endian, of the body
//	  checksum  4 bytes, little-endian CRC-32C of length and body
//	  body      as in appendBody
//
// An entry names the state that it follows, so it can be told whether it fits.
// Numbers, ids, texts and lists are as in a state file.
const (
	journalMagic   = "hawkjrn\n"
	journalVersion = 1
	journalHeader  = journalMagic + string(rune(journalVersion))
	frameBytes     = 4 + 4
)

// The kinds of entries. An open one gives the ledger an epoch and says all
// that is in it then, so a journal without a state file is whole.
const (
	kindCommit = 1
	kindOpen   = 2
)

var (
	// errTorn says that a journal ends within an entry: its writer died while
	// it wrote, and nothing follows.
	errTorn = errors.New("journal ends within an entry")
	// errGap says that an entry follows a state that the ledger never had.
	errGap = errors.New("journal goes on from a state that is missing")
	// errForeign says that somebody else went on from where an entry does.
	errForeign = errors.New("journal goes on from another state: something else wrote the state file in between")
)

// entry is one change of the ledger. The bytes in it are the ledger's own.
type entry struct {
	kind  byte
	epoch store.ID // of the ledger, which an open entry begins
	after mark     // the state that it follows

	// of a commit
	id      store.ID
	puts    []store.Entry
	deletes []string

	// of an opening
	records []keyed
}

// bytes is about what it takes when it is written.
func (e *entry) bytes() (n int) {
	for _, p := range e.puts {
		n += len(p.Key) + len(p.Value)
	}
	for _, r := range e.records {
		n += len(r.key) + len(r.value)
	}
	return n + 100
}

// appendEntry frames an entry.
func appendEntry(out []byte, e *entry) []byte {
	start := len(out)
	out = appendBody(append(out, make([]byte, frameBytes)...), e)
	frame, body := out[start:start+frameBytes], out[start+frameBytes:]
	binary.LittleEndian.PutUint32(frame, uint32(len(body)))
	binary.LittleEndian.PutUint32(frame[4:], entrySum(frame[:4], body))
	return out
}

func entrySum(length, body []byte) uint32 {
	return crc32.Update(crc32.Checksum(length, castagnoli), castagnoli, body)
}

func appendBody(out []byte, e *entry) []byte {
	out = append(out, e.kind)
	out = append(out, e.epoch[:]...)
	out = appendMark(out, e.after)
	if e.kind == kindOpen {
		return appendList(out, e.records, appendRecord)
	}
	out = append(out, e.id[:]...)
	out = appendList(out, e.puts, func(out []byte, p *store.Entry) []byte {
		return appendText(appendText(out, p.Key), p.Value)
	})
	return appendList(out, e.deletes, func(out []byte, key *string) []byte { return appendText(out, *key) })
}

func appendRecord(out []byte, r *keyed) []byte {
	return appendText(appendMark(appendText(out, r.key), r.mark), r.value)
}

// checkHeader returns [errTorn] for a journal that was never begun in full,
// [errNewer] for one of a later version, and [errCorrupt] for anything else.
func checkHeader(data []byte) error {
	n := min(len(data), len(journalMagic))
	switch {
	case string(data[:n]) != journalMagic[:n]:
		return fmt.Errorf("%w: not a journal of hawkeye", errCorrupt)
	case len(data) < len(journalHeader):
		return errTorn
	}
	if v := data[len(journalMagic)]; v > journalVersion {
		return fmt.Errorf("%w: %d, and this program knows %d", errNewer, v, journalVersion)
	} else if v < journalVersion {
		return fmt.Errorf("%w: there is no version %d", errCorrupt, v)
	}
	return nil
}

// nextEntry takes the first entry off data, which isn't empty. It returns
// [errTorn] if data ends within it, and [errCorrupt] if something follows
// what can't be read.
func nextEntry(data []byte) (e entry, rest []byte, err error) {
	if len(data) < frameBytes {
		return entry{}, nil, errTorn
	}
	length := uint64(binary.LittleEndian.Uint32(data))
	body := data[frameBytes:]
	if length > uint64(len(body)) {
		return entry{}, nil, errTorn
	}
	body, rest = body[:length], body[length:]
	switch {
	case length > 0 && entrySum(data[:4], body) == binary.LittleEndian.Uint32(data[4:]):
		e, err = decodeBody(body)
		return e, rest, err
	case len(rest) == 0 || isZero(data): // some systems make a file longer before they fill it
		return entry{}, nil, errTorn
	default:
		return entry{}, nil, fmt.Errorf("%w: the checksum of an entry differs", errCorrupt)
	}
}

func isZero(data []byte) bool {
	for _, b := range data {
		if b != 0 {
			return false
		}
	}
	return true
}

func decodeBody(body []byte) (entry, error) {
	r := &reader{data: body}
	e := entry{kind: r.byte(), epoch: r.id(), after: r.mark()}
	switch e.kind {
	case kindOpen:
		e.records = readList(r, 19, (*reader).keyed)
	case kindCommit:
		e.id = r.id()
		e.puts = readList(r, 2, func(r *reader) store.Entry { return store.Entry{Key: r.text(), Value: r.bytes()} })
		e.deletes = readList(r, 1, (*reader).text)
	default:
		r.fail("an entry of an unknown kind")
	}
	if len(r.data) > 0 {
		r.fail("bytes after the end of an entry")
	}
	if e.after.rev > math.MaxInt64 {
		r.fail("a revision that no ledger comes to")
	}
	return e, r.err
}
