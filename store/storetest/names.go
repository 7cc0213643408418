package storetest

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/go-batteries/hawkeye/store"
)

var nameChecks = []check{
	{name: "Names/KnownOnesAreToldUnknownOnesAbsent", run: namesKnown},
	{name: "Names/TheFirstTextStays", run: firstTextStays},
	{name: "Names/AnyIdAndText", run: anyIDAndText},
	{name: "Names/Many", run: manyNames},
	{name: "Names/TheSetStays", run: namesSetStays},
}

func (e *env) addNames(s store.Store, names ...store.Name) (clashes []store.Name) {
	e.Helper()
	return e.publish(s, store.Publication{Writer: store.NewID(), Names: names}).Clashes
}

func (e *env) wantNames(s store.Store, want map[uint64]string, ids ...uint64) {
	e.Helper()
	got, err := s.Names(e.ctx, ids)
	if err != nil {
		e.Fatalf("Names(%v) = %v", ids, err)
	}
	if !maps.Equal(got, want) {
		e.Errorf("Names(%v) = %v, want %v", ids, got, want)
	}
}

func namesKnown(e *env) {
	e.wantNames(e.here, nil, 7)
	e.wantNames(e.here, nil)
	if clashes := e.addNames(e.here, store.Name{ID: 7, Text: "seven"}, store.Name{ID: 8, Text: "eight"}); len(clashes) > 0 {
		e.Errorf("Publish() of new names has the clashes %v", clashes)
	}
	e.wantNames(e.there, map[uint64]string{7: "seven", 8: "eight"}, 7, 8, 9)
	e.wantNames(e.there, map[uint64]string{8: "eight"}, 9, 8, 8)
	e.wantNames(e.there, nil, 9)
}

func firstTextStays(e *env) {
	seven := store.Name{ID: 7, Text: "seven"}
	e.addNames(e.here, seven)
	for i, row := range []struct{ add, clash []store.Name }{
		{add: []store.Name{seven}},
		{add: []store.Name{{ID: 7, Text: "sieben"}}, clash: []store.Name{{ID: 7, Text: "sieben"}}},
		{add: []store.Name{{ID: 7, Text: "Seven"}, {ID: 9, Text: "nine"}}, clash: []store.Name{{ID: 7, Text: "Seven"}}},
		{add: []store.Name{{ID: 9, Text: "neuf"}, seven}, clash: []store.Name{{ID: 9, Text: "neuf"}}},
		{add: []store.Name{{ID: 7, Text: ""}}, clash: []store.Name{{ID: 7, Text: ""}}},
	} {
		if clashes := e.addNames(e.handle(i), row.add...); !slices.Equal(clashes, row.clash) {
			e.Errorf("Publish() of the names %v has the clashes %v, want %v", row.add, clashes, row.clash)
		}
		e.wantNames(e.there, map[uint64]string{7: "seven"}, 7)
	}
	e.wantNames(e.there, map[uint64]string{7: "seven", 9: "nine"}, 7, 9)

	clashes := e.addNames(e.here, store.Name{ID: 5, Text: "one"}, store.Name{ID: 5, Text: "other"})
	stored, err := e.there.Names(e.ctx, []uint64{5})
	if err != nil || len(clashes) != 1 || clashes[0].ID != 5 || stored[5]+clashes[0].Text != "oneother" && stored[5]+clashes[0].Text != "otherone" {
		e.Errorf("one id with two texts in a Publication: stored %v, clashes %v, %v; want one of each", stored, clashes, err)
	}
}

// namesSetStays: a Store that says which set of names it has says the same
// while none is lost. It may say so with some replies only in time; but it
// doesn't take back what it said.
func namesSetStays(e *env) {
	var set store.ID
	for i := range 6 {
		p := store.Publication{Writer: store.NewID()}
		if i%2 == 0 {
			p.Names = []store.Name{{ID: uint64(i), Text: "a series"}}
		}
		got := e.publish(e.handle(i/3), p).Names
		if !set.IsZero() && got != set {
			e.Errorf("Publish() says that the set of names is %v, and before %v; none was lost", got, set)
		}
		set = got
	}
}

func anyIDAndText(e *env) {
	want := map[uint64]string{
		0:                 "c|zero",
		1:                 "c|http.requests|method=GET|route=/x y",
		math.MaxInt64:     "ünïcödé 監視",
		math.MaxInt64 + 1: "new\nline, nul \x00, quote \" and \\",
		math.MaxUint64:    "not UTF-8 \xff\xfe",
	}
	for id, text := range want {
		e.addNames(e.here, store.Name{ID: id, Text: text})
	}
	e.wantNames(e.there, want, slices.Collect(maps.Keys(want))...)
	for id, text := range want {
		if clashes := e.addNames(e.here, store.Name{ID: id, Text: text}); len(clashes) > 0 {
			e.Errorf("Publish() of a known name has the clashes %v", clashes)
		}
	}
}

func manyNames(e *env) {
	want := make(map[uint64]string)
	var names []store.Name
	for i := range uint64(10_000) {
		// As hashes are: all over the place.
		n := store.Name{ID: i * 0x9e3779b97f4a7c15, Text: fmt.Sprint("series ", i)}
		names = append(names, n)
		want[n.ID] = n.Text
	}
	e.addNames(e.here, names...)
	e.wantNames(e.there, want, slices.Collect(maps.Keys(want))...)
	if clashes := e.addNames(e.there, names...); len(clashes) > 0 {
		e.Errorf("Publish() of the same names has %d clashes", len(clashes))
	}
}
