package message

import (
	"maps"
	"strings"
	"time"

	"github.com/go-batteries/hawkeye/internal/msgtmpl"
	"github.com/go-batteries/hawkeye/internal/notify"
)

// render runs a template; of one that fails it notes the mistake and returns
// nothing, so that the default text takes its place.
func render(t *msgtmpl.Template, data map[string]any, problem *string) string {
	if t == nil {
		return ""
	}
	text, err := t.Render(data)
	if err != nil {
		*problem = err.Error()
		return ""
	}
	return strings.TrimSpace(text)
}

// fields are what templates may use; see [msgtmpl.Version1] and
// [msgtmpl.Version2].
func fields(common map[string]any, row *notify.Row, p part, now time.Time) map[string]any {
	data := alertFields(row, now)
	maps.Copy(data, common)
	data["service"], data["environment"] = p.service, p.where
	return data
}

// commonFields are those that all rows of a message share, made once for it:
// a storm has thousands of rows.
func commonFields(m *notify.Message, now time.Time) map[string]any {
	alerts := make([]map[string]any, len(m.Rows))
	var firing, resolved int
	for i, r := range m.Rows {
		alerts[i] = alertFields(r, now)
		if r.Ends() {
			resolved++
		} else {
			firing++
		}
	}
	return map[string]any{
		"receiver": m.Receiver, "now": now, "maybe_dup": m.MaybeRepeat,
		"alerts": alerts, "firing": firing, "resolved": resolved,
	}
}

func alertFields(row *notify.Row, now time.Time) map[string]any {
	s := &row.Snapshot
	value, threshold := float64(s.Value), float64(s.Threshold)
	data := map[string]any{
		"threshold":   threshold,
		"interval":    s.Window.Seconds(),
		"metric":      s.Metric,
		"monitor":     s.Name,
		"description": s.Description,
		"state":       state(row),
		"level":       s.Level,

		"previous_level": s.PreviousLevel,

		"reason":      s.Reason,
		"incomplete":  s.Incomplete,
		"op":          s.Op,
		"window":      s.Window,
		"occurrences": max(row.Breaches, 1),
		"tags":        s.Tags,
		"labels":      s.Labels,
		"unit":        s.Unit,
		"runbook":     s.Runbook,
		"dashboard":   s.Dashboard,
		"summary":     s.Summary,
		"incident":    row.Incident,
	}
	for name, n := range map[string]*notify.Number{"clear": s.Clear, "compare_value": s.Compare, "total": s.Total} {
		if n != nil {
			data[name] = float64(*n)
		}
	}
	if s.HasValue {
		data["count"], data["value"], data["exceeded_by"] = value, value, value-threshold
	}
	if !s.Since.IsZero() {
		end := now
		data["started"] = s.Since.In(now.Location())
		if row.Ends() {
			end = s.At
			data["ended"] = s.At.In(now.Location())
		}
		data["duration"] = max(end.Sub(s.Since), 0)
	}
	return data
}

func state(row *notify.Row) string {
	switch {
	case row.Ends():
		return "resolved"
	case row.Kind == notify.Missing:
		return "nodata"
	default:
		return "firing"
	}
}
