//go:build unix

package fleet

import (
	"context"
	"fmt"
	"io"
	"net"
	netmail "net/mail"
	"net/smtp"
	"net/textproto"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-batteries/hawkeye"
	"github.com/go-batteries/hawkeye/internal/failpoint"
)

// A sender is killed in its Send to a mail server. Before the server has the
// mail, it is told once, by another replica; when the server has accepted it
// and not yet said so, it may come once more, with the same Message-ID, and
// says that it may be a repeat.
func TestToldThroughAKillInSend(t *testing.T) {
	t.Parallel()
	breaches := []*breach{{step: holdData}, {step: holdReply}}
	if long() {
		breaches = append(breaches, &breach{step: holdData, end: true}, &breach{step: holdReply, end: true})
	}
	f := newFleet(t, startRedis(t).Addr(), monitors(len(breaches)))
	server := newMailServer(f)
	counter := f.start(envRole + "=counter")
	f.alive, f.leaving = nil, append(f.leaving, counter)
	start := func(n int) { f.startN(n, envSMTP+"="+server.addr()) }
	start(3)
	for i, b := range breaches {
		b.name = fmt.Sprintf("m%d", i)
		f.awaitEvaluator()
		if b.end {
			counter.ask("incr %s 5", b.name)
			f.awaitFiring(b.name)
		}
		server.hold(b.step)
		if !b.end {
			counter.ask("incr %s 5", b.name)
		}
		b.killed = server.killHeld(b.step)
		start(1)
		f.awaitOver(b.name)
	}
	for _, b := range breaches {
		b.outcome = f.outcomeOf(b.name)
		f.check(b)
		byVictim, said := 0, 0
		for _, copies := range f.copies(b.name) {
			for _, m := range copies {
				if m.pid == b.killed.PID && m.at.Add(deathWithin).After(b.killed.At) {
					byVictim++
				}
				if m.repeat {
					said++
				}
			}
		}
		if b.step == holdData && (byVictim > 0 || b.repeats > 0 || said != 1) {
			t.Errorf("killed before DATA was taken (end %t): %d mails by the killed process, %d repeats, %d that say they may be one; want 0, 0, 1",
				b.end, byVictim, b.repeats, said)
		}
		if b.step == holdReply && (byVictim != 1 || said != b.repeats) {
			t.Errorf("killed before the reply (end %t): %d mails by the killed process, %d repeats, %d that say they may be one; want 1, and as many repeats as say so",
				b.end, byVictim, b.repeats, said)
		}
		t.Logf("killed at %s, for the end %t: %d mails by the killed process, %d repeats, most copies of one message %d, %d say that they may be one",
			b.step, b.end, byVictim, b.repeats, b.most, said)
	}
}

// The points at which a mailServer can stop.
const (
	holdData  = "data"  // DATA was asked for, the mail isn't there yet
	holdReply = "reply" // the mail was accepted, nobody knows yet
)

// mailServer is a small SMTP server (RFC 5321) that takes all mails and
// writes them down as [deliver] does.
type mailServer struct {
	fleet    *fleet
	listener net.Listener
	held     chan int // the process that is at the point
	wait     sync.WaitGroup

	mu    sync.Mutex // guards point and conns
	point string     // empty after somebody came to it
	conns map[net.Conn]bool
}

func newMailServer(f *fleet) *mailServer {
	f.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		f.t.Fatalf("start a mail server: %v", err)
	}
	s := &mailServer{fleet: f, listener: l, held: make(chan int, 1), conns: make(map[net.Conn]bool)}
	s.wait.Go(s.accept)
	f.t.Cleanup(s.close)
	return s
}

func (s *mailServer) addr() string { return s.listener.Addr().String() }

// hold stops the next conversation that comes to a point.
func (s *mailServer) hold(point string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.point = point
}

// killHeld waits for a process to come to the point, and kills it there.
func (s *mailServer) killHeld(point string) failpoint.Token {
	f := s.fleet
	f.t.Helper()
	select {
	case pid := <-s.held:
		for _, c := range f.alive {
			if c.cmd.Process.Pid == pid {
				c.kill()
				f.bury()
				return failpoint.Token{PID: pid, Step: point, At: time.Now()}
			}
		}
		f.t.Fatalf("process %d, which sends, is none of ours", pid)
	case <-time.After(stepWithin):
		f.t.Fatalf("nobody came to %s\n%s", point, f.logs())
	}
	return failpoint.Token{}
}

func (s *mailServer) close() {
	s.listener.Close()
	s.mu.Lock()
	for c := range s.conns {
		c.Close()
	}
	s.conns = nil
	s.mu.Unlock()
	s.wait.Wait()
}

func (s *mailServer) accept() {
	for {
		c, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		if s.conns == nil {
			c.Close()
		} else {
			s.conns[c] = true
			s.wait.Go(func() { s.serve(c) })
		}
		s.mu.Unlock()
	}
}

// serve has one conversation, until the other side ends it.
func (s *mailServer) serve(c net.Conn) {
	defer c.Close()
	conn, pid := textproto.NewConn(c), 0
	reply := func(line string) { conn.PrintfLine("%s", line) }
	reply("220 test ESMTP")
	for {
		line, err := conn.ReadLine()
		if err != nil {
			return
		}
		verb, arg, _ := strings.Cut(line, " ")
		switch verb {
		case "EHLO":
			pid, _ = strconv.Atoi(strings.TrimPrefix(arg, "process-"))
			reply("250 test")
		case "DATA":
			s.at(holdData, pid, c)
			reply("354 go ahead")
			if s.take(conn.DotReader(), pid) != nil {
				return
			}
			s.at(holdReply, pid, c)
			reply("250 accepted")
		case "QUIT":
			reply("221 bye")
			return
		default:
			reply("250 ok")
		}
	}
}

// at stops at a point until the process at the other end is gone.
func (s *mailServer) at(point string, pid int, c net.Conn) {
	s.mu.Lock()
	holds := s.point == point
	if holds {
		s.point = ""
	}
	s.mu.Unlock()
	if holds {
		s.held <- pid
		io.Copy(io.Discard, c)
	}
}

// take writes a mail down, which is then accepted.
func (s *mailServer) take(r io.Reader, pid int) error {
	m, err := netmail.ReadMessage(r)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(m.Body)
	if err != nil {
		return err // it ended before the dot
	}
	return writeMail(s.fleet.mailFile(), pid, m.Header.Get("Message-ID"), m.Header.Get("Subject"), string(body))
}

// sendSMTP is what a child with a mail server does.
func sendSMTP(ctx context.Context, cfg hawkeye.MailerConfig) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", os.Getenv(envSMTP))
	if err != nil {
		return err
	}
	if deadline, ok := ctx.Deadline(); ok {
		conn.SetDeadline(deadline)
	}
	c, err := smtp.NewClient(conn, "test")
	if err != nil {
		conn.Close()
		return err
	}
	defer c.Close()
	if err := c.Hello(fmt.Sprintf("process-%d", os.Getpid())); err != nil {
		return err
	}
	if err := c.Mail("hawkeye@example.com"); err != nil {
		return err
	}
	for _, to := range cfg.Recipients {
		if err := c.Rcpt(to); err != nil {
			return err
		}
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "Message-ID: %s\r\nSubject: %s\r\n\r\n%s", cfg.MessageID, cfg.Subject, cfg.Body)
	if err := w.Close(); err != nil {
		return err
	}
	return c.Quit()
}
