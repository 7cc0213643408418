package recording

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
)

// blockSize is how much of a file is scanned at a time.
const blockSize = 1 << 20

// errTooLong says that a line is longer than MaxLine.
var errTooLong = fmt.Errorf("the line is longer than %d MiB; part its values", MaxLine>>20)

// block is some whole lines of a file. Blocks are scanned side by side, and
// added to the recording in their order.
type block struct {
	data  []byte
	lines []line
	err   error // of reading what comes behind data
	done  chan struct{}
}

// cut reads r into blocks, until the end, an error, or until stop is closed.
func cut(r io.Reader, stop <-chan struct{}) <-chan *block {
	blocks := make(chan *block, runtime.GOMAXPROCS(0))
	go func() {
		defer close(blocks)
		var rest []byte
		for more := true; more; {
			b := &block{done: make(chan struct{})}
			b.data, rest, b.err = whole(r, rest)
			more = b.err == nil
			go b.scan()
			select {
			case blocks <- b:
			case <-stop:
				return
			}
		}
	}()
	return blocks
}

// whole reads on behind rest, and returns the lines that are whole and what is
// left. At the end of the file the last line is whole, and the error io.EOF.
func whole(r io.Reader, rest []byte) (lines, left []byte, err error) {
	data := make([]byte, len(rest), len(rest)+blockSize)
	copy(data, rest)
	for {
		n, err := io.ReadFull(r, data[len(data):cap(data)])
		read := data[len(data) : len(data)+n]
		data = data[:len(data)+n]
		if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
			return data, nil, io.EOF
		}
		if err != nil {
			return nil, nil, err
		}
		if i := bytes.LastIndexByte(read, '\n'); i >= 0 {
			end := len(data) - len(read) + i + 1
			return data[:end], data[end:], nil
		}
		if len(data) > MaxLine {
			return nil, nil, errTooLong
		}
		grown := make([]byte, len(data), 2*cap(data))
		copy(grown, data)
		data = grown
	}
}

// scan reads the block's lines.
func (b *block) scan() {
	defer close(b.done)
	b.lines = make([]line, 0, bytes.Count(b.data, []byte{'\n'})+1)
	for text := range bytes.Lines(b.data) {
		b.lines = append(b.lines, line{})
		l := &b.lines[len(b.lines)-1]
		text = bytes.TrimSpace(text)
		switch l.blank = len(text) == 0; {
		case l.blank:
		case len(text) > MaxLine:
			l.err = errTooLong
		case !scan(text, l):
			*l = line{}
			l.err = l.decode(text)
		}
	}
}

// read adds the lines of r to the recording.
func (p *parser) read(name string, r io.Reader) error {
	stop := make(chan struct{})
	defer close(stop)
	n := 0
	for b := range cut(r, stop) {
		<-b.done
		for i := range b.lines {
			n++
			l := &b.lines[i]
			if l.blank {
				continue
			}
			err := l.err
			if err == nil {
				err = p.add(n, l)
			}
			if err == nil && p.rec.Values > MaxValues {
				err = fmt.Errorf("more than %d values", MaxValues)
			}
			if err != nil {
				return &LineError{name, n, err.Error()}
			}
		}
		switch {
		case b.err == nil || errors.Is(b.err, io.EOF):
		case errors.Is(b.err, errTooLong):
			return &LineError{name, n + 1, b.err.Error()}
		default:
			return fmt.Errorf("read %s: %w", name, b.err)
		}
	}
	return nil
}
