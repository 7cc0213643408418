package membership

import (
	"testing"

	"github.com/go-batteries/hawkeye/internal/ledger"
)

// The configuration of the highest generation decides, else the one that the
// ledger has known for the shortest time; ours if nothing else is known.
func TestNewest(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		configs map[string]*ledger.ConfigRecord
		want    string
	}{
		{"nothing is known", nil, "ours"},
		{"one", map[string]*ledger.ConfigRecord{"a": {First: 1}}, "a"},
		{"the later one", map[string]*ledger.ConfigRecord{"a": {First: 2}, "b": {First: 1}}, "a"},
		{"the higher generation", map[string]*ledger.ConfigRecord{"a": {First: 2}, "b": {First: 1, Generation: 1}}, "b"},
		{"one that a newer version keeps wins over none", map[string]*ledger.ConfigRecord{"a": {}, "b": {First: 1}}, "b"},
	} {
		if got := newest(c.configs, "ours"); got != c.want {
			t.Errorf("%s: %q decides, want %q", c.name, got, c.want)
		}
	}
}
