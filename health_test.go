package hawkeye

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/go-batteries/hawkeye/internal/kit/supervise"
)

// TestProblemCodes: each problem that the code can find has a code of its own,
// which docs/health.md explains, and there is nothing else.
func TestProblemCodes(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("docs/health.md")
	if err != nil {
		t.Fatal(err)
	}
	var explained []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\| \\S.* \\| \\S.* \\|$").FindAllStringSubmatch(string(doc), -1) {
		explained = append(explained, m[1])
	}
	codes, used := problemsInCode(t)
	if got := slices.Sorted(maps.Values(codes)); !cmp.Equal(got, slices.Sorted(slices.Values(explained))) {
		t.Errorf("codes in the code, and not in docs/health.md:\n%s", cmp.Diff(slices.Sorted(slices.Values(explained)), got))
	}
	for name, code := range codes {
		if !used[name] {
			t.Errorf("no problem has the code %s", code)
		}
		if !regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`).MatchString(code) {
			t.Errorf("the code %q isn't words with underscores", code)
		}
	}
	if len(codes) < 20 {
		t.Errorf("only %d codes were found", len(codes))
	}
}

// problemsInCode returns the constants of type ProblemCode, by their names, and
// which of them problems are made with.
func problemsInCode(t *testing.T) (codes map[string]string, used map[string]bool) {
	t.Helper()
	codes, used = make(map[string]string), make(map[string]bool)
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ValueSpec:
				if kind, ok := n.Type.(*ast.Ident); !ok || kind.Name != "ProblemCode" {
					return true
				}
				for i, v := range n.Values {
					code, err := strconv.Unquote(v.(*ast.BasicLit).Value)
					if err != nil {
						t.Error(err)
					}
					codes[n.Names[i].Name] = code
				}
				return false
			case *ast.CallExpr: // found.add(code, ...)
				if f, ok := n.Fun.(*ast.SelectorExpr); ok && f.Sel.Name == "add" && len(n.Args) > 2 {
					if _, literal := n.Args[0].(*ast.BasicLit); literal {
						t.Errorf("%s: a problem without a declared code", fset.Position(n.Pos()))
					}
				}
			case *ast.Ident:
				used[n.Name] = true
			}
			return true
		})
	}
	return codes, used
}

// TestProblemsAreTwoViews: sentences and details are the same, in JSON too.
func TestProblemsAreTwoViews(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, err := New(WithoutSocket())
		if err != nil {
			t.Fatal(err)
		}
		h.sup.Failed(t.Context(), "follower", supervise.ErrExited, time.Second)
		got := h.Health()
		want := []Problem{
			{problemNotRunning, "", "not running"},
			{problemComponentRestarted, "follower", "the follower failed and was started again, 1 times so far"},
		}
		if diff := cmp.Diff(want, got.Details); diff != "" || got.OK {
			t.Errorf("Health().Details (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{want[0].Text, want[1].Text}, got.Problems); diff != "" {
			t.Errorf("Health().Problems (-want +got):\n%s", diff)
		}
		text, err := json.Marshal(got.Details[:1])
		if want := `[{"code":"not_running","text":"not running"}]`; err != nil || string(text) != want {
			t.Errorf("as JSON: %s, %v; want %s", text, err, want)
		}
	})
}
