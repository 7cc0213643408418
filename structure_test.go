package hawkeye_test

import (
	"fmt"
	"go/ast"
	"go/build"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Bounds of the root package's structure, which is the façade and the wiring. No
// type but the composition root holds the handle.
const (
	mostFiles   = 24 // not counting tests
	mostCycle   = 4  // files that refer to each other, around corners too
	mostHolders = 0  // struct fields that hold the handle
	mostReaches = 0  // selections through such a field
)

// TestStructure keeps parts from growing together: a file refers to another one
// if it uses what is declared there, and files in a cycle can only be
// understood, and changed, together.
func TestStructure(t *testing.T) {
	t.Parallel()
	root := loadRoot(t)
	refs := root.references()
	cycle := largestCycle(refs)
	n := 0
	for _, to := range refs {
		n += len(to)
	}
	holders, reaches := root.handle()
	t.Logf("%d files, %d lines, %d references, %d files in the largest cycle, %d fields hold the handle, %d selections through them",
		len(refs), root.lines, n, len(cycle), len(holders), reaches)
	t.Logf("the cycle: %v", cycle)
	for _, b := range []struct {
		what      string
		got, most int
	}{
		{"files", len(refs), mostFiles},
		{"files in the largest cycle", len(cycle), mostCycle},
		{"fields that hold the handle", len(holders), mostHolders},
		{"selections through such a field", reaches, mostReaches},
	} {
		if b.got > b.most {
			t.Errorf("the root package has %d %s, want at most %d", b.got, b.what, b.most)
		}
	}
	if t.Failed() {
		t.Logf("the handle is held by %v", holders)
	}
}

func TestLargestCycle(t *testing.T) {
	t.Parallel()
	got := largestCycle(map[string]map[string]bool{
		"a": {"b": true}, "b": {"c": true, "d": true}, "c": {"a": true}, "d": {"e": true}, "e": {"d": true}, "f": {"a": true},
	})
	if want := []string{"a", "b", "c"}; !slices.Equal(got, want) {
		t.Errorf("largestCycle() = %v, want %v", got, want)
	}
}

// rootPackage is the root package with its types, tests left out.
type rootPackage struct {
	fset  *token.FileSet
	files map[string]*ast.File // by name
	info  types.Info
	pkg   *types.Package
	lines int
}

// loadRoot checks the root package's types. What it imports comes from the
// build cache.
func loadRoot(t *testing.T) *rootPackage {
	t.Helper()
	p := &rootPackage{
		fset: token.NewFileSet(), files: make(map[string]*ast.File),
		info: types.Info{Uses: make(map[*ast.Ident]types.Object), Types: make(map[ast.Expr]types.TypeAndValue)},
	}
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var files []*ast.File
	for _, name := range names {
		if ok, err := build.Default.MatchFile(".", name); err != nil || !ok || strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(p.fset, name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		p.files[name] = file
		p.lines += p.fset.File(file.Pos()).LineCount()
		files = append(files, file)
	}
	exports := exportData(t)
	conf := types.Config{Importer: importer.ForCompiler(p.fset, "gc", func(path string) (io.ReadCloser, error) {
		return os.Open(exports[path])
	})}
	if p.pkg, err = conf.Check(module, p.fset, files, &p.info); err != nil {
		t.Fatal(err)
	}
	return p
}

// exportData returns the files with the types of what the root imports.
func exportData(t *testing.T) map[string]string {
	t.Helper()
	out, err := exec.Command("go", "list", "-export", "-deps", "-f", "{{.ImportPath}};{{.Export}}", ".").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	exports := make(map[string]string)
	for line := range strings.Lines(string(out)) {
		path, file, _ := strings.Cut(strings.TrimSpace(line), ";")
		exports[path] = file
	}
	return exports
}

// references returns for each file the others that it refers to.
func (p *rootPackage) references() map[string]map[string]bool {
	refs := make(map[string]map[string]bool)
	for name := range p.files {
		refs[name] = make(map[string]bool)
	}
	for id, obj := range p.info.Uses {
		if obj.Pkg() != p.pkg || !obj.Pos().IsValid() {
			continue
		}
		from, to := p.fset.Position(id.Pos()).Filename, p.fset.Position(obj.Pos()).Filename
		if from != to && refs[to] != nil {
			refs[from][to] = true
		}
	}
	return refs
}

// handle returns the struct fields that hold the handle, and how often
// something is selected through one.
func (p *rootPackage) handle() (holders []string, reaches int) {
	isHandle := func(t types.Type) bool {
		ptr, ok := t.(*types.Pointer)
		if !ok {
			return false
		}
		named, ok := types.Unalias(ptr.Elem()).(*types.Named)
		return ok && named.Obj().Name() == "Hawkeye" && named.Obj().Pkg() == p.pkg
	}
	for _, file := range p.files {
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.StructType:
				for _, f := range n.Fields.List {
					if isHandle(p.info.TypeOf(f.Type)) {
						holders = append(holders, fmt.Sprint(p.fset.Position(f.Pos())))
					}
				}
			case *ast.SelectorExpr:
				if inner, ok := n.X.(*ast.SelectorExpr); ok && isHandle(p.info.TypeOf(inner)) {
					reaches++
				}
			}
			return true
		})
	}
	slices.Sort(holders)
	return holders, reaches
}

// largestCycle returns the most nodes that can all be reached from each other.
func largestCycle(refs map[string]map[string]bool) (largest []string) {
	reach := make(map[string]map[string]bool)
	for from := range refs {
		reach[from] = reachable(refs, from)
	}
	for a := range refs {
		var cycle []string
		for b := range refs {
			if a == b || reach[a][b] && reach[b][a] {
				cycle = append(cycle, b)
			}
		}
		slices.Sort(cycle)
		if len(cycle) > len(largest) || len(cycle) == len(largest) && slices.Compare(cycle, largest) < 0 {
			largest = cycle
		}
	}
	return largest
}

func reachable(refs map[string]map[string]bool, from string) map[string]bool {
	seen := make(map[string]bool)
	for next := []string{from}; len(next) > 0; {
		at := next[len(next)-1]
		next = next[:len(next)-1]
		for to := range refs[at] {
			if !seen[to] {
				seen[to] = true
				next = append(next, to)
			}
		}
	}
	return seen
}
