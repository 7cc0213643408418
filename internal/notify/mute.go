package notify

// Mute is what keeps an alert from being told.
type Mute struct {
	Kind MuteKind `json:"kind"`
	// By is the silence's id, the mute time's name, or the key of the alert
	// that inhibits.
	By string `json:"by"`
}

// MuteKind is a way of being muted.
type MuteKind string

// The ways of being muted.
const (
	BySilence    MuteKind = "silenced"
	ByMuteTime   MuteKind = "muted"
	ByInhibition MuteKind = "inhibited"
)

// Reason returns the reason for the history.
func (m *Mute) Reason() string { return string(m.Kind) + " by " + m.By }
