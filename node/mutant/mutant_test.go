package mutant_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tamga-id/tamga/node/mutant"
)

// TestDescribed: every mutant has a name of its own, says what is wrong and cites
// requirements that PROTOCOL.md has.
func TestDescribed(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "federation", "protocol", "PROTOCOL.md"))
	if err != nil {
		t.Fatal(err)
	}
	names := mutant.Names()
	if !slices.IsSorted(names) || len(slices.Compact(slices.Clone(names))) != len(names) {
		t.Errorf("names are not sorted or not unique: %v", names)
	}
	for _, m := range mutant.All() {
		if m.Does == "" || len(m.Requirements) == 0 {
			t.Errorf("%s does not say what is wrong", m.Name)
		}
		for _, r := range m.Requirements {
			if !strings.Contains(string(text), "- **"+r+"**") {
				t.Errorf("%s cites %s, which PROTOCOL.md does not have", m.Name, r)
			}
		}
	}
	if _, err := mutant.Overrides("honest"); err == nil {
		t.Error("a mutant that does not exist was made")
	}
}
