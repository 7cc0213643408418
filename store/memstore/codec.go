package memstore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/go-batteries/hawkeye/store"
)

// A state file is
//
//	magic    8 bytes, "hawkmem\n"
//	version  1 byte
//	payload  as in appendPayload
//	checksum 4 bytes, little-endian CRC-32C of all before it
//
// Numbers are varints as in encoding/binary unless said otherwise, an ID is
// its 16 bytes, a text is its length and its bytes, a list is its length and
// its elements. A change of the payload is a new version; the one before it
// stays readable.
const (
	magic        = "hawkmem\n"
	stateVersion = 1
	headerBytes  = len(magic) + 1
	sumBytes     = 4
)

var (
	errCorrupt = errors.New("state is damaged")
	errNewer   = errors.New("state is of a newer version")
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func encodeState(st *state) []byte {
	out := append([]byte(magic), stateVersion)
	out = appendPayload(out, st)
	return binary.LittleEndian.AppendUint32(out, crc32.Checksum(out, castagnoli))
}

// decodeState returns [errNewer] or [errCorrupt], with the reason, for what
// it can't read. The state has copies of what is in data.
func decodeState(data []byte) (*state, error) {
	if len(data) < headerBytes+sumBytes || string(data[:len(magic)]) != magic {
		return nil, fmt.Errorf("%w: not a state file of hawkeye", errCorrupt)
	}
	if v := data[len(magic)]; v > stateVersion {
		return nil, fmt.Errorf("%w: %d, and this program knows %d", errNewer, v, stateVersion)
	} else if v < stateVersion {
		return nil, fmt.Errorf("%w: there is no version %d", errCorrupt, v)
	}
	body, sum := data[:len(data)-sumBytes], data[len(data)-sumBytes:]
	if crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(sum) {
		return nil, fmt.Errorf("%w: checksum differs", errCorrupt)
	}
	return decodePayload(body[headerBytes:])
}

func appendPayload(out []byte, st *state) []byte {
	out = binary.AppendVarint(out, st.written.UnixNano())
	out = binary.AppendVarint(out, int64(st.tick))
	out = appendList(out, st.ticks, appendTick)
	out = appendList(out, st.names, appendName)
	return appendLedger(out, &st.ledger)
}

func appendTick(out []byte, t *tickState) []byte {
	out = append(out, byte(t.key.tier))
	out = binary.AppendVarint(out, t.key.tick)
	out = binary.AppendVarint(out, int64(t.left))
	return appendList(out, t.buckets, func(out []byte, b *bucket) []byte {
		return appendText(append(out, b.writer[:]...), b.data)
	})
}

func appendName(out []byte, n *nameState) []byte {
	out = binary.LittleEndian.AppendUint64(out, n.id) // a hash: a varint would be longer
	out = binary.AppendVarint(out, int64(n.left))
	return appendText(out, n.text)
}

func appendLedger(out []byte, l *ledgerState) []byte {
	out = append(out, l.epoch[:]...)
	offered := byte(0)
	if l.offered {
		offered = 1
	}
	out = append(out, offered)
	out = appendMark(out, l.head)
	out = appendList(out, l.records, appendRecord)
	out = appendList(out, l.deleted, func(out []byte, r *keyed) []byte {
		return appendMark(appendText(out, r.key), r.mark)
	})
	out = appendMark(out, l.base)
	out = binary.AppendUvarint(out, l.from)
	return appendList(out, l.commits, func(out []byte, c *change) []byte {
		return appendList(append(out, c.id[:]...), c.keys, func(out []byte, key *string) []byte {
			return appendText(out, *key)
		})
	})
}

func appendMark(out []byte, m mark) []byte {
	return append(binary.AppendUvarint(out, m.rev), m.commit[:]...)
}

func appendText[T string | []byte](out []byte, text T) []byte {
	return append(binary.AppendUvarint(out, uint64(len(text))), text...)
}

func appendList[E any](out []byte, list []E, one func([]byte, *E) []byte) []byte {
	out = binary.AppendUvarint(out, uint64(len(list)))
	for i := range list {
		out = one(out, &list[i])
	}
	return out
}

func decodePayload(data []byte) (*state, error) {
	r := &reader{data: data}
	st := &state{written: time.Unix(0, r.varint()), tick: time.Duration(r.varint())}
	st.ticks = readList(r, 19, (*reader).tick)
	st.names = readList(r, 10, (*reader).name)
	st.ledger = r.ledger()
	if len(r.data) > 0 {
		r.fail("bytes after its end")
	}
	if r.err == nil {
		r.err = st.ledger.check()
	}
	if r.err != nil {
		return nil, r.err
	}
	return st, nil
}

// check refuses a history that doesn't lead to the head: the ledger relies
// on it.
func (l *ledgerState) check() error {
	end := mark{l.base.rev + uint64(len(l.commits)), l.base.commit}
	if n := len(l.commits); n > 0 {
		end.commit = l.commits[n-1].id
	}
	if end != l.head || l.from < l.base.rev || l.from > l.head.rev || end.rev < l.base.rev {
		return fmt.Errorf("%w: its history does not lead to its head", errCorrupt)
	}
	return nil
}

// reader takes values off data. After the first that isn't there it has err,
// and returns zero values.
type reader struct {
	data []byte
	err  error
}

func (r *reader) fail(what string) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s", errCorrupt, what)
	}
	r.data = nil
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.data)
	return v * int64(r.skip(n))
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.data)
	return v * uint64(r.skip(n))
}

// skip drops the n bytes of a varint and returns 1, or 0 if it was none.
func (r *reader) skip(n int) int {
	if n <= 0 {
		r.fail("a number is cut off")
		return 0
	}
	r.data = r.data[n:]
	return 1
}

func (r *reader) take(n uint64) []byte {
	if n > uint64(len(r.data)) {
		r.fail("it is cut off")
		return nil
	}
	taken := r.data[:n:n]
	r.data = r.data[n:]
	return taken
}

func (r *reader) byte() byte {
	if b := r.take(1); len(b) == 1 {
		return b[0]
	}
	return 0
}

func (r *reader) id() (id store.ID) {
	copy(id[:], r.take(uint64(len(id))))
	return id
}

// bytes returns a copy: one long-lived value must not keep the whole file in
// memory.
func (r *reader) bytes() []byte { return bytes.Clone(r.take(r.uvarint())) }

func (r *reader) text() string { return string(r.take(r.uvarint())) }
func (r *reader) mark() mark   { return mark{r.uvarint(), r.id()} }
func (r *reader) keyed() keyed { return keyed{r.text(), record{r.mark(), r.bytes()}} }

// readList reads a list whose elements have at least minBytes bytes each, so
// that a wrong length can't make it allocate more than data could hold.
func readList[E any](r *reader, minBytes uint64, one func(*reader) E) []E {
	n := r.uvarint()
	if n > uint64(len(r.data))/minBytes {
		r.fail("a list is cut off")
		return nil
	}
	list := make([]E, 0, n)
	for range n {
		list = append(list, one(r))
	}
	return list
}

func (r *reader) tick() tickState {
	return tickState{
		key:  tickKey{store.Tier(r.byte()), r.varint()},
		left: time.Duration(r.varint()),
		buckets: readList(r, 17, func(r *reader) bucket {
			return bucket{r.id(), r.bytes()}
		}),
	}
}

func (r *reader) name() nameState {
	var id uint64
	if b := r.take(8); len(b) == 8 {
		id = binary.LittleEndian.Uint64(b)
	}
	left := time.Duration(r.varint())
	return nameState{id, r.text(), left}
}

func (r *reader) ledger() ledgerState {
	return ledgerState{
		epoch:   r.id(),
		offered: r.byte() != 0,
		head:    r.mark(),
		records: readList(r, 19, (*reader).keyed),
		deleted: readList(r, 18, func(r *reader) keyed {
			return keyed{r.text(), record{mark: r.mark()}}
		}),
		base: r.mark(),
		from: r.uvarint(),
		commits: readList(r, 17, func(r *reader) change {
			return change{r.id(), readList(r, 1, (*reader).text)}
		}),
	}
}
