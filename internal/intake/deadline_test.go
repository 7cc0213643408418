package intake

import (
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// bubble runs test in a bubble with a connection to a server, over a pipe.
func bubble(t *testing.T, test func(t *testing.T, f *fixture, near net.Conn)) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		near, far := net.Pipe()
		c := f.newConn(far)
		done := make(chan struct{})
		go func() { defer close(done); c.serve() }()
		test(t, f, near)
		near.Close()
		<-done
	})
}

func write(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatalf("Write(%q) = %v", text, err)
	}
}

func TestWhatIsBegunHasToBeFinished(t *testing.T) {
	t.Parallel()
	truncated := `{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"parse error: the document is not complete"}}` + "\n"
	tests := []struct{ name, sent, reply string }{
		{"line", "a:1|c\nb:1", ""},
		{"a line that looks whole", "a:1|c\nb:1|c", ""},
		{"frame", frame("a:1|c") + "\x05\x00\x00", ""},
		{"document", `{"jsonrpc":"2.0",`, truncated},
		{"too little to know", "ab", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, f *fixture, near net.Conn) {
				began := time.Now()
				write(t, near, tt.sent)
				reply, err := io.ReadAll(near)
				if err != nil || string(reply) != tt.reply {
					t.Errorf("reply = %q, %v, want %q", reply, err, tt.reply)
				}
				if took := time.Since(began); took != DefaultFinishTimeout {
					t.Errorf("closed after %v, want %v", took, DefaultFinishTimeout)
				}
				if got := f.Stats(); got.Timeouts != 1 {
					t.Errorf("Timeouts = %d, want 1", got.Timeouts)
				}
				if got := f.total(); got > 1 {
					t.Errorf("total = %v, want no half line in it", got)
				}
			})
		})
	}
}

func TestDribblingDoesNotBuyTime(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, f *fixture, near net.Conn) {
		began := time.Now()
		for {
			if _, err := near.Write([]byte("a")); err != nil {
				break
			}
			time.Sleep(time.Second)
		}
		if took := time.Since(began); took > DefaultFinishTimeout+time.Second {
			t.Errorf("closed after %v, want %v", took, DefaultFinishTimeout)
		}
	})
}

func TestEachLineHasItsOwnTime(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, f *fixture, near net.Conn) {
		write(t, near, "a:1")
		for range 20 {
			time.Sleep(4 * time.Second)
			write(t, near, "|c\na:1")
		}
		write(t, near, "|c\n")
		synctest.Wait()
		if got := f.total(); got != 21 {
			t.Errorf("total = %v, want 21", got)
		}
	})
}

func TestSilenceIsNoReasonToClose(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, f *fixture, near net.Conn) {
		for range 3 {
			write(t, near, "a:1|c\n")
			time.Sleep(24 * time.Hour)
		}
		if got := f.total(); got != 3 {
			t.Errorf("total = %v, want 3", got)
		}
	})
}

func TestWhoNeverReadsRepliesIsClosed(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, f *fixture, near net.Conn) {
		began := time.Now()
		for {
			if _, err := io.WriteString(near, `{"method":"Metric.Ping","params":[],"id":1}`); err != nil {
				break
			}
		}
		if took := time.Since(began); took != DefaultWriteTimeout || f.Stats().SlowReaders != 1 {
			t.Errorf("closed after %v, SlowReaders = %d, want %v, 1", took, f.Stats().SlowReaders, DefaultWriteTimeout)
		}
	})
}

// exhausted is a listener of a process without free file descriptors.
type exhausted struct {
	net.Listener
	failures atomic.Int64
	closed   chan struct{}
}

func (l *exhausted) Accept() (net.Conn, error) {
	if l.failures.Add(-1) >= 0 {
		return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
	}
	<-l.closed
	return nil, net.ErrClosed
}

func TestAcceptBacksOffAndGoesOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		l := &exhausted{closed: make(chan struct{})}
		l.failures.Store(12)
		done := make(chan struct{})
		go func() { defer close(done); f.acceptLoop(l) }()
		time.Sleep(time.Minute)
		if got := f.Stats().AcceptErrors; got != 12 {
			t.Errorf("AcceptErrors = %d, want 12: it goes on, and does not spin", got)
		}
		close(l.closed)
		<-done
		if logs := strings.Count(f.logs.String(), "can not be accepted"); logs != 1 {
			t.Errorf("logged %d times, want once", logs)
		}
	})
}

func TestStopEndsABackOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		done := make(chan struct{})
		go func() {
			l := &exhausted{}
			l.failures.Store(1 << 30)
			f.acceptLoop(l)
			close(done)
		}()
		time.Sleep(10 * time.Second)
		began := time.Now()
		if err := f.stop(); err != nil {
			t.Errorf("stop = %v, want nil", err)
		}
		<-done
		if took := time.Since(began); took > 0 {
			t.Errorf("stop took %v, want no time", took)
		}
	})
}

// failing is a connection whose Read does something else.
type failing struct {
	net.Conn
	read func() (int, error)
}

func (c failing) Read([]byte) (int, error) { return c.read() }
func (c failing) Close() error             { return nil }

func TestPanicEndsOneConnection(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	f.newConn(failing{read: func() (int, error) { panic("in read") }}).serve()
	f.newConn(failing{read: func() (int, error) { return 0, errors.New("reset") }}).serve()
	if got := f.Stats().Panics; got != 1 || !strings.Contains(f.logs.String(), "in read") {
		t.Errorf("Panics = %d, logs = %s, want 1, and told", got, f.logs)
	}
}

// panicking is a Recorder that panics at "p".
type panicking struct{ *conn }

func (p panicking) Apply(text []byte) error {
	if strings.HasPrefix(string(text), "p") {
		panic("in a call")
	}
	return p.conn.Apply(text)
}

func TestPanicEndsOneCall(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	script := &scriptConn{in: strings.NewReader(
		`{"method":"Metric.Handle","params":["p:1|c"],"id":1}` + "\n" +
			`{"method":"Metric.Handle","params":["a:1|c"],"id":2}` + "\n")}
	c := f.newConn(script)
	c.decide(rpc)
	c.session.Recorder = panicking{c}
	c.serve()
	want := `{"id":1,"result":null,"error":"internal error"}` + "\n" + `{"id":2,"result":0,"error":null}` + "\n"
	if got := script.out.String(); got != want || f.total() != 1 || f.Stats().Panics != 1 {
		t.Errorf("reply = %q, Panics = %d, want %q, 1", got, f.Stats().Panics, want)
	}
	if !strings.Contains(f.logs.String(), "in a call") {
		t.Errorf("logs = %s, want the panic", f.logs)
	}
}
