package series

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCanonical(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		what string
		kind Kind
		name string
		tags []Tag
		want string
	}{
		{"without tags", KindGauge, "queue", nil, "g|queue"},
		{"with tags", KindCounter, "http.requests", []Tag{{"method", "GET"}, {"route", "/x"}}, "c|http.requests|method=GET|route=/x"},
		{"sorts by key, then value", KindHistogram, "n", []Tag{{"b", "1"}, {"a", "2"}, {"a", "1"}}, "h|n|a=1|a=2|b=1"},
		{"equal tags are one", KindSet, "n", []Tag{{"a", "1"}, {"b", ""}, {"a", "1"}}, "s|n|a=1|b="},
		{"escapes", KindCounter, `a|b=c\d`, []Tag{{"k=", `v|\`}}, `c|a\|b\=c\\d|k\==v\|\\`},
		{"empty pieces", KindCounter, "", []Tag{{"", ""}}, "c||="},
	} {
		if got := Canonical(tt.kind, tt.name, tt.tags); got != tt.want {
			t.Errorf("%s: Canonical(%v, %q, %v) = %q, want %q", tt.what, tt.kind, tt.name, tt.tags, got, tt.want)
		}
	}
}

func TestParseCanonicalRefusesWhatCanonicalDoesNotWrite(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "c", "c|", "c|n", "x|n", "C|n", "cn", "c=n", "|n",
		"c|n|", "c|n|k", "c|n|k=v|", "c|n=v", "c|n|k=v=w", "c|n||k=v",
		"c|n|b=1|a=1", "c|n|a=1|a=1", `c|\n`, `c|n\`, `c|n|k=v\`,
	} {
		kind, name, tags, err := ParseCanonical(text)
		canonical := text == "c|" || text == "c|n"
		if (err == nil) != canonical {
			t.Errorf("ParseCanonical(%q) = %v, %q, %v, %v, want an error: %v", text, kind, name, tags, err, !canonical)
		}
	}
}

func TestCanonicalRoundTrips(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		kind := Kind(rng.IntN(int(kinds)))
		name := randomText(rng)
		var tags []Tag
		for range rng.IntN(5) {
			tags = append(tags, Tag{randomText(rng), randomText(rng)})
		}
		text := Canonical(kind, name, tags)
		gotKind, gotName, gotTags, err := ParseCanonical(text)
		if want := normalTags(slices.Clone(tags)); err != nil || gotKind != kind || gotName != name || !slices.Equal(gotTags, want) {
			t.Fatalf("ParseCanonical(%q) = %v, %q, %v, %v, want %v, %q, %v", text, gotKind, gotName, gotTags, err, kind, name, want)
		}
	}
}

func randomText(rng *rand.Rand) string {
	text := make([]byte, rng.IntN(6))
	for i := range text {
		text[i] = `ab|=\é`[rng.IntN(len(`ab|=\é`))]
	}
	return string(text)
}

func FuzzParseCanonical(f *testing.F) {
	for _, seed := range []string{"c|n", "c|http.requests|method=GET|route=/x", `h|a\|b|k\==v`, "s||=", "g|n|", `c|\`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		kind, name, tags, err := ParseCanonical(text)
		if err != nil {
			return
		}
		if got := Canonical(kind, name, tags); got != text {
			t.Errorf("Canonical(ParseCanonical(%q)) = %q", text, got)
		}
	})
}

func TestKindString(t *testing.T) {
	t.Parallel()
	var got []string
	for kind := range kinds + 1 {
		got = append(got, kind.String())
	}
	if diff := cmp.Diff([]string{"counter", "gauge", "histogram", "set", "kind(4)"}, got); diff != "" {
		t.Errorf("Kind.String (-want +got):\n%s", diff)
	}
}
