package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// sendCmd hands lines to a metric server, which answers what it thinks of
// them.
type sendCmd struct {
	Lines   []string      `arg:"" optional:"" help:"Lines such as 'orders:1|c|#region:eu'; none, or -, for those of the standard input."`
	Socket  string        `help:"Path of the metric server's socket." placeholder:"PATH"`
	Service string        `help:"The service whose default socket is meant. Default: the one that runs." placeholder:"NAME"`
	Timeout time.Duration `default:"5s" help:"How long to wait for each answer."`
}

const (
	// batchLines and batchBytes bound a call.
	batchLines = 500
	batchBytes = 128 << 10
	// maxSentLine is a line that no server takes.
	maxSentLine = 1 << 20
)

// Run sends the lines.
func (cmd *sendCmd) Run(c *console) error {
	path, err := findSocket(cmd.Socket, cmd.Service)
	if err != nil {
		return err
	}
	conn, err := net.DialTimeout("unix", path, cmd.Timeout)
	if err != nil {
		return fmt.Errorf("no metric server answers at %s: %w", path, dialError(err))
	}
	defer conn.Close()
	s := &sender{conn: conn, replies: json.NewDecoder(conn), timeout: cmd.Timeout, complain: c.err}
	in := c.in
	if len(cmd.Lines) > 0 && !(len(cmd.Lines) == 1 && cmd.Lines[0] == stdinName) {
		in = strings.NewReader(strings.Join(cmd.Lines, "\n"))
	}
	if err := s.all(in); err != nil {
		return err
	}
	if s.refused > 0 {
		fmt.Fprintf(c.err, "hawkeye: %s accepted, %s refused\n", counted(s.accepted, "line"), counted(s.refused, "line"))
		return exitCode(exitFound)
	}
	return nil
}

// dialError is what went wrong, without the path, which the caller says.
func dialError(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}

// sender makes calls of lines, one after the other.
type sender struct {
	conn     net.Conn
	replies  *json.Decoder
	timeout  time.Duration
	complain io.Writer

	batch             []string
	size              int
	first             int // number of the batch's first line
	accepted, refused int
}

// all sends the lines of in.
func (s *sender) all(in io.Reader) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxSentLine)
	n := 0
	for lines.Scan() {
		n++
		line := string(bytes.TrimSuffix(lines.Bytes(), []byte{'\r'}))
		if line == "" {
			continue
		}
		if len(s.batch) == batchLines || len(s.batch) > 0 && s.size+len(line) > batchBytes {
			if err := s.flush(); err != nil {
				return err
			}
		}
		s.batch, s.size = append(s.batch, line), s.size+len(line)
		// Blank lines are left out, so a batch is one of consecutive lines
		// or the numbers in its answer would be wrong.
		if len(s.batch) == 1 {
			s.first = n
		} else if n != s.first+len(s.batch)-1 {
			s.batch, s.size = s.batch[:len(s.batch)-1], s.size-len(line)
			if err := s.flush(); err != nil {
				return err
			}
			s.batch, s.size, s.first = append(s.batch, line), len(line), n
		}
	}
	if err := lines.Err(); err != nil {
		return errors.Join(s.flush(), fmt.Errorf("line %d: %w", n+1, err))
	}
	return s.flush()
}

// answer is one to Metric.HandleBatch in JSON-RPC 2.0; see docs/protocol.md.
type answer struct {
	Error *struct {
		Message string `json:"message"`
		Data    *struct {
			Line     int    `json:"line"`
			Reason   string `json:"reason"`
			Accepted int    `json:"accepted"`
			Rejected int    `json:"rejected"`
		} `json:"data"`
	} `json:"error"`
}

// flush makes the call of the batch, if there is one. After an error that it
// returns nobody knows what of the batch has counted.
func (s *sender) flush() error {
	if len(s.batch) == 0 {
		return nil
	}
	sent := s.batch
	s.batch, s.size = nil, 0
	request, err := json.Marshal(map[string]any{
		"jsonrpc": "2.0", "id": 1, "method": "Metric.HandleBatch", "params": map[string]any{"Lines": sent},
	})
	if err != nil {
		return err
	}
	var reply answer
	if err := s.call(append(request, '\n'), &reply); err != nil {
		return fmt.Errorf("lines %d to %d may have been counted or not: %w", s.first, s.first+len(sent)-1, err)
	}
	if reply.Error == nil {
		s.accepted += len(sent)
		return nil
	}
	data := reply.Error.Data
	if data == nil {
		return fmt.Errorf("lines %d to %d: the server says: %s", s.first, s.first+len(sent)-1, reply.Error.Message)
	}
	s.accepted += data.Accepted
	s.refused += data.Rejected
	s.explain(sent, data.Line, data.Rejected, reply.Error.Message)
	return nil
}

func (s *sender) call(request []byte, reply *answer) error {
	if err := s.conn.SetDeadline(time.Now().Add(s.timeout)); err != nil {
		return err
	}
	if _, err := s.conn.Write(request); err != nil {
		return err
	}
	return s.replies.Decode(reply)
}

// explain tells the first bad line of a call, and how many more there are.
func (s *sender) explain(sent []string, line, rejected int, message string) {
	why := message
	if _, after, found := strings.Cut(message, "): "); found {
		why, _, _ = strings.Cut(after, "; accepted")
	}
	text := ""
	if line >= 1 && line <= len(sent) {
		text = fmt.Sprintf(" (%.100q)", sent[line-1])
	}
	more := ""
	if rejected > 1 {
		more = fmt.Sprintf("; %d more of lines %d to %d refused", rejected-1, s.first, s.first+len(sent)-1)
	}
	fmt.Fprintf(s.complain, "hawkeye: line %d%s: %s%s\n", s.first+line-1, text, why, more)
}
