package monitor

import (
	"strings"
	"testing"
	"time"
)

// readMute reads the mute time m out of a flow mapping.
func readMute(t *testing.T, text string) (*MuteTime, error) {
	t.Helper()
	set, err := Parse("m.yaml", []byte("version: 2\nmute_times:\n  m: "+text+"\n"))
	if err != nil {
		return nil, err
	}
	return set.MuteTime("m"), nil
}

// TestMuteTimeContains has the conformance case H11, and what crosses
// midnight.
func TestMuteTimeContains(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, text string
		in, out    []string
	}{
		{
			"month ends, leap year", `{days_of_month: "-3:-1"}`,
			[]string{"2020-01-29T15:04Z", "2020-01-31T15:04Z", "2020-02-29T23:05Z"},
			[]string{"2020-01-27T15:04Z", "2020-03-01T00:00Z"},
		},
		{
			"clamped to the month", `{months: june, days_of_month: "-31:31"}`,
			[]string{"2020-06-01T00:00Z", "2020-06-30T00:00Z"},
			[]string{"2020-05-31T00:00Z", "2020-07-01T00:00Z"},
		},
		{
			"last day elsewhere", `{days_of_month: -1, location: America/New_York}`,
			[]string{"2021-03-31T12:00-04:00"},
			[]string{"2021-03-30T12:00-04:00"},
		},
		{
			"office hours elsewhere", `{weekdays: mon-fri, from: "09:00", to: "17:00", location: Australia/Sydney, months: [november]}`,
			[]string{"2021-11-01T09:00+11:00", "2021-10-31T22:00Z"},
			[]string{"2021-10-31T21:00Z", "2021-11-01T17:00+11:00"},
		},
		{
			"across midnight, by the day it begins", `{from: "22:00", to: "07:00", weekdays: [mon-fri]}`,
			[]string{"2026-03-06T22:00Z", "2026-03-07T06:59Z", "2026-03-03T03:00Z"},
			[]string{"2026-03-07T07:00Z", "2026-03-07T22:00Z", "2026-03-08T03:00Z", "2026-03-02T03:00Z", "2026-03-06T21:59Z"},
		},
		{
			"across midnight, by the day of month it begins", `{from: "23:00", to: "01:00", days_of_month: -1}`,
			[]string{"2026-02-28T23:30Z", "2026-03-01T00:30Z"},
			[]string{"2026-02-28T00:30Z", "2026-03-01T23:30Z"},
		},
		{"until midnight", `{from: "22:00", to: "00:00"}`, []string{"2026-03-06T23:59Z"}, []string{"2026-03-06T00:00Z"}},
		{"whole day", `{from: "00:00", to: "24:00"}`, []string{"2026-03-06T00:00Z", "2026-03-06T23:59Z"}, nil},
		{"always", `{}`, []string{"2026-03-06T00:00Z"}, nil},
		{"several periods", `[{weekdays: sat-sun}, {months: 12}]`, []string{"2026-03-07T10:00Z", "2026-12-01T10:00Z"}, []string{"2026-03-06T10:00Z"}},
		{"a range over the year's end", `{months: [nov-feb]}`, []string{"2026-01-15T00:00Z", "2026-11-01T00:00Z"}, []string{"2026-03-01T00:00Z"}},
		{
			"clock that is put forward", `{from: "02:00", to: "03:00", location: Europe/Berlin}`,
			[]string{"2026-03-28T01:30Z"}, []string{"2026-03-29T00:30Z", "2026-03-29T01:30Z"},
		},
		{
			"clock that is put back", `{from: "02:00", to: "03:00", location: Europe/Berlin}`,
			[]string{"2026-10-25T00:30Z", "2026-10-25T01:30Z"}, []string{"2026-10-25T02:30Z"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m, err := readMute(t, tt.text)
			if err != nil {
				t.Fatal(err)
			}
			for _, times := range []struct {
				list []string
				want bool
			}{{tt.in, true}, {tt.out, false}} {
				for _, s := range times.list {
					at, err := time.Parse("2006-01-02T15:04Z07:00", s)
					if err != nil {
						t.Fatal(err)
					}
					if got := m.Contains(at); got != times.want {
						t.Errorf("%s contains %s = %v, want %v", tt.text, s, got, times.want)
					}
				}
			}
		})
	}
}

// TestMuteTimeRanges has the conformance case H12.
func TestMuteTimeRanges(t *testing.T) {
	t.Parallel()
	tests := []struct {
		from, to string
		ok       bool
	}{
		{"00:00", "24:00", true},
		{"01:35", "17:39", true},
		{"09:30", "07:41", true}, // crosses midnight
		{"17:31", "17:31", false},
		{"12:30", "24:01", false},
		{"24:00", "07:00", false},
		{"14:03", "", false},
		{"1403", "15:00", false},
		{"14:60", "15:00", false},
	}
	for _, tt := range tests {
		text := `{from: "` + tt.from + `", to: "` + tt.to + `"}`
		if _, err := readMute(t, text); (err == nil) != tt.ok {
			t.Errorf("%s: %v, want ok %v", text, err, tt.ok)
		}
	}
	for _, text := range []string{`{weekdays: [monn]}`, `{months: 13}`, `{days_of_month: 0}`, `{days_of_month: 32}`, `{days_of_month: "3:x"}`, `{location: Mars/Phobos}`, `{location: Local}`, `5`} {
		if _, err := readMute(t, text); err == nil || strings.Contains(err.Error(), "more problems") {
			t.Errorf("%s: %v, want an error", text, err)
		}
	}
}
