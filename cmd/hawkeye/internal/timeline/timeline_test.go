package timeline

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var start = time.Date(2026, 1, 5, 10, 0, 0, 0, time.UTC)

func at(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }

func TestWrite(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		chart Chart
		want  []string
	}{
		"marks": {
			Chart{From: at(0), To: at(100), Width: 20, Rows: []Row{{
				Name:    "errors",
				Changes: []Change{{at(10), Pending}, {at(25), Mild}, {at(52), Severe}, {at(53), Recovering}, {at(80), NoData}, {at(90), Quiet}},
				Told:    []time.Time{at(25), at(26), at(52), at(99)},
			}}},
			[]string{
				"        |10:00      |10:01",
				"errors  ··░░░▓▓▓▓▓█▒▒▒▒▒??··",
				"             2    1        1",
			},
		},
		"a moment is seen": {
			Chart{From: at(0), To: at(3600), Width: 12, Rows: []Row{{Name: "e", Changes: []Change{{at(1799), Severe}, {at(1800), Quiet}}}}},
			[]string{"   |10:00", "e  ·····█······"},
		},
		"still firing": {
			Chart{From: at(0), To: at(10), Width: 10, Plain: true, Rows: []Row{{Name: "e", Changes: []Change{{at(5), Severe}}}}},
			[]string{"   |10:00:00", "e  .....#####"},
		},
		"before and after": {
			Chart{From: at(0), To: at(10), Width: 10, Plain: true, Rows: []Row{{Name: "e", Changes: []Change{{at(-5), Mild}, {at(20), Severe}}, Told: []time.Time{at(-5), at(20)}}}},
			[]string{"   |10:00:00", "e  wwwwwwwwww", "   1        1"},
		},
		"no time": {
			Chart{From: at(0), To: at(0), Width: 10, Plain: true, Rows: []Row{{Name: "e"}}},
			[]string{"", "e  .........."},
		},
		"long name": {
			Chart{From: at(0), To: at(10), Width: 10, Plain: true, Rows: []Row{{Name: strings.Repeat("ü", 50)}}},
			[]string{strings.Repeat(" ", 38) + "|10:00:00", strings.Repeat("ü", 35) + "…  .........."},
		},
		"many messages": {
			Chart{From: at(0), To: at(10), Width: 10, Plain: true, Rows: []Row{{Name: "e", Told: make([]time.Time, 12)}}, More: 3},
			[]string{"   |10:00:00", "e  ..........", "   +", "and 3 more"},
		},
		"days": {
			Chart{From: at(0), To: at(5 * 86400), Width: 60, Plain: true, Rows: []Row{{Name: "e"}}},
			[]string{"          |Jan 06     |Jan 07     |Jan 08     |Jan 09     |Jan 10", "e  " + strings.Repeat(".", 60)},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var b strings.Builder
			if err := tt.chart.Write(&b); err != nil {
				t.Fatal(err)
			}
			body, legend, _ := strings.Cut(b.String(), "\n\n")
			if diff := cmp.Diff(tt.want, strings.Split(body, "\n")); diff != "" {
				t.Errorf("chart (-want +got):\n%s", diff)
			}
			if !strings.Contains(legend, "a column is") {
				t.Errorf("legend = %q", legend)
			}
		})
	}
}
