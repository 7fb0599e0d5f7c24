package finger_test

import (
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/matcher/finger"
)

// impression is one template of the benchmark.
type impression struct {
	owner, set string
	sample     finger.Sample
	template   *finger.Template // nil when it cannot be prepared
}

// sharedDir is where the benchmark lies, which is not part of this repository.
func sharedDir(t testing.TB, name string) string {
	t.Helper()
	root := os.Getenv("TAMGA_SHARED")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared")
	}
	dir := filepath.Join(root, "data", "fingerprint", name)
	if _, err := os.Stat(dir); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("fingerprint benchmark is missing: %v", err)
		}
		t.Skipf("fingerprint benchmark is not at hand: %v", err)
	}
	return dir
}

// impressions loads one extractor's templates by name.
func impressions(t testing.TB, extractor string) []impression {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(sharedDir(t, extractor), "*.iso"))
	if err != nil || len(paths) != 320 {
		t.Fatalf("benchmark has %d templates (%v), want 320", len(paths), err)
	}
	sort.Strings(paths)
	var out []impression
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		samples, err := exchange.DecodeFinger(raw)
		if err != nil || len(samples) != 1 {
			t.Fatalf("decoding %s: %d views, %v", filepath.Base(path), len(samples), err)
		}
		name := strings.TrimSuffix(filepath.Base(path), ".iso")
		owner := name[:strings.LastIndexByte(name, '_')]
		template, _ := finger.Prepare(samples[0])
		out = append(out, impression{owner, owner[:strings.LastIndexByte(owner, '_')], samples[0], template})
	}
	return out
}
