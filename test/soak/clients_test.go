package soak

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/rpc/jsonrpc"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/go-batteries/hawkeye"
)

// sent is what one client says that it has sent.
type sent struct {
	Events   int64   // sum of the counter soak.events
	Observed int64   // values of the histogram soak.size
	Gauge    float64 // last value of its gauge soak.level
}

// beat is how often a client sends, between 0 and maxPerBeat of each thing.
const (
	beat       = 5 * time.Millisecond
	maxPerBeat = 20
)

// client sends until stop is closed and returns what it has sent.
type client func(path, name string, stop <-chan struct{}) (sent, error)

// beats calls send at every beat with how many things to send.
func beats(stop <-chan struct{}, send func(n int) error) error {
	tick := time.NewTicker(beat)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return nil
		case <-tick.C:
			if err := send(rand.IntN(maxPerBeat)); err != nil {
				return err
			}
		}
	}
}

// lines sends statsd text, framed in some way, and waits at the end until the
// server has read it all.
func lines(frame func(text []byte) []byte) client {
	return func(path, name string, stop <-chan struct{}) (sent, error) {
		var s sent
		nc, err := net.Dial("unix", path)
		if err != nil {
			return s, err
		}
		defer nc.Close()
		err = beats(stop, func(n int) error {
			s.Events, s.Observed, s.Gauge = s.Events+int64(n), s.Observed+2, float64(n)
			text := fmt.Appendf(nil, "soak.events:%d|c|#client:%s\nsoak.size:%d:%d|h|#client:%s\nsoak.level:%d|g|#client:%s\n",
				n, name, n, n+1, name, n, name)
			_, err := nc.Write(frame(text))
			return err
		})
		if err := errors.Join(err, nc.(*net.UnixConn).CloseWrite()); err != nil {
			return s, err
		}
		_, err = io.Copy(io.Discard, nc) // ends when the server has taken everything and hangs up
		return s, err
	}
}

func newline(text []byte) []byte { return text }

func lengthPrefixed(text []byte) []byte {
	return append(binary.LittleEndian.AppendUint32(nil, uint32(len(text))), text...)
}

// rpc1 uses Go's own JSON-RPC client.
func rpc1(path, name string, stop <-chan struct{}) (sent, error) {
	var s sent
	c, err := jsonrpc.Dial("unix", path)
	if err != nil {
		return s, err
	}
	err = beats(stop, func(n int) error {
		s.Events, s.Observed, s.Gauge = s.Events+int64(n), s.Observed+1, float64(n)
		text := fmt.Sprintf("soak.events:%d|c|#client:%s\nsoak.size:%d|h|#client:%s\nsoak.level:%d|g|#client:%s", n, name, n, name, n, name)
		var result int
		return c.Call("Metric.Handle", struct{ Text string }{text}, &result)
	})
	return s, errors.Join(err, c.Close())
}

// rpc2 sends JSON-RPC 2.0 batches.
func rpc2(path, name string, stop <-chan struct{}) (sent, error) {
	var s sent
	nc, err := net.Dial("unix", path)
	if err != nil {
		return s, err
	}
	defer nc.Close()
	replies := json.NewDecoder(bufio.NewReader(nc))
	type call struct {
		Version string `json:"jsonrpc"`
		Method  string `json:"method"`
		Params  any    `json:"params"`
		ID      int    `json:"id"`
	}
	err = beats(stop, func(n int) error {
		s.Events, s.Observed, s.Gauge = s.Events+int64(n), s.Observed+1, float64(n)
		var batch []call
		for i, line := range []string{fmt.Sprintf("soak.events:%d|c", n), fmt.Sprintf("soak.size:%d|h", n), fmt.Sprintf("soak.level:%d|g", n)} {
			params := map[string]any{"Lines": []string{line + "|#client:" + name}}
			batch = append(batch, call{"2.0", "Metric.HandleBatch", params, i})
		}
		data, err := json.Marshal(batch)
		if err != nil {
			return err
		}
		if _, err := nc.Write(data); err != nil {
			return err
		}
		var answers []struct{ Error any }
		if err := replies.Decode(&answers); err != nil {
			return err
		}
		for _, a := range answers {
			if a.Error != nil {
				return fmt.Errorf("answer: %v", a.Error)
			}
		}
		return nil
	})
	return s, err
}

// child runs hawkeye's own Client in another process: this test's binary,
// whose TestMain calls childMain.
func child(path, name string, stop <-chan struct{}) (sent, error) {
	var s sent
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+path, childEnv+"_NAME="+name)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return s, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return s, err
	}
	if err := cmd.Start(); err != nil {
		return s, err
	}
	<-stop
	err = in.Close()
	return s, errors.Join(err, json.NewDecoder(out).Decode(&s), cmd.Wait())
}

const childEnv = "HAWKEYE_SOAK_SOCKET"

func TestMain(m *testing.M) {
	if path := os.Getenv(childEnv); path != "" {
		if err := childMain(path, os.Getenv(childEnv+"_NAME")); err != nil {
			fmt.Fprintln(os.Stderr, "child:", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// childMain records until its standard input ends, and prints what it has
// recorded.
func childMain(path, name string) error {
	stop := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(stop)
	}()
	c, err := hawkeye.NewClient(path)
	if err != nil {
		return err
	}
	var s sent
	tag := hawkeye.T("client", name)
	events := c.Counter("soak.events", tag)
	err = beats(stop, func(n int) error {
		for range n {
			events.Inc()
			c.Observe("soak.size", float64(n), tag)
		}
		c.SetGauge("soak.level", float64(n), tag)
		s.Events, s.Observed, s.Gauge = s.Events+int64(n), s.Observed+int64(n), float64(n)
		return nil
	})
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	return errors.Join(err, c.Close(ctx), json.NewEncoder(os.Stdout).Encode(s))
}
