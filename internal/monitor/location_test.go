package monitor

import (
	"strings"
	"testing"
	"time"
	_ "time/tzdata"
)

const placed = `version: 2
location: Europe/Berlin
receivers: {team: {email: {to: [team@example.com]}}}
heartbeats:
  - {name: here, metric: m, schedule: "0 5 * * *", notify: [team]}
  - {name: there, metric: m, schedule: "0 5 * * *", location: Asia/Tokyo, notify: [team]}
  - {name: plain, metric: m, expect_every: 1h, notify: [team]}
mute_times:
  here: {from: "22:00", to: "07:00"}
  there: [{from: "22:00", to: "07:00", location: UTC}, {weekdays: [sun]}]
`

func TestLocationOfAFile(t *testing.T) {
	t.Parallel()
	set, err := Parse("m.yaml", []byte(placed))
	if err != nil {
		t.Fatal(err)
	}
	got := []*time.Location{set.Location, set.Heartbeats[0].Location, set.Heartbeats[1].Location, set.Heartbeats[2].Location}
	for i := range set.MuteTimes {
		for _, p := range set.MuteTimes[i].Periods {
			got = append(got, p.Location)
		}
	}
	want := []string{"Europe/Berlin", "Europe/Berlin", "Asia/Tokyo", "", "Europe/Berlin", "UTC", "Europe/Berlin"}
	for i, name := range want {
		if (name == "") != (got[i] == nil) || name != "" && got[i].String() != name {
			t.Errorf("location %d is %v, want %q", i, got[i], name)
		}
	}
	elsewhere, err := Parse("m.yaml", []byte(strings.Replace(placed, "Europe/Berlin", "Europe/Vienna", 1)))
	if err != nil || elsewhere.Hash == set.Hash {
		t.Errorf("the hash in another place is the same, %v, want another one", err)
	}
}

func TestLocationsOfFiles(t *testing.T) {
	t.Parallel()
	parse := func(b string) error {
		_, err := Options{}.Parse(Source{"a.yaml", []byte(placed)}, Source{"b.yaml", []byte("version: 2\nlocation: " + b + "\n")})
		return err
	}
	if err := parse("Europe/Berlin"); err != nil {
		t.Errorf("two files with the same location: %v, want none", err)
	}
	if err := parse("UTC"); err == nil || !strings.Contains(err.Error(), "location is something else at a.yaml:2:11") {
		t.Errorf("two files with different locations: %v, want an error with the other place", err)
	}
}

func TestLocationFromCode(t *testing.T) {
	t.Parallel()
	tokyo, err := time.LoadLocation("Asia/Tokyo")
	if err != nil {
		t.Fatal(err)
	}
	periods := []Period{{}}
	set, err := Options{Location: tokyo, MuteTimes: []MuteTime{{Name: "m", Periods: periods}}}.Parse()
	if err != nil || set.Location != tokyo || set.MuteTimes[0].Periods[0].Location != tokyo || periods[0].Location != nil {
		t.Errorf("Parse() = %+v, %v, want Tokyo, and the caller's periods as they were", set, err)
	}
	set, err = Options{Location: tokyo}.Parse(Source{"m.yaml", []byte(placed)})
	if err != nil || set.Location.String() != "Europe/Berlin" {
		t.Errorf("Parse() = %+v, %v, want that of the file", set, err)
	}
}
