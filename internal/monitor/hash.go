package monitor

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// hash returns a hash of everything that decides. Positions and names of
// files don't: the same monitors in two files instead of one are the same.
func (s *Set) hash() string {
	content := *s
	content.Hash, content.Files, content.Lints = "", nil, nil
	h := sha256.New()
	// Values are checked to be finite, and maps are written in the order of
	// their keys, so encoding neither fails nor varies.
	if err := json.NewEncoder(h).Encode(content); err != nil {
		h.Write([]byte(err.Error()))
	}
	for _, m := range s.MuteTimes {
		for _, p := range m.Periods {
			if p.Location != nil {
				h.Write([]byte(p.Location.String()))
			}
			h.Write([]byte{0})
		}
	}
	if s.Location != nil {
		h.Write([]byte("location " + s.Location.String()))
	}
	for i := range s.Heartbeats {
		if loc := s.Heartbeats[i].Location; loc != nil {
			h.Write([]byte(s.Heartbeats[i].Name + "\x00" + loc.String()))
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// Receiver returns the receiver of that name, nil if there is none.
func (s *Set) Receiver(name string) *Receiver {
	for i := range s.Receivers {
		if s.Receivers[i].Name == name {
			return &s.Receivers[i]
		}
	}
	return nil
}

// MuteTime returns the mute time of that name, nil if there is none.
func (s *Set) MuteTime(name string) *MuteTime {
	for i := range s.MuteTimes {
		if s.MuteTimes[i].Name == name {
			return &s.MuteTimes[i]
		}
	}
	return nil
}
