package result

import (
	"errors"
	"io/fs"
	"os"
	"strings"
)

// WriteSection replaces the section of that name in a Markdown file, or adds
// it at the end. A section is what stands between its two comments.
func WriteSection(file, name, text string) error {
	old, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	begin, end := "<!-- "+name+" -->\n", "<!-- end of "+name+" -->\n"
	section := begin + strings.TrimSpace(text) + "\n" + end
	head, rest, ok := strings.Cut(string(old), begin)
	_, tail, closed := strings.Cut(rest, end)
	if !ok || !closed {
		head, tail = strings.TrimRight(string(old), "\n")+"\n\n", ""
	}
	return os.WriteFile(file, []byte(head+section+tail), 0o644)
}
