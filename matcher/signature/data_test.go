package signature_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/tamga-id/tamga/matcher/exchange/svc2004"
	"github.com/tamga-id/tamga/matcher/signature"
)

const writers, genuine, each = 20, 20, 40

// benchmark holds the templates of SVC2004 task 2 by writer and number, both
// from 1: 1 to 20 genuine, 21 to 40 skilled forgeries.
type benchmark [writers + 1][each + 1]*signature.Template

// load reads the benchmark, which is not part of this repository.
func load(t testing.TB) *benchmark {
	t.Helper()
	root := os.Getenv("TAMGA_SHARED")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared")
	}
	dir := filepath.Join(root, "data", "signature", "svc2004")
	if _, err := os.Stat(dir); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("signature benchmark is missing: %v", err)
		}
		t.Skipf("signature benchmark is not at hand: %v", err)
	}
	all := new(benchmark)
	for u := 1; u <= writers; u++ {
		for k := 1; k <= each; k++ {
			name := fmt.Sprintf("U%dS%d.TXT", u, k)
			raw, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			s, err := svc2004.Decode(raw)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if all[u][k], err = signature.Prepare(s); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
	}
	return all
}
