package intake

import (
	"errors"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/go-batteries/hawkeye/internal/sockfile"
)

func datagramFixture(t *testing.T, change func(*Config)) (*fixture, net.Conn) {
	t.Helper()
	f := newFixture(t, func(c *Config) {
		c.Datagram, c.Socket = c.Socket, ""
		if change != nil {
			change(c)
		}
	})
	f.run(t)
	c, err := net.Dial("unixgram", f.config.Datagram)
	if err != nil {
		t.Fatalf("Dial = %v", err)
	}
	t.Cleanup(func() { c.Close() })
	return f, c
}

func TestDatagrams(t *testing.T) {
	t.Parallel()
	f, c := datagramFixture(t, func(c *Config) { c.Limits.MaxFrame = 1000 })
	for _, datagram := range []string{"a:1|c\nb:1|c", "oops", "{}", "a:1|c|#" + strings.Repeat("x", 2000), "c:1|c\n"} {
		write(t, c, datagram)
	}
	for f.Stats().Datagrams < 5 {
		runtime.Gosched()
	}
	for f.Stats().Lines < 3 {
		runtime.Gosched()
	}
	got := f.Stats()
	if total := f.total(); total != 3 || got.CutDatagrams != 1 || got.Refused["no_value"] != 2 {
		t.Errorf("total = %v, Stats = %+v, want 3, one cut and two bad lines", total, got)
	}
}

func TestDatagramsOfOthersAreRefused(t *testing.T) {
	t.Parallel()
	if !sockfile.PeerCredentials {
		t.Log("no peer credentials here")
		return
	}
	f, c := datagramFixture(t, func(c *Config) { c.PeerUIDs = []uint32{uint32(os.Geteuid()) + 1} })
	write(t, c, "a:1|c")
	for f.Stats().RefusedPeers < 1 {
		runtime.Gosched()
	}
	if got := f.total(); got != 0 {
		t.Errorf("total = %v, want 0", got)
	}
}

func TestConnectionsOfOthersAreRefused(t *testing.T) {
	t.Parallel()
	if !sockfile.PeerCredentials {
		t.Log("no peer credentials here")
		return
	}
	other := func(c *Config) { c.PeerUIDs = []uint32{uint32(os.Geteuid()) + 1} }
	f := newFixture(t, other)
	f.run(t)
	if n, err := f.dial(t).Read(make([]byte, 1)); err == nil {
		t.Errorf("Read = %d, want to be closed", n)
	}
	if got := f.Stats().RefusedPeers; got != 1 {
		t.Errorf("RefusedPeers = %d, want 1", got)
	}
	open := newFixture(t, func(c *Config) { other(c); c.AnyPeer = true })
	open.run(t)
	open.say(t, "a:1|c")
	if got := open.total(); got != 1 {
		t.Errorf("total with AnyPeer = %v, want 1", got)
	}
}

func TestRemovedDatagramSocketIsBoundAgain(t *testing.T) {
	t.Parallel()
	f, _ := datagramFixture(t, func(c *Config) { c.Limits.WatchInterval = 1 << 20 })
	if err := os.Remove(f.config.Datagram); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	for f.Stats().Rebinds == 0 {
		runtime.Gosched()
	}
	c, err := net.Dial("unixgram", f.config.Datagram)
	if err != nil {
		t.Fatalf("Dial = %v", err)
	}
	defer c.Close()
	write(t, c, "a:1|c")
	for f.Stats().Lines == 0 {
		runtime.Gosched()
	}
}
