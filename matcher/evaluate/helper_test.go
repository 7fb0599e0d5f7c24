package evaluate_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/tamga-id/tamga/matcher/evaluate"
)

func set(t *testing.T, r evaluate.Report, name string) evaluate.Report {
	t.Helper()
	for _, s := range r.Sets {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("no set %q", name)
	return evaluate.Report{}
}

// sharedDir is where the benchmarks lie, which are not part of this repository.
func sharedDir(t testing.TB, elements ...string) string {
	t.Helper()
	root := os.Getenv("TAMGA_SHARED")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared")
	}
	dir := filepath.Join(append([]string{root, "data"}, elements...)...)
	if _, err := os.Stat(dir); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("benchmark is missing: %v", err)
		}
		t.Skipf("benchmark is not at hand: %v", err)
	}
	return dir
}
