package anchordir

import (
	"github.com/spf13/pflag"

	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/rootkey"
)

// Settings is what `tamga anchor init` decided, and `tamga anchor mark allow`.
type Settings struct {
	EntityID string `json:"entity_id"`
	Name     string `json:"name"`
	Listen   string `json:"listen"`
	// Superiors are the Entities above an Intermediate; a Trust Anchor has none.
	Superiors []trust.EntityID `json:"superiors,omitempty"`
	// MarkIssuers and MarkOwners are a Trust Anchor's word on Trust Marks.
	MarkIssuers map[string][]trust.EntityID `json:"mark_issuers,omitempty"`
	MarkOwners  map[string]trust.MarkOwner  `json:"mark_owners,omitempty"`
}

// Flags say which anchor a command works on, or which node that is the superior of
// others.
type Flags struct {
	Dir  string
	from rootkey.Flags
}

// Add defines the flags.
func (n *Flags) Add(f *pflag.FlagSet) {
	f.StringVar(&n.Dir, "dir", "", "the anchor's folder, or that of a node that vouches for others (required)")
	n.from.Add(f, "")
}
