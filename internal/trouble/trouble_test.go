package trouble

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestNote(t *testing.T) {
	t.Parallel()
	const (
		first = `level=WARN msg="asking fails" error=away`
		works = `level=INFO msg="asking works again"`
	)
	for _, c := range []struct {
		name  string
		steps string // one a second: x fails, . works, and - is nothing
		want  []string
	}{
		{"nothing fails", "...", nil},
		{"once", "x.", []string{first, works + " after=1s"}},
		{"it is over once", ".xx...", []string{first, works + " after=2s suppressed=1"}},
		{"for two minutes", strings.Repeat("x", 121) + ".", []string{
			first, first + " suppressed=59", first + " suppressed=59", works + " after=2m1s",
		}},
		{"now and then", strings.Repeat("x.", 31), []string{
			first, works + " after=1s", first + " suppressed=29", works + " after=1s",
		}},
		{"again after a minute", "x." + strings.Repeat("-", 60) + "x.", []string{
			first, works + " after=1s", first, works + " after=1s",
		}},
		{"it lasts", "x" + strings.Repeat("-", 30) + "x", []string{first}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var out bytes.Buffer
				l := New(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: plain})), "asking fails", "asking works again")
				for _, step := range c.steps {
					switch step {
					case 'x':
						l.Note(t.Context(), errors.New("away"))
					case '.':
						l.Note(t.Context(), nil)
					}
					time.Sleep(time.Second)
				}
				got := strings.Split(strings.TrimSpace(out.String()), "\n")
				if out.Len() == 0 {
					got = nil
				}
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Errorf("lines (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// plain leaves out the time.
func plain(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}
