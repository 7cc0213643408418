package ledger

import (
	"errors"
	"fmt"
	"time"

	"github.com/go-batteries/hawkeye/store"
)

// maxAhead is how far the ledger may be ahead of the Store's time. It is ahead
// if the Store's clock was wrong for a while and then set right, by a time zone
// or a day say; what is further ahead isn't a time that anybody should follow.
const maxAhead = 24 * time.Hour

// Owner is whose ledger a process takes for its own: that of the service that
// stored its head first, under the same prefix and with the same tick.
type Owner struct {
	Service string       // the fleet that this process is part of, see [Identity]
	Records bool         // it does nothing but count, for whatever fleet
	Traits  store.Traits // of the Store
	NowTick func() int64 // the tick that is open
}

// Identity names a fleet.
func Identity(service, environment string) string {
	if environment == "" {
		return service
	}
	return service + " (" + environment + ")"
}

// Same says whether a replica is of our service; one of an older version
// doesn't say of which it is.
func (o *Owner) Same(m Member) bool {
	return m.Service == "" || m.Service == o.Service
}

// Refusal is why a process has no part in the ledger that it found: it neither
// evaluates nor sends nor follows its time.
type Refusal struct {
	Kind   RefusalKind
	reason string
}

// RefusalKind is a kind of refusal.
type RefusalKind int

// The kinds of refusals.
const (
	TickDiffers  RefusalKind = iota // the fleet has ticks of another width
	OtherService                    // the ledger is another service's, which may be gone one day
	ClockBehind                     // the ledger is far ahead of the Store's clock
)

func (r *Refusal) Error() string { return r.reason }

// Refused returns the refusal if the ledger as last seen is not ours to work
// with.
func (m *Mirror) Refused() error {
	if _, _, _, err := m.Head(); errors.As(err, new(*Refusal)) {
		return err
	}
	return nil
}

// Orphanable says whether an error is a refusal that ends when nobody is left
// of whom the ledger is.
func Orphanable(err error) bool {
	var r *Refusal
	return errors.As(err, &r) && r.Kind == OtherService
}

// Check looks whether a head is one that we may go on from. The ledger
// belongs to whoever stored its head first.
func (o *Owner) Check(head *Head) error {
	traits := o.Traits
	if head.Width == 0 {
		head.Width = traits.Tick // of an older version, which doesn't say
	}
	if !traits.Shared {
		if theirs := head.Width; theirs != traits.Tick { // of our state file, from before the width was changed
			head.Tick, head.Born = rescale(head.Tick, theirs, traits.Tick), rescale(head.Born, theirs, traits.Tick)
			head.Width = traits.Tick
		}
		return nil
	}
	if head.Width != traits.Tick {
		return &Refusal{Kind: TickDiffers, reason: fmt.Sprintf("the fleet under this prefix has ticks of %v, and this process of %v: "+
			"nothing is evaluated or sent here, and what is counted here nobody sees; "+
			"take a new prefix to change the tick", head.Width, traits.Tick)}
	}
	if head.Service != "" && head.Service != o.Service && !o.Records {
		return &Refusal{Kind: OtherService, reason: fmt.Sprintf("the ledger under this prefix is that of the service %q, and this is %q: "+
			"nothing is evaluated or sent here, and what both count is added up; "+
			"give each service a prefix of its own (redisstore.WithPrefix), or one name (WithService)", head.Service, o.Service)}
	}
	// In ticks, because a time that far away may be none.
	if ahead := head.Tick - o.NowTick(); ahead > int64(maxAhead/traits.Tick) {
		return &Refusal{Kind: ClockBehind, reason: fmt.Sprintf("the ledger is of tick %d, which is %d ticks of %v ahead of the store's clock: "+
			"nothing is evaluated or sent here; set that clock right, or take a new prefix", head.Tick, ahead, traits.Tick)}
	}
	return nil
}

// rescale returns the newest tick of a width that has ended when one of
// another width has.
func rescale(tick int64, from, to time.Duration) int64 {
	return time.Unix(0, (tick+1)*int64(from)).UnixNano()/int64(to) - 1
}
