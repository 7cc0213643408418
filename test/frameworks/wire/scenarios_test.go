package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// failure is an error that knows its status. Frameworks answer it in their
// own way.
type failure struct {
	code int
	text string
}

func (f failure) Error() string { return f.text }

// scenario is what a handler does for one path, "/NAME/{id}".
type scenario struct {
	name   string
	method string // default GET
	body   string
	serve  func(w http.ResponseWriter, r *http.Request, id string) error

	counted string // the code that must be counted; default that of the answer
	untimed bool   // has no duration
}

// Names of scenarios of which frameworks differ.
const (
	panics     = "panic"
	latePanics = "panic-late"
	aborts     = "abort"
	late       = "late"
	leaves     = "leave"
)

// scenarios are those that all frameworks serve.
var scenarios = []scenario{
	{name: "fine", serve: func(w http.ResponseWriter, _ *http.Request, id string) error {
		w.Header().Set("X-Of", id)
		_, err := io.WriteString(w, "fine, "+id)
		return err
	}},
	{name: "created", serve: func(w http.ResponseWriter, _ *http.Request, id string) error {
		w.WriteHeader(http.StatusCreated)
		_, err := fmt.Fprint(w, id)
		return err
	}},
	{name: "fail", serve: func(_ http.ResponseWriter, _ *http.Request, id string) error {
		return failure{http.StatusNotFound, "there is no " + id}
	}},
	{name: "conflict", method: "POST", body: "{}", serve: func(_ http.ResponseWriter, _ *http.Request, id string) error {
		return failure{http.StatusConflict, "another one has " + id}
	}},
	{name: "broken", serve: func(_ http.ResponseWriter, _ *http.Request, id string) error {
		return errors.New("broken: " + id)
	}},
	{name: "fail-late", serve: func(w http.ResponseWriter, _ *http.Request, id string) error {
		io.WriteString(w, "begun, "+id)
		http.NewResponseController(w).Flush()
		return failure{http.StatusBadGateway, "too late for " + id}
	}},
	{name: "empty", serve: func(http.ResponseWriter, *http.Request, string) error { return nil }},
	{name: "hints", serve: func(w http.ResponseWriter, _ *http.Request, id string) error {
		w.Header().Set("Link", "</"+id+".css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusAccepted)
		_, err := fmt.Fprint(w, id)
		return err
	}},
	{name: "echo", method: "POST", body: "0123456789", serve: func(w http.ResponseWriter, r *http.Request, id string) error {
		io.WriteString(w, id+": ")
		_, err := io.Copy(w, r.Body)
		return err
	}},
	{name: "file", serve: func(w http.ResponseWriter, r *http.Request, id string) error {
		r.Header.Set("Range", "bytes=2-")
		http.ServeContent(w, r, "file.txt", time.Unix(1e9, 0), strings.NewReader("file of "+id))
		return nil
	}},
	{name: "chunks", serve: func(w http.ResponseWriter, _ *http.Request, id string) error {
		for i := range 3 {
			fmt.Fprintf(w, "chunk %d of %s\n", i, id)
			http.NewResponseController(w).Flush()
		}
		return nil
	}},
	{name: "stream", untimed: true, serve: func(w http.ResponseWriter, _ *http.Request, id string) error {
		w.Header().Set("Content-Type", "text/event-stream")
		for i := range 3 {
			fmt.Fprintf(w, "id: %d\ndata: %s\n\n", i, id)
			http.NewResponseController(w).Flush()
		}
		return nil
	}},
	{name: panics, counted: "500", serve: func(_ http.ResponseWriter, _ *http.Request, id string) error {
		panic("panic of " + id)
	}},
	{name: latePanics, counted: "500", serve: func(w http.ResponseWriter, _ *http.Request, id string) error {
		io.WriteString(w, "begun, "+id)
		http.NewResponseController(w).Flush()
		panic("panic of " + id)
	}},
	{name: aborts, counted: "aborted", serve: func(http.ResponseWriter, *http.Request, string) error {
		panic(http.ErrAbortHandler)
	}},
	{name: "hijack", counted: "101", untimed: true, serve: func(w http.ResponseWriter, _ *http.Request, id string) error {
		conn, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return failure{http.StatusNotImplemented, "can't hijack for " + id}
		}
		defer conn.Close()
		fmt.Fprintf(buffered, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: id\r\n\r\n%s", id)
		return buffered.Flush()
	}},
	{name: late, serve: func(w http.ResponseWriter, r *http.Request, id string) error {
		r.Context().Value(keptKey{}).(*kept).keep(w, id)
		return nil
	}},
}

// leaving waits until its client has gone, and then says that its upstream
// failed, as proxies do.
func leaving(reached chan<- struct{}) scenario {
	return scenario{name: leaves, counted: "aborted", serve: func(_ http.ResponseWriter, r *http.Request, id string) error {
		reached <- struct{}{}
		<-r.Context().Done()
		return failure{http.StatusBadGateway, "nobody waits for " + id}
	}}
}

// kept is a writer that is used when its handler has returned.
type kept struct {
	w  http.ResponseWriter
	id string
}

type keptKey struct{}

func (k *kept) keep(w http.ResponseWriter, id string) { k.w, k.id = w, id }

func (k *kept) use() {
	if k.w != nil {
		k.w.Header().Set("X-Late", k.id)
		k.w.WriteHeader(http.StatusTeapot)
		io.WriteString(k.w, "late for "+k.id)
	}
}

// withKept returns a request in which a handler can leave its writer.
func withKept(r *http.Request) (*kept, *http.Request) {
	k := new(kept)
	return k, r.WithContext(context.WithValue(r.Context(), keptKey{}, k))
}

// writeLate is a framework that answers when the handlers have returned.
func writeLate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		k, r := withKept(r)
		next.ServeHTTP(w, r)
		k.use()
	})
}

// answer serves a scenario as net/http's users do.
func (s *scenario) answer(w http.ResponseWriter, r *http.Request, id string) {
	err := s.serve(w, r, id)
	if err == nil {
		return
	}
	code := http.StatusInternalServerError
	var f failure
	if errors.As(err, &f) {
		code = f.code
	}
	http.Error(w, err.Error(), code)
}

func (s *scenario) verb() string {
	if s.method == "" {
		return http.MethodGet
	}
	return s.method
}
