package hawkeye_test

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// block is a piece of code in a document, after a comment that names the file
// which it is from.
var block = regexp.MustCompile("(?s)<!-- (\\S+) -->\n```(\\w+)\n(.*?)```")

// fence is where any code begins, named or not.
var fence = regexp.MustCompile("(?m)^```\\w+$")

// TestReadme makes sure that the code in README.md is code that is compiled
// and run: each block stands, line by line, in the file that it names.
func TestReadme(t *testing.T) {
	t.Parallel()
	readme := read(t, "README.md")
	blocks := block.FindAllStringSubmatch(readme, -1)
	if fences := len(fence.FindAllString(readme, -1)); len(blocks) < 5 || len(blocks) != fences {
		t.Errorf("%d blocks of code, %d of which name their file; want at least 5, and all", fences, len(blocks))
	}
	for _, b := range blocks {
		file, language, code := b[1], b[2], b[3]
		if language == "go" && !strings.HasSuffix(file, "example_test.go") && file != "testdata/readme/main.go" {
			t.Errorf("a block is from %s; want a file of examples, which are run, or the main.go that TestReadmeMain runs", file)
		}
		text := flush(read(t, file))
		if !strings.Contains(text, flush(code)) {
			t.Errorf("this is not in %s any more:\n%s", file, code)
		}
		if whole := strings.HasPrefix(file, "testdata/readme/"); whole && text != flush(code) {
			t.Errorf("README.md shows a part of %s, want all of it", file)
		}
	}
}

// awaited are documents that are linked to and not written yet.
var awaited = []string{"docs/fleet.md", "benchmarks/RESULTS.md"}

// TestLinks looks for the files that the documents link to.
func TestLinks(t *testing.T) {
	t.Parallel()
	link := regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)
	documents := []string{"README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "examples/otherlanguages/README.md"}
	entries, err := os.ReadDir("docs")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		documents = append(documents, path.Join("docs", e.Name()))
	}
	for _, doc := range documents {
		for _, m := range link.FindAllStringSubmatch(read(t, doc), -1) {
			to := path.Join(path.Dir(doc), m[1])
			if _, err := os.Stat(to); err != nil && !slices.Contains(awaited, to) {
				t.Errorf("%s links to %s: %v", doc, m[1], err)
			}
		}
	}
}

// TestCommands looks for the tests that README.md names as evidence.
func TestCommands(t *testing.T) {
	t.Parallel()
	commands := regexp.MustCompile(`go test -run (\w+) (\S+)`+"`").FindAllStringSubmatch(read(t, "README.md"), -1)
	if len(commands) < 3 {
		t.Fatalf("found %d commands, want at least 3", len(commands))
	}
	for _, c := range commands {
		files, err := filepath.Glob(filepath.Join(c[2], "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(files, func(f string) bool { return strings.Contains(read(t, f), "func "+c[1]) }) {
			t.Errorf("README.md names the test %s, which is not in %s", c[1], c[2])
		}
	}
}

// TestArchitecture makes sure that docs/architecture.md names each package and
// each file of the root, and none that isn't there.
func TestArchitecture(t *testing.T) {
	t.Parallel()
	doc := read(t, "docs/architecture.md")
	for pkg := range list(t) {
		if dir, _, _ := strings.Cut(pkg, "/"); pkg == "." || dir == "examples" || dir == "test" {
			continue // named by what they are
		}
		if !strings.Contains(doc, "`"+pkg+"`") {
			t.Errorf("docs/architecture.md doesn't name the package %s", pkg)
		}
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !strings.HasSuffix(file, "_test.go") && !strings.Contains(doc, "`"+file+"`") {
			t.Errorf("docs/architecture.md doesn't name the file %s", file)
		}
	}
	for _, m := range regexp.MustCompile("`((?:internal|store)/[a-z/]+)`").FindAllStringSubmatch(doc, -1) {
		if _, err := os.Stat(m[1]); err != nil {
			t.Errorf("docs/architecture.md names %s: %v", m[1], err)
		}
	}
	for _, m := range regexp.MustCompile("`([a-z_]+\\.go)`").FindAllStringSubmatch(doc, -1) {
		if _, err := os.Stat(m[1]); err != nil {
			t.Errorf("docs/architecture.md names %s: %v", m[1], err)
		}
	}
}

// flush takes the indentation out.
func flush(code string) string {
	var b strings.Builder
	for line := range strings.Lines(code) {
		b.WriteString(strings.TrimSpace(line) + "\n")
	}
	return b.String()
}

func read(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
