package iris_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tamga-id/tamga/matcher/iris"
)

// capture is one code of the benchmark.
type capture struct {
	eye      string
	sample   iris.Sample
	template *iris.Template
}

// captures loads the benchmark, which is not part of this repository.
func captures(t testing.TB) []capture {
	t.Helper()
	root := os.Getenv("TAMGA_SHARED")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared")
	}
	dir := filepath.Join(root, "data", "iris")
	if _, err := os.Stat(dir); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("iris benchmark is missing: %v", err)
		}
		t.Skipf("iris benchmark is not at hand: %v", err)
	}
	raw, err := os.ReadFile(filepath.Join(dir, "codes2048.bin"))
	if err != nil {
		t.Fatal(err)
	}
	table, err := os.ReadFile(filepath.Join(dir, "codes2048.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(table)), "\n")[1:]
	if len(lines) != 378 || len(raw) != len(lines)*2*iris.Size {
		t.Fatalf("%d rows and %d octets, want 378 codes with masks", len(lines), len(raw))
	}
	out := make([]capture, len(lines))
	for i, line := range lines {
		c := &out[i]
		c.eye = strings.Split(line, "\t")[1]
		copy(c.sample.Code[:], raw[2*iris.Size*i:])
		copy(c.sample.Mask[:], raw[2*iris.Size*i+iris.Size:])
		if c.template, err = iris.Prepare(c.sample); err != nil {
			t.Fatal(err)
		}
	}
	return out
}
