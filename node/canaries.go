package node

import (
	"context"

	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node/decoy"
)

// AddCanaries makes subjects of the own register, enrolled like anybody, canaries.
func (n *Node) AddCanaries(_ context.Context, subjects []pseudonym.Identifier) error {
	return n.decoys.Add(n.now(), subjects...)
}

// Canaries lists them.
func (n *Node) Canaries() ([]decoy.Canary, error) { return n.decoys.List() }
