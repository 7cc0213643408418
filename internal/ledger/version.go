package ledger

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/go-batteries/hawkeye/internal/alert"
	"github.com/go-batteries/hawkeye/internal/notify"
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
