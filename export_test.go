package hawkeye

// WriterID is under which the process publishes.
func (h *Hawkeye) WriterID() string { return h.publisher.Writer().String() }
