//go:build unix

package failpoint

import "testing"

func TestAsksAtTheArmedPassage(t *testing.T) {
	t.Parallel()
	if out, killed := child(t, "asked", "term@claim:3"); out != "01234 asked" || killed {
		t.Errorf("a process armed with term@claim:3 wrote %q, killed %t; want \"01234 asked\" and no kill", out, killed)
	}
}
