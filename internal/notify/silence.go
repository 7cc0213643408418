package notify

import (
	"time"

	"github.com/go-batteries/hawkeye/internal/matcher"
)

// Silence keeps back what matches it from Start to End: a record of the
// ledger. It doesn't keep back the end of what was told.
type Silence struct {
	V  int    `json:"v"`
	ID string `json:"id"`
	// Matchers are as text; all must hold.
	Matchers []string  `json:"matchers"`
	Start    time.Time `json:"start"`
	End      time.Time `json:"end"`
	Author   string    `json:"author"`
	Comment  string    `json:"comment"`
	Updated  time.Time `json:"updated"`
	// Cancelled says that it was ended by hand, before its time.
	Cancelled bool `json:"cancelled,omitempty"`

	compiled []*matcher.Matcher
}
