package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"

	"github.com/go-batteries/hawkeye/internal/series"
	"github.com/go-batteries/hawkeye/internal/statsd"
)

// reception is what a peer does with a call.
type reception int

const (
	answer     reception = iota // count it and answer
	cutShort                    // read half of it and hang up
	hangUp                      // read it and hang up
	countAndGo                  // read it, count it and hang up
	refuse                      // answer with an error
	garbage                     // answer with what is no answer
	wrongID                     // answer another call
	silence                     // read it and do nothing more
)

// peer is the server's side, as simple as it can be, with faults to order.
type peer struct {
	mu     sync.Mutex // guards what follows
	reg    *series.Registry
	faults []reception // of the next calls, pings not among them
	away   bool
	conns  []net.Conn
	calls  int
}

func newPeer(faults ...reception) *peer {
	return &peer{reg: series.New(series.Limits{}), faults: faults}
}

// dial is a DialFunc.
func (p *peer) dial(ctx context.Context) (net.Conn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err() // as a socket's dialer does
	case p.away:
		return nil, errors.New("nobody is there")
	}
	near, far := net.Pipe()
	p.conns = append(p.conns, far)
	go p.serve(far)
	return near, nil
}

// restart hangs up, and comes back with nothing counted.
func (p *peer) restart() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reg = series.New(series.Limits{})
	for _, c := range p.conns {
		c.Close()
	}
}

func (p *peer) setAway(away bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.away = away
	for _, c := range p.conns {
		c.Close()
	}
}

func (p *peer) serve(conn net.Conn) {
	defer conn.Close()
	r := bufio.NewReaderSize(conn, 64) // less than a call, so that it can be cut short
	for {
		head, err := r.Peek(len(`{"jsonrpc":"2.0","method":"Metric.Handle`))
		if err != nil {
			return
		}
		how := answer
		if strings.HasSuffix(string(head), "Handle") {
			how = p.next()
		}
		if how == cutShort {
			return
		}
		line, err := r.ReadBytes('\n')
		if err != nil {
			return
		}
		if !p.receive(conn, line, how) {
			return
		}
	}
}

func (p *peer) next() reception {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls++
	if len(p.faults) == 0 {
		return answer
	}
	how := p.faults[0]
	p.faults = p.faults[1:]
	return how
}

func (p *peer) receive(conn net.Conn, line []byte, how reception) (goOn bool) {
	var call struct {
		Params struct{ Text string }
		ID     int
	}
	if err := json.Unmarshal(line, &call); err != nil {
		panic(err)
	}
	if how == answer || how == countAndGo {
		p.mu.Lock()
		a := statsd.Applier{Registry: p.reg}
		if err := a.Apply([]byte(call.Params.Text)); err != nil {
			panic(err)
		}
		p.mu.Unlock()
	}
	switch how {
	case answer:
		fmt.Fprintf(conn, `{"jsonrpc":"2.0","id":%d,"result":0}`+"\n", call.ID)
	case refuse:
		fmt.Fprintf(conn, `{"jsonrpc":"2.0","id":%d,"error":{"code":-32602,"message":"no","data":{"rejected":1}}}`+"\n", call.ID)
	case garbage:
		io.WriteString(conn, "HTTP/1.1 400 Bad Request\n")
	case wrongID:
		fmt.Fprintf(conn, `{"jsonrpc":"2.0","id":%d,"result":0}`+"\n", call.ID+1)
	case silence:
	default:
		return false
	}
	return true
}

// count returns what a counter without tags has gained since the last time.
func (p *peer) count(name string) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	counters, _, _, _ := contents(p.reg)
	return counters["c|"+name] / 1e6
}
