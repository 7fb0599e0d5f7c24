// Package mutant makes nodes that are wrong in one way each, from the real one: what
// the conformance suite is examined with. A suite that does not fail a mutant does
// not look at what the mutant breaks.
//
// [Names] lists them, [Overrides] makes the parts to open a node with. A mutant is for
// one node of a sandbox and for tests: it answers one Query at a time and holds what
// a node must forget.
package mutant

import (
	"fmt"
	"slices"
	"sync"

	"github.com/tamga-id/tamga/node"
	"github.com/tamga-id/tamga/node/responder"
)

// Mutant is a node that is wrong in one way.
type Mutant struct {
	Name         string
	Does         string   // what is wrong
	Requirements []string // of PROTOCOL.md that it breaks

	overrides func() node.Overrides
}

// All are the mutants, by name.
func All() []Mutant {
	all := slices.Concat(deciding(), recording(), replying())
	slices.SortFunc(all, func(a, b Mutant) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return all
}

// Names are the names of the mutants, sorted.
func Names() []string {
	var names []string
	for _, m := range All() {
		names = append(names, m.Name)
	}
	return names
}

// Overrides makes a fresh mutant. Each node needs its own.
func Overrides(name string) (node.Overrides, error) {
	for _, m := range All() {
		if m.Name == name {
			return m.overrides(), nil
		}
	}
	return node.Overrides{}, fmt.Errorf("making mutant: there is none named %.40q", name)
}

// edits are overrides of the responder's parts alone.
func edits(edit func(*responder.Config)) func() node.Overrides {
	return func() node.Overrides { return node.Overrides{Responder: edit} }
}

// memory is what a mutant remembers between Queries.
type memory[T any] struct {
	mu    sync.Mutex // guards value
	value T
}

func (m *memory[T]) swap(v T) (old T) {
	m.mu.Lock()
	defer m.mu.Unlock()
	old, m.value = m.value, v
	return old
}

func (m *memory[T]) load() T {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.value
}
