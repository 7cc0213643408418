package monitor

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// About is what monitors, SLOs and heartbeats say alike: when nobody is told
// of them, and what people read in messages. A key that all three have is
// added here, to the root's types of the same names, to the schema
// (cmd/hawkeye/schema.json, "about") and to docs/monitors.md.
//
// It is embedded, so that its fields stand in the hash of a configuration as
// they always did; one that is added has to be left out while it is empty.
type About struct {
	// MuteTimes are the names of mute times.
	MuteTimes []string
	// Labels go into every message, and silences and groups know them.
	Labels map[string]string
	// Runbook and Dashboard are links, or any text.
	Runbook   string
	Dashboard string
	// Summary is one line that says to people what is wrong.
	Summary string `json:",omitzero"`
}

// maxSummary is how many characters a summary has at most.
const maxSummary = 200

func (a *About) fields() []field {
	return []field{
		{"mute_times", texts(&a.MuteTimes)},
		{"labels", pairs(&a.Labels)},
		{"runbook", text(&a.Runbook)},
		{"dashboard", text(&a.Dashboard)},
		{"summary", text(&a.Summary)},
	}
}

func (c check) about(a *About) {
	c.atMost("labels", "labels", len(a.Labels), maxTags)
	c.atMost("mute_times", "names", len(a.MuteTimes), maxNames)
	a.Summary = strings.TrimSpace(a.Summary)
	switch n := utf8.RuneCountInString(a.Summary); {
	case strings.ContainsAny(a.Summary, "\r\n"):
		c.fail("summary", "a summary is one line; description: may have more", "")
	case n > maxSummary:
		c.fail("summary", "the summary has "+strconv.Itoa(n)+" characters, at most "+strconv.Itoa(maxSummary)+" are allowed", "")
	}
}
