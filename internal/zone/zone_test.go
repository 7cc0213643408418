package zone

import (
	"errors"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"
)

// empty is what a program finds in an image without a time zone database.
func empty(name string) (*time.Location, error) {
	if name == "UTC" {
		return time.UTC, nil
	}
	return nil, errors.New("unknown time zone " + name)
}

func TestLoad(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		name                string
		from                func(string) (*time.Location, error)
		message, suggestion string
	}{
		"known":                      {"Europe/Berlin", time.LoadLocation, "", ""},
		"misspelt":                   {"Europe/Berln", time.LoadLocation, "not in the time zone database", "Europe/Berlin"},
		"not in the database":        {"Mars/Olympus", time.LoadLocation, "not in the time zone database", ""},
		"no name":                    {"", time.LoadLocation, "expected a time zone", ""},
		"the machine's own":          {"Local", time.LoadLocation, "differs from machine to machine", ""},
		"no database":                {"Europe/Berlin", empty, `import _ "time/tzdata"`, ""},
		"no database, and misspelt":  {"Europe/Berln", empty, "install the package tzdata", ""},
		"UTC needs none":             {"UTC", empty, "", ""},
		"a path out of the database": {"../etc/passwd", time.LoadLocation, "not in the time zone database", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			loc, err := load(tt.name, tt.from)
			if tt.message == "" {
				if err != nil || loc.String() != tt.name {
					t.Errorf("load(%q) = %v, %v, want the zone", tt.name, loc, err)
				}
				return
			}
			var e *Error
			if !errors.As(err, &e) || !strings.Contains(e.Message, tt.message) || e.Suggestion != tt.suggestion {
				t.Errorf("load(%q) = %v, %#v, want %q, and to suggest %q", tt.name, loc, err, tt.message, tt.suggestion)
			}
		})
	}
}
