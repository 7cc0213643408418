// Package zone finds time zones by their names, and says what is wrong if it
// can't.
package zone

import (
	"time"

	"github.com/go-batteries/hawkeye/internal/nearest"
)

// Error is why there is no time zone of a name.
type Error struct {
	// Message says what is wrong, Suggestion what was probably meant; that
	// is empty if nobody can tell.
	Message, Suggestion string
}

func (e *Error) Error() string { return e.Message }

// Load returns the time zone of a name in the IANA database, such as
// Europe/Berlin. The error is an [*Error].
func Load(name string) (*time.Location, error) { return load(name, time.LoadLocation) }

func load(name string, from func(string) (*time.Location, error)) (*time.Location, error) {
	switch name {
	case "":
		return nil, &Error{"expected a time zone such as Europe/Berlin", ""}
	case "Local":
		return nil, &Error{"the local time zone differs from machine to machine; name one, such as Europe/Berlin or UTC", ""}
	}
	loc, err := from(name)
	if err == nil {
		return loc, nil
	}
	if !database(from) {
		return nil, &Error{`there is no time zone database here, so that no zone but UTC is known: ` +
			`install the package tzdata, or import _ "time/tzdata" in the program`, ""}
	}
	return nil, &Error{"this time zone is not in the time zone database", nearest.Of(name, common)}
}

// database says whether there is one: each has these.
func database(from func(string) (*time.Location, error)) bool {
	for _, name := range []string{"Europe/London", "America/New_York", "Asia/Tokyo"} {
		if _, err := from(name); err == nil {
			return true
		}
	}
	return false
}

// common are the zones that are suggested for a misspelt one.
var common = []string{
	"UTC", "Europe/Berlin", "Europe/London", "Europe/Paris", "Europe/Madrid", "Europe/Rome", "Europe/Vienna", "Europe/Zurich",
	"Europe/Amsterdam", "Europe/Warsaw", "Europe/Kyiv", "Europe/Istanbul", "Europe/Moscow", "America/New_York", "America/Chicago",
	"America/Denver", "America/Los_Angeles", "America/Toronto", "America/Sao_Paulo", "America/Mexico_City", "Asia/Kolkata",
	"Asia/Shanghai", "Asia/Tokyo", "Asia/Seoul", "Asia/Singapore", "Asia/Dubai", "Asia/Hong_Kong", "Australia/Sydney",
	"Australia/Melbourne", "Africa/Cairo", "Africa/Johannesburg", "Africa/Lagos", "Pacific/Auckland",
}
