package hawkeye

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// frameworkWriter is a framework's ResponseWriter.
type frameworkWriter struct{ http.ResponseWriter }

func (w *frameworkWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// withErrors is a framework whose handlers return errors, which it answers for
// them in one place, through the writer that the innermost handler had and
// after all middlewares have returned. So does echo.
func withErrors(middleware func(http.Handler) http.Handler, handler func(http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		writer, err := http.ResponseWriter(&frameworkWriter{w}), error(nil)
		middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			writer = w
			err = handler(w, r)
		})).ServeHTTP(writer, r)
		if err != nil {
			writer.WriteHeader(http.StatusTeapot)
			fmt.Fprint(writer, err)
		}
	})
}

// TestAnswersAfterTheHandler: each client gets its own answer, and it is
// counted as what it was.
func TestAnswersAfterTheHandler(t *testing.T) {
	t.Parallel()
	h := newRecorder()
	const clients, each = 32, 25
	slow := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h.Middleware(next).ServeHTTP(w, r)
			time.Sleep(time.Millisecond)
		})
	}
	srv := httptest.NewServer(withErrors(slow, func(w http.ResponseWriter, r *http.Request) error {
		switch kind := r.URL.Query().Get("kind"); kind {
		case "error":
			return errors.New(r.URL.RawQuery)
		case "silent":
			return nil
		}
		_, err := io.WriteString(w, r.URL.RawQuery)
		return err
	}))
	var all sync.WaitGroup
	for c := range clients {
		all.Go(func() {
			for i := range each {
				kind := []string{"good", "error", "silent"}[(c+i)%3]
				query := fmt.Sprintf("kind=%s&client=%d&n=%d", kind, c, i)
				resp, err := http.Get(srv.URL + "/?" + query)
				if err != nil {
					t.Errorf("GET %s = %v", query, err)
					return
				}
				body, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				want, code := query, http.StatusOK
				switch kind {
				case "error":
					code = http.StatusTeapot
				case "silent":
					want = ""
				}
				if string(body) != want || resp.StatusCode != code || err != nil {
					t.Errorf("GET %s = %d %q, %v, want %d %q", query, resp.StatusCode, body, err, code, want)
				}
			}
		})
	}
	all.Wait()
	srv.Close() // waits for the handlers
	const tags = " method=GET route=unmatched "
	want := []string{
		"http.request.duration method=GET route=unmatched status=2xx 533", "http.request.duration method=GET route=unmatched status=4xx 267",
		"http.requests" + tags + "800", "http.response.200" + tags + "533", "http.response.2xx" + tags + "533",
		"http.response.418" + tags + "267", "http.response.4xx" + tags + "267",
	}
	var got []string
	totals := map[string]int{}
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		// What nobody answered is counted when its request is over.
		for _, line := range recorded(h) {
			at := strings.LastIndexByte(line, ' ')
			n, _ := strconv.Atoi(line[at+1:])
			totals[line[:at]] += n
		}
		got = nil
		for name, n := range totals {
			got = append(got, fmt.Sprint(name, " ", n))
		}
		if slices.Sort(got); cmp.Equal(got, want) {
			return
		}
	}
	t.Errorf("recorded (-want +got)\n%s", cmp.Diff(want, got))
}

// TestClientGone: an exchange whose client left before there was a status is
// neither a success nor a failure, whatever the handler makes of it.
func TestClientGone(t *testing.T) {
	t.Parallel()
	waiting := make(chan struct{}, 1)
	wait := func(w http.ResponseWriter, r *http.Request) {
		waiting <- struct{}{}
		<-r.Context().Done()
	}
	upstream := httptest.NewServer(http.HandlerFunc(wait))
	t.Cleanup(upstream.Close)
	address, err := url.Parse(upstream.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(address)
	proxy.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }
	tests := map[string]struct {
		handler http.Handler
		want    []string
	}{
		"nothing written": {http.HandlerFunc(wait), counts("GET", "unmatched", "aborted")},
		"reverse proxy":   {proxy, counts("GET", "unmatched", "aborted")},
		"error written": {http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			wait(w, r)
			http.Error(w, "too late", http.StatusInternalServerError)
		}), counts("GET", "unmatched", "aborted")},
		"body written": {http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			wait(w, r)
			fmt.Fprint(w, "too late")
		}), counts("GET", "unmatched", "aborted")},
		"status written before": {http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusAccepted)
			wait(w, r)
		}), counts("GET", "unmatched", "202")},
		"103 written before": {http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusEarlyHints)
			wait(w, r)
		}), counts("GET", "unmatched", "aborted")},
		"a framework's answer": {withErrors(func(next http.Handler) http.Handler { return next }, func(w http.ResponseWriter, r *http.Request) error {
			wait(w, r)
			return errors.New("too late")
		}), counts("GET", "unmatched", "aborted")},
	}
	for name, tt := range tests {
		h := newRecorder()
		served := make(chan struct{})
		handler := h.Middleware(tt.handler)
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer close(served)
			handler.ServeHTTP(w, r)
		}))
		ctx, hangUp := context.WithCancel(t.Context())
		go func() {
			<-waiting
			hangUp()
		}()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, srv.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		if resp, err := http.DefaultClient.Do(req); err == nil {
			resp.Body.Close()
		}
		<-served
		srv.Close()
		if diff := cmp.Diff(tt.want, recorded(h)); diff != "" {
			t.Errorf("%s: recorded (-want +got)\n%s", name, diff)
		}
	}
}

// TestEventStreams last for as long as their clients like, which says nothing
// about how fast the service is.
func TestEventStreams(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		mime    string
		flush   func(http.ResponseWriter)
		latency bool
	}{
		"Flusher":          {"text/event-stream", func(w http.ResponseWriter) { w.(http.Flusher).Flush() }, false},
		"controller":       {"text/event-stream; charset=utf-8", func(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() }, false},
		"not flushed":      {"text/event-stream", func(http.ResponseWriter) {}, false},
		"in capitals":      {"Text/Event-Stream", func(http.ResponseWriter) {}, false},
		"of a longer name": {"text/event-streams", func(w http.ResponseWriter) { w.(http.Flusher).Flush() }, true},
		"no event":         {"text/html", func(w http.ResponseWriter) { w.(http.Flusher).Flush() }, true},
		"without type":     {"", func(w http.ResponseWriter) { w.(http.Flusher).Flush() }, true},
	} {
		h := newRecorder()
		exchange(t, h.Middleware(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if tt.mime != "" {
				w.Header().Set("Content-Type", tt.mime)
			}
			fmt.Fprint(w, "data: 1\n\n")
			tt.flush(w)
		})), "GET /")
		want := counts("GET", "unmatched", "200")
		if !tt.latency {
			want = want[1:]
		}
		if diff := cmp.Diff(want, recorded(h)); diff != "" {
			t.Errorf("%s: recorded (-want +got)\n%s", name, diff)
		}
	}
}
