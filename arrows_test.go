package tamga_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/tamga-id/tamga"

type pkg struct {
	ImportPath                         string
	Dir                                string
	Doc                                string
	GoFiles                            []string
	Imports, TestImports, XTestImports []string
}

func packages(t *testing.T) []pkg {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Dir,Doc,GoFiles,Imports,TestImports,XTestImports", "./...").Output()
	if err != nil {
		t.Fatalf("listing packages: %v", err)
	}
	var all []pkg
	dec := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if len(all) < 20 {
		t.Fatalf("only %d packages found: the arrows are not being looked at", len(all))
	}
	return all
}

// folder is the top-level folder of an import path of this module, or "".
func folder(path string) string {
	rest, ok := strings.CutPrefix(path, module+"/")
	if !ok {
		return ""
	}
	top, _, _ := strings.Cut(rest, "/")
	return top
}

// TestImportArrows keeps the house in order: every import points towards crypto.
func TestImportArrows(t *testing.T) {
	allowed := map[string]map[string]string{
		"crypto":      {},
		"matcher":     {"crypto": ""},
		"credentials": {"crypto": ""},
		"federation":  {"crypto": ""},
		"node":        {"crypto": "", "matcher": "", "credentials": "", "federation": ""},
		"conformance": {"crypto": "", "credentials": "", "federation": "", "matcher": ""},
	}
	why := map[string]string{
		"crypto":      "crypto is what everything rests on; it may not know who uses it",
		"matcher":     "the matcher is pure computation; node joins it to the rest through small interfaces",
		"credentials": "credentials, federation and matcher never import one another: node joins them",
		"federation":  "credentials, federation and matcher never import one another: node joins them",
		"node":        "only the command `tamga conform` may import conformance: a node that knows its examiner can cheat it",
		"conformance": "the suite is black-box: importing node would let it test itself",
	}
	for _, p := range packages(t) {
		from := folder(p.ImportPath)
		if from == "" {
			continue
		}
		for _, imp := range p.Imports {
			to := folder(imp)
			if to == "" || to == from {
				continue
			}
			_, ok := allowed[from][to]
			if from == "node" && to == "conformance" && p.ImportPath == module+"/node/cmd/tamga/internal/conformcmd" {
				ok = true
			}
			if !ok {
				t.Errorf("%s imports %s: %s", p.ImportPath, imp, why[from])
			}
		}
		if from == "conformance" {
			for _, imp := range p.Imports {
				wire := imp == module+"/federation/protocol" || imp == module+"/federation/policy/vocabulary" || imp == module+"/federation/trust" || imp == module+"/matcher/synth"
				if to := folder(imp); (to == "federation" || to == "matcher") && !wire {
					t.Errorf("%s imports %s: the suite may know wire types and the names of the registry only", p.ImportPath, imp)
				}
			}
		}
	}
}

// TestOneImporter keeps a library that must be replaceable, or guarded, behind the
// one package that owns it. Tests may reach around it to compare.
func TestOneImporter(t *testing.T) {
	owners := map[string]struct {
		packages []string
		why      string
	}{
		"github.com/lestrrat-go/jwx":     {[]string{"/crypto/jose"}, "jwx/v2 is out of maintenance; only crypto/jose has the guards it needs"},
		"github.com/libp2p/":             {[]string{"/federation/transport", "/federation/transport/internal/wire", "/federation/transport/internal/pool", "/federation/transport/internal/door", "/federation/transport/internal/inbound"}, "limits and membership are enforced there; a second host would go around them"},
		"github.com/cedar-policy/":       {[]string{"/federation/policy"}, "law is decided in one place"},
		"github.com/danielgtaylor/huma/": {[]string{"/node/api", "/node/api/problem", "/node/api/operation", "/node/api/peers", "/node/api/law", "/node/api/upkeep"}, "its stock error type echoes rejected input; node/api/problem replaces it"},
	}
	for _, p := range packages(t) {
		for _, imp := range p.Imports {
			for prefix, o := range owners {
				if strings.HasPrefix(imp, prefix) && !slices.Contains(o.packages, strings.TrimPrefix(p.ImportPath, module)) {
					t.Errorf("%s imports %s, which only %s may: %s", p.ImportPath, imp, strings.Join(o.packages, " and "), o.why)
				}
			}
		}
	}
}

// TestMatcherIsPure: no I/O, no clock, no logging in the matcher.
func TestMatcherIsPure(t *testing.T) {
	for _, p := range packages(t) {
		if folder(p.ImportPath) != "matcher" {
			continue
		}
		for _, imp := range p.Imports {
			switch imp {
			case "os", "net", "net/http", "time", "log", "crypto/rand":
				t.Errorf("%s imports %s: the matcher is templates in, scores out; a clock, a file or a log in it is a way out for a score", p.ImportPath, imp)
			}
		}
	}
}

// TestPackageComments: every package says what it implements, once.
func TestPackageComments(t *testing.T) {
	for _, p := range packages(t) {
		if len(p.GoFiles) == 0 {
			continue
		}
		if len(p.Doc) < 20 {
			t.Errorf("%s has no package comment", p.ImportPath)
		}
		n := 0
		for _, f := range p.GoFiles {
			if packageComment(t, filepath.Join(p.Dir, f)) {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%s has %d package comments, want 1", p.ImportPath, n)
		}
	}
}

// TestTopLevel: the house has these rooms and no others.
func TestTopLevel(t *testing.T) {
	rooms := regexp.MustCompile(`^(crypto|matcher|credentials|federation|node|conformance)$`)
	for _, p := range packages(t) {
		if p.ImportPath == module {
			continue
		}
		if f := folder(p.ImportPath); !rooms.MatchString(f) {
			t.Errorf("%s: %q is not a folder of the design", p.ImportPath, f)
		}
		if p.ImportPath == module+"/crypto" {
			t.Errorf("crypto/ holds Go files: every importer would alias it against the standard library")
		}
	}
}
