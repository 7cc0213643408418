package hawkeye_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/go-batteries/hawkeye"

// rule says what packages may import beside the standard library. A pattern is
// a path in this module ("." is the root), with /... if what lies below is
// meant, too, or the path of somebody else's package.
type rule struct {
	packages string
	may      []string
}

// rules are the floors of the house, see docs/architecture.md: arrows point
// down only. The first one that matches counts; a package with none may import
// the standard library alone.
var rules = []rule{
	{"store", nil},
	{"internal/samples/clock", nil},
	{"internal/kit/supervise", []string{"internal/guard", "internal/pulse"}},
	{"internal/ingest/client", []string{"internal/bucket", "internal/guard", "internal/series", "store"}},
	{"internal/monitor", []string{"internal/...", "store", "gopkg.in/yaml.v3"}},
	{"internal/evaluate", []string{"internal/alert", "internal/cron", "internal/exact", "internal/matcher", "internal/monitor", "internal/series", "internal/window", "internal/zone", "store"}},
	{"internal/feed", []string{"internal/bucket", "internal/guard", "internal/pulse", "internal/samples/clock", "internal/series", "internal/window", "store"}},
	{"internal/publish/publishtest", []string{"internal/...", "store", "store/memstore"}}, // for tests
	{"internal/...", []string{"internal/...", "store"}},
	{"store/memstore", []string{"internal/...", "store"}},
	{".", []string{"internal/...", "store", "store/memstore", "gopkg.in/yaml.v3"}},

	// What stands on the root. These don't import each other.
	{"store/redisstore/...", []string{"store/redisstore/...", ".", "store", "internal/...", "github.com/redis/go-redis/v9/..."}},
	{"store/storetest", []string{".", "store", "internal/..."}},
	{"notify/...", []string{"notify/...", ".", "store", "internal/..."}},
	{"hawkeyetest/...", []string{".", "store", "store/memstore", "internal/..."}},
	{"examples/fleet", []string{".", "store", "store/redisstore", "internal/exampletest", "github.com/redis/go-redis/v9/..."}},
	{"examples/...", []string{".", "internal/exampletest"}},
	{"test/...", []string{".", "store/...", "internal/..."}},
}

// wings are packages that only those above them import: data goes from samples
// and ingest by the engine to the root.
var wings = []struct {
	wing string
	by   []string
}{
	{"internal/kit/supervise", []string{"."}},
	{"internal/ingest/...", []string{"internal/ingest/...", "."}},
	{"internal/engine/...", []string{"internal/engine/...", "."}},
}

// never are the packages that importing hawkeye doesn't bring along.
var never = []string{"testing", "embed", "html/template", "text/template", "net/rpc", "os/exec"}

// listed is a package as go list knows it.
type listed struct{ imports, deps []string }

func TestImports(t *testing.T) {
	t.Parallel()
	packages := list(t)
	for pkg, l := range packages {
		for _, imported := range l.imports {
			if !may(pkg, imported) {
				t.Errorf("%s imports %s, which is above it, beside it, or a new dependency", pkg, imported)
			}
		}
	}
	for _, dep := range packages["."].deps {
		if slices.Contains(never, dep) {
			t.Errorf("hawkeye brings along %s", dep)
		}
		if foreign(dep) && dep != "gopkg.in/yaml.v3" {
			t.Errorf("hawkeye brings along %s; want yaml alone", dep)
		}
	}
}

// list returns the packages of this module, tests left out.
func list(t *testing.T) map[string]listed {
	t.Helper()
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}};{{join .Imports " "}};{{join .Deps " "}}`, "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	all := make(map[string]listed)
	for line := range strings.Lines(string(out)) {
		part := strings.Split(line, ";")
		l := listed{imports: strings.Fields(part[1]), deps: strings.Fields(part[2])}
		for _, paths := range [][]string{l.imports, l.deps} {
			for i := range paths {
				paths[i] = within(paths[i])
			}
		}
		all[within(part[0])] = l
	}
	if len(all) < 20 {
		t.Fatalf("go list found %d packages, which can't be all", len(all))
	}
	return all
}

// within shortens a package of this module to its path in it.
func within(pkg string) string {
	if pkg == module {
		return "."
	}
	return strings.TrimPrefix(pkg, module+"/")
}

// foreign says whether a package is neither ours nor the standard library's.
func foreign(pkg string) bool {
	first, _, _ := strings.Cut(pkg, "/")
	return first != "." && strings.Contains(first, ".")
}

func may(pkg, imported string) bool {
	if standard := !foreign(imported) && !isOurs(imported); standard {
		return true
	}
	among := func(patterns []string, pkg string) bool {
		return slices.ContainsFunc(patterns, func(pattern string) bool { return matches(pattern, pkg) })
	}
	for _, w := range wings {
		if matches(w.wing, imported) && !among(w.by, pkg) {
			return false
		}
	}
	for _, r := range rules {
		if matches(r.packages, pkg) {
			return among(r.may, imported)
		}
	}
	return false
}

// isOurs tells a path in this module from one in the standard library: they
// have no first element in common.
func isOurs(pkg string) bool {
	first, _, _ := strings.Cut(pkg, "/")
	_, err := os.Stat(first)
	return err == nil
}

func matches(pattern, pkg string) bool {
	dir, below := strings.CutSuffix(pattern, "/...")
	return pkg == dir || below && strings.HasPrefix(pkg, dir+"/")
}

// TestRules makes sure that the rules refuse what they are there to refuse.
func TestRules(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pkg, imported string
		want          bool
	}{
		{"internal/alert", "strings", true},
		{"internal/alert", "store", true},
		{"internal/alert", ".", false},
		{"internal/alert", "store/memstore", false},
		{"internal/alert", "gopkg.in/yaml.v3", false},
		{"internal/monitor", "gopkg.in/yaml.v3", true},
		{"store", "internal/series", false},
		{"internal/samples/clock", "internal/publish", false},
		{"internal/ingest/client", "internal/series", true},
		{"internal/ingest/client", "internal/publish", false},
		{"internal/engine/sentlog", "internal/ledger", true},
		{"internal/engine/sentlog", ".", false},
		{"internal/feed", "internal/engine/ruleset", false},
		{"internal/evaluate", "internal/notify", false},
		{"internal/feed", "internal/publish", false},
		{"internal/simulate", "internal/engine/ruleset", false},
		{"store/memstore", "internal/ingest/client", false},
		{"store/memstore", ".", false},
		{".", "store/memstore", true},
		{".", "store/redisstore", false},
		{".", "hawkeyegin", false},
		{".", "github.com/redis/go-redis/v9", false},
		{"store/redisstore", "github.com/redis/go-redis/v9", true},
		{"store/redisstore", "store/redisstore/redistest", true},
		{"store/redisstore", "store/storetest", false},
		{"store/redisstore", "github.com/gin-gonic/gin", false},
		{"examples/nethttp", ".", true},
		{"examples/nethttp", "store/redisstore", false},
		{"somewhere/new", "net/http", true},
		{"somewhere/new", "store", false},
	} {
		if got := may(c.pkg, c.imported); got != c.want {
			t.Errorf("may(%q, %q) = %v, want %v", c.pkg, c.imported, got, c.want)
		}
	}
}

// mostNames bounds what the root package exports, beside methods and fields.
// Many are options, and what monitors.yaml says, from code.
const mostNames = 90

func TestExportedNames(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			names = append(names, exported(decl)...)
		}
	}
	t.Logf("the root package exports %d names", len(names))
	if len(names) < 10 || len(names) > mostNames {
		t.Errorf("the root package exports %d names, want at most %d: %v", len(names), mostNames, names)
	}
}

// exported returns the exported names that a declaration adds to the package.
func exported(decl ast.Decl) (names []string) {
	add := func(id *ast.Ident) {
		if id.IsExported() {
			names = append(names, id.Name)
		}
	}
	switch d := decl.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil {
			add(d.Name)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				add(s.Name)
			case *ast.ValueSpec:
				for _, id := range s.Names {
					add(id)
				}
			}
		}
	}
	return names
}
