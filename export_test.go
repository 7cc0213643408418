package hawkeye

import "github.com/go-batteries/hawkeye/internal/ledger"

// WriterID is under which the process publishes.
func (h *Hawkeye) WriterID() string { return h.publisher.Writer().String() }

// WithReads makes a process one of another version, as far as what it says of
// the formats that it reads goes.
func WithReads(f ledger.Formats) Option {
	return optionFunc(func(c *config) { c.reads = f })
}

// AddToSet adds a value to a set, as a line on the socket does.
func (h *Hawkeye) AddToSet(name, value string, tags ...Tag) { h.reg.AddToSet(name, value, tags) }
