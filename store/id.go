package store

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
)

// ID is a random 128-bit name: of a writer, a commit, an epoch, an incident.
// The zero ID names nothing.
type ID [16]byte

// NewID draws an ID from the operating system's random source.
func NewID() ID {
	var id ID
	rand.Read(id[:]) // never fails: crypto/rand.Read aborts the program instead
	return id
}

// ParseID reads what [ID.String] wrote.
func ParseID(s string) (ID, error) {
	var id ID
	if err := id.UnmarshalText([]byte(s)); err != nil {
		return ID{}, err
	}
	return id, nil
}

// IsZero says whether id names nothing.
func (id ID) IsZero() bool { return id == ID{} }

// String returns 32 hexadecimal digits.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// MarshalText implements [encoding.TextMarshaler].
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (id *ID) UnmarshalText(text []byte) error {
	if len(text) != hex.EncodedLen(len(id)) {
		return fmt.Errorf("parse id %q: want %d hexadecimal digits", text, hex.EncodedLen(len(id)))
	}
	if _, err := hex.Decode(id[:], text); err != nil {
		return fmt.Errorf("parse id %q: %w", text, err)
	}
	return nil
}
