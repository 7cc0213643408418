package publish

import (
	"sync/atomic"

	"github.com/go-batteries/hawkeye/store"
)

// Identity is under which id a process publishes. It is made before all that
// goes by it; the publisher draws the id anew when another process has the same
// one, or when the fleet can't remember it any more. It is safe for concurrent
// use.
type Identity struct{ id atomic.Pointer[store.ID] }

// NewIdentity draws an id.
func NewIdentity() *Identity {
	i := new(Identity)
	i.set(store.NewID())
	return i
}

// Writer returns the id under which buckets are closed at present.
func (i *Identity) Writer() store.ID { return *i.id.Load() }

func (i *Identity) set(id store.ID) { i.id.Store(&id) }
