package frameworks

import (
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/go-batteries/hawkeye"
)

const (
	clients = 64
	rounds  = 2 // of all kinds, by each client
)

// kinds are what the services of all frameworks do below /<kind>/<id>. A
// service that can't do one answers 404.
var kinds = []string{
	"ok",       // a body that names the request
	"empty",    // returns without writing
	"fail",     // fails in the framework's own way, with an answer that names the request
	"panic",    // panics before anything is written
	"late",     // panics after a part of the body
	"stream",   // flushes three pieces
	"events",   // an event stream
	"hijack",   // answers on the bare connection
	"copy",     // a body by io.Copy
	"redirect", // to /ok/<id>
	"hints",    // 103 before 200
	"unrouted", // what no route matches
	"slow",     // longer than a timeout allows, where there is one
}

// framework is a way to build a service and to mount hawkeye in it.
type framework struct {
	name string
	// build makes the service; h may be nil, for the service without.
	build func(h *hawkeye.Hawkeye) http.Handler
	// options are for the handle.
	options []hawkeye.Option
	// route is how the route of a kind is named; default as in net/http.
	route func(kind string) string
	// unseen are kinds that never reach the middleware.
	unseen []string
	// counted overrides the status that is counted for a kind where the
	// client's view differs: "aborted", or "500" for a panic that cut off the
	// answer.
	counted map[string]string
}

// answer is what a client sees.
type answer struct {
	Status   int
	Body     string
	Failed   bool // the connection ended before the answer did
	Encoding string
	Type     string
}

// TestFrameworks has 64 clients ask each service with and without hawkeye for
// the same things, side by side. Answers are the same; routes and codes are
// counted as the clients saw them.
func TestFrameworks(t *testing.T) {
	for _, f := range frameworks {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			f.run(t)
		})
	}
}

func (f *framework) run(t *testing.T) {
	h, err := hawkeye.New(append([]hawkeye.Option{hawkeye.WithoutSocket(), hawkeye.WithLogger(slog.New(slog.DiscardHandler))}, f.options...)...)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = h.Shutdown(context.Background()) }()
	with, without := serve(f.build(h)), serve(f.build(nil))
	defer without.Close()

	var all sync.WaitGroup
	var mu sync.Mutex // guards seen
	seen := make(map[string]float64)
	for client := range clients {
		all.Go(func() {
			caller := newCaller(false)
			defer caller.CloseIdleConnections()
			once := newCaller(true)
			for round := range rounds {
				for i := range kinds {
					kind := kinds[(client+i)%len(kinds)]
					path := fmt.Sprintf("/%s/c%dr%d", kind, client, round)
					c := caller
					if kind == "panic" || kind == "late" { // a request that fails on a used connection is sent again
						c = once
					}
					want, got := ask(t, c, without.URL+path), ask(t, c, with.URL+path)
					if diff := cmp.Diff(want, got); diff != "" {
						t.Errorf("GET %s (-without hawkeye +with)\n%s", path, diff)
					}
					mu.Lock()
					seen[f.count(kind, got)]++
					mu.Unlock()
				}
			}
		})
	}
	all.Wait()
	with.Close() // waits for the handlers
	delete(seen, "")
	f.compare(t, h, seen)
}

// count is the metric, with its route, that an answer is counted in.
func (f *framework) count(kind string, a answer) string {
	for _, unseen := range f.unseen {
		if kind == unseen {
			return ""
		}
	}
	route := "/" + kind + "/{id}"
	if f.route != nil {
		route = f.route(kind)
	} else if kind == "unrouted" || kind == "slow" && a.Status == http.StatusNotFound {
		route = "unmatched"
	}
	code := fmt.Sprint(a.Status)
	if counted := f.counted[kind]; counted != "" {
		code = counted
	}
	return code + " " + route
}

// compare looks up what hawkeye has counted.
func (f *framework) compare(t *testing.T, h *hawkeye.Hawkeye, seen map[string]float64) {
	t.Helper()
	var total float64
	got := make(map[string]float64)
	for key, n := range seen {
		total += n
		code, route, _ := strings.Cut(key, " ")
		got[key] = query(t, h, "http.response."+code, `route="`+route+`"`)
	}
	if diff := cmp.Diff(seen, got); diff != "" {
		t.Errorf("counted by code and route (-seen by the clients +counted)\n%s", diff)
	}
	if n := query(t, h, "http.requests"); n != total {
		t.Errorf("http.requests = %v, want %v", n, total)
	}
}

// query is a total; it waits a while for what is counted when a request is
// over.
func query(t *testing.T, h *hawkeye.Hawkeye, metric string, where ...string) float64 {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	r, err := h.Query(ctx, metric, 4*time.Minute, where...)
	if err != nil {
		t.Errorf("Query(%s, %v) = %v", metric, where, err)
	}
	return r.Value
}

func serve(h http.Handler) *httptest.Server {
	srv := httptest.NewUnstartedServer(h)
	srv.Config.ErrorLog = log.New(io.Discard, "", 0) // panics are meant
	srv.Start()
	return srv
}

func newCaller(once bool) *http.Client {
	return &http.Client{
		Transport:     &http.Transport{DisableCompression: true, DisableKeepAlives: once},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       30 * time.Second,
	}
}

func ask(t *testing.T, c *http.Client, url string) (a answer) {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept-Encoding", "gzip")
	resp, err := c.Do(req)
	if err != nil {
		return answer{Failed: true}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return answer{
		Status: resp.StatusCode, Body: string(body), Failed: err != nil,
		Encoding: resp.Header.Get("Content-Encoding"), Type: resp.Header.Get("Content-Type"),
	}
}
