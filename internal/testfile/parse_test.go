package testfile

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/go-batteries/hawkeye/internal/monitor"
)

var update = flag.Bool("update", false, "write the golden files of testdata anew")

// goTypes are words that only a Go programmer knows.
var goTypes = regexp.MustCompile(`float64|\bint(64|32)?\b|\bbool\b|\[\]\w|map\[|struct|yaml: |testfile\.|strconv|time\.|nil\b|unmarshal|panic`)

// TestBadFiles reads broken files, one mistake each, and compares what is
// told with the golden file beside it.
func TestBadFiles(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(names) < 30 {
		t.Fatalf("found %d broken files, %v, want at least 30", len(names), err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".yaml"), func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			_, err = Parse(filepath.Base(name), data)
			var errs *monitor.Errors
			if !errors.As(err, &errs) {
				t.Fatalf("Parse = %v, want mistakes", err)
			}
			for _, p := range errs.Problems {
				if found := goTypes.FindString(p.Message); found != "" {
					t.Errorf("a message names what only Go programmers know: %q in %s", found, p.Message)
				}
			}
			golden := strings.TrimSuffix(name, ".yaml") + ".golden"
			if *update {
				if err := os.WriteFile(golden, []byte(err.Error()+"\n"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, rerr := os.ReadFile(golden)
			if rerr != nil {
				t.Fatal(rerr)
			}
			if diff := cmp.Diff(string(want), err.Error()+"\n"); diff != "" {
				t.Errorf("Parse (-want +got):\n%s", diff)
			}
		})
	}
}

func TestValues(t *testing.T) {
	t.Parallel()
	v := func(values ...float64) (out []Value) {
		for _, x := range values {
			out = append(out, Value{V: x, Times: 1})
		}
		return out
	}
	none := Value{}
	tests := map[string][]Value{
		"":                   nil,
		"5":                  v(5),
		"5x2":                v(5, 5, 5),
		"5x0":                v(5),
		"0+5x3":              v(0, 5, 10, 15),
		"-2+4x3":             v(-2, 2, 6, 10),
		"1-2x4":              v(1, -1, -3, -5, -7),
		"1e3":                v(1000),
		"1e-1+1e-1x1":        v(0.1, 0.2),
		"1E+2-50x1":          v(100, 50),
		" 1\t2\n3  ":         v(1, 2, 3),
		"_ 1 _x2 2":          {none, v(1)[0], none, none, v(2)[0]},
		"_x0":                nil,
		"1 gone":             {v(1)[0], {Gone: true}},
		"0.2*30":             {{V: 0.2, Times: 30}},
		"0.2*30x1":           {{V: 0.2, Times: 30}, {V: 0.2, Times: 30}},
		"-0":                 v(0),
		"+5":                 v(5),
		"0.1+0.1x2 100-50x1": v(0.1, 0.2, 0.30000000000000004, 100, 50),
	}
	for text, want := range tests {
		got, err := Values(text)
		if err != nil {
			t.Errorf("Values(%q): %v", text, err)
			continue
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("Values(%q) (-want +got):\n%s", text, diff)
		}
	}
}

func TestValuesFailures(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		offset int
		want   string
	}{
		"five":              {0, "expected a value such as 5"},
		"1 2 three":         {4, "expected a value such as 5"},
		"5x":                {0, "after x expected a whole number"},
		"5x-1":              {0, "after x expected a whole number"},
		"5x+1":              {0, "after x expected a whole number"},
		"5x1.5":             {0, "after x expected a whole number"},
		"0x10x2":            {0, "expected a value such as 5"},
		"0+5":               {0, "a step needs a number of steps, as in 0+5x10"},
		"1_000":             {0, "expected a value such as 5"},
		"NaN":               {0, "only finite numbers are counted"},
		"inf":               {0, "only finite numbers are counted"},
		"1e999":             {0, "expected a value such as 5"},
		"stale":             {0, "written gone"},
		"1*0":               {0, "after * expected a whole number"},
		"1*x3":              {0, "after * expected a whole number"},
		"1*-1":              {0, "after * expected a whole number"},
		"1+x3":              {0, "expected a value such as 5"},
		"+":                 {0, "expected a value such as 5"},
		"1e308+1e308x9":     {0, "beyond all numbers"},
		"1x1000000":         {0, "at most 1000000 values"},
		"1x999999 _x999999": {9, "at most 1000000 values"},
		"_x9999999999999":   {0, "at most 1000000 values"},
		"gonex2":            {0, "expected a value such as 5"},
	}
	for text, tt := range tests {
		got, err := Values(text)
		var bad *shorthandError
		if !errors.As(err, &bad) || bad.offset != tt.offset || !strings.Contains(bad.message, tt.want) {
			t.Errorf("Values(%q) = %v, %v, want a mistake at %d with %q", text, got, err, tt.offset, tt.want)
		}
	}
}

// FuzzParse reads anything: it must end, without a panic, and what it accepts
// must be within bounds.
func FuzzParse(f *testing.F) {
	names, _ := filepath.Glob("testdata/bad/*.yaml")
	for _, name := range append(names, "../../testdata/api-errors_test.yaml") {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Parse("fuzz.yaml", data)
		if err != nil {
			return
		}
		for i := range file.Tests {
			if n := file.Tests[i].ticks(file.Tick); n < 0 || n > MaxTicks {
				t.Errorf("a test of %d ticks", n)
			}
			for _, s := range file.Tests[i].Series {
				if len(s.Values) > MaxValues {
					t.Errorf("a series of %d values", len(s.Values))
				}
			}
		}
	})
}
