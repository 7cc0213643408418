package hawkeye

import "context"

// server serves the socket.
type server struct{ h *Hawkeye }

func newServer(h *Hawkeye) *server              { return &server{h: h} }
func (s *server) listen(context.Context) error  { return nil }
func (s *server) run(ctx context.Context) error { <-ctx.Done(); return nil }
func (s *server) close(context.Context) error   { return nil }
func (s *server) path() string                  { return "" }
