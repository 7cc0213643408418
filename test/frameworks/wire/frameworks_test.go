package wire

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/go-batteries/hawkeye"
)

const (
	clients = 64
	rounds  = 1
)

// framework is one way to mount hawkeye.
type framework struct {
	name string
	// handler builds the router; a nil h leaves hawkeye out.
	handler func(h *hawkeye.Hawkeye, all []scenario) http.Handler
	route   func(*http.Request) string // for WithRouteName

	skip      string            // a scenario that it can't have
	pattern   string            // of a scenario's route, from its name; default "/%s/{id}"
	counted   map[string]string // codes by scenario, where they aren't the usual ones
	unmatched map[string]string // routes of what no route matches, by method; default "unmatched", "-" if it isn't counted
}

// request is one that clients make, and what must be counted for it.
type request struct {
	scenario
	text string // with %s for the id
}

// requests are those of all scenarios, and some that no route matches.
func requests(all []scenario) []request {
	var out []request
	for _, s := range all {
		text := fmt.Sprintf("%s /%s/%%[1]s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAccept-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s",
			s.verb(), s.name, len(s.body), s.body)
		out = append(out, request{scenario: s, text: text})
	}
	nowhere := func(line string) request {
		method, _, _ := strings.Cut(line, " ")
		return request{scenario: scenario{method: method}, text: line + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAccept-Encoding: gzip\r\nContent-Length: 0\r\n\r\n"}
	}
	return append(out, nowhere("GET /nowhere/%[1]s"), nowhere("PUT /fine/%[1]s"), nowhere("BREW /fine/%[1]s"))
}

func TestMain(m *testing.M) {
	gin.SetMode(gin.ReleaseMode)
	os.Exit(m.Run())
}

func TestFrameworks(t *testing.T) {
	for _, f := range frameworks {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			served := slices.DeleteFunc(slices.Clone(scenarios), func(s scenario) bool { return s.name == f.skip })
			without := serve(t, f.handler(nil, served))
			h := start(t, &f)
			all := requests(served)
			answers := ask(t, without, serve(t, f.handler(h, served)), all)
			stop(t, h)
			f.check(t, h, all, answers)
		})
	}
}

// ask lets all clients ask both servers for everything, in an order of their
// own. It returns what one of them got without hawkeye.
func ask(t *testing.T, without, with string, all []request) (answers []string) {
	answers = make([]string, len(all))
	var asking sync.WaitGroup
	for client := range clients {
		asking.Go(func() {
			id := fmt.Sprintf("c%02d", client)
			for round := range rounds {
				for _, i := range rand.Perm(len(all)) {
					text := fmt.Sprintf(all[i].text, id)
					want := exchange(t, without, text)
					if got := exchange(t, with, text); got != want {
						t.Errorf("%q is answered with\n%q\nwant, as without hawkeye,\n%q", text, got, want)
						return
					}
					if client+round == 0 {
						answers[i] = want
					}
				}
			}
		})
	}
	asking.Wait()
	return answers
}

// TestLeavingClients has clients hang up while handlers work.
func TestLeavingClients(t *testing.T) {
	for _, f := range frameworks {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			h := start(t, &f)
			reached := make(chan struct{})
			all := []scenario{leaving(reached)}
			addr := serve(t, f.handler(h, all))
			const n = 8
			for range n {
				conn, err := net.Dial("tcp", addr)
				if err != nil {
					t.Fatal(err)
				}
				fmt.Fprintf(conn, requests(all)[0].text, "c00")
				<-reached
				conn.Close()
			}
			wantSoon(t, h, "http.requests", n)
			stop(t, h)
			for metric, want := range map[string]float64{"http.response.aborted": n, "http.response.2xx": 0, "http.response.5xx": 0} {
				if got := query(t, h, metric).Value; got != want {
					t.Errorf("%s = %v, want %v", metric, got, want)
				}
			}
		})
	}
}

// check compares what was counted with what the clients got.
func (f *framework) check(t *testing.T, h *hawkeye.Hawkeye, all []request, answers []string) {
	type line struct{ metric, route string }
	counts := make(map[line]float64)
	const each = clients * rounds
	total, timed := 0.0, 0.0
	for i, r := range all {
		code, route := f.expect(&r, answers[i])
		if route == "-" {
			continue
		}
		counts[line{"http.response." + code, route}] += each
		total += each
		if !r.untimed || code == "501" {
			timed += each
		}
	}
	for l, want := range counts {
		if got := query(t, h, l.metric, fmt.Sprintf("route=%q", l.route)).Value; got != want {
			t.Errorf("%s of %s = %v, want %v", l.metric, l.route, got, want)
		}
	}
	if got := query(t, h, "http.requests").Value; got != total {
		t.Errorf("http.requests = %v, want %v", got, total)
	}
	if got := query(t, h, "http.request.duration").Count; got != timed {
		t.Errorf("durations of %v requests, want %v", got, timed)
	}
}

var statusLine = regexp.MustCompile(`(?m)^HTTP/1\.1 (\d{3}) `)

// expect returns the code and the route that a request must be counted with,
// from the answer that it gets without hawkeye.
func (f *framework) expect(r *request, answer string) (code, route string) {
	code = r.counted
	lines := statusLine.FindAllStringSubmatch(answer, -1)
	if code == "" || code == "101" && lines[0][1] == "501" {
		code = lines[len(lines)-1][1]
	}
	if other, ok := f.counted[r.name]; ok {
		code = other
	}
	if r.name == "" {
		return code, cmp.Or(f.unmatched[r.method], "unmatched")
	}
	pattern := cmp.Or(f.pattern, "/%s/{id}")
	if !strings.Contains(pattern, "%s") {
		return code, pattern
	}
	return code, fmt.Sprintf(pattern, r.name)
}

func start(t *testing.T, f *framework) *hawkeye.Hawkeye {
	t.Helper()
	opts := []hawkeye.Option{hawkeye.WithService("frameworks", "t"), hawkeye.WithoutSocket(), hawkeye.WithLogger(slog.New(slog.DiscardHandler))}
	if f.route != nil {
		opts = append(opts, hawkeye.WithRouteName(f.route))
	}
	h, err := hawkeye.New(opts...)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, h) })
	return h
}

func stop(t *testing.T, h *hawkeye.Hawkeye) {
	if err := h.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
}

// query reads what was counted.
func query(t *testing.T, h *hawkeye.Hawkeye, metric string, matchers ...string) hawkeye.Result {
	t.Helper()
	r, err := h.Query(context.Background(), metric, 4*time.Minute, matchers...)
	if err != nil {
		t.Error(err)
	}
	return r
}

// wantSoon waits until a metric has a value: the server goes on by itself when
// its clients have gone.
func wantSoon(t *testing.T, h *hawkeye.Hawkeye, metric string, want float64) {
	t.Helper()
	for range 100 { // each asks for one tick more
		if query(t, h, metric).Value == want {
			return
		}
	}
	t.Errorf("%s doesn't come to be %v", metric, want)
}

// serve returns the address of a server of handler.
func serve(t *testing.T, handler http.Handler) string {
	srv := httptest.NewUnstartedServer(handler)
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.Start()
	t.Cleanup(srv.Close)
	return srv.Listener.Addr().String()
}

var date = regexp.MustCompile(`(?m)^Date: .*\r\n`)

// exchange sends a request on a connection of its own and returns all that
// comes back, but for the date.
func exchange(t *testing.T, addr, request string) string {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Error(err)
		return ""
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Minute))
	io.WriteString(conn, request)
	answer, err := io.ReadAll(conn)
	if err != nil {
		t.Errorf("the answer to %q ends with %v", request, err)
	}
	return date.ReplaceAllString(string(answer), "")
}
