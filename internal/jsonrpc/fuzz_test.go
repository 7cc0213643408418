package jsonrpc

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// conversations are the sent sides of the wire files.
func conversations(f *testing.F) (all []string) {
	f.Helper()
	files, err := filepath.Glob("testdata/*.wire")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for line := range strings.Lines(string(data)) {
			if text, found := strings.CutPrefix(line, "> "); found {
				all = append(all, text)
			}
		}
	}
	return all
}

// The scanner agrees with encoding/json on what is a document, but for depth,
// whatever the pieces it arrives in.
func FuzzScanner(f *testing.F) {
	for _, seed := range conversations(f) {
		f.Add([]byte(seed), 3)
	}
	for _, seed := range []string{`[0,-0,1.5e+3,01]`, `[-]`, `[1.]`, `["\u12g4"]`, `[truE]`, `{"a":1,}`, `[,]`, "[\"\n\"]", `{"a"}`, `[1e]`} {
		f.Add([]byte(seed), 1)
	}
	f.Fuzz(func(t *testing.T, doc []byte, piece int) {
		if len(doc) == 0 || doc[0] != '{' && doc[0] != '[' {
			return
		}
		piece = max(piece, 1)
		var s scanner
		end, state := 0, incomplete
		for to := 0; state == incomplete && to < len(doc); {
			to = min(to+piece, len(doc))
			end, state = s.scan(doc[:to])
		}
		var once scanner
		if e, st := once.scan(doc); e != end || st != state {
			t.Fatalf("scan(%q) = %d, %d in pieces of %d, %d, %d at once", doc, end, state, piece, e, st)
		}
		var raw json.RawMessage
		err := json.NewDecoder(bytes.NewReader(doc)).Decode(&raw)
		if state == broken && once.depth == maxDepth {
			return
		}
		if (err == nil) != (state == complete) || state == complete && len(raw) != end {
			t.Fatalf("scan(%q) = %d, %d; encoding/json has %d bytes and %v", doc, end, state, len(raw), err)
		}
	})
}

// Whatever arrives, in whatever pieces: no panic, the same answers, and each
// of them is JSON.
func FuzzSession(f *testing.F) {
	all := conversations(f)
	for i, seed := range all {
		f.Add([]byte(seed+all[(i+1)%len(all)]), 5)
	}
	f.Fuzz(func(t *testing.T, input []byte, piece int) {
		piece = max(piece, 1)
		a, b := &lines{}, &lines{}
		whole, rest := feed(&Session{Recorder: a}, input, len(input)+1)
		pieces, rest2 := feed(&Session{Recorder: b}, input, piece)
		if diff := cmp.Diff(string(whole), string(pieces)); diff != "" || !bytes.Equal(rest, rest2) {
			t.Fatalf("%q in pieces of %d (-whole +pieces):\n%s\nrest %q, %q", input, piece, diff, rest, rest2)
		}
		if diff := cmp.Diff(a.got, b.got); diff != "" {
			t.Fatalf("%q recorded (-whole +pieces):\n%s", input, diff)
		}
		for reply := range bytes.Lines(whole) {
			if !json.Valid(reply) && !bytes.Contains(input, []byte("\n")) {
				t.Fatalf("%q is answered with %q, which is no JSON", input, reply)
			}
		}
	})
}

// What takes the short way would have had the same answer on the long one.
func FuzzShortWay(f *testing.F) {
	for _, seed := range conversations(f) {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		var call fastCall
		n := parseFast(doc, &call)
		if n == 0 || doc[0] != '{' {
			return
		}
		if _, valid := unescape(nil, call.text); !valid {
			return // it goes the long way
		}
		var sc scanner
		if end, state := sc.scan(doc); state != complete || end != n {
			t.Fatalf("parseFast(%q) = %d, scan = %d, %d", doc, n, end, state)
		}
		short, long := &lines{}, &lines{}
		a, b := &Session{Recorder: short}, &Session{Recorder: long}
		_, got := a.Next(doc, nil)
		want := b.handleDocument(doc[:n], nil)
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Fatalf("%q (-long +short):\n%s", doc, diff)
		}
		if diff := cmp.Diff(long.got, short.got); diff != "" {
			t.Fatalf("%q recorded (-long +short):\n%s", doc, diff)
		}
	})
}
