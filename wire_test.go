package hawkeye_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-batteries/hawkeye"
)

// TestWireNames sends what clients write in spite of themselves: it is found
// where a monitor would look for it, or refused with a reason.
func TestWireNames(t *testing.T) {
	t.Parallel()
	path := filepath.Join(socketDir(t), "s")
	h := newHandle(t, hawkeye.WithSocket(path))
	if err := h.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Shutdown(context.Background()) })
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	lines := []string{
		" jobs:1|c", "\tjobs :1|c", "jobs:1|c\r",
		"hits:1|c|#env:prod,env:stage", "hits:1|c|#env:prod, env : stage ",
		"tries:1|c|##route:a", "tries:1|c|#x:1, route:a",
		"named,route=a:1|c", " :1|c",
	}
	if _, err := io.WriteString(conn, strings.Join(lines, "\n")); err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(10 * time.Second)
	for h.Stats().Lines+2 < uint64(len(lines)) && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
	for _, tt := range []struct {
		metric, where string
		want          float64
	}{
		{"jobs", "", 3}, {"hits", `env="stage"`, 2}, {"hits", `env="prod"`, 0}, {"tries", `route="a"`, 2}, {"named", "", 0},
	} {
		var where []string
		if tt.where != "" {
			where = append(where, tt.where)
		}
		if r, err := h.Query(t.Context(), tt.metric, time.Minute, where...); err != nil && tt.want > 0 || r.Value != tt.want {
			t.Errorf("Query(%s, %s) = %v, %v, want %v", tt.metric, tt.where, r.Value, err, tt.want)
		}
	}
	if refused := h.Stats().Refused; refused["tags_influxdb"] != 1 || refused["no_name"] != 1 {
		t.Errorf("Stats().Refused = %v, want the name with tags, and the blank one", refused)
	}
	// A browser or curl --unix-socket that comes by mistake.
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}}
	resp, err := client.Get("http://localhost/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusBadRequest || !strings.Contains(string(body), "metric socket of hawkeye") {
		t.Errorf("GET = %d, %q, %v, want what speaks here", resp.StatusCode, body, err)
	}
}
