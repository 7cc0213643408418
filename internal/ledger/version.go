package ledger

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-batteries/hawkeye/internal/alert"
	"github.com/go-batteries/hawkeye/internal/notify"
	"github.com/go-batteries/hawkeye/store"
)

// ErrNewer says that a record was written by a newer hawkeye. It is not read,
// and a [Tx] neither replaces nor deletes it: what this version doesn't know
// of would be lost.
var ErrNewer = errors.New("record is of a newer version")

// versions are where records say which format they have: nearly all at their
// top, an alert's in its state. A record without one is of the first.
type versions struct {
	V     int `json:"v"`
	State struct {
		V int `json:"v"`
	} `json:"state"`
}

// The field, and the field with the only version that there is so far. Within
// a string its quotes would be escaped.
var anyVersion, firstVersion = []byte(`"v":`), []byte(`"v":1,`)

// checkVersion returns an error wrapping [ErrNewer] for a record that is of a
// later format than this program writes. Anything else, also what is damaged,
// is for the decoder to judge.
func checkVersion(value []byte) error {
	if bytes.Count(value, anyVersion) == bytes.Count(value, firstVersion) {
		return nil
	}
	var v versions
	if err := json.Unmarshal(value, &v); err != nil {
		// A field may have become something else; the version counts.
		var mismatch *json.UnmarshalTypeError
		if !errors.As(err, &mismatch) {
			return nil
		}
	}
	switch {
	case v.V > notify.RecordVersion:
		return fmt.Errorf("%w: %d, want at most %d", ErrNewer, v.V, notify.RecordVersion)
	case v.State.V > alert.StateVersion:
		return fmt.Errorf("%w: state %d, want at most %d", ErrNewer, v.State.V, alert.StateVersion)
	}
	return nil
}

// IsNewer says whether the record of key, if there is one, is of a newer
// version: whoever decides something that would replace it leaves it be.
func (m *Mirror) IsNewer(key string) bool {
	r, ok := m.Get(key)
	return ok && checkVersion(r.Value) != nil
}

// Kept says whether an alert is a newer version's to judge: what it wrote down
// about the alert, or about somebody who was told of it, can't be read here.
// Nothing is decided about such an alert, because half of it would be lost.
func (b *Book) Kept(alertKey string) bool {
	states, threads := b.kept()
	return states[alertKey] || threads[alertKey]
}

// CountKept returns how many alerts there are as [Book.Kept] says.
func (b *Book) CountKept() int {
	states, threads := b.kept()
	n := len(states)
	for key := range threads {
		if !states[key] {
			n++
		}
	}
	return n
}

// kept returns the alerts of which a newer version wrote the state, and those
// of which it wrote a thread.
func (b *Book) kept() (states, threads map[string]bool) {
	states = cached(b, ClassAlert, "kept states", func() map[string]bool {
		kept := make(map[string]bool)
		for r := range b.mirror.All(ClassAlert) {
			if isNewer[AlertRecord](b, r) {
				kept[strings.TrimPrefix(r.Key, ClassAlert+"/")] = true
			}
		}
		return kept
	})
	threads = cached(b, ClassThread, "kept threads", func() map[string]bool {
		kept := make(map[string]bool)
		for r := range b.mirror.All(ClassThread) {
			if isNewer[notify.Thread](b, r) {
				kept[threadAlert(r.Key)] = true
			}
		}
		return kept
	})
	return states, threads
}

// isNewer is [Mirror.IsNewer] for many records: it looks at each but once.
func isNewer[T any](b *Book, r store.Record) bool {
	if _, ok := read[T](b, r); ok {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	d := b.decoded[r.Key]
	return d.commit == r.Commit && d.newer
}

// threadAlert returns the alert's part of a [ThreadKey], which is meant to
// stay as it is in all versions.
func threadAlert(key string) string {
	_, rest, _ := strings.Cut(key, "/")
	length, rest, _ := strings.Cut(rest, "/")
	n, err := strconv.Atoi(length)
	if err != nil || n < 0 || n > len(rest) {
		return ""
	}
	return rest[:n]
}
